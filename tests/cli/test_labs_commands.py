"""`mlref labs`, as a learner types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mlref.cli import app
from mlref.study.labs import all_labs, find_lab, solution, starting_code
from mlref.study.learner.folder import make_folder
from mlref.study.learner.shipped import lab_files
from mlref.study.learner.state import ExerciseProgress, Store

LAB = "01_deployment_steps"
COMMANDS = ["labs list", "labs check", "labs hint", "labs solution", "labs reset", "watch"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's folder, which is the current one."""
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    make_folder(tmp_path / "mine", shipped=lab_files(find_lab("01")))
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder that is nobody's."""
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    monkeypatch.chdir(tmp_path)


def _mlref(*words: str, typed: str = "") -> Result:
    environ = {"COLUMNS": "80", "TERM": "dumb"}
    return CliRunner().invoke(app, words, input=typed, env=environ)


def _write(folder: Path, exercise: str, code: str) -> None:
    path = folder / "labs" / LAB / "exercise.py"
    start = starting_code(find_lab("01"), exercise)
    path.write_text(path.read_text().replace(start, code))


def _progress(folder: Path, exercise: str) -> ExerciseProgress:
    return Store(folder).read().exercise(LAB, exercise)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_has_an_example(command: str) -> None:
    """It fits into 80 columns."""
    done = _mlref(*command.split(), "--help")
    assert done.exit_code == 0
    assert f"Example: mlref {command}" in done.output
    assert max(map(len, done.output.splitlines())) <= 80


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    "words", ["labs check", "labs hint 01", "labs solution 01 leaks", "labs reset 01", "watch"]
)
def test_without_a_folder_init_is_named(words: str) -> None:
    """The error says the next step."""
    done = _mlref(*words.split())
    assert done.exit_code == 1
    assert "mlref init DIR" in done.output


@pytest.mark.usefixtures("nowhere")
def test_the_list_needs_no_folder() -> None:
    """It shows the exercises, and how to get a folder."""
    done = _mlref("labs", "list")
    assert done.exit_code == 0
    assert "refuse_tampering" in done.output
    assert "mlref init DIR" in done.output


def test_the_list_says_what_is_solved(folder: Path) -> None:
    """In words, and how many in all."""
    with Store(folder).update() as state:
        state.exercise(LAB, "leaks").passed = "2026-03-01T12:00:00+00:00"
        state.exercise(LAB, "repair").attempts = 2
    printed = _mlref("labs", "list").output
    assert "1 of 4 solved" in printed
    assert "✓ solved   leaks" in printed
    assert "✗ not yet  repair" in printed
    assert "· to do    diagnose" in printed


def test_check_of_a_right_answer(folder: Path) -> None:
    """Status 0, and the pass is recorded."""
    _write(folder, "leaks", solution(find_lab("01"), "leaks"))
    done = _mlref("labs", "check", "1", "leaks")
    assert done.exit_code == 0
    assert "✓ solved  leaks" in done.output
    assert _progress(folder, "leaks").passed is not None


def test_check_of_a_wrong_answer(folder: Path) -> None:
    """Status 1, the message within 80 columns, and where help is."""
    _write(folder, "leaks", '# answer: leaks\nleaks = {"dep_time"}\nhonest_auc = 0.5')
    done = _mlref("labs", "check", "01", "leaks")
    assert done.exit_code == 1
    assert "`dep_delay` is kept" in done.output
    assert "mlref labs hint 01 leaks" in done.output
    assert max(map(len, done.output.splitlines())) <= 80
    assert _progress(folder, "leaks").attempts == 1


