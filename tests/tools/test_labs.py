"""The proofs of the labs: each of them fails when it should."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.small_labs import CHECKS, LAB_TOML, SOURCE, WRONG, write_lab

import labs
from mlref.study.labs.lab import Lab

Broken = Callable[..., list[str]]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A whole lab, built."""
    lab = write_lab(tmp_path)
    labs.build(lab)
    return lab


@pytest.fixture
def problems(tmp_path: Path) -> Broken:
    """The problems of a lab of which some parts were changed, and which was built then."""

    def found(wrong: Mapping[str, str] | None = None, **parts: str) -> list[str]:
        lab = write_lab(tmp_path, wrong={**WRONG, **(wrong or {})}, **parts)
        labs.build(lab)
        return labs.check(lab)

    return found


def test_a_whole_lab_has_no_problem(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 0, and the CPU time is told."""
    assert labs.main(["check", "--root", str(lab.folder.parent)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^09_sums: proven in [0-9.]+ CPU-s$", printed, re.MULTILINE)
    assert printed.endswith("1 labs checked, 0 problems\n")


def test_a_problem_is_printed_and_gives_1(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a problem."""
    (lab.folder / "notes.txt").touch()
    assert labs.main(["check", "9", "--root", str(lab.folder.parent)]) == 1
    assert "notes.txt: it does not belong to a lab; delete it" in capsys.readouterr().out


def test_building_twice_changes_nothing(lab: Lab) -> None:
    """The exercise depends on its source alone."""
    before = (lab.folder / "exercise.ipynb").read_bytes()
    labs.build(lab)
    assert (lab.folder / "exercise.ipynb").read_bytes() == before
    assert b"sum(numbers)" not in before


def test_an_exercise_that_differs_from_its_source_is_found(lab: Lab) -> None:
    """One byte more is enough."""
    path = lab.folder / "exercise.ipynb"
    path.write_bytes(path.read_bytes() + b"\n")
    assert any("differs from its source; tools/labs.py build 09" in p for p in labs.check(lab))


@pytest.mark.parametrize("name", ["exercise.ipynb", "checks.py", "source.py"])
def test_a_missing_file_is_found(lab: Lab, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file of a lab must be there."""
    (lab.folder / name).unlink()
    assert labs.main(["check", "--root", str(lab.folder.parent)]) == 1
    printed = capsys.readouterr()
    assert name in printed.out + printed.err


@pytest.mark.parametrize("name", ["solution.py", "wrong/notes.md", ".ipynb_checkpoints"])
def test_a_stray_file_is_found(lab: Lab, name: str) -> None:
    """Beside the lab's own files and beside the wrong answers."""
    (lab.folder / name).touch()
    assert any(f"{Path(name).name}: " in problem for problem in labs.check(lab))


def test_a_solution_that_fails_is_found(problems: Broken) -> None:
    """The checks reject it."""
    found = problems(source=SOURCE.replace("sum(numbers)", "max(numbers)"))
    assert found == [
        "09_sums: solution of total is failed, not passed: total is 3 a sum counts everything"
    ]


def test_a_hole_that_passes_untouched_is_found(problems: Broken) -> None:
    """Whatever the learner writes there has no effect."""
    source = SOURCE.replace(
        "total = sum(numbers)", "total = sum(numbers)  # the sum\ntry:\n    # hole: more\n"
        "    pass\n    # end\nexcept NotImplementedError:\n    pass\nunused = 1"
    ).replace("unused = 1  # hole: the sum", "unused = 1")  # fmt: skip
    assert any(
        "total, hole 1 is passed, not todo" in problem for problem in problems(source=source)
    )


def test_a_wrong_answer_that_is_accepted_is_found(problems: Broken) -> None:
    """The checks let it pass."""
    found = problems({"total_right.py": "# answer: total\n# rejected: x\ntotal = 6\n"})
    assert found == ["09_sums: wrong/total_right.py is passed, not failed: "]


def test_a_wrong_answer_that_raises_is_found(problems: Broken) -> None:
    """It must be rejected by a check, not by Python."""
    found = problems(wrong={"total_none.py": "# answer: total\n# rejected: x\n1 / 0\n"})
    assert "wrong/total_none.py is error, not failed" in found[0]


def test_a_wrong_answer_with_another_message_is_found(problems: Broken) -> None:
    """It is rejected, but not for its own mistake."""
    found = problems(wrong={"total_two.py": WRONG["total_two.py"].replace("is 2", "is two")})
    assert "wrong/total_two.py is rejected without 'total is two'" in found[0]


def test_two_wrong_answers_with_one_message_are_found(problems: Broken) -> None:
    """A learner could not tell which mistake was theirs."""
    found = problems(wrong={"total_more.py": WRONG["total_two.py"]})
    assert found == ["09_sums: 2 wrong answers get the same message: total is 2"]


def test_a_rejection_without_a_reason_is_found(problems: Broken) -> None:
    """Every message says why it matters."""
    found = problems(checks=CHECKS.replace('why="the first row is lost"', 'why=""'))
    assert "wrong/mend_one.py is rejected without a reason" in found[0]


def test_too_few_wrong_answers_are_found(lab: Lab) -> None:
    """Two for each exercise."""
    (lab.folder / "wrong" / "mend_two.py").unlink()
    assert labs.check(lab) == ["09_sums: 1 wrong answers to mend, 2 are needed"]


@pytest.mark.parametrize(
    "text", ["x = 1\n", "# answer: other\n# rejected: x\n", "# answer: total\n"]
)
def test_a_wrong_answer_without_its_head_is_found(problems: Broken, text: str) -> None:
    """It must say what it answers and how it is rejected."""
    assert (
        "begin with `# answer: NAME` and `# rejected: WORDS`" in problems(wrong={"a.py": text})[0]
    )


def test_an_answer_without_a_hole_is_found(problems: Broken) -> None:
    """There would be nothing to do."""
    found = problems(source=SOURCE.replace("  # hole: the sum", ""))
    assert found == ["09_sums/source.py: the answer total has no hole"]


def test_an_exercise_that_is_never_graded_is_found(problems: Broken) -> None:
    """One of the last cells runs check() with this lab's number."""
    assert "none of its last cells runs" in problems(source=SOURCE.replace('"09"', '"08"'))[0]


def test_an_exercise_without_checks_is_found(problems: Broken) -> None:
    """Its solution cannot pass."""
    checks = CHECKS.replace('exercise("mend")', 'exercise("double")')
    assert any("the lab has no check" in each for each in problems(checks=checks))


def test_a_check_of_no_exercise_is_found(problems: Broken) -> None:
    """A misspelt name would make a check that never runs."""
    checks = CHECKS.replace('exercise("total")', 'exercise("totl")', 1)
    assert problems(checks=checks) == ["09_sums/checks.py: there is no exercise totl to check"]


def test_a_kind_that_is_not_there_is_found(problems: Broken) -> None:
    """Every lab has something to build, to calculate and to repair."""
    found = problems(toml=LAB_TOML.replace('"incident"', '"build"'))
    assert found == ["09_sums: no exercise is of the kind incident"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('["look", "think", "write"]', '["look", "think"]', "3 different hints"),
        ('name = "double"', 'name = "total"', "the name total is taken"),
    ],
)
def test_a_wrong_description_is_found(
    lab: Lab, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    """A hint that is missing, a name that is taken twice."""
    path = lab.folder / "lab.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    assert labs.main(["check", "--root", str(lab.folder.parent)]) == 1
    assert told in capsys.readouterr().err


def test_an_unknown_lab_is_refused(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists those that there are."""
    assert labs.main(["build", "77", "--root", str(lab.folder.parent)]) == 1
    assert "there are: 09_sums" in capsys.readouterr().err
