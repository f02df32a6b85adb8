"""The values of one column: from whatever holds them to an array, or to the problems."""

from __future__ import annotations

import decimal
import enum
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlref import errors
from mlref.schema import Column, JsonConstant

if TYPE_CHECKING:
    from collections.abc import Callable

X = Column("x")
NULLABLE = Column("x", nullable=True)
WHOLE = Column("x", "int64")
TEXT = Column("x", "string")
CODE = Column("x", "string", nullable=True, categories=("UA", "B6", "DL"))
PAIR = Column("x", shape=(2,))
NAN = float("nan")


class Carrier(str, enum.Enum):  # noqa: UP042 - its str() is not its value, unlike a StrEnum's
    """A category as programs hold it."""

    UNITED = "UA"


class Liar(str):
    """Text that prints as something else."""

    __slots__ = ()

    def __str__(self) -> str:
        return "DL"


@pytest.mark.parametrize(
    "dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g", ">f8", ">i4"]
)
def test_every_numeric_dtype_is_a_number(decoded: Callable[..., Any], dtype: str) -> None:
    """Arrays of any integer or float dtype and byte order become float32 with equal values."""
    array = decoded(X, np.array([0, 1, 100], dtype=dtype))
    assert (array.dtype, array.tolist()) == (np.float32, [0.0, 1.0, 100.0])


@pytest.mark.parametrize("dtype", ["i1", "u1", "i8", "u8", ">i4"])
def test_every_integer_dtype_is_a_whole_number(decoded: Callable[..., Any], dtype: str) -> None:
    """Arrays of any integer dtype become int64."""
    array = decoded(WHOLE, np.array([0, 1, 100], dtype=dtype))
    assert (array.dtype, array.tolist()) == (np.int64, [0, 1, 100])


@pytest.mark.parametrize("column", [X, WHOLE])
@pytest.mark.parametrize(
    "values",
    [
        np.array([True, False]),
        np.array([1 + 0j]),
        np.array(["2013-01-01"], dtype="M8[D]"),
        np.array([5], dtype="m8[s]"),
        np.array(["1"]),
        np.array([b"1"]),
        np.array([(1.0,)], dtype=[("a", "f8")]),
        np.array([[1], [2]]),
        np.array([True, 1], dtype=object)[:1],
        [True],
        [np.True_],
        ["1"],
        [b"1"],
        [1j],
        [[1]],
        [{}],
        pytest.param([object()], id="[object]"),
        [decimal.Decimal(1)],
        [np.array(1.0)],
        [np.timedelta64(5, "s")],
    ],
    ids=repr,
)
def test_what_is_no_number_is_refused(
    refused: Callable[..., list[errors.InputProblem]], column: Column, values: Any
) -> None:
    """Booleans, text, bytes, dates, durations, complex numbers, objects are no numbers."""
    (problem,) = refused(column, values)
    assert type(problem) is errors.WrongTypeError
    assert problem.rows == tuple(range(len(values)))


@pytest.mark.parametrize("values", [[1.0], np.array([1.0]), [np.float32(1)], [1, 2.5]], ids=repr)
def test_a_whole_number_is_no_float(
    refused: Callable[..., list[errors.InputProblem]], values: Any
) -> None:
    """An int64 column refuses floats, also those without a fraction."""
    (problem,) = refused(WHOLE, values)
    assert type(problem) is errors.WrongTypeError
    assert "must be a whole number" in str(problem)


@pytest.mark.parametrize("missing", [None, NAN, np.float32("nan")], ids=repr)
def test_a_whole_number_cannot_be_missing(
    refused: Callable[..., list[errors.InputProblem]], missing: Any
) -> None:
    """None and NaN in an int64 column are missing values, not wrong types."""
    (problem,) = refused(WHOLE, [1, missing])
    assert (type(problem), problem.rows) == (errors.MissingValueError, (1,))