@pytest.mark.usefixtures("folder")
def test_check_prints_json_alone() -> None:
    """The result as the grader gives it, in a list of one lab."""
    done = _mlref("labs", "check", "01", "leaks", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert (set(found), found["passed"]) == ({"passed", "labs"}, False)
    (lab,) = found["labs"]
    assert (lab["lab"], lab["passed"]) == (LAB, False)
    assert [each["status"] for each in lab["exercises"]] == ["todo"]


def test_check_of_all_labs_in_json(folder: Path) -> None:
    """The same object with all of them."""
    make_folder(folder)
    found = json.loads(_mlref("labs", "check", "--json").stdout)
    assert (set(found), found["passed"]) == ({"passed", "labs"}, False)
    graded = [[each["exercise"] for each in lab["exercises"]] for lab in found["labs"]]
    assert graded == [[each.name for each in lab.exercises] for lab in all_labs()]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("check 01 leak", "did you mean leaks"),
        ("hint 01 leak", "did you mean leaks"),
        ("solution 01 leak", "did you mean leaks"),
        ("reset 01 leak --yes", "did you mean leaks"),
        ("check 77", "there are: 01_deployment_steps"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known(words: str, told: str) -> None:
    """The close one, or all."""
    done = _mlref("labs", *words.split())
    assert done.exit_code == 1
    assert told in done.output


def test_check_of_a_damaged_file(folder: Path) -> None:
    """One line without a traceback."""
    (folder / "labs" / LAB / "exercise.ipynb").write_text('{"cells": [')
    done = _mlref("labs", "check", "01", "leaks")
    assert done.exit_code == 1
    assert "exercise.ipynb cannot be read" in done.output
    assert "mlref labs reset" in done.output


def test_hints_come_one_by_one(folder: Path) -> None:
    """Without a name for the first exercise that is not solved; the last names the solution."""
    hints = find_lab("01").exercises[0].hints
    for number in range(1, 4):
        done = _mlref("labs", "hint", "01")
        assert f"Hint {number} of 3 to leaks" in done.output
        assert " ".join(hints[number - 1].split()) in " ".join(done.output.split())
    assert "mlref labs solution 01 leaks --give-up" in done.output
    assert _progress(folder, "leaks").hints == 3


def test_an_earlier_hint_is_shown_again(folder: Path) -> None:
    """It is not counted twice."""
    _mlref("labs", "hint", "01", "repair")
    _mlref("labs", "hint", "01", "repair")
    assert "Hint 1 of 3" in _mlref("labs", "hint", "01", "repair", "--number", "1").output
    assert _progress(folder, "repair").hints == 2


def test_a_hint_that_there_is_not_is_refused(folder: Path) -> None:
    """How many there are is told, and nothing is recorded."""
    done = _mlref("labs", "hint", "01", "repair", "--number", "4")
    assert done.exit_code == 2
    assert "4 is more than the 3 hints" in done.output
    assert _progress(folder, "repair").hints == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("list", 0),
        ("check 01 leaks --json", 1),
        ("hint 01", 0),
        ("solution 01 leaks", 1),
        ("solution 01 leaks --give-up", 0),
    ],
)
def test_that_a_damaged_progress_was_set_aside_is_told(
    words: str, status: int, folder: Path
) -> None:
    """By whatever command has met it, beside the output, also if it is refused."""
    _write(folder, "leaks", "# answer: leaks\nleaks = 1")
    (folder / ".mlref" / "progress.json").write_text("{")
    done = _mlref("labs", *words.split())
    assert done.exit_code == status
    assert done.stderr.count("note: the progress could not be read") == 1
    assert "note:" not in done.stdout


def test_the_solution_is_kept_until_one_gives_up(folder: Path) -> None:
    """The refusal says how; giving up is recorded, and from then on it is shown."""
    refused = _mlref("labs", "solution", "01", "leaks")
    assert refused.exit_code == 1
    assert "--give-up" in refused.output
    assert _progress(folder, "leaks").solution_seen is None
    shown = _mlref("labs", "solution", "01", "leaks", "--give-up")
    assert shown.stdout.strip() == solution(find_lab("01"), "leaks")
    assert _progress(folder, "leaks").solution_seen is not None
    assert _mlref("labs", "solution", "01", "leaks").stdout == shown.stdout


def test_the_solution_of_a_solved_exercise_is_not_recorded(folder: Path) -> None:
    """To compare costs nothing."""
    with Store(folder).update() as state:
        state.exercise(LAB, "leaks").passed = "2026-03-01T12:00:00+00:00"
    assert _mlref("labs", "solution", "01", "leaks").exit_code == 0
    assert _progress(folder, "leaks").solution_seen is None


@pytest.mark.parametrize("typed", ["n\n", ""])
def test_reset_asks_first(typed: str, folder: Path) -> None:
    """A no, and nobody there to be asked, change nothing."""
    _write(folder, "leaks", "# answer: leaks\nleaks = 1")
    assert _mlref("labs", "reset", "01", typed=typed).exit_code == 1
    assert "leaks = 1" in (folder / "labs" / LAB / "exercise.py").read_text()


def test_reset_says_where_the_backup_is(folder: Path) -> None:
    """What was written is in it."""
    _write(folder, "leaks", "# answer: leaks\nleaks = 1")
    done = _mlref("labs", "reset", "01", "leaks", typed="y\n")
    assert done.exit_code == 0
    assert f"put back: labs/{LAB}/exercise.py" in done.output
    backup = Path(done.output.partition("is kept in ")[2].splitlines()[0])
    assert "leaks = 1" in (backup / "labs" / LAB / "exercise.py").read_text()
    assert "Nothing to do" in _mlref("labs", "reset", "01", "--yes").output


def test_watch_names_the_way_to_a_missing_lab(folder: Path) -> None:
    """A lab that the folder does not hold yet."""
    for path in (folder / "labs" / LAB).iterdir():
        path.unlink()
    (folder / "labs" / LAB).rmdir()
    done = _mlref("watch", "01")
    assert done.exit_code == 1
    assert "mlref labs reset 01" in done.output
