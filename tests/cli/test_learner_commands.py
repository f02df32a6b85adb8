"""`mlref init` and `mlref progress`, as a learner types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mlref.cli import app


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder that is nobody's."""
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    monkeypatch.chdir(tmp_path)


def _mlref(*words: str) -> Result:
    return CliRunner().invoke(app, words, env={"COLUMNS": "80", "TERM": "dumb"})


@pytest.mark.parametrize("command", ["init", "progress"])
def test_the_help_has_an_example(command: str) -> None:
    """It fits into 80 columns."""
    done = _mlref(command, "--help")
    assert done.exit_code == 0
    assert f"Example: mlref {command}" in done.output
    assert max(len(line) for line in done.output.splitlines()) <= 80


def test_init_says_how_to_go_on() -> None:
    """Each way has its command, with the folder as it was typed."""
    done = _mlref("init", "mine")
    assert done.exit_code == 0
    assert Path("mine/notebooks/01_deployment_steps.ipynb").is_file()
    for command in ("jupyter lab mine", "cd mine && mlref watch", "cd mine && mlref drill"):
        assert command in done.output


def test_init_here_leaves_no_folder_to_enter() -> None:
    """Who is in the folder already types the bare commands."""
    done = _mlref("init", ".")
    assert "in the terminal:  mlref watch\n" in done.output
    assert "cd " not in done.output


def test_init_lists_what_it_kept() -> None:
    """A file of the learner stays, and the learner is told."""
    Path("mine").mkdir()
    Path("mine/README.md").write_text("my own")
    done = _mlref("init", "mine")
    assert "kept as they are:\n    README.md\n" in done.output
    assert Path("mine/README.md").read_text() == "my own"


def test_init_refuses_a_file() -> None:
    """One line without a traceback, and the status of an error."""
    Path("file").write_text("")
    done = _mlref("init", "file")
    assert done.exit_code == 1
    assert "error: " in done.output
    assert "is a file; name a folder" in done.output


def test_progress_outside_of_a_folder_names_init() -> None:
    """The error says the next step."""
    done = _mlref("progress")
    assert done.exit_code == 1
    assert "mlref init DIR" in done.output


def test_progress_marks_and_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook that was marked as read is counted, also from a folder below."""
    _mlref("init", "mine")
    monkeypatch.chdir("mine/notebooks")
    done = _mlref("progress", "--read", "1")
    assert "✓ notebook 01_deployment_steps is marked as read" in done.output
    assert "last: " in done.output
    assert "next: " in _mlref("progress").output


def test_progress_prints_json_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice about a damaged file goes to the other stream."""
    _mlref("init", "mine")
    monkeypatch.chdir("mine")
    Path(".mlref/progress.json").write_text("{")
    done = _mlref("progress", "--json")
    assert json.loads(done.stdout)["done"] == 0
    assert "progress.json.corrupt-" in done.stderr