@pytest.mark.parametrize(
    "values", [np.array([1, 2**63], dtype="u8"), [1, 2**63], [1, -(2**63) - 1], [1, 10**5000]]
)
def test_beyond_int64(refused: Callable[..., list[errors.InputProblem]], values: Any) -> None:
    """An integer beyond 64 bits is refused with its row, however it is held."""
    (problem,) = refused(WHOLE, values)
    assert (type(problem), problem.rows) == (errors.NotFiniteError, (1,))


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_the_ends_of_int64(decoded: Callable[..., Any], value: int) -> None:
    """The greatest and the least int64 pass unchanged."""
    assert decoded(WHOLE, [value]).tolist() == [value]


@pytest.mark.parametrize("column", [X, NULLABLE], ids=["required", "nullable"])
@pytest.mark.parametrize(
    "values",
    [
        [1, 1e39],
        [1, -1e39],
        [1, 10**400],
        [1, -(10**5000)],
        [1, math.inf],
        np.array([1, 1e39]),
        np.array([1, np.inf], dtype="f2"),
        np.array([1, -np.inf]),
        np.array([1, np.longdouble("1e400")]),
        [1, JsonConstant("NaN")],
        [1, JsonConstant("-Infinity")],
    ],
    ids=lambda values: repr(values)[:30] if isinstance(values, np.ndarray) else None,
)
def test_beyond_float32(
    refused: Callable[..., list[errors.InputProblem]], column: Column, values: Any
) -> None:
    """What float32 cannot hold and a NaN literal are refused with their row, nullable or not."""
    (problem,) = refused(column, values)
    assert (type(problem), problem.rows) == (errors.NotFiniteError, (1,))
    assert ("send null" in str(problem)) == column.nullable


def test_the_greatest_float32_passes(decoded: Callable[..., Any]) -> None:
    """3.4028235e38 (IEEE 754, binary32) is a float32."""
    assert decoded(X, [3.4028234663852886e38]).tolist() == [(2 - 2**-23) * 2.0**127]


@pytest.mark.parametrize(
    "values",
    [
        [1, None],
        [1, NAN],
        [1, np.float64("nan")],
        np.array([1, NAN]),
        np.array([1, NAN], dtype="f2"),
        np.array([1, None], dtype=object),
        np.ma.array([1, 2], mask=[False, True]),
        np.ma.array([1.0, 2.0], mask=[False, True]),
    ],
    ids=repr,
)
def test_a_missing_number(
    decoded: Callable[..., Any], refused: Callable[..., list[errors.InputProblem]], values: Any
) -> None:
    """None, NaN and a masked cell are NaN where a value may be missing, refused elsewhere."""
    np.testing.assert_array_equal(decoded(NULLABLE, values), np.array([1, NAN], dtype="f4"))
    (problem,) = refused(X, values)
    assert (type(problem), problem.rows) == (errors.MissingValueError, (1,))


