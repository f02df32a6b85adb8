"""Rows in, arrays or a list of problems out."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlref import errors
from mlref.schema import Column, JsonConstant, Schema

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = Schema(
    (
        Column("temp", unit="degF", low=-60, high=140, nullable=True),
        Column("distance"),
        Column("day", "int64", low=1, high=7),
        Column("carrier", "string", nullable=True, categories=("UA", "B6")),
        Column("pixels", shape=(2,), nullable=True),
    )
)
ROWS: dict[str, list[Any]] = {
    "temp": [71.5, None, 32],
    "distance": [1400, 200.5, 17],
    "day": [1, 7, 3],
    "carrier": ["UA", None, "ZZ"],
    "pixels": [[1, 2], [None, 4], [5.5, 6]],
}
ARRAYS = {
    "temp": np.array([71.5, np.nan, 32], dtype="f4"),
    "distance": np.array([1400, 200.5, 17], dtype="f4"),
    "day": np.array([1, 7, 3], dtype="i8"),
    "carrier": np.array(["UA", "", "ZZ"], dtype=object),
    "pixels": np.array([[1, 2], [np.nan, 4], [5.5, 6]], dtype="f4"),
}


def _assert_equal(given: dict[str, np.ndarray]) -> None:
    assert list(given) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        assert given[name].dtype == expected.dtype
        np.testing.assert_array_equal(given[name], expected)


def test_lists() -> None:
    """Lists become the arrays that a graph takes, and unknown categories are counted."""
    decoded = SCHEMA.decode(ROWS)
    _assert_equal(decoded.arrays)
    assert (decoded.n_rows, decoded.unknown) == (3, {"carrier": 1})
    assert decoded.warnings == ["carrier: 1 unknown category imputed"]


def test_a_data_frame_gives_what_lists_give() -> None:
    """A DataFrame, its columns in another order and its index strange, gives the same arrays."""
    frame = pd.DataFrame(ROWS, index=["z", "z", "a"])[list(reversed(ROWS))]
    _assert_equal(SCHEMA.decode(frame).arrays)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "Float32", "float64", "object", "Int8"])
def test_numeric_dtypes_of_pandas(dtype: str) -> None:
    """NumPy's and pandas' own dtypes, pandas.NA among their values, are numbers."""
    column = pd.Series([1, None, 3], dtype=dtype)
    array = Schema((Column("x", nullable=True),)).decode(pd.DataFrame({"x": column})).arrays["x"]
    np.testing.assert_array_equal(array, np.array([1, np.nan, 3], dtype="f4"))


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "object"])
def test_a_missing_value_of_pandas(
    refused: Callable[..., list[errors.InputProblem]], dtype: str
) -> None:
    """pandas.NA in a column that is not nullable is a missing value, in float32 and int64."""
    frame = pd.DataFrame({"x": pd.Series([1, None], dtype="Int64").astype(dtype)})
    for column in (Column("x"), Column("x", "int64")):
        problems = refused(Schema((column,)), frame)
        assert errors.MissingValueError in {type(each) for each in problems}
        assert problems[-1].rows == (1,)


@pytest.mark.parametrize("dtype", ["Int64", "int8", "UInt64", "int64[pyarrow]"])
def test_whole_numbers_of_pandas(dtype: str) -> None:
    """Integer columns of any kind are int64."""
    frame = pd.DataFrame({"x": pd.Series([1, 2], dtype=dtype)})
    array = Schema((Column("x", "int64"),)).decode(frame).arrays["x"]
    assert (array.dtype, array.tolist()) == (np.int64, [1, 2])


@pytest.mark.parametrize("dtype", ["str", "string", "category", "object", "string[pyarrow]"])
def test_text_dtypes_of_pandas(dtype: str) -> None:
    """Every way in which pandas holds text gives plain str, and "" where it is missing."""
    column = pd.Series(["UA", None, "é"]).astype(dtype)
    schema = Schema((Column("x", "string", nullable=True),))
    array = schema.decode(pd.DataFrame({"x": column})).arrays["x"]
    assert array.tolist() == ["UA", "", "é"]
    assert {type(each) for each in array} == {str}


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([True, False]),
        pd.Series([True, False], dtype="boolean"),
        pd.Series(pd.to_datetime(["2013-01-01", "2013-01-02"])),
        pd.Series(pd.to_timedelta([1, 2], unit="s")),
        pd.Series(["1", "2"], dtype="category"),
        pd.Series([1j, 2j]),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_series_that_is_no_number(
    refused: Callable[..., list[errors.InputProblem]], column: pd.Series
) -> None:
    """Booleans, dates, durations, text and complex numbers in a DataFrame are refused."""
    for name in ("float32", "int64"):
        (problem,) = refused(Schema((Column("x", name),)), pd.DataFrame({"x": column}))
        assert (type(problem), problem.rows) == (errors.WrongTypeError, (0, 1))


def test_a_column_that_stands_twice(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """A DataFrame with two columns of one name is refused: neither can be chosen."""
    frame = pd.DataFrame([[1.0, 2.0]], columns=["x", "x"])
    (problem,) = refused(Schema((Column("x"),)), frame)
    assert type(problem) is errors.ExtraColumnError
    assert str(problem) == "x stands 2 times; give each column once"


@pytest.mark.parametrize("rows", [{0: [1.5], 1: [2]}, pd.DataFrame([[1.5, 2]])])
def test_names_that_are_numbers(rows: Any) -> None:
    """Columns 0 and 1, as pandas numbers them, are those named "0" and "1"."""
    arrays = Schema((Column("0"), Column("1"))).decode(rows).arrays
    assert {name: array.tolist() for name, array in arrays.items()} == {"0": [1.5], "1": [2]}


def test_a_name_and_its_number(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """1 and "1" are the same column, given twice."""
    (problem,) = refused(Schema((Column("1"),)), {1: [1.0], "1": [2.0]})
    assert "1 stands 2 times" in str(problem)


def test_a_multi_index_is_no_name(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """Columns of two levels are other columns than those of the schema."""
    frame = pd.DataFrame([[1.0]], columns=pd.MultiIndex.from_tuples([("x", "mean")]))
    problems = refused(Schema((Column("x"),)), frame)
    assert [type(each) for each in problems] == [errors.MissingColumnError, errors.ExtraColumnError]


def test_missing_and_extra_columns(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """The message names what is absent and what is too much, and what is allowed."""
    schema = Schema((Column("a"), Column("b")))
    problems = refused(schema, {"a": [1.0], "c": [1.0]})
    assert [(type(each), each.column, str(each)) for each in problems] == [
        (errors.MissingColumnError, "b", "b is missing; the columns are a, b"),
        (
            errors.ExtraColumnError,
            "c",
            "c is not a column of this model; leave it out (allowed: a, b)",
        ),
    ]


def test_columns_of_different_lengths(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """The message tells the length of each column."""
    (problem,) = refused(Schema((Column("a"), Column("b"))), {"a": [1.0], "b": [1.0, 2.0]})
    assert type(problem) is errors.WrongLengthError
    assert "same number of rows, got a 1, b 2" in str(problem)


def test_a_scalar_has_no_length(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """A scalar among lists is one problem; it is not compared with the lists' lengths."""
    (problem,) = refused(Schema((Column("a"), Column("b"))), {"a": 1.0, "b": [1.0, 2.0]})
    assert (type(problem), problem.column) == (errors.WrongTypeError, "a")


