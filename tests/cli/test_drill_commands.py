"""`mlref drill` and `mlref review`, in a real terminal of 80 columns and without one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import typer
from support.terminal import CTRL_C, CTRL_D, ESC_ENTER, Terminal, opened
from typer.testing import CliRunner

from mlref.cli import _drill
from mlref.cli._group import Group
from mlref.study.learner.state import Store

# The commands alone: the rest of `mlref` is not their business.
CODE = """
import sys, typer
from mlref.cli._drill import add_to
from mlref.cli._group import Group
app = typer.Typer(cls=Group, pretty_exceptions_enable=False)
add_to(app)
sys.exit(app())
"""
TYPING = "Ctrl-C: keep and leave"
CONFIRM = "Enter to confirm:"
GO_ON = "Go on with it? [Y/n]"
Run = Callable[..., AbstractContextManager[Terminal]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A learner's folder."""
    (tmp_path / ".mlref").mkdir()
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """What runs a command in a terminal."""
    return lambda *arguments: opened(CODE, *arguments, folder=folder)


@pytest.fixture
def app(folder: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The commands, in the learner's folder."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    made = typer.Typer(cls=Group)
    _drill.add_to(made)
    return made


def _kept(folder: Path) -> dict[str, Any]:
    return Store(folder).read().draft or {}


def _reviews(folder: Path) -> list[dict[str, Any]]:
    return [review for card in Store(folder).read().cards.values() for review in card.reviews]


def _typed(terminal: Terminal, text: str) -> None:
    """Type something, and wait until it is on the screen."""
    terminal.wait_for(TYPING)
    terminal.send(text)
    terminal.wait_for(text.rpartition("\r")[2])


def _reopened(terminal: Terminal) -> None:
    terminal.wait_for(GO_ON)
    terminal.send("\r")


def test_an_answer_survives_ctrl_c_in_every_phase(folder: Path, run: Run) -> None:
    """Left in an unfinished line, at the question, and while confirming, it is whole in the end."""
    with run("drill", "--topic", "01") as terminal:
        _typed(terminal, "We validate the data against a schema.\rThen we tra")
        terminal.send(CTRL_C)
        assert terminal.wait_end() == 130
        assert "All is kept. Go on with: mlref drill" in terminal.words()
    with run("drill") as terminal:
        terminal.wait_for(GO_ON)
        terminal.send(CTRL_C)
        assert terminal.wait_end() == 130
    with run("drill") as terminal:
        _reopened(terminal)
        _typed(terminal, "in it, and pickle the model.")
        terminal.send(ESC_ENTER)
        terminal.wait_for(CONFIRM)
        assert " 1 [x] Check the data against a schema" in terminal.text()
        assert " a [x] ✗ I pickle the model" in terminal.text()
        terminal.send("2 a\r")
        terminal.wait_for("2 of 20 points are ticked")
        terminal.send(CTRL_C)
        assert terminal.wait_end() == 130
    with run("drill") as terminal:
        _reopened(terminal)
        terminal.wait_for(CONFIRM)
        terminal.send("\r")
        assert terminal.wait_end() == 0
        assert "Asked again on" in terminal.words()
    (review,) = _reviews(folder)
    assert review["answer"] == (
        "We validate the data against a schema.\nThen we train it, and pickle the model."
    )
    assert review["ticked"] == ["schema_check", "later_data"]
    assert review["red_flags"] == []
    assert _kept(folder) == {}


def test_a_mock_interview_survives_ctrl_c_between_its_cards(folder: Path, run: Run) -> None:
    """Left in a follow-up and between two cards, it goes on with the next one."""
    with run("drill", "--mock", "45", "--seed", "3") as terminal:
        _typed(terminal, "first answer")
        terminal.send(CTRL_D)
        terminal.wait_for(CONFIRM)
        terminal.send("\r")
        terminal.wait_for("Question 1 of 5, follow-up")
        _typed(terminal, "half a rep")
        terminal.send(CTRL_C)
        assert terminal.wait_end() == 130
        assert "Go on with: mlref drill --mock 45" in terminal.words()
    with run("drill", "--mock", "45") as terminal:
        _reopened(terminal)
        _typed(terminal, "ly")
        terminal.send(CTRL_D)
        terminal.wait_for("Enter for the next question")
        terminal.send(CTRL_C)
        assert terminal.wait_end() == 130
    with run("drill", "--mock", "45") as terminal:
        _reopened(terminal)
        terminal.wait_for("Enter for the next question")
        terminal.send("\r")
        terminal.wait_for("Question 2 of 5")
    (answer,) = (Store(folder).read().mock or {})["answers"]
    assert (answer["text"], answer["reply"]) == ("first answer", "half a reply")


def test_kill_9_loses_at_most_the_last_moment(folder: Path, run: Run) -> None:
    """What was typed is on the disk without any key for it, and is gone on with."""
    with run("drill", "--topic", "01") as terminal:
        _typed(terminal, "an unfinished thou")
        terminal.wait_until(
            lambda: _kept(folder).get("text") == "an unfinished thou", "text on the disk"
        )
        terminal.signal(signal.SIGKILL)
        assert terminal.wait_end() == -signal.SIGKILL
    with run("drill") as terminal:
        _reopened(terminal)
        terminal.wait_for("> an unfinished thou")


@pytest.mark.parametrize("how", ["SIGTERM", "closed window"])
def test_a_terminal_that_is_closed_keeps_the_answer(folder: Path, run: Run, how: str) -> None:
    """The keys of the last moment, too."""
    with run("drill", "--topic", "01") as terminal:
        _typed(terminal, "kept to the last wo")
        if how == "SIGTERM":
            terminal.signal(signal.SIGTERM)
            assert terminal.wait_end() == 128 + signal.SIGTERM
        else:
            terminal.hang_up()
            terminal.process.wait(30)
    assert _kept(folder)["text"] == "kept to the last wo"


def test_sigint_while_nothing_is_asked_keeps_the_answer(folder: Path, run: Run) -> None:
    """The signal itself, without the key, does as Ctrl-C does."""
    with run("drill", "--topic", "01") as terminal:
        _typed(terminal, "half")
        terminal.signal(signal.SIGINT)
        assert terminal.wait_end() == 130
    assert _kept(folder)["text"] == "half"


def test_a_second_drill_is_refused(run: Run) -> None:
    """Two at once would overwrite each other's answer."""
    with run("drill", "--topic", "01") as first:
        first.wait_for(TYPING)
        with run("drill") as second:
            assert second.wait_end() == 1
            assert "another drill is open" in second.words()


def test_nothing_is_told_by_colour_alone(run: Run) -> None:
    """No colour is printed when none is wanted; words say what was heard."""
    with run("drill", "--topic", "01") as terminal:
        _typed(terminal, "We split the rows at random")
        terminal.send(ESC_ENTER)
        terminal.wait_for(CONFIRM)
        assert "\x1b[3" not in terminal.raw.decode().replace("\x1b[39", "")
        assert 'heard: "split the rows at random"' in terminal.words()


def test_without_a_terminal_an_answer_is_read_and_kept(folder: Path, app: typer.Typer) -> None:
    """The lines are the answer; its points are confirmed later, by a person."""
    done = CliRunner().invoke(app, ["drill", "--topic", "1"], input="line one\nline two\n")
    assert done.exit_code == 0
    assert "All is kept. Go on with: mlref drill" in " ".join(done.output.split())
    assert _kept(folder)["phase"] == "confirming"
    assert _kept(folder)["text"] == "line one\nline two"


def test_without_a_terminal_all_can_be_told(folder: Path, app: typer.Typer) -> None:
    """A line that is a dot ends the answer; numbers and an empty line follow."""
    done = CliRunner().invoke(app, ["drill", "--topic", "1"], input="text\n.\n2\n\n")
    assert done.exit_code == 0
    assert [review["ticked"] for review in _reviews(folder)] == [["later_data"]]


def test_review_tells_what_is_due(app: typer.Typer) -> None:
    """A beginner is sent to the first card."""
    done = CliRunner().invoke(app, ["review"])
    assert done.exit_code == 0
    assert "15 cards never answered" in done.output
    assert "next: mlref drill" in done.output


def test_review_tells_of_a_damaged_progress(folder: Path, app: typer.Typer) -> None:
    """It is set aside, and the learner hears where."""
    (folder / ".mlref/progress.json").write_text("{")
    done = CliRunner().invoke(app, ["review"])
    assert "note: the progress could not be read" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--mock", "45", "--due"], "--mock draws the questions"),
        (["--mock", "45", "--topic", "1"], "--mock draws the questions"),
        (["--seed", "1"], "add --mock 45"),
        (["--mock", "0"], "--mock"),
        (["--mock", "inf"], "--mock"),
        (["--topic", "1", "--due"], "choose one"),
        (["--topic", "99"], "01_deployment_steps"),
    ],
)
def test_what_cannot_be_is_told(app: typer.Typer, arguments: list[str], told: str) -> None:
    """With what to type instead."""
    done = CliRunner().invoke(app, ["drill", *arguments])
    assert done.exit_code != 0
    assert told in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize("command", ["drill", "review"])
def test_without_a_folder_the_next_step_is_told(
    app: typer.Typer, folder: Path, command: str
) -> None:
    """An answer needs a place where it is kept."""
    (folder / ".mlref").rmdir()
    done = CliRunner().invoke(app, [command])
    assert done.exit_code == 1
    assert "mlref init" in done.output


@pytest.mark.parametrize("command", ["drill", "review"])
def test_help_has_an_example(app: typer.Typer, command: str) -> None:
    """Every command shows how it is typed."""
    done = CliRunner().invoke(app, [command, "--help"])
    assert "Example: mlref" in done.output


def test_the_state_is_plain_json(folder: Path) -> None:
    """Another program, with nothing of ours, reads an answer that was piped in."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, "drill", "--topic", "1"],
        input="piped\n",
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = json.loads((folder / ".mlref/progress.json").read_text())
    assert kept["draft"]["text"] == "piped"
