"""Exercises and solutions cut from one source."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_labs import LAB_TOML, SOURCE

from mlref.errors import LabError
from mlref.study.labs.cutting import (
    cut,
    exercise_cells,
    exercise_text,
    given_code,
    holes,
    solution,
    starting_code,
)
from mlref.study.labs.lab import Lab
from mlref.study.percent import parse

TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029"), min_size=1
)
NUMBERS = st.lists(st.integers(0, 99), min_size=1, max_size=6)
MakeLab = Callable[..., Lab]


class Todo(Exception):  # noqa: N818 - a signal
    """What an untouched hole raises here."""


def _todo(text: str) -> None:
    raise Todo(text)


def _source(numbers: list[int], texts: list[str]) -> str:
    """A cell with one hole for each number: lines, blocks and blocks with a name by turns."""
    parts = ["# answer: x"]
    for index, number in enumerate(numbers):
        text, name = texts[index], f"v{index}"
        parts += [
            [f"{name} = {number}  # hole: {text}"],
            [f"# hole: {text}", f"{name} = {number}", "# end"],
            [f"# hole {name}: {text}", f"{name} = (", f"    {number}", ")", "# end"],
        ][index % 3]
    return "\n".join(parts)


def _run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"todo": _todo}
    exec(code, names)  # noqa: S102 - a cell of the test's own
    return {name: value for name, value in names.items() if name.startswith("v")}


@given(NUMBERS, st.lists(TEXTS, min_size=6, max_size=6))
def test_the_solution_runs_like_the_source_and_has_no_marks(
    numbers: list[int], texts: list[str]
) -> None:
    """Marks are comments: taking them away changes nothing."""
    source = _source(numbers, texts)
    solved = cut(source, only=())
    assert _run(solved) == _run(source)
    assert "# hole" not in solved
    assert "# end" not in solved


@given(NUMBERS, st.lists(TEXTS, min_size=6, max_size=6))
def test_the_exercise_has_one_todo_for_each_hole(numbers: list[int], texts: list[str]) -> None:
    """Each hole becomes a call whose text is the hole's own, whatever characters it has."""
    calls = [
        node.args[0].value  # type: ignore[attr-defined]
        for node in ast.walk(ast.parse(cut(_source(numbers, texts))))
        if isinstance(node, ast.Call)
    ]
    assert calls == texts[: len(numbers)]


@given(NUMBERS, st.integers(0, 5), st.lists(TEXTS, min_size=6, max_size=6))
def test_one_hole_alone_can_be_emptied(numbers: list[int], index: int, texts: list[str]) -> None:
    """The others are filled with the solution: the cell stops at that one."""
    index %= len(numbers)
    with pytest.raises(Todo) as caught:
        _run(cut(_source(numbers, texts), only={index}))
    assert caught.value.args == (texts[index],)


@given(TEXTS)
def test_a_cell_without_holes_stays_as_it_is(text: str) -> None:
    """Cutting takes nothing that is not marked."""
    source = f"# answer: x\nvalue = {text!r}"
    if "hole" not in source.lower() and "end" not in source.lower():
        assert cut(source) == cut(source, only=()) == source


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["# hole: a", "x = 1"], "has no `# end`"),
        (["# hole: a", "# hole: b", "# end"], "a hole inside a hole"),
        (["# hole: a", "x = 1  # hole: b", "# end"], "a hole inside a hole"),
        (["x = 1", "# end"], "not marked as it should be"),
        (["x.y = 1  # hole: an attribute"], "not marked as it should be"),
        (["f(1)  # hole: a call"], "not marked as it should be"),
        (["x = 1  # hole"], "not marked as it should be"),
        (["x = 1 # hole: one space"], "not marked as it should be"),
        (["x = 1  # hole: a  # hole: b"], "not marked as it should be"),
        (["# hole: a", "# hole two words: b", "# end"], "not marked as it should be"),
        (["# hole: a", "x = 1", "# end of it", "# end"], "not marked as it should be"),
        (["#hole: no space", "x = 1"], "not marked as it should be"),
        (["# Hole: a capital", "x = 1"], "not marked as it should be"),
    ],
)
def test_a_hole_that_is_not_marked_well_is_refused(lines: list[str], told: str) -> None:
    """A mark that would stay in the exercise, and give the solution away, is an error."""
    with pytest.raises(LabError, match=told):
        cut("\n".join(["# answer: x", *lines]))


