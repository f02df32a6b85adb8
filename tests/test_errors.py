"""The tree of errors: as drawn, catchable by builtin, and whole after a journey."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import pytest

from mlref import errors

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, BaseException)
}
PROBLEM = errors.WrongTypeError("x must be a number", column="x", rows=[0, 3])
UNKNOWN = errors.UnknownCategoryError("c must be one of UA", column="c", rows=[1])


def _example(kind: type[Any]) -> Any:
    """An error of a class, with everything that it can carry."""
    if kind is errors.InvalidInputError:
        return kind([PROBLEM, UNKNOWN])
    if issubclass(kind, errors.ArtifactError):
        return kind("changed", file="model.onnx")
    if issubclass(kind, errors.ProcessError):
        return kind("ended", log_tail="Killed")
    if issubclass(kind, errors.InputProblem):
        return kind("wrong", column="x", rows=[0, 3])
    return kind("something is wrong")


def _drawn() -> dict[str, tuple[str | None, str | None]]:
    """Class -> (parent, builtin), as the docstring draws them."""
    line = re.compile(r"^([ │├└─]*)(?:\.exceptions: )?(\w+)(?: \((\w+)\))?(?:  .*)?$")
    found: dict[str, tuple[str | None, str | None]] = {}
    above: list[tuple[int, str]] = []
    for text in (errors.__doc__ or "").splitlines():
        match = line.match(text)
        if match is None or match[2] not in CLASSES:
            continue
        depth = len(match[1])
        above = [each for each in above if each[0] < depth]
        found[match[2]] = (above[-1][1] if above else None, match[3])
        above.append((depth, match[2]))
    return found


def test_every_error_is_drawn() -> None:
    """The docstring's tree names every class, and `__all__` exports every class."""
    assert set(_drawn()) == set(CLASSES) == set(errors.__all__)


@pytest.mark.parametrize("name", CLASSES)
def test_the_tree_is_as_drawn(name: str) -> None:
    """Each class derives from the one above it, and from the builtin in parentheses."""
    parent, builtin = _drawn()[name]
    if name == "InputProblem":  # it stands under the group that holds it
        parent = "MlrefError"
    if parent is not None:
        assert CLASSES[parent] in CLASSES[name].__bases__
    if builtin is not None:
        expected = getattr(__import__("builtins"), builtin)
        assert issubclass(CLASSES[name], expected)


@pytest.mark.parametrize("name", CLASSES)
def test_all_are_mlref_errors(name: str) -> None:
    """Whoever catches MlrefError catches everything that mlref raises on purpose."""
    assert issubclass(CLASSES[name], errors.MlrefError)


@pytest.mark.parametrize("travel", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
@pytest.mark.parametrize("name", CLASSES)
def test_an_error_survives_the_way_to_another_process(name: str, travel: Any) -> None:
    """Pickled, as process pools do, or copied, an error keeps its class, text and attributes."""
    error = _example(CLASSES[name])
    again = travel(error)
    assert (type(again), str(again)) == (type(error), str(error))
    attributes = [n for n in ("file", "log_tail", "column", "rows") if hasattr(error, n)]
    assert [getattr(again, n) for n in attributes] == [getattr(error, n) for n in attributes]


def test_a_pickled_group_keeps_its_problems() -> None:
    """The problems in a group keep their columns and rows."""
    again = pickle.loads(pickle.dumps(errors.InvalidInputError([PROBLEM, UNKNOWN])))
    assert [each.as_dict() for each in again.exceptions] == [PROBLEM.as_dict(), UNKNOWN.as_dict()]


def test_a_problem_on_the_wire() -> None:
    """A problem is JSON: kind without "Error", message, column, rows."""
    assert PROBLEM.as_dict() == {
        "kind": "WrongType",
        "message": "x must be a number",
        "column": "x",
        "rows": [0, 3],
    }
    assert errors.EmptyInputError("no rows").as_dict()["column"] is None


def test_every_kind_of_problem_has_a_name_on_the_wire() -> None:
    """The name of each problem on the wire leads back to its class."""
    kinds = {value for value in CLASSES.values() if value.__base__ is errors.InputProblem}
    assert set(errors.PROBLEM_KINDS.values()) == kinds
    for name, kind in errors.PROBLEM_KINDS.items():
        assert kind("text").as_dict()["kind"] == name


def test_a_group_can_be_split() -> None:
    """`except*` picks one kind of problem; the rest is still an InvalidInputError."""
    picked: list[Any] = []
    with pytest.raises(errors.InvalidInputError) as caught:  # noqa: PT012 - the rest is raised
        try:
            raise errors.InvalidInputError([PROBLEM, UNKNOWN])
        except* errors.UnknownCategoryError as group:
            picked.append(group)
    assert [list(each.exceptions) for each in picked] == [[UNKNOWN]]
    assert type(picked[0]) is errors.InvalidInputError
    assert list(caught.value.exceptions) == [PROBLEM]


def test_the_text_of_a_group() -> None:
    """The text counts the problems and gives each a line."""
    assert str(errors.InvalidInputError([PROBLEM])) == (
        "the input does not fit the schema: 1 problem:\n  - x must be a number"
    )
    assert str(errors.InvalidInputError([PROBLEM, UNKNOWN])).splitlines() == [
        "the input does not fit the schema: 2 problems:",
        "  - x must be a number",
        "  - c must be one of UA",
    ]


def test_the_headline_of_a_malformed_request() -> None:
    """What is no request is not called input, also after the group was split."""
    malformed = errors.MalformedRequestError("the body is empty")
    assert errors.InvalidInputError([malformed]).message == (
        "the request is not what the wire describes: 1 problem"
    )
    both = errors.InvalidInputError([malformed, PROBLEM])
    assert both.message == "the input does not fit the schema: 2 problems"
    assert both.derive([malformed]).message.startswith("the request is not")


def test_a_process_error_tells_the_end_of_its_log() -> None:
    """The text of a process error ends in what the process printed last, if it did."""
    error = errors.ProcessExitedError("ended with 137", log_tail="Killed")
    assert str(error) == "ended with 137\nlast lines of its log:\nKilled"
    assert str(errors.ProcessExitedError("ended with 137")) == "ended with 137"
