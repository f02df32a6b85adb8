"""Rows in CSV, JSON Lines, NPY and lists are the rows of the JSON wire, or are refused."""

from __future__ import annotations

import csv
import io
import json
import math
import struct
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref import errors
from mlref.schema import Column, Decoded, Schema
from mlref.serving.decoding import decode
from mlref.serving.protocols.rows import read_csv, read_json, read_json_lines, read_npy

SCHEMA = Schema(
    (
        Column("temp", nullable=True, low=-60, high=140),
        Column("carrier", "string", nullable=True, categories=("UA", "B6")),
        Column("count", "int64"),
        Column("pair", shape=(2,)),
    )
)
NUMBERS = Schema(
    (Column("temp", nullable=True), Column("count", "int64"), Column("m", shape=(2, 2)))
)
SINGLE = st.floats(-60, 140, width=32)
ANY_SINGLE = st.floats(allow_nan=False, allow_infinity=False, width=32)
WHOLE = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
ROW = st.fixed_dictionaries(
    {
        "temp": st.none() | SINGLE,
        "carrier": st.none() | TEXT,
        "count": WHOLE,
        "pair": st.lists(ANY_SINGLE, min_size=2, max_size=2),
    }
)
SQUARE = st.lists(st.lists(ANY_SINGLE, min_size=2, max_size=2), min_size=2, max_size=2)
NUMBERS_ROW = st.fixed_dictionaries(
    {"temp": st.none() | ANY_SINGLE, "count": st.integers(-(2**53), 2**53), "m": SQUARE}
)


def _wire(rows: list[dict[str, Any]], schema: Schema = SCHEMA) -> Decoded:
    """What the JSON wire makes of the rows."""
    return decode(json.dumps({"instances": rows}).encode(), schema)


def _same(got: Decoded, expected: Decoded) -> None:
    """Fails unless both hold the same arrays."""
    assert (got.n_rows, got.unknown) == (expected.n_rows, expected.unknown)
    for name, array in expected.arrays.items():
        assert got.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(got.arrays[name], array)