def test_the_indentation_of_a_hole_is_kept() -> None:
    """A hole in a function stands in the function."""
    source = "# answer: x\ndef f():\n    # hole: a\n    return 1\n    # end"
    assert cut(source) == '# answer: x\ndef f():\n    todo("a")'


def test_a_text_may_end_in_a_mark() -> None:
    """What follows the mark is text, whatever it looks like."""
    source = "# answer: x\nv = 1  # hole: a  # hole: "
    assert cut(source).endswith('\nv = todo("a  # hole: ")')
    assert cut(source, only=()).endswith("\nv = 1")


def test_an_annotated_name_is_a_hole() -> None:
    """`name: type = value  # hole: ...` is one too."""
    assert cut("# answer: x\nv: int = 1  # hole: a").endswith('\nv = todo("a")')


def test_a_lab_lists_its_holes_in_order(lab: Lab) -> None:
    """Each with its exercise, its place in the cell and its text."""
    assert [(hole.exercise, hole.index, hole.text) for hole in holes(lab)] == [
        ("total", 0, "the sum"),
        ("double", 0, "twice the value"),
        ("mend", 0, "the numbers from 0"),
    ]


def test_the_exercise_tells_minutes_and_what_comes_next(lab: Lab) -> None:
    """The first cell has the line that lab.toml gives."""
    assert exercise_cells(lab)[0].source == f"# Sums\n\n{lab.about}"


def test_the_exercise_as_text_holds_the_same_cells(lab: Lab) -> None:
    """exercise.py and exercise.ipynb are two forms of one exercise."""
    assert parse(exercise_text(lab)) == exercise_cells(lab)
    assert "return 2" not in exercise_text(lab)


def test_an_exercise_has_a_start_and_a_solution(lab: Lab) -> None:
    """Both begin with the answer's name."""
    assert starting_code(lab, "total") == '# answer: total\ntotal = todo("the sum")'
    assert solution(lab, "total") == "# answer: total\ntotal = sum(numbers)"


def test_an_unknown_exercise_has_no_solution(lab: Lab) -> None:
    """The message lists those that there are."""
    with pytest.raises(LabError, match="it has: total, double, mend"):
        solution(lab, "nothing")


def test_given_cells_above_an_answer_are_run_before_it(lab: Lab) -> None:
    """Neither other answers, nor what is tried out, nor what comes later."""
    assert [code.splitlines()[-1] for _, code in given_code(lab, "mend")] == ["numbers = [1, 2, 3]"]


def test_a_reserved_cell_is_run_for_its_exercise_alone(make_lab: MakeLab) -> None:
    """The tag `for:NAME` keeps slow cells away from exercises that do not use them."""
    cell = '# %% tags=["for:double"]\nslow = 1\n\n'
    lab = make_lab(source=SOURCE.replace("# %%\n# answer: total", f"{cell}# %%\n# answer: total"))
    assert [len(given_code(lab, name)) for name in ("total", "double", "mend")] == [1, 2, 1]


def test_an_answer_that_is_needed_is_run_as_its_solution(make_lab: MakeLab) -> None:
    """What an exercise needs comes solved, between the given cells."""
    lab = make_lab(toml=LAB_TOML + 'needs = ["total"]\n')
    assert given_code(lab, "mend")[-1][1] == "# answer: total\ntotal = sum(numbers)"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("# answer: mend", "# answer: mended", "answers total, double, mended; lab.toml has"),
        ("# %% [markdown]\n# # Sums\n\n", "", "must begin with a Markdown cell"),
        ("# # Sums", "# Sums", "must begin with a Markdown cell"),
        ("# %%\n# answer: mend", "# %%\r\n# answer: mend", "carriage return"),
        ("numbers = [1, 2, 3]", "numbers = [1]  # hole: a", "cell 2: a hole outside an answer"),
        ("numbers = [1, 2, 3]", "# hole: a\nx = 1\n# end", "cell 2: a hole outside an answer"),
        ('tags=["try"]', 'tags=["for:totl"]', "for:totl names no exercise; there are: total"),
    ],
)
def test_a_source_that_does_not_fit_its_lab_is_refused(
    make_lab: MakeLab, old: str, new: str, told: str
) -> None:
    """The message names what differs."""
    lab = make_lab()
    (lab.folder / "source.py").write_bytes(SOURCE.replace(old, new).encode())
    with pytest.raises(LabError, match=told):
        exercise_cells(lab)
