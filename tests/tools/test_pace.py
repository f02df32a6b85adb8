"""How slow the machine is, measured with known work."""

from __future__ import annotations

import subprocess

import pytest

import pace


def test_a_machine_that_needs_longer_is_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told how many times."""
    monkeypatch.setattr(pace, "UNIT_S", 0.001)
    assert pace.slowness(rounds=1) > 20  # to start Python and import pandas takes far above 20 ms


def test_a_faster_machine_is_held_to_the_budget_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would fail what passes on the others."""
    monkeypatch.setattr(pace, "UNIT_S", 1000.0)
    assert pace.slowness(rounds=1) == 1.0


def test_work_that_fails_is_no_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends too soon, and would make the machine a fast one."""
    monkeypatch.setattr(pace, "_WORK", "raise SystemExit(3)")
    with pytest.raises(subprocess.CalledProcessError, match="status 3"):
        pace.slowness(rounds=1)
