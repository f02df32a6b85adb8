"""A newcomer's way through lab 01: a folder of one's own, the notebook in a kernel, the grader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.kernels import execute, shown

from mlref.study.labs import answers_in, find_lab, solution
from mlref.study.labs.cutting import answer_name
from mlref.study.learner.folder import make_folder
from mlref.study.learner.state import Store

LAB = find_lab("01")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A learner's copy of the lab."""
    return make_folder(tmp_path / "study").folder / "labs" / LAB.name


def _sources(folder: Path) -> list[str]:
    cells = json.loads((folder / "exercise.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_exercise_as_given_is_to_do(folder: Path) -> None:
    """Each cell that is to be written says so, or the grader does; none is solved, none counts."""
    cells = execute(folder, _sources(folder))
    results = {name: shown(cell) for cell in cells if (name := answer_name(cell.source))}
    assert results.keys() == {each.name for each in LAB.exercises}
    assert "NotImplementedError: not written yet" in results["leaks"]
    assert "NotImplementedError: not written yet" in results["diagnose"]
    graded = shown(cells[-1])
    assert "0 of 4 solved" in graded
    assert graded.count("· to do  ") == 4
    assert Store(folder.parents[1]).read().labs == {}


def test_with_the_solutions_everything_runs_and_is_solved(folder: Path) -> None:
    """All cells run, a real server among them; four of four are solved, and that is kept."""
    sources = [
        solution(LAB, name) if (name := answer_name(source)) else source
        for source in _sources(folder)
    ]
    cells = execute(folder, sources)
    errors = [o.evalue for cell in cells for o in cell.outputs if o.output_type == "error"]
    assert errors == []
    assert any(shown(cell).startswith("200 [") for cell in cells)
    assert "4 of 4 solved" in shown(cells[-1])
    kept = Store(folder.parents[1]).read().labs[LAB.name]
    assert all(kept[each.name].passed for each in LAB.exercises)


def test_the_folder_as_made_holds_no_answer_that_was_begun(folder: Path) -> None:
    """The terminal sees the exercise as the notebook does."""
    found = answers_in(folder, LAB)
    assert [name for name, answer in found.items() if not answer.begun] == [
        each.name for each in LAB.exercises
    ]