def test_every_problem_at_once(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """Problems of all columns stand in one error, each with its column and rows."""
    rows = {
        "temp": ["hot", 1e39, 500, JsonConstant("NaN")],
        "distance": [1, None, 3, 4],
        "day": [1, 1.5, 9, True],
        "carrier": [5, "ZZ", None, "UA"],
        "extra": [1],
    }
    found = {
        (type(each).__name__, each.column, each.rows)
        for each in refused(SCHEMA, rows, on_unknown="error")
    }
    assert found == {
        ("MissingColumnError", "pixels", ()),
        ("ExtraColumnError", "extra", ()),
        ("WrongTypeError", "temp", (0,)),
        ("NotFiniteError", "temp", (1,)),
        ("NotFiniteError", "temp", (3,)),
        ("OutOfRangeError", "temp", (2,)),
        ("MissingValueError", "distance", (1,)),
        ("WrongTypeError", "day", (1, 3)),
        ("OutOfRangeError", "day", (2,)),
        ("WrongTypeError", "carrier", (0,)),
        ("UnknownCategoryError", "carrier", (1,)),
    }


def test_the_error_lists_every_problem() -> None:
    """The text of the error has a line for each problem."""
    with pytest.raises(errors.InvalidInputError) as caught:
        SCHEMA.decode({})
    lines = str(caught.value).splitlines()
    assert lines[0] == "the input does not fit the schema: 5 problems:"
    assert [line.split()[1] for line in lines[1:]] == list(SCHEMA.names)


def test_unknown_categories_are_counted_or_refused(
    refused: Callable[..., list[errors.InputProblem]],
) -> None:
    """The same rows pass with a count under "impute" and are refused under "error"."""
    schema = Schema((Column("c", "string", categories=("UA",)),))
    rows = {"c": ["ZZ", "UA", "ZZ"]}
    decoded = schema.decode(rows)
    assert decoded.unknown == {"c": 2}
    assert decoded.warnings == ["c: 2 unknown categories imputed"]
    assert decoded.arrays["c"].tolist() == ["ZZ", "UA", "ZZ"]
    (problem,) = refused(schema, rows, on_unknown="error")
    assert (type(problem), problem.rows) == (errors.UnknownCategoryError, (0, 2))


def test_validation_refuses_unknown_categories() -> None:
    """`validate` asks for known categories unless told otherwise."""
    schema = Schema((Column("c", "string", categories=("UA",)),))
    with pytest.raises(errors.InvalidInputError):
        schema.validate({"c": ["ZZ"]})
    schema.validate({"c": ["ZZ"]}, on_unknown="impute")


def test_another_policy_is_refused() -> None:
    """A policy that does not exist is the caller's mistake, not the rows'."""
    with pytest.raises(ValueError, match="on_unknown must be") as caught:
        SCHEMA.decode(ROWS, on_unknown="ignore")  # type: ignore[arg-type]
    assert not isinstance(caught.value, errors.MlrefError)


EMPTY = {name: [] for name in ROWS}


@pytest.mark.parametrize("rows", [EMPTY, pd.DataFrame(EMPTY), pd.DataFrame(EMPTY, dtype=object)])
def test_no_rows(refused: Callable[..., list[errors.InputProblem]], rows: Any) -> None:
    """No rows at all are refused, by one problem."""
    (problem,) = refused(SCHEMA, rows)
    assert type(problem) is errors.EmptyInputError


@pytest.mark.parametrize(
    "rows",
    [EMPTY, {**EMPTY, "pixels": np.empty((0, 2)), "temp": np.empty(0)}, pd.DataFrame(EMPTY)],
    ids=["lists", "arrays", "frame"],
)
def test_no_rows_where_they_are_allowed(rows: Any) -> None:
    """Where no rows are allowed, the arrays are empty, with the promised dtypes and shapes."""
    decoded = SCHEMA.decode(rows, allow_empty=True)
    assert decoded.n_rows == 0
    assert {name: (a.dtype, a.shape) for name, a in decoded.arrays.items()} == {
        name: (a.dtype, (0, *a.shape[1:])) for name, a in ARRAYS.items()
    }


@pytest.mark.parametrize("rows", [None, 5, [1], "abc", [{"x": 1}, 2], np.ones(3), {"x"}], ids=repr)
def test_rows_that_map_nothing(
    refused: Callable[..., list[errors.InputProblem]], rows: Any
) -> None:
    """What does not map names to values is refused as a whole."""
    (problem,) = refused(Schema((Column("x"),)), rows)
    assert (type(problem), problem.column) == (errors.WrongTypeError, None)
    assert type(rows).__name__ in str(problem)


@pytest.mark.parametrize("columns", [(), (Column("x"), Column("x", "int64"))])
def test_a_schema_that_cannot_be(columns: Any) -> None:
    """A schema has at least one column, and each name once."""
    with pytest.raises(ValueError, match="at least one column and each name once"):
        Schema(columns)


def test_a_column_by_its_name() -> None:
    """A column is found by its name; the message for another name lists all."""
    assert SCHEMA["day"].dtype == "int64"
    with pytest.raises(KeyError, match="there are temp, distance"):
        SCHEMA["month"]


def test_replacing_categories() -> None:
    """Other categories make another schema; a column that is not there is named."""
    assert SCHEMA.replace(carrier=["AA"])["carrier"].categories == ("AA",)
    assert SCHEMA["carrier"].categories == ("UA", "B6")
    with pytest.raises(KeyError, match="no column port"):
        SCHEMA.replace(port=["JFK"])


def _columns() -> st.SearchStrategy[Column]:
    names = st.text(min_size=1, max_size=5)
    texts = st.text(max_size=5)
    sizes = st.lists(st.integers(1, 4), max_size=2).map(tuple)
    lows = st.none() | st.integers(-9, 0) | st.floats(-9, 0)
    highs = st.none() | st.integers(1, 9) | st.floats(0, 9)
    common = {"name": names, "description": texts, "unit": texts}
    numbers = {**common, "shape": sizes, "low": lows, "high": highs}
    return st.one_of(
        st.builds(Column, dtype=st.just("float32"), nullable=st.booleans(), **numbers),
        st.builds(Column, dtype=st.just("int64"), **numbers),
        st.builds(
            Column,
            dtype=st.just("string"),
            nullable=st.booleans(),
            categories=st.none() | st.lists(texts, max_size=3).map(tuple),
            **common,
        ),
    )


SCHEMAS = st.lists(_columns(), min_size=1, max_size=3, unique_by=lambda c: c.name).map(
    lambda columns: Schema(tuple(columns))
)


@given(SCHEMAS)
def test_a_schema_comes_back_from_json(schema: Schema) -> None:
    """Any schema, written as JSON text, reads as an equal schema."""
    assert Schema.from_list(json.loads(json.dumps(schema.to_list()))) == schema


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 2**63, -(10**400)])
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["UA", "B6", "\ud800", JsonConstant("NaN"), JsonConstant("Infinity")])
)
PAIRS = st.lists(st.none() | st.floats(-9, 9), min_size=2, max_size=2)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
DOCUMENTS = VALUES | st.fixed_dictionaries(
    {
        "temp": st.lists(LEAVES | st.floats(-60, 140), max_size=3) | VALUES,
        "distance": st.lists(st.floats(-9, 9) | LEAVES, max_size=3) | VALUES,
        "day": st.lists(st.integers(1, 7) | LEAVES, max_size=3) | VALUES,
        "carrier": st.lists(st.sampled_from(["UA", "x", None]) | LEAVES, max_size=3) | VALUES,
        "pixels": st.lists(PAIRS | VALUES, max_size=3) | VALUES,
    },
    optional={"more": VALUES},
)


