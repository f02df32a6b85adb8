"""One tensor of the Open Inference Protocol on its way to the values of a schema's column.

- A column is one input. Its datatype is FP32, INT64 or BYTES, and no other is converted.
- A column of single values has shape [n, 1], as in the graph; [n] will do. A column of shape (64,)
  has shape [n, 64]. Every input has the same n, at least 1.
- "data" is flat in row-major order, or nested as the shape says.
- Bytes are little-endian and row-major; an element of BYTES is its length in four bytes, then text.
- A missing value, where the column is nullable, is null in JSON, NaN in the bytes of FP32, and an
  empty element in those of BYTES.

Source: Open Inference Protocol, REST, "Tensor Data"; its extension for binary tensor data.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlref import errors
from mlref.schema import Column
from mlref.schema.checking import problem_at, show

__all__ = ["DATATYPES", "NUMPY_TYPES", "SIZE", "Tensor"]

DATATYPES = {"float32": "FP32", "int64": "INT64", "string": "BYTES"}
"""For each dtype of a column the protocol's name of it."""

NUMPY_TYPES = {"float32": "<f4", "int64": "<i8"}
"""For each dtype of numbers how NumPy reads it from a tensor's bytes."""

SIZE = "binary_data_size"
"""The parameter that says how many bytes behind the JSON object are a tensor's."""

_LENGTH = struct.Struct("<I")


class Tensor:
    """One input on its way to a column's values, and what is wrong with it.

    Args:
        column: the column that it is.
        tensor: the input as it stands in the JSON object.
        problems: where to put what is wrong.
    """

    def __init__(
        self, column: Column, tensor: Mapping[str, Any], problems: list[errors.InputProblem]
    ) -> None:
        self._column, self._tensor, self._problems = column, tensor, problems
        self._datatype = DATATYPES[column.dtype]

    def values(self, piece: memoryview | None, size: int | None) -> Any:
        """A list or an array for the schema to check; None if there is a problem.

        Args:
            piece: the tensor's bytes, as far as there are any; None if it is given as JSON.
            size: how many bytes there should be.
        """
        before = len(self._problems)
        datatype = self._tensor.get("datatype")
        if datatype != self._datatype:
            self._report(
                errors.WrongTypeError, f"datatype must be {self._datatype}, got {show(datatype)}"
            )
        shape = self._shape()
        if ("data" in self._tensor) == (piece is not None):
            got = "both" if piece is not None else "neither"
            text = f'needs either "data" or the parameter "{SIZE}", got {got}'
            self._report(errors.MalformedRequestError, text)
        if len(self._problems) > before or (piece is not None and len(piece) != size):
            return None
        if piece is None:
            return self._from_json(self._tensor["data"], shape)
        return self._texts(piece, shape) if self._datatype == "BYTES" else self._raw(piece, shape)

    def _report(self, kind: type[errors.InputProblem], text: str, rows: Sequence[int] = ()) -> None:
        name = self._column.name
        self._problems.append(problem_at(kind, f"{name}: {text}", rows, name))

    def _shape(self) -> list[int]:
        """The shape as the tensor gives it."""
        shape, row = self._tensor.get("shape"), self._column.shape
        want = ", ".join(map(str, ("n", *(row or (1,)))))
        text = f"shape must be [{want}] for n rows, got {show(shape)}"
        if not isinstance(shape, list) or any(type(size) is not int for size in shape):
            self._report(errors.MalformedRequestError, text)
            return []
        fits = bool(shape) and (tuple(shape[1:]) == row or (not row and shape[1:] == [1]))
        if fits and shape[0] == 0:
            self._report(errors.EmptyInputError, "has no rows; send at least one")
        elif not fits or shape[0] < 0:
            self._report(errors.WrongLengthError, text)
        return shape

    def _from_json(self, data: Any, shape: list[int]) -> Any:
        if not isinstance(data, list):
            self._report(errors.WrongTypeError, f"data must be a list, got {show(data)}")
            return None
        row = self._column.shape
        if not any(isinstance(value, list) for value in data):
            if len(data) != math.prod(shape):
                text = f"shape {show(shape)} needs {show(math.prod(shape))} values, got {len(data)}"
                self._report(errors.WrongLengthError, text)
                return None
            for size in reversed(row):
                data = [data[start : start + size] for start in range(0, len(data), size)]
            return data
        wrong = [n for n, value in enumerate(data) if not _is_nested(value, shape[1:])]
        if wrong or len(data) != shape[0] or len(shape) == 1:
            text = f"data must be flat, or nested as its shape {show(shape)} says"
            self._report(errors.WrongLengthError, text, wrong)
            return None
        return data if row else [value for (value,) in data]

    def _raw(self, piece: memoryview, shape: list[int]) -> Any:
        kind = np.dtype(NUMPY_TYPES[self._column.dtype])
        want = math.prod(shape) * kind.itemsize
        if len(piece) != want:
            text = f"shape {show(shape)} of {self._datatype} is {show(want)} bytes"
            self._report(errors.WrongLengthError, f"{text}, {SIZE} is {len(piece)}")
            return None
        return np.frombuffer(piece, kind).reshape(shape[0], *self._column.shape)

    def _texts(self, piece: memoryview, shape: list[int]) -> Any:
        found: list[str | None] = []
        others: list[int] = []
        at, count = 0, shape[0]
        while len(found) < count and at + _LENGTH.size <= len(piece):
            (length,) = _LENGTH.unpack_from(piece, at)
            start, at = at + _LENGTH.size, at + _LENGTH.size + length
            if at > len(piece):
                break
            try:
                text = str(piece[start:at], "utf-8")
            except UnicodeDecodeError:
                others.append(len(found))
                text = ""
            found.append(None if not text and self._column.nullable else text)
        if len(found) != count or at != len(piece):
            text = f"must be {show(count)} elements in {len(piece)} bytes, each its length and text"
            self._report(errors.WrongLengthError, f"{text}, with nothing missing or left over")
            return None
        if others:
            self._report(errors.WrongTypeError, "must be text in UTF-8", others)
            return None
        return found


def _is_nested(value: Any, shape: Sequence[int]) -> bool:
    """Whether a value consists of lists of these lengths, and no further ones."""
    if not shape:
        return not isinstance(value, list)
    return (
        isinstance(value, list)
        and len(value) == shape[0]
        and all(_is_nested(each, shape[1:]) for each in value)
    )
