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


@pytest.fixture
def verdicts(tmp_path: Path) -> Broken:
    """The problems of those answers to a changed lab whose title has a word in it."""

    def found(word: str, **parts: object) -> list[str]:
        lab = write_lab(tmp_path, **parts)  # type: ignore[arg-type]
        labs.build(lab)
        proofs = [*labs.solutions(lab), *labs.untouched(lab), *labs.wrong_answers(lab)]
        return labs.prove(lab, [proof for proof in proofs if word in proof.title])

    return found


def test_a_whole_lab_has_no_problem(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 0, and the CPU time is told."""
    assert labs.main(["check", "--root", str(lab.folder.parent)]) == 0
    printed = capsys.readouterr().out
    assert re.search(
        r"^09_sums: proven in [0-9.]+ CPU-s( \([0-9.]+ here\))?$", printed, re.MULTILINE
    )
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


def test_every_answer_is_graded(problems: Broken) -> None:
    """A solution, a hole and wrong answers that are not taken as they must are all told."""
    found = problems(
        source=SOURCE.replace("sum(numbers)", "7"),
        checks=CHECKS.replace('if answer.function("double")(4) != 8', "if not answer.double"),
    )
    assert [each.partition(":")[2].partition(", not")[0] for each in found] == [
        " solution of total is failed",
        " double, hole 1 is passed",
        " wrong/double_none.py is passed",
        " wrong/double_same.py is passed",
    ]


def test_a_solution_that_fails_is_found(verdicts: Broken) -> None:
    """The checks reject it."""
    assert verdicts("solution of total", source=SOURCE.replace("sum(numbers)", "7")) == [
        "09_sums: solution of total is failed, not passed: total is 7 a sum counts everything"
    ]


def test_a_hole_that_passes_untouched_is_found(verdicts: Broken) -> None:
    """Whatever the learner writes there has no effect."""
    guarded = "try:\n    # hole: more\n    pass\n    # end\nexcept NotImplementedError:\n    pass\n"
    source = SOURCE.replace("# answer: total\n", f"# answer: total\n{guarded}")
    assert verdicts("total, hole", source=source) == [
        "09_sums: total, hole 1 is passed, not todo: "
    ]


def test_an_answer_that_fails_as_it_is_given_is_found(verdicts: Broken) -> None:
    """A learner's first message would be an error that is not theirs."""
    source = SOURCE.replace("# answer: total\n", "# answer: total\ntwo = 2  # hole: two\n")
    source = source.replace("todo\n", "todo as later\n", 1)
    assert "total as given is error, not todo: " in verdicts("as given", source=source)[0]


def test_a_wrong_answer_that_is_accepted_is_found(verdicts: Broken) -> None:
    """The checks let it pass."""
    wrong = {"total_right.py": "# answer: total\n# rejected: x\ntotal = 6\n"}
    assert verdicts("total_right", wrong=wrong) == [
        "09_sums: wrong/total_right.py is passed, not failed: "
    ]


def test_a_wrong_answer_that_raises_is_found(verdicts: Broken) -> None:
    """It must be rejected by a check, not by Python."""
    wrong = {"total_none.py": "# answer: total\n# rejected: x\n1 / 0\n"}
    (problem,) = verdicts("total_none", wrong=wrong)
    assert "wrong/total_none.py is error, not failed" in problem


def test_a_wrong_answer_with_another_message_is_found(verdicts: Broken) -> None:
    """It is rejected, but not for its own mistake."""
    wrong = {"total_two.py": WRONG["total_two.py"].replace("is 2", "is two")}
    (problem,) = verdicts("total_two", wrong=wrong)
    assert "wrong/total_two.py is rejected without 'total is two'" in problem


def test_two_wrong_answers_with_one_message_are_found(verdicts: Broken) -> None:
    """A learner could not tell which mistake was theirs."""
    wrong = {"total_two.py": WRONG["total_two.py"], "total_more.py": WRONG["total_two.py"]}
    both = "wrong/total_more.py and wrong/total_two.py"
    assert verdicts("wrong", wrong=wrong) == [f"09_sums: {both} get the same message: total is 2"]


def test_a_rejection_without_a_reason_is_found(verdicts: Broken) -> None:
    """Every message says why it matters."""
    checks = CHECKS.replace('why="the first row is lost"', 'why=""')
    (problem,) = verdicts("mend_one", checks=checks)
    assert "wrong/mend_one.py is rejected without a reason" in problem


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
    (problem,) = problems(checks=CHECKS.replace('exercise("mend")', 'exercise("double")'))
    assert problem.endswith("checks.py: the exercise mend has no check")


def test_a_check_of_no_exercise_is_found(problems: Broken) -> None:
    """A misspelt name would make a check that never runs."""
    (problem,) = problems(checks=CHECKS.replace('exercise("total")', 'exercise("totl")', 1))
    assert "checks.py: there is no exercise totl to check" in problem


def test_checks_may_stand_in_several_files(lab: Lab) -> None:
    """A file checks_NAME.py belongs to a lab; what is wrong in it is told with its name."""
    more = lab.folder / "checks_more.py"
    more.write_text("")
    assert not labs.check(lab)
    more.write_text(CHECKS.replace('exercise("total")', 'exercise("totl")'))
    assert "checks_more.py: there is no exercise totl to check" in labs.check(lab)[0]


def test_a_check_that_another_replaces_is_found(problems: Broken) -> None:
    """Of two functions with one name only the last would run."""
    (problem,) = problems(checks=CHECKS.replace("it_is_a_number", "it_is_the_sum"))
    assert "2 functions are called it_is_the_sum; only the last is run" in problem


def test_checks_that_are_no_python_are_found(problems: Broken) -> None:
    """The message has the line."""
    (problem,) = problems(checks=f"{CHECKS}def\n")
    assert "checks.py: it is no Python: invalid syntax" in problem
    assert "line" in problem


def test_a_call_of_check_in_prose_grades_nothing(problems: Broken) -> None:
    """It must stand in a cell that is run."""
    prose = SOURCE.replace('# %% tags=["try"]\ncheck("09")', '# %% [markdown]\n# Run check("09").')
    assert "none of its last cells runs" in problems(source=prose)[0]


def test_a_cell_that_is_too_long_is_found(problems: Broken, tmp_path: Path) -> None:
    """What a learner is to read stays short; a long solution is none of theirs."""
    lines = "numbers = [1, 2, 3]\n" * labs.MOST_CODE_LINES
    (problem,) = problems(source=SOURCE.replace("numbers = [1, 2, 3]\n", lines))
    assert problem == f"09_sums: cell 2 has {labs.MOST_CODE_LINES + 2} lines, more than 35"
    block = "    # hole: twice the value\n"
    lab = write_lab(tmp_path, source=SOURCE.replace(block, block + "    value = value\n" * 40))
    labs.build(lab)
    assert list(labs.check_exercise(lab)) == []


def test_a_source_that_is_not_marked_well_is_found(lab: Lab) -> None:
    """It is a problem of this lab; the others are checked all the same."""
    (lab.folder / "source.py").write_text(SOURCE.replace("    # end\n", ""))
    assert labs.check(lab) == ["the hole 'twice the value' has no `# end`"]


def test_too_few_exercises_are_found(problems: Broken) -> None:
    """A lab has three or more."""
    two = LAB_TOML[: LAB_TOML.rindex("\n[[")]
    source = SOURCE.replace("# answer: mend\nmended = [0, 1]  # hole: the numbers from 0", "x = 1")
    assert "09_sums: 2 exercises, at least 3 are needed" in problems(toml=two, source=source)


def test_an_extra_that_is_not_there_is_found(problems: Broken) -> None:
    """A misspelt one would be asked for in vain, and its packages never."""
    found = problems(toml=LAB_TOML.replace("extras = []", 'extras = ["serve", "trian"]'))
    assert found[0].startswith("09_sums: there is no extra trian; there are: ")


def test_a_folder_among_the_wrong_answers_is_found(lab: Lab) -> None:
    """Also when it is named like a file."""
    (lab.folder / "wrong" / "total_three.py").mkdir()
    (problem,) = labs.check(lab)
    assert problem.endswith("wrong/total_three.py: no wrong answer; delete it")


def test_a_problem_takes_one_line(verdicts: Broken) -> None:
    """Also when what a check says has several."""
    checks = CHECKS.replace('f"total is {answer.total}"', r'f"total\nis {answer.total}"')
    source = SOURCE.replace("sum(numbers)", "7")
    (problem,) = verdicts("solution of total", checks=checks, source=source)
    assert problem.endswith("total is 7 a sum counts everything")


def test_several_answers_that_are_accepted_are_not_alike(verdicts: Broken) -> None:
    """They have no message at all."""
    right = "# answer: total\n# rejected: x\ntotal = 6\n"
    found = verdicts("wrong", wrong={"total_one.py": right, "total_two.py": right})
    assert found == [f"09_sums: wrong/total_{n}.py is passed, not failed: " for n in ("one", "two")]


def test_proofs_that_take_too_long_are_found(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All labs are proven in each run of the tests."""
    monkeypatch.setattr(labs, "CPU_BUDGET_S", 0.0)
    assert labs.main(["check", "--root", str(lab.folder.parent)]) == 1
    assert re.search(r"the proofs took \d+ CPU-s of 0$", capsys.readouterr().out, re.MULTILINE)


def test_a_slow_machine_fails_no_lab(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the proofs take is held to the budget as if it were the machine of the budget."""
    monkeypatch.setattr(labs, "CPU_BUDGET_S", 0.1)
    monkeypatch.setattr(labs, "slowness", lambda: 1000.0)
    assert labs.main(["check", "--root", str(lab.folder.parent)]) == 0
    assert re.search(
        r"proven in 0\.0 CPU-s \(\d+\.\d here\)$", capsys.readouterr().out, re.MULTILINE
    )


def test_a_folder_without_labs_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was proven, so it cannot be well."""
    assert labs.main(["check", "--root", str(tmp_path)]) == 1
    assert "there is no lab in it" in capsys.readouterr().out
    assert labs.main(["check", "--root", str(tmp_path / "typo")]) == 1
    assert "typo" in capsys.readouterr().err


def test_what_lies_beside_the_labs_is_found(tmp_path: Path) -> None:
    """A lab that is not finished would be skipped without a word; a README belongs there."""
    lab = write_lab(tmp_path)
    (tmp_path / "README.md").touch()
    (tmp_path / "10_draft").mkdir()
    (problem,) = labs.check_root(tmp_path, [lab])
    assert "10_draft: it is no lab" in problem


def test_two_labs_of_one_number_are_found(tmp_path: Path) -> None:
    """`mlref labs check 09` would find the first alone."""
    both = [write_lab(tmp_path), write_lab(tmp_path, name="09_other")]
    (problem,) = labs.check_root(tmp_path, both)
    assert problem.endswith(": 2 labs have the number 09")


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