def _lists(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """The rows as lists in the schema's order."""
    return [[row[name] for name in SCHEMA.names] for row in rows]


def _csv(rows: list[dict[str, Any]]) -> bytes:
    """The rows as Python's own writer has them, in the schema's order."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)  # RFC 4180: None is an empty cell, lines end in CRLF
    for row in rows:
        writer.writerow([row["temp"], row["carrier"], row["count"], *row["pair"]])
    return stream.getvalue().encode()


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _problems(read: Any, body: bytes, schema: Schema = SCHEMA, **options: Any) -> list[Any]:
    """What is wrong with a body."""
    with pytest.raises(errors.InvalidInputError) as caught:
        read(body, schema, **options)
    return list(caught.value.exceptions)


@given(st.lists(ROW, min_size=1, max_size=5))
def test_csv_says_the_same_as_json(rows: list[dict[str, Any]]) -> None:
    """Whatever the rows hold (quotes, line ends, commas), CSV gives the arrays of the wire."""
    _same(read_csv(_csv(rows), SCHEMA), _wire(rows))


@given(st.lists(ROW, min_size=1, max_size=5), st.booleans())
def test_json_lines_say_the_same_as_json(rows: list[dict[str, Any]], ends: bool) -> None:  # noqa: FBT001 - drawn
    """A line for each row, as an object or a list, with or without a line end after the last."""
    objects = "\n".join(json.dumps(row) for row in rows) + "\n" * ends
    lists = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in _lists(rows))
    _same(read_json_lines(objects.encode(), SCHEMA), _wire(rows))
    _same(read_json_lines(lists.encode(), SCHEMA), _wire(rows))


@given(st.lists(ROW, min_size=1, max_size=5))
def test_lists_say_the_same_as_objects(rows: list[dict[str, Any]]) -> None:
    """Instances of one value for each column, or of one for each cell, are the same rows."""
    nested = _lists(rows)
    flat = [[*row[:3], *row[3]] for row in nested]
    mixed = [rows[0], *nested[1:], *flat]
    _same(read_json(json.dumps({"instances": nested}).encode(), SCHEMA), _wire(rows))
    _same(read_json(json.dumps({"instances": flat}).encode(), SCHEMA), _wire(rows))
    _same(read_json(json.dumps({"instances": mixed}).encode(), SCHEMA), _wire([*rows, *rows]))


@given(st.lists(NUMBERS_ROW, min_size=1, max_size=5), st.sampled_from("CF"), st.sampled_from("<>"))
def test_npy_says_the_same_as_json(rows: list[dict[str, Any]], order: Any, ends: str) -> None:
    """float64 in either order of bytes and axes gives the arrays of the wire; NaN is missing."""
    cells = [
        [math.nan if row["temp"] is None else row["temp"], row["count"], *chain(*row["m"])]
        for row in rows
    ]
    array = np.array(cells, dtype=f"{ends}f8", order=order)
    _same(read_npy(_npy(array), NUMBERS), _wire(rows, NUMBERS))


def test_the_example_of_the_developer_guide() -> None:
    """The guide's record of four features, 1.5,16.0,14,23.0, is one row of those numbers."""
    schema = Schema([Column(name) for name in "abcd"])
    arrays = read_csv(b"1.5,16.0,14,23.0", schema).arrays
    assert [arrays[name].tolist() for name in "abcd"] == [[1.5], [16.0], [14.0], [23.0]]


def test_rfc_4180_quoting() -> None:
    """RFC 4180, 2.5 to 2.7: quotes around line ends, commas and doubled quotes."""
    schema = Schema([Column("a", "string"), Column("b", "string")])
    decoded = read_csv(b'"x,1","y\r\nz"\r\nplain,"say ""hi"""\r\n', schema)
    assert decoded.arrays["a"].tolist() == ["x,1", "plain"]
    assert decoded.arrays["b"].tolist() == ["y\r\nz", 'say "hi"']


def test_an_empty_cell_is_missing_also_in_quotes() -> None:
    """It is NaN for a number and empty text for a category, as null is on the wire."""
    decoded = read_csv(b',,1,0,0\n"","",1,0,0\n', SCHEMA)
    assert np.isnan(decoded.arrays["temp"]).all()
    assert decoded.arrays["carrier"].tolist() == ["", ""]
    assert decoded.unknown == {}


def test_a_byte_order_mark_is_skipped() -> None:
    """What spreadsheets write first does not become part of the first cell."""
    assert read_csv(b"\xef\xbb\xbf1,UA,1,0,0", SCHEMA).arrays["temp"].tolist() == [1.0]


HEADED = Schema([Column("a"), Column("b", "string")])


def test_a_header_line_needs_to_be_declared() -> None:
    """It is refused with advice, read over when declared, and data when declared absent."""
    body = b"a,b\n1,x\n"
    (problem,) = _problems(read_csv, body, HEADED)
    assert "header=present" in str(problem)
    decoded = read_csv(body, HEADED, header=True)
    assert (decoded.n_rows, decoded.arrays["a"].tolist()) == (1, [1.0])
    (problem,) = _problems(read_csv, body, HEADED, header=False)
    assert isinstance(problem, errors.WrongTypeError)


def test_a_declared_header_must_be_the_columns() -> None:
    """Another order of columns, or data where the header should be, is refused."""
    for body in (b"b,a\nx,1\n", b"1,x\n", b""):
        (problem,) = _problems(read_csv, body, HEADED, header=True)
        assert "line 1 must hold the columns' names: a, b" in str(problem)


@pytest.mark.parametrize(
    ("row", "kind", "column"),
    [
        ("200,UA,1,0,0", errors.OutOfRangeError, "temp"),
        ("x,UA,1,0,0", errors.WrongTypeError, "temp"),
        ("true,UA,1,0,0", errors.WrongTypeError, "temp"),
        ("1_0,UA,1,0,0", errors.WrongTypeError, "temp"),
        ("0x10,UA,1,0,0", errors.WrongTypeError, "temp"),
        ("\u0661,UA,1,0,0", errors.WrongTypeError, "temp"),  # a digit, but not of JSON
        ("NaN,UA,1,0,0", errors.NotFiniteError, "temp"),
        ("-inf,UA,1,0,0", errors.NotFiniteError, "temp"),
        ("1,UA,1,1e999,0", errors.NotFiniteError, "pair"),
        ("1,UA,1,,0", errors.MissingValueError, "pair"),
        ("1,UA,,0,0", errors.MissingValueError, "count"),
        ("1,UA,1.5,0,0", errors.WrongTypeError, "count"),
        ("1,UA,9223372036854775808,0,0", errors.NotFiniteError, "count"),
        (f"1,UA,{'9' * 5000},0,0", errors.NotFiniteError, "count"),
        ("1,UA,1,0", errors.WrongLengthError, None),
        ("1,UA,1,0,0,0", errors.WrongLengthError, None),
    ],
)
def test_a_cell_that_does_not_fit_is_named(row: str, kind: Any, column: str | None) -> None:
    """Each kind of wrong cell is one problem with its column and its row."""
    (problem,) = _problems(read_csv, f"1,UA,1,0,0\n{row}\n".encode())
    assert (type(problem), problem.column, problem.rows) == (kind, column, (1,))


def test_every_problem_of_a_csv_body_is_named() -> None:
    """A row of another length does not hide what is wrong with the others; lines are told."""
    found = _problems(read_csv, b"1,UA,1,0,0\n1,UA\n500,UA,x,0,0\n\n1,UA,1,0,0\n")
    assert [(type(problem).__name__, problem.rows) for problem in found] == [
        ("WrongLengthError", (1, 3)),
        ("OutOfRangeError", (2,)),
        ("WrongTypeError", (2,)),
    ]
    assert "line 2 has 2 cells, a row takes 5" in str(found[0])


def test_an_empty_line_is_no_row_but_at_the_end() -> None:
    """In the middle it is refused, as it would shift the predictions; at the end it is nothing."""
    schema = Schema([Column("a", nullable=True)])
    assert read_csv(b"1\n2\n\r\n\n", schema).n_rows == 2
    (problem,) = _problems(read_csv, b"1\n\n2\n", schema)
    assert "line 2 is empty" in str(problem)
    assert read_csv(b'1\n""\n2\n', schema).n_rows == 3


@pytest.mark.parametrize(
    "body", [b'1,"U"A,1,0,0', b'1,"UA,1,0,0', b"\xff,UA,1,0,0", b"x" * 200_000]
)
def test_what_is_not_csv_is_malformed(body: bytes) -> None:
    """Quotes in the wrong place, bytes that are not UTF-8, an endless cell."""
    (problem,) = _problems(read_csv, body)
    assert isinstance(problem, errors.MalformedRequestError)


@pytest.mark.parametrize("read", [read_csv, read_json_lines])
@pytest.mark.parametrize("body", [b"", b"\n", b"\r\n\r\n"])
def test_no_rows_are_refused(read: Any, body: bytes) -> None:
    """A body without rows is the wire's empty input."""
    (problem,) = _problems(read, body)
    assert isinstance(problem, errors.EmptyInputError)


def test_every_problem_of_json_lines_is_named() -> None:
    """Lines that are not JSON are told by number, and do not hide what is wrong with others."""
    good = '{"temp":1,"carrier":"UA","count":1,"pair":[0,0]}'
    lines = [good, "{", good.replace("1", "NaN", 1), "[1]", "7", "", good.replace('"UA"', "3")]
    found = _problems(read_json_lines, "\n".join(lines).encode())
    assert sorted((type(problem).__name__, problem.rows) for problem in found) == [
        ("MalformedRequestError", (1,)),
        ("MalformedRequestError", (4,)),
        ("MalformedRequestError", (5,)),
        ("NotFiniteError", (2,)),
        ("WrongLengthError", (3,)),
        ("WrongTypeError", (6,)),
    ]
    assert "line 2 must be a JSON object or list" in str(found[0])


def test_a_line_cannot_smuggle_a_second_row() -> None:
    """Each line is read by itself: two values on one are malformed, not two rows."""
    row = '{"temp":1,"carrier":"UA","count":1,"pair":[0,0]}'
    (problem,) = _problems(read_json_lines, f"{row},{row}".encode())
    assert isinstance(problem, errors.MalformedRequestError)


@pytest.mark.parametrize("depth", [10, 100_000])
def test_brackets_without_end_are_refused(depth: int) -> None:
    """Nesting is one problem, however deep it is."""
    found = _problems(read_json_lines, b"[" * depth)
    assert [type(problem) for problem in found] == [errors.MalformedRequestError]


def test_lists_keep_the_rules_of_the_wire() -> None:
    """Unknown keys and policies are named together with the rows' problems."""
    body = b'{"instances":[[1,"ZZ",1,[0,0]],[1,"UA",1]],"on_unknown":"guess","more":1}'
    names = {type(problem).__name__ for problem in _problems(read_json, body)}
    assert names == {"MalformedRequestError", "WrongLengthError"}
    refused = _problems(
        read_json, body.replace(b'"guess","more":1', b'"error"').replace(b",1]]", b",1,[0,0]]]")
    )
    assert isinstance(refused[-1], errors.UnknownCategoryError)


def test_a_matrix_column_may_be_the_row_itself() -> None:
    """With one column of shape (3,), a list of three numbers is a row; in NPY, too."""
    schema = Schema([Column("pixels", shape=(3,))])
    expected = [[1.0, 2.0, 3.0]]
    assert read_json(b'{"instances":[[1,2,3]]}', schema).arrays["pixels"].tolist() == expected
    assert read_json(b'{"instances":[[[1,2,3]]]}', schema).arrays["pixels"].tolist() == expected
    assert read_npy(_npy(np.float32(expected)), schema).arrays["pixels"].tolist() == expected


def test_npy_of_one_column_may_have_its_shape() -> None:
    """(n,) for one number a row, and (n, 2, 2) for one matrix a row."""
    one = read_npy(_npy(np.arange(3, dtype=np.uint8)), Schema([Column("a", "int64")]))
    assert one.arrays["a"].tolist() == [0, 1, 2]
    cube = np.arange(8, dtype=np.float16).reshape(2, 2, 2)
    matrices = read_npy(_npy(cube), Schema([Column("m", shape=(2, 2))]))
    np.testing.assert_array_equal(matrices.arrays["m"], cube)


@pytest.mark.parametrize(
    "array",
    [
        np.array([[object()] * 6], dtype=object),
        np.array([["1"] * 6]),
        np.ones((1, 6), dtype=bool),
        np.ones((1, 6), dtype=complex),
        np.zeros(1, dtype=[("temp", "f4"), ("count", "i8")]),
        np.array([["2020-01-01"] * 6], dtype="M8[D]"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_npy_holds_numbers(array: np.ndarray) -> None:
    """Objects, text, booleans, complex numbers, records and dates are refused."""
    (problem,) = _problems(read_npy, _npy(array), NUMBERS)
    assert isinstance(problem, errors.MalformedRequestError)
    assert "must hold numbers" in str(problem)


@pytest.mark.parametrize("shape", [(), (6,), (1, 5), (1, 2, 3)])
def test_npy_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    """The message tells the shape that is needed, and the order of the columns."""
    (problem,) = _problems(read_npy, _npy(np.ones(shape)), NUMBERS)
    assert isinstance(problem, errors.WrongLengthError)
    assert "(rows, 6)" in str(problem)
    assert "temp, count, m" in str(problem)


def test_npy_values_are_checked_like_all_others() -> None:
    """NaN where nothing may be missing, half a count, infinity: each named with its row."""
    rows = np.ones((4, 6))
    rows[1, 1], rows[2, 2], rows[3, 0] = 1.5, math.nan, math.inf
    found = {type(problem): problem.rows for problem in _problems(read_npy, _npy(rows), NUMBERS)}
    assert found == {
        errors.WrongTypeError: (1,),
        errors.MissingValueError: (2,),
        errors.NotFiniteError: (3,),
    }


def test_npy_needs_columns_of_numbers() -> None:
    """A schema with text cannot be sent so; the message names the column and other formats."""
    (problem,) = _problems(read_npy, _npy(np.ones((1, 5))))
    assert "carrier is text; send CSV or JSON" in str(problem)


def _forged(shape: str, descr: str = "<f8", held: bytes = b"") -> bytes:
    """An NPY file by its specification (NEP 1), with a header that may lie."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + held


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"PK\x03\x04",
        b"\x80\x04K\x01.",  # a pickle
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x03\x00\x00\x00\x00\x00",
        b"\x93NUMPY\x09\x00\x00\x00",
        _forged("(1, 6)")[:-20],
        _forged("(1, 6)"),
        _forged("(1000000000000, 6)"),  # would take 48 TB
        _forged("(-2, -3)", held=bytes(48)),
        _forged("(1, 6)", held=bytes(49)),
        _forged("(((((", held=bytes(48)),
        _forged("(1, 6)", descr="|O", held=bytes(48)),
        _forged("__import__('os')", held=bytes(48)),
    ],
)
def test_a_forged_npy_file_is_malformed(body: bytes) -> None:
    """A header that lies allocates nothing, runs nothing, and is told."""
    (problem,) = _problems(read_npy, body, NUMBERS)
    assert isinstance(problem, errors.MalformedRequestError)


@given(st.binary(max_size=80))
def test_any_bytes_are_rows_or_refused(body: bytes) -> None:
    """Whatever comes, no reader raises another error than the one for input."""
    for read, schema in (
        (read_csv, SCHEMA),
        (read_json, SCHEMA),
        (read_json_lines, SCHEMA),
        (read_npy, NUMBERS),
    ):
        for data in (body, b"\x93NUMPY\x01\x00" + body):
            with suppress(errors.InvalidInputError):
                assert read(data, schema).n_rows > 0
