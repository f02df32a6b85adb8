"""Progress as it looks on a terminal and in a log."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from mlref.study import progress
from mlref.study.results import NotebookResult

DONE = NotebookResult(
    name="01_deployment_steps",
    status="passed",
    seconds=75.0,
    cpu_seconds=12.0,
    cells_done=24,
    cells_total=24,
)


def _play(console: Console) -> str:
    """What is shown of one notebook of two."""
    with progress.shown(console, total=2) as watcher:
        watcher.started("01_deployment_steps")
        watcher.cell("01_deployment_steps", index=12, total=24, label="[Pack] the artefact")
        watcher.finished(DONE)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_log_gets_a_line_at_start_and_end() -> None:
    """Without a terminal, each notebook has two lines and no control characters."""
    assert _play(Console(file=io.StringIO(), width=80)).splitlines() == [
        "[1/2] 01_deployment_steps",
        "✓ passed  01_deployment_steps  24/24 cells  1 min 15 s  (cpu 12.0 s)",
    ]


def test_a_long_name_is_not_cut_in_a_log() -> None:
    """A log is as wide as it needs to be."""
    text = _play(Console(file=io.StringIO(), width=40))
    assert "24/24 cells  1 min 15 s  (cpu 12.0 s)" in text


def test_a_terminal_shows_the_current_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal of 80 columns: name, bar, cell, heading as it is, no line too long."""
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=io.StringIO(), width=80, force_terminal=True, no_color=True)
    with progress.shown(console, total=2) as watcher:
        watcher.started("01_deployment_steps")
        watcher.cell("01_deployment_steps", index=12, total=24, label="[Pack] the artefact")
        assert isinstance(watcher, progress._Bars)
        watcher.tick()
        assert isinstance(console.file, io.StringIO)
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
        watcher.finished(DONE)
    lines = re.split(r"[\r\n]+", plain)
    assert any("01_deployment_steps" in line and "12/24" in line for line in lines)
    assert any("[Pack]" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_no_color_means_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR set, a terminal gets no colour codes; outcomes are words."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    text = _play(Console(file=io.StringIO(), width=80, force_terminal=True))
    codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", text) for code in found.split(";")}
    assert not codes & {str(number) for number in (*range(30, 50), *range(90, 108))}
    assert "passed" in text


def test_estimate_follows_the_pace() -> None:
    """A quarter done in ten seconds leaves thirty; nothing done tells nothing."""
    assert progress.remaining_s(10.0, 0.25) == 30.0
    assert progress.remaining_s(10.0, 0.0) is None
    assert progress.remaining_s(10.0, 1.0) == 0.0