@pytest.mark.parametrize(
    "values",
    [5, 5.0, None, "UA", b"UA", bytearray(b"UA"), np.array(5.0), {"a": 1}, {"UA"}, list, object()],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("column", [X, WHOLE, TEXT, PAIR])
def test_what_is_no_list(
    refused: Callable[..., list[errors.InputProblem]], column: Column, values: Any
) -> None:
    """A scalar, text, a mapping, a set or a 0-d array in a column's place is named, only that."""
    (problem,) = refused(column, values)
    assert type(problem) is errors.WrongTypeError
    assert "must be a list of values" in str(problem)


def test_a_generator_is_no_list(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """A generator has no length: it is refused, not consumed."""
    generator = (each for each in [1.0])
    (problem,) = refused(X, generator)
    assert "must be a list of values" in str(problem)
    assert next(generator) == 1.0


@pytest.mark.parametrize("values", [(1, 2), range(1, 3), {"a": 1, "b": 2}.values()])
def test_other_sequences(decoded: Callable[..., Any], values: Any) -> None:
    """A tuple, a range or a dict's values hold a column as well as a list."""
    assert decoded(WHOLE, values).tolist() == [1, 2]


MATRIX = np.arange(128, dtype="f8").reshape(2, 64)


@pytest.mark.parametrize(
    "values",
    [MATRIX.tolist(), MATRIX, list(MATRIX), [tuple(row) for row in MATRIX], MATRIX.astype("i8")],
    ids=["lists", "array", "arrays", "tuples", "integers"],
)
def test_a_matrix(decoded: Callable[..., Any], values: Any) -> None:
    """A column of 64 numbers per row takes lists, arrays, and lists of arrays."""
    array = decoded(Column("x", shape=(64,)), values)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, MATRIX)


def test_a_matrix_of_objects(decoded: Callable[..., Any]) -> None:
    """An object array of arrays, as a DataFrame's column holds them, is a matrix too."""
    values = np.empty(2, dtype=object)
    values[:] = [np.array([1, 2]), [3, 4]]
    assert decoded(PAIR, values).tolist() == [[1, 2], [3, 4]]


def test_two_dimensions_in_a_row(decoded: Callable[..., Any]) -> None:
    """A row may be a matrix itself."""
    values = [[[1, 2, 3], [4, 5, 6]], np.ones((2, 3))]
    array = decoded(Column("x", shape=(2, 3)), values)
    assert array.tolist() == [[[1, 2, 3], [4, 5, 6]], [[1, 1, 1], [1, 1, 1]]]


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ([[1, 2], [1]], (1,)),
        ([[1, 2], [1, 2, 3], 5, None, "ab"], (1, 2, 3, 4)),
        (np.ones((2, 3)), (0, 1)),
        (np.ones((2, 2, 1)), (0, 1)),
        (np.ones(2), (0, 1)),
        ([[1, 2], np.ones((2, 1))], (1,)),
    ],
)
def test_a_row_of_another_width(
    refused: Callable[..., list[errors.InputProblem]], values: Any, rows: tuple[int, ...]
) -> None:
    """Ragged rows and rows of another width are named by their positions."""
    (problem,) = refused(PAIR, values)
    assert (type(problem), problem.rows) == (errors.WrongLengthError, rows)
    assert "a list of 2 numbers in each row" in str(problem)


