"""Progress as it looks on a terminal and in a log."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from mlref.study import progress
from mlref.study.results import NotebookResult, Status
from mlref.study.runner import Watcher

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


def _bars(monkeypatch: pytest.MonkeyPatch, play: Callable[[Watcher], None]) -> str:
    """The plain text that a terminal of 100 columns shows."""
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=io.StringIO(), width=100, force_terminal=True, no_color=True)
    with progress.shown(console, total=2) as watcher:
        play(watcher)
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


def test_a_terminal_tells_that_the_page_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last cell, the label is no longer that cell's."""

    def play(watcher: Watcher) -> None:
        watcher.started("01_deployment_steps")
        watcher.cell("01_deployment_steps", index=24, total=24, label="the last")
        watcher.page("01_deployment_steps")

    text = _bars(monkeypatch, play)
    assert "writing the page" in text
    assert text.rindex("writing the page") > text.rindex("the last")


@pytest.mark.parametrize(
    ("statuses", "label"),
    [(["stopped"], "1 stopped"), (["failed"], "1 failed"),
     (["timeout", "stopped"], "1 failed, 1 stopped")],
)  # fmt: skip
def test_stopped_is_not_failed(
    monkeypatch: pytest.MonkeyPatch, statuses: list[Status], label: str
) -> None:
    """After Ctrl-C, the bar of all counts what was stopped apart from what failed."""

    def play(watcher: Watcher) -> None:
        for status in statuses:
            watcher.finished(replace(DONE, status=status))

    rows = [line for line in _bars(monkeypatch, play).splitlines() if "all notebooks" in line]
    assert rows[-1].rstrip().endswith(f" {label}")


def test_an_end_before_the_first_cell_is_told_in_words() -> None:
    """Where no cell began, nobody knows how many there are: not 0/0."""
    late = replace(DONE, status="timeout", cells_done=0, cells_total=0, cpu_seconds=None)
    assert progress.outcome(late).plain == (
        "✗ timeout 01_deployment_steps  before its first cell  1 min 15 s"
    )


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
