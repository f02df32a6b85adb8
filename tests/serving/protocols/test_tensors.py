"""One tensor on its way to a column's values."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from support.tensors import texts

from mlref import errors
from mlref.schema import Column
from mlref.serving.protocols.tensors import Tensor

CUBE = Column("cube", shape=(2, 3))
NAME = Column("name", dtype="string", nullable=True)


def _read(column: Column, told: dict[str, Any], raw: bytes | None = None) -> tuple[Any, list[Any]]:
    """The values, and what is wrong."""
    problems: list[errors.InputProblem] = []
    piece = None if raw is None else memoryview(raw)
    values = Tensor(column, told, problems).values(piece, None if raw is None else len(raw))
    return values, problems


@pytest.mark.parametrize(
    "data",
    [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]],
)
def test_data_are_flat_in_row_major_order_or_nested(data: Any) -> None:
    """Both forms of the specification's "Tensor Data" give the same rows."""
    values, problems = _read(CUBE, {"datatype": "FP32", "shape": [2, 2, 3], "data": data})
    assert not problems
    np.testing.assert_array_equal(values, np.arange(1, 13).reshape(2, 2, 3))


def test_the_specification_s_matrix_is_read_in_both_forms() -> None:
    """[1 2; 4 5] is [[1, 2], [4, 5]] or [1, 2, 4, 5]."""
    column = Column("m", shape=(2,))
    for data in ([[1, 2], [4, 5]], [1, 2, 4, 5]):
        values, _ = _read(column, {"datatype": "FP32", "shape": [2, 2], "data": data})
        assert values == [[1, 2], [4, 5]]


@pytest.mark.parametrize(
    "data",
    [
        [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11]]],
        [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]],
        [[[1, 2, 3], [4, 5, 6]]],
        [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, [12]]]],
        [[[1, 2, 3], [4, 5, 6]], 7],
    ],
)
def test_ragged_data_are_refused(data: Any) -> None:
    """Lists of other lengths or depths than the shape says."""
    values, problems = _read(CUBE, {"datatype": "FP32", "shape": [2, 2, 3], "data": data})
    assert values is None
    assert [type(each) for each in problems] == [errors.WrongLengthError]


def test_numbers_are_little_endian_and_row_major() -> None:
    """As the extension for binary tensor data says."""
    raw = struct.pack("<12f", *range(12))
    values, problems = _read(CUBE, {"datatype": "FP32", "shape": [2, 2, 3]}, raw)
    assert not problems
    np.testing.assert_array_equal(values, np.arange(12).reshape(2, 2, 3))


def test_texts_have_their_length_in_front() -> None:
    """Four bytes, little-endian; an empty one is missing where the column is nullable."""
    raw = b"\x02\0\0\0UA\0\0\0\0\x03\0\0\0\xe2\x9c\x93"
    told = {"datatype": "BYTES", "shape": [3, 1]}
    assert _read(NAME, told, raw) == (["UA", None, "✓"], [])
    required = Column("name", dtype="string")
    assert _read(required, told, raw) == (["UA", "", "✓"], [])


@pytest.mark.parametrize(
    ("raw", "kind", "rows"),
    [
        (texts(["a", "b"]) + b"\0", errors.WrongLengthError, ()),
        (texts(["a", "b", "c"]), errors.WrongLengthError, ()),
        (texts(["a"]), errors.WrongLengthError, ()),
        (texts(["a", "b"])[:-1], errors.WrongLengthError, ()),
        (texts(["a"]) + b"\xff\xff\xff\xffb", errors.WrongLengthError, ()),
        (texts(["a"]) + b"\1\0\0", errors.WrongLengthError, ()),
        (b"", errors.WrongLengthError, ()),
        (texts(["a"]) + b"\1\0\0\0\xff", errors.WrongTypeError, (1,)),
        (texts(["a"]) + b"\3\0\0\0\xed\xa0\x80", errors.WrongTypeError, (1,)),
    ],
)
def test_texts_that_do_not_fit_their_bytes_are_refused(
    raw: bytes, kind: type[errors.InputProblem], rows: tuple[int, ...]
) -> None:
    """Too short, too long, a length beyond the end, and what is not UTF-8 (also a surrogate)."""
    values, problems = _read(NAME, {"datatype": "BYTES", "shape": [2]}, raw)
    assert values is None
    assert [(type(each), each.rows, each.column) for each in problems] == [(kind, rows, "name")]
