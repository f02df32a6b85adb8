"""`mlref watch` in a real pseudo-terminal of 80 columns and 24 lines, with the real grader."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import terminal as terminals
from support.terminal import Terminal

from mlref.study.labs import find_lab, solution, starting_code
from mlref.study.learner.folder import make_folder
from mlref.study.learner.shipped import lab_files
from mlref.study.learner.state import Store

LAB = find_lab("01")
# The command itself, then whether the terminal is as it was.
CODE = """
import sys, termios
from mlref.cli import app
before = termios.tcgetattr(0)
status = 0
try:
    app()
except SystemExit as ended:
    status = ended.code
print("as it was" if termios.tcgetattr(0) == before else "changed")
sys.exit(status)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A learner's folder with the lab in it."""
    make_folder(tmp_path, shipped=lab_files(LAB))
    return tmp_path


@pytest.fixture
def terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal in which `mlref watch 01` has begun to grade what there is."""
    monkeypatch.setattr(terminals, "LINES", 24)
    with terminals.opened(CODE, "watch", "01", folder=folder) as opened:
        opened.wait_for("q quit")
        yield opened


def _idle(terminal: Terminal, text: str) -> str:
    """The screen, when it holds a text and nothing is being graded."""

    def there() -> bool:
        screen = terminal.text()
        return text in screen and "Checking" not in screen and screen.endswith("q quit")

    return terminal.wait_until(there, f"{text!r} without grading")


def _solve(folder: Path, *names: str) -> None:
    path = folder / "labs" / LAB.name / "exercise.py"
    text = path.read_text()
    for name in names:
        text = text.replace(starting_code(LAB, name), solution(LAB, name))
    path.write_text(text)


def test_a_learner_works_through_the_lab(terminal: Terminal, folder: Path) -> None:
    """From "to do" to the message that all is solved, with each key on the way."""
    assert "· to do  leaks" in _idle(terminal, "0/4 solved")
    _solve(folder, "leaks")
    assert "✓ solved  leaks" in _idle(terminal, "1/4 solved")
    terminal.send("n")
    _idle(terminal, "Exercise 2 of 4")
    terminal.send("h")
    _idle(terminal, "Hint 1 of 3")
    terminal.send("l")
    assert "✓ solved           leaks" in _idle(terminal, "All exercises")
    terminal.send("s")
    _idle(terminal, "s again")
    terminal.send("s")
    _idle(terminal, "mlref labs solution 01 refuse_tampering")
    _solve(folder, *(each.name for each in LAB.exercises[1:]))
    _idle(terminal, "4/4 solved")
    terminal.send("n")
    _idle(terminal, "All 4 exercises of this lab are solved")
    terminal.send("q")
    assert terminal.wait_end() == 0
    assert "as it was" in terminal.text()
    progress = Store(folder).read().labs[LAB.name]
    assert all(each.passed for each in progress.values())
    assert progress["refuse_tampering"].hints == 1
    assert progress["refuse_tampering"].solution_seen is not None


def test_ctrl_c_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    """Also while an answer is being graded; and says how to go on."""
    terminal.send("\x03")
    assert terminal.wait_end() == 130
    assert "mlref watch 01" in terminal.text()
    assert "as it was" in terminal.text()


def test_a_signal_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    """SIGTERM ends it in order."""
    terminal.signal(signal.SIGTERM)
    assert terminal.wait_end() == 128 + signal.SIGTERM
    assert "as it was" in terminal.text()
