"""Grading in a running notebook, driven by a real kernel."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from support.kernels import execute, shown

from mlref.errors import LabError
from mlref.study.labs.live import check, executed_answers
from mlref.study.learner.folder import make_folder
from mlref.study.learner.state import Store

RIGHT = """# answer: diagnose
culprits = {"humid", "wind_gust"}
worst = float(np.abs(asked - expected).max())"""
WRONG = '# answer: diagnose\nculprits = {"humid"}\nworst = 1'
CHECK = 'from mlref.study.labs import check\nresult = check("01", "diagnose")\nprint(result)'


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's folder."""
    return make_folder(tmp_path_factory.mktemp("learner") / "study").folder


@pytest.fixture(scope="module")
def cells(learner: Path) -> list[str]:
    """What some cells showed, executed in order in the folder of lab 01."""
    sources = [
        CHECK,  # nothing is answered
        WRONG,
        CHECK,
        RIGHT,  # the names that it uses are not there: in this kernel it raises
        CHECK,
        "# %%time\n" + WRONG,  # does not begin with the answer's name
        CHECK,
        'check("01", "no_such")',
    ]
    return [shown(cell) for cell in execute(learner / "labs" / "01_deployment_steps", sources)]


def test_a_cell_that_was_not_run_is_missing(cells: list[str]) -> None:
    """The result says which cell to run."""
    assert "no answer  diagnose" in cells[0]
    assert "run that cell first" in cells[0]


def test_the_cell_that_was_run_is_graded_not_the_saved_file(cells: list[str]) -> None:
    """The file on the disk is untouched; the kernel has a wrong answer."""
    assert "0 of 1 solved" in cells[2]
    assert "a calm day that never was" in cells[2]


def test_the_last_run_counts_also_when_it_raised(cells: list[str]) -> None:
    """The grader runs the answer with the given cells, whatever this kernel lacks."""
    assert "NameError" in cells[3]
    assert "1 of 1 solved" in cells[4]


def test_a_cell_that_does_not_begin_with_a_name_is_no_answer(cells: list[str]) -> None:
    """What was answered before still counts."""
    assert "1 of 1 solved" in cells[6]


def test_an_unknown_exercise_is_refused_in_words(cells: list[str]) -> None:
    """The error lists those that there are."""
    assert "LabError" in cells[7]
    assert "it has: leaks" in cells[7]


def test_the_progress_is_gone_when_the_result_is_there(cells: list[str]) -> None:
    """The bar is replaced by nothing."""
    assert "graded <progress" not in cells[4]


def test_results_are_kept_in_the_learners_folder(cells: list[str], learner: Path) -> None:
    """The first pass with its moment, every attempt counted."""
    assert cells
    progress = Store(learner).read().labs["01_deployment_steps"]["diagnose"]
    assert progress.passed is not None
    assert progress.attempts == 3


def test_without_a_notebook_it_is_refused() -> None:
    """The error names the command for a terminal."""
    with pytest.raises(LabError, match="mlref labs check"):
        check("01")


def test_of_two_executions_the_last_counts() -> None:
    """In the order of the history."""
    history = ["", "# answer: a\nx = 1", "x = 5", "# answer: b\n", "# answer: a\nx = 2"]
    shell = SimpleNamespace(history_manager=SimpleNamespace(input_hist_raw=history))
    assert executed_answers(shell) == {"a": "# answer: a\nx = 2", "b": "# answer: b\n"}
