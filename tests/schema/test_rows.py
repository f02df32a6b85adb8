"""Rows that come one by one: turned into columns, and refused by their positions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlref import errors
from mlref.schema import Column, Schema
from mlref.schema.rows import are_instances, columns_of, object_of

SCHEMA = Schema([Column("x", nullable=True), Column("n", "int64", low=5), Column("s", "string")])
ROWS = [{"x": 1.5, "n": 5, "s": "a"}, {"s": "b", "n": 6, "x": None}]


@pytest.mark.parametrize(
    "rows",
    [ROWS, tuple(ROWS), pd.DataFrame(ROWS).to_dict("records")],
    ids=["list", "tuple", "records of a frame"],
)
def test_rows_are_decoded_as_their_columns(rows: Any) -> None:
    """A list or a tuple of mappings gives what its columns give."""
    arrays = SCHEMA.decode(rows).arrays
    np.testing.assert_array_equal(arrays["x"], np.array([1.5, np.nan], "f4"))
    assert arrays["n"].tolist() == [5, 6]
    assert arrays["s"].tolist() == ["a", "b"]


def test_no_rows_at_all() -> None:
    """An empty list is no rows: refused, unless they may be none."""
    assert SCHEMA.decode([], allow_empty=True).n_rows == 0
    with pytest.raises(errors.InvalidInputError) as caught:
        SCHEMA.decode([])
    assert re.search("no rows", str(caught.value))


def test_every_problem_names_its_rows(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """Rows of other keys and wrong values are told together, each at its own row."""
    rows = [{"x": 1, "n": 1, "s": "a"}, {"x": 1, "s": 2}, {"x": 1, "n": 5, "s": "a", "z": 0}]
    told = [(type(p), p.column, p.rows) for p in refused(SCHEMA, rows)]
    assert told == [
        (errors.MissingColumnError, "n", (1,)),
        (errors.ExtraColumnError, "z", (2,)),
        (errors.OutOfRangeError, "n", (0,)),
        (errors.WrongTypeError, "s", (1,)),
    ]


def test_null_is_offered_only_where_it_may_stand(
    refused: Callable[..., list[errors.InputProblem]],
) -> None:
    """An absent nullable column may be sent as null; another must be given."""
    told = {problem.column: str(problem) for problem in refused(SCHEMA, [{"s": "a"}])}
    assert told == {
        "x": "x is missing, every instance needs it; send null where unknown (row 0)",
        "n": "n is missing, every instance needs it (row 0)",
    }


@pytest.mark.parametrize("rows", [{"X": [1]}, [{"X": 1}]], ids=["columns", "rows"])
def test_another_models_columns(
    refused: Callable[..., list[errors.InputProblem]], rows: Any
) -> None:
    """Where nothing fits, the question is whether it is the right model."""
    told = {problem.column: str(problem) for problem in refused(SCHEMA, rows)}
    assert told["X"].startswith(
        "X is not a column of this model; none of its columns is here, which are x, n, s: "
        "is it the right model?"
    )


def test_keys_that_are_the_same_as_text(
    refused: Callable[..., list[errors.InputProblem]],
) -> None:
    """A key is known by its text, as in JSON: 1 and "1" are one column given twice."""
    schema = Schema([Column("1")])
    assert schema.decode([{1: 2.0}]).arrays["1"].tolist() == [2.0]
    (problem,) = refused(schema, [{1: 2.0}, {1: 2.0, "1": 3.0}])
    assert (type(problem), problem.rows) == (errors.ExtraColumnError, (1,))
    assert "stands more than once" in str(problem)


def test_what_is_no_row_among_rows() -> None:
    """In a list that should hold rows, another value is one problem; the rest is checked."""
    columns, (problem,) = columns_of([{"x": 1, "n": 5, "s": "a"}, 7], SCHEMA.columns)
    assert str(problem) == "an instance must be an object, got 7 (row 1)"
    assert columns == {"x": [1, 0.0], "n": [5, 5], "s": ["a", ""]}


@pytest.mark.parametrize(
    ("rows", "got"),
    [(3, "got int"), ([{"x": 1}, [2]], r"got list with list \(row 1\)"), ("x", "got str")],
    ids=str,
)
def test_what_is_neither_columns_nor_rows(rows: Any, got: str) -> None:
    """The error says both forms, and what was got."""
    with pytest.raises(errors.InvalidInputError) as caught:
        are_instances(rows)
    assert re.search(f"or be a list of rows that do, {got}", str(caught.value))


def test_an_object_keeps_which_keys_stood_twice() -> None:
    """The last value counts, and the keys are known."""
    made: Any = object_of([("a", 1), ("b", 2), ("a", 3)])
    assert made == {"a": 3, "b": 2}
    assert made.keys_repeated == ("a",)
    assert type(object_of([("a", 1)])) is dict