def test_one_bad_cell_in_a_row(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """A row is named once for a kind of problem, however many of its cells have it."""
    problems = refused(PAIR, [[1, 2], [True, "x"], [None, 1e39]])
    assert [(type(each), each.rows) for each in problems] == [
        (errors.WrongTypeError, (1,)),
        (errors.NotFiniteError, (2,)),
        (errors.MissingValueError, (2,)),
    ]


def test_all_problems_of_a_column(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """One bad value does not hide the others of the same column, and rows stay right."""
    values = [1, "one", 1e39, None, 500, JsonConstant("NaN"), 2]
    problems = refused(Column("x", low=1, high=9), values)
    assert sorted((each.rows, type(each).__name__) for each in problems) == [
        ((1,), "WrongTypeError"),
        ((2,), "NotFiniteError"),
        ((3,), "MissingValueError"),
        ((4,), "OutOfRangeError"),
        ((5,), "NotFiniteError"),
    ]


@pytest.mark.parametrize(
    "column", [Column("x", low=-1, high=1), Column("x", "int64", low=-1, high=1)]
)
def test_the_ends_of_a_range_are_inside(decoded: Callable[..., Any], column: Column) -> None:
    """The least and the greatest value allowed are allowed."""
    assert decoded(column, [-1, 0, 1]).tolist() == [-1, 0, 1]


def test_out_of_range(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """The message says what was got, what is allowed and in which unit, and where."""
    column = Column("temp", unit="degF", low=-60, high=140)
    (problem,) = refused(column, [70, 141.5, -61])
    assert type(problem) is errors.OutOfRangeError
    expected = "temp must lie between -60 and 140 degF, got 141.5 (rows 1, 2)"
    assert (str(problem), problem.column, problem.rows) == (expected, "temp", (1, 2))


def test_one_open_end(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """A range may be open on one side."""
    (problem,) = refused(Column("x", low=0), np.array([5, -1]))
    assert str(problem) == "x must lie between 0 and inf, got -1 (row 1)"


def test_rows_are_capped(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """Of many rows the first ten are given, and the number of the others."""
    (problem,) = refused(X, ["x"] * 1000)
    assert problem.rows == tuple(range(10))
    assert "9 and 990 more)" in str(problem)


def test_a_long_value_is_cut(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """A message quotes the beginning of a value, however long or deep it is."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for value in ("x" * 10**6, deep, [10**5000], list(range(10**5)), {"a" * 1000: 1}):
        (problem,) = refused(X, [value])
        assert len(str(problem)) < 120


@pytest.mark.parametrize(
    "values", [["UA", "é"], ("UA", "é"), np.array(["UA", "é"]), np.array(["UA", "é"], dtype=object)]
)
def test_text(decoded: Callable[..., Any], values: Any) -> None:
    """Text from lists and arrays becomes an object array of plain str, as ONNX Runtime takes it."""
    array = decoded(TEXT, values)
    assert (array.dtype, array.tolist()) == (object, ["UA", "é"])
    assert {type(each) for each in array} == {str}


def test_a_kind_of_str(decoded: Callable[..., Any]) -> None:
    """A subclass of str counts by its characters, not by what it prints."""
    array = decoded(CODE, [Carrier.UNITED, Liar("B6"), np.str_("UA")], on_unknown="error")
    assert array.tolist() == ["UA", "B6", "UA"]
    assert {type(each) for each in array} == {str}


@pytest.mark.parametrize(
    "value",
    [b"UA", 1, 1.5, True, ["UA"], {}, 10**5000, "\ud800", JsonConstant("NaN"), np.array("UA")],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_text(refused: Callable[..., list[errors.InputProblem]], value: Any) -> None:
    """Bytes, numbers, lists, NaN literals and half a surrogate pair are no text."""
    (problem,) = refused(TEXT, ["UA", value])
    assert (type(problem), problem.rows) == (errors.WrongTypeError, (1,))
    assert "must be text" in str(problem)


@pytest.mark.parametrize("missing", [None, NAN, np.float32("nan")], ids=repr)
def test_missing_text(
    decoded: Callable[..., Any], refused: Callable[..., list[errors.InputProblem]], missing: Any
) -> None:
    """Missing text is empty text where it may be missing, and no unknown category."""
    assert decoded(CODE, ["UA", missing], on_unknown="error").tolist() == ["UA", ""]
    (problem,) = refused(TEXT, ["UA", missing])
    assert (type(problem), problem.rows) == (errors.MissingValueError, (1,))


def test_an_unknown_category(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """The message says some of what is known, how many, what was got, and the way out."""
    (problem,) = refused(CODE, ["UA", "ZZ", "YY"], on_unknown="error")
    assert type(problem) is errors.UnknownCategoryError
    assert str(problem) == (
        "x must be one of UA, B6, ... (3 known), got 'ZZ'; "
        'pass on_unknown="impute" to accept it (rows 1, 2)'
    )


def test_all_problems_of_text(refused: Callable[..., list[errors.InputProblem]]) -> None:
    """Wrong types, missing values and unknown categories are told apart in one pass."""
    column = Column("x", "string", categories=("UA",))
    problems = refused(column, ["ZZ", 5, None, "UA"], on_unknown="error")
    assert {type(each): each.rows for each in problems} == {
        errors.UnknownCategoryError: (0,),
        errors.WrongTypeError: (1,),
        errors.MissingValueError: (2,),
    }


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (Column("x", high=1_000_000), 1_000_000.5, "between -inf and 1000000, got 1000000.5"),
        (Column("x", "int64", high=10**8), 10**8 + 1, "between -inf and 100000000, got 100000001"),
    ],
)
def test_a_value_just_outside_its_range_looks_so(
    refused: Callable[..., list[errors.InputProblem]], column: Column, value: float, text: str
) -> None:
    """Bound and value have digits enough to be told apart."""
    (problem,) = refused(column, [value])
    assert text in str(problem)