@given(DOCUMENTS, st.sampled_from(["impute", "error"]), st.booleans())
@example(rows=ROWS, policy="impute", empty=False)
def test_whatever_comes_is_decoded_or_refused(rows: Any, policy: Any, empty: Any) -> None:
    """Any JSON value gives either arrays as promised or an InvalidInputError, nothing else."""
    try:
        decoded = SCHEMA.decode(rows, on_unknown=policy, allow_empty=empty)
    except errors.InvalidInputError:
        return
    assert list(decoded.arrays) == list(SCHEMA.names)
    for column in SCHEMA:
        array = decoded.arrays[column.name]
        assert array.shape == (decoded.n_rows, *column.shape)
        assert array.dtype == (object if column.dtype == "string" else column.dtype)
        if column.dtype == "string":
            assert {type(each) for each in array} <= {str}
        else:
            assert not np.isinf(array).any()
            assert column.nullable or not np.isnan(array).any()


NUMBERS = st.lists(st.none() | st.floats(width=32, allow_infinity=False), min_size=1, max_size=9)


@given(NUMBERS)
def test_the_same_numbers_from_a_list_and_from_pandas(values: list[float | None]) -> None:
    """A list, an array and pandas' own dtype give the same float32, which are NumPy's."""
    schema = Schema((Column("x", nullable=True),))
    expected = np.array([math.nan if v is None else v for v in values], dtype="f4")
    sources = (values, expected.astype("f8"), pd.Series(values, dtype="Float64"))
    for source in sources:
        array = schema.decode({"x": source}).arrays["x"]
        np.testing.assert_array_equal(array, expected)
