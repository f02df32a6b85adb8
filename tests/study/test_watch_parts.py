"""What `mlref watch` is made of: keys, saved files, and lines that fit."""

from __future__ import annotations

import os
import pty
import queue
import signal
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mlref.study._changes import saved_files
from mlref.study._keys import LEFT, REDRAW, ending_by_signals, terminal_keys
from mlref.study._lines import progress_bar, result_lines, wrapped
from mlref.study._watch_screen import View, drawn
from mlref.study.labs import find_lab
from mlref.study.labs.results import CheckOutcome, ExerciseResult

WAIT_S = 20.0  # a limit that no passing test comes near


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both sides of a pseudo-terminal: ours, and the program's."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    for descriptor in (ours, theirs):
        os.close(descriptor)


def test_keys_come_without_enter(terminal: tuple[int, int]) -> None:
    """In lower case; arrows and other sequences are no letters."""
    pressed: queue.SimpleQueue[str] = queue.SimpleQueue()
    ours, theirs = terminal
    with terminal_keys(theirs)(pressed.put):
        os.write(ours, b"N")
        assert pressed.get(timeout=WAIT_S) == "n"
        os.write(ours, b"\x1b[A\x1bOHq")
        assert pressed.get(timeout=WAIT_S) == "q"


def test_what_is_pasted_is_no_key(terminal: tuple[int, int]) -> None:
    """A text with an r and a y in it puts nothing back."""
    pressed: queue.SimpleQueue[str] = queue.SimpleQueue()
    ours, theirs = terminal
    with terminal_keys(theirs)(pressed.put):
        os.write(ours, b"import mlref; r = y; s = s")
        found: list[str] = []
        deadline = time.monotonic() + WAIT_S
        while not found and time.monotonic() < deadline:
            os.write(ours, b"q")  # one that comes together with the text is taken for a part of it
            with suppress(queue.Empty):
                found.append(pressed.get(timeout=0.1))
    assert found == ["q"]


def test_the_mode_of_the_terminal_is_put_back(terminal: tuple[int, int]) -> None:
    """Also after an error."""
    _, theirs = terminal
    before = termios.tcgetattr(theirs)

    def fail_inside() -> None:
        with terminal_keys(theirs)(lambda _key: None):
            assert termios.tcgetattr(theirs) != before
            raise ValueError("oh")

    with pytest.raises(ValueError, match="oh"):
        fail_inside()
    assert termios.tcgetattr(theirs) == before


def test_a_new_size_asks_for_a_new_screen(terminal: tuple[int, int]) -> None:
    """The signal is delivered like a key, and the old handler comes back."""
    pressed: queue.SimpleQueue[str] = queue.SimpleQueue()
    before = signal.getsignal(signal.SIGWINCH)
    with terminal_keys(terminal[1])(pressed.put):
        signal.raise_signal(signal.SIGWINCH)
        assert pressed.get(timeout=WAIT_S) == REDRAW
    assert signal.getsignal(signal.SIGWINCH) == before


def test_a_terminal_that_goes_away_is_told() -> None:
    """The program can end then."""
    pressed: queue.SimpleQueue[str] = queue.SimpleQueue()
    ours, theirs = pty.openpty()
    with terminal_keys(theirs)(pressed.put):
        os.close(ours)
        assert pressed.get(timeout=WAIT_S) == LEFT
    os.close(theirs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_block_as_an_error(number: signal.Signals) -> None:
    """So that what it opened is closed."""
    with pytest.raises(SystemExit) as ended, ending_by_signals():
        signal.raise_signal(number)
    assert ended.value.code == 128 + number


def _fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("way", ["written", "replaced", "appeared", "gone"])
def test_each_way_to_save_is_noticed(way: str, tmp_path: Path) -> None:
    """Editors write into a file, or put another in its place."""
    path = tmp_path / "lab" / "exercise.py"
    path.parent.mkdir()
    if way != "appeared":
        path.write_text("before")
    saved: queue.SimpleQueue[None] = queue.SimpleQueue()
    with saved_files(tmp_path, [path])(lambda: saved.put(None), _fail):
        if way == "replaced":
            (tmp_path / "lab" / "4913~").write_text("after")
            (tmp_path / "lab" / "4913~").replace(path)
        elif way == "gone":
            path.unlink()
        else:
            path.write_text("after")
        saved.get(timeout=WAIT_S)


def test_a_folder_that_cannot_be_watched_is_told(tmp_path: Path) -> None:
    """With what to do instead."""
    failed: queue.SimpleQueue[Exception] = queue.SimpleQueue()
    with saved_files(tmp_path / "absent", [])(lambda: None, failed.put):
        assert "mlref labs check" in str(failed.get(timeout=WAIT_S))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  ✗ one two three four", ["  ✗ one two three", "    four"]),
        ("    | one two three four", ["    | one two", "    | three four"]),
        ("· to do  leaks", ["· to do  leaks"]),
        ("onetwothreefourfive", ["onetwothreefourf", "ive"]),
    ],
)
def test_lines_keep_their_indentation(line: str, expected: list[str]) -> None:
    """What is carried over stands below its own text; a long word is cut."""
    assert wrapped([line], 17 if "✗" in line else 16) == expected


def test_a_result_says_in_words_what_its_colours_say() -> None:
    """Without colours nothing is lost."""
    checks = (CheckOutcome("it runs", passed=True), CheckOutcome("it is right", passed=False))
    result = ExerciseResult("01_x", "y", "failed", checks, message="no", why="so")
    plain = [line.plain for line in result_lines(result, 80)]
    assert plain[:3] == ["✗ not yet  y", "    ✓ it runs", "    ✗ it is right"]


@pytest.mark.parametrize(("done", "bar"), [(0, "-" * 30), (4, "#" * 30)])
def test_the_bar_is_full_at_the_end_alone(done: int, bar: str) -> None:
    """And says the numbers."""
    assert progress_bar(done, 4) == f"[{bar}] {done}/4 solved"


def test_a_long_result_is_cut_and_says_where_the_rest_is() -> None:
    """The check that failed stays, those that hold go first."""
    lab = find_lab("01")
    checks = (*[CheckOutcome(f"holds {n}", passed=True) for n in range(30)],)
    checks = (*checks, CheckOutcome("is wrong", passed=False))
    result = ExerciseResult(lab.name, "leaks", "failed", checks, message="line\n" * 40)
    view = View(lab, lab.exercises[0], results={"leaks": result}, hint=1)
    plain = [line.plain for line in drawn(view, 80, 24)]
    assert len(plain) < 24
    assert "    ✗ is wrong" in plain
    assert "... more: mlref labs check 01 leaks" in plain
    assert "Hint 1 of 3" in plain
