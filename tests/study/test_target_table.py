"""One model on every target: what the table says of each."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mlref.artifact import Artifact
from mlref.runtime.clock import SystemClock
from mlref.schema import OnUnknown, Rows
from mlref.study import target_table
from mlref.study.target_table import Row, Timing
from mlref.targets import Description, Endpoint, InProcess

QUICK = Timing(warmup=2, requests=5)


class Wrong(Endpoint):
    """An endpoint that answers, but not what the model says."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.closed = False

    def predict(self, rows: Rows, *, on_unknown: OnUnknown = "impute") -> np.ndarray:
        """A wrong answer."""
        return self.artifact.predict(rows, on_unknown=on_unknown) + 1

    def wait_ready(self, timeout_s: float) -> None:
        """It is ready."""

    def describe(self) -> Description:
        """What it says it is."""
        return Description(target="wrong", model="m", version="1", size_bytes=1)

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@dataclass
class Place:
    """A target of which a test decides everything."""

    name: str
    deployment: Callable[[Artifact], Endpoint]
    reason: str | None = None

    def available(self) -> str | None:
        """The reason that the test gave."""
        return self.reason

    def deploy(self, artifact: Artifact) -> Endpoint:
        """What the test gave."""
        return self.deployment(artifact)


def _refuse(_artifact: Artifact) -> Endpoint:
    raise OSError("no space left\nat all")


def test_a_target_that_works_is_measured(digits: Any) -> None:
    """In this process all golden rows match, and a request takes less than a second."""
    (row,) = target_table.measure([InProcess()], digits.artifact, timing=QUICK)
    assert (row.target, row.problem, row.reason) == ("in_process", None, None)
    assert row.matched == row.golden == len(digits.artifact.golden.instances)
    assert row.size_bytes == digits.artifact.size_bytes
    assert row.p50_ms is not None
    assert 0 < row.p50_ms < 1000


def test_a_target_that_is_not_here_shows_its_reason(digits: Any) -> None:
    """It is not deployed, and it is no problem."""
    place = Place("container", _refuse, reason="no Docker")
    assert target_table.measure([place], digits.artifact) == [
        Row(target="container", reason="no Docker")
    ]


def test_a_target_that_fails_does_not_end_the_table(digits: Any) -> None:
    """Its error, in one line, is its problem; the next target is measured."""
    rows = target_table.measure(
        [Place("broken", _refuse), InProcess()], digits.artifact, timing=QUICK
    )
    assert rows[0].problem == "OSError: no space left"
    assert rows[1].problem is None


def test_other_predictions_are_a_problem(digits: Any) -> None:
    """A target that answers otherwise than the model fails, and is closed all the same."""
    endpoint = Wrong(digits.artifact)
    place = Place("wrong", lambda _artifact: endpoint)
    (row,) = target_table.measure([place], digits.artifact, timing=QUICK)
    assert row.problem == f"0 of {row.golden} golden rows matched"
    assert endpoint.closed


def test_p50_is_the_median_without_the_warm_up(digits: Any) -> None:
    """The clock says how long each request takes: of 9, 9, 1, 2, 30 the first two do not count."""

    class Clock(SystemClock):
        times = iter([0.0, *(0.0, 9.0) * 2, 0.0, 1.0, 0.0, 2.0, 0.0, 30.0])

        def monotonic(self) -> float:
            return next(self.times)

    timing = Timing(warmup=2, requests=3, limit_s=1000)
    (row,) = target_table.measure([InProcess()], digits.artifact, timing=timing, clock=Clock())
    assert row.p50_ms == pytest.approx(2000)


def test_the_check_shows_and_saves_the_table(digits: Any, tmp_path: Path) -> None:
    """The table goes to the terminal, to targets.md and, as details, to summary.json."""
    console = Console(file=io.StringIO(), width=80)
    targets = [InProcess(), Place("container", _refuse, reason="no | Docker"), Place("x", _refuse)]
    found = target_table.check(
        tmp_path, console, targets=targets, artifact=digits.artifact, timing=QUICK
    )
    assert found.problems == ("x: OSError: no space left",)
    assert (found.noun, found.total) == ("target", 2)  # the container is not here
    assert [row["target"] for row in found.details["rows"]] == ["in_process", "container", "x"]
    saved = (tmp_path / "targets.md").read_text()
    assert "| container | - | - | - | not here: no \\| Docker |" in saved
    assert isinstance(console.file, io.StringIO)
    assert "not here: no | Docker" in console.file.getvalue()


def test_numbers_have_units() -> None:
    """Milliseconds, megabytes, rows of rows."""
    row = Row(target="local", p50_ms=1.234, size_bytes=2_500_000, matched=8, golden=8)
    assert "| local | 1.23 ms | 2.50 MB | 8/8 |  |" in target_table.markdown([row])
    bad = replace(row, matched=7, problem="7 of 8 golden rows matched")
    assert "| 7/8 | 7 of 8 golden rows matched |" in target_table.markdown([bad])
