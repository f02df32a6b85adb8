"""The short way from a request's bytes to checked rows, for requests that are as they should be.

`FastDecoder` gives the rows, or None: "I am not sure". Then `mlref.serving.decoding` looks at every
value and names every problem. So this file may be quick, because it never has to explain; but it
must be strict: what it lets through, the complete decoder lets through with the same values.

How it gets away with so little:

- A key that stands twice, which a parser forgets, shows in the number of colons in the body: there
  must be just as many as keys. A colon inside a text makes us unsure, nothing worse.
- A few rows are checked value by value, since NumPy would cost more than it saves, and packed into
  bytes: the objects of the parser are soon gone, and the next request finds their memory warm.
  Many rows are checked column by column: first the set of the values' types, since NumPy would
  take True or "1" for a number, then the least and the greatest value of all columns at once.
- In a large body, simdjson reads a matrix of numbers into a buffer, without a Python object for
  each number. It flattens nested lists, so rows and brackets are counted: [[1, 2, 3], [4]] is not
  a 2 x 2 matrix. For columns of single values that was measured to be no faster than orjson.
"""

from __future__ import annotations

import math
import struct
from itertools import chain
from operator import le
from typing import Any

import numpy as np

from mlref.runtime.lazy import extra, installed
from mlref.schema import Column, Schema
from mlref.serving.exchange import Block

__all__ = ["FastDecoder", "UnsureError"]

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_INT64 = np.iinfo(np.int64)
_NAN = float("nan")
_FEW_ROWS = 6  # up to here values are looked at one by one
_MOST_REMEMBERED = 4096  # combinations of types
_SIMD_BYTES = 2048  # a smaller body is read sooner by orjson
_POLICIES = ("impute", "error")
_NUMBERS = frozenset({float, int})
_TEXT = frozenset({str})
_WHOLE = frozenset({int})
_NULL = frozenset({type(None)})


class UnsureError(Exception):
    """Something is not as it should be, or cannot be told quickly."""


_FAULTS = (
    UnsureError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RuntimeError,
    struct.error,
)  # fmt: skip
"""What the shortest code for a good body raises when the body is another."""


class _Reader:
    """One column, with all that it takes to check it at hand."""

    __slots__ = ("dtype", "high", "known", "low", "name", "nullable", "place", "shape", "types")

    def __init__(self, place: int, column: Column) -> None:
        self.place = place
        self.name, self.dtype, self.shape = column.name, column.dtype, column.shape
        whole = column.dtype == "int64"
        least, most = (_INT64.min, _INT64.max) if whole else (-_FLOAT32_MAX, _FLOAT32_MAX)
        self.low = least if column.low is None else max(column.low, least)
        self.high = most if column.high is None else min(column.high, most)
        self.known = None if column.categories is None else frozenset(column.categories)
        types = {"string": _TEXT, "int64": _WHOLE, "float32": _NUMBERS}[column.dtype]
        self.nullable = column.nullable
        self.types = types | _NULL if column.nullable else types


class FastDecoder:
    """Checked rows from a body that is as it should be, None from any other.

    Safe to share by threads.

    Args:
        schema: the columns of the model.

    Raises:
        MissingExtraError: orjson is not installed.
    """

    def __init__(self, schema: Schema) -> None:
        with extra("serve"):
            import orjson
        self._loads = orjson.loads
        self._readers = [_Reader(*each) for each in enumerate(schema)]
        self._names = frozenset(schema.names)
        self._numbers = [
            reader for reader in self._readers if reader.dtype == "float32" and not reader.shape
        ]
        self._number_names = [reader.name for reader in self._numbers]
        self._known_kinds: dict[tuple[type, ...], list[int]] = {}
        low, high = [r.low for r in self._numbers], [r.high for r in self._numbers]
        self._low, self._high = np.array(low), np.array(high)
        self._limits = [
            tuple([limit for limit in limits for _ in range(n_rows)] for limits in (low, high))
            for n_rows in range(_FEW_ROWS + 1)
        ]
        self._others = [reader for reader in self._readers if reader not in self._numbers]
        self._simple = all(r.dtype != "int64" and len(r.shape) < 2 for r in self._readers)  # noqa: PLR2004
        self._packers: dict[int, struct.Struct] = {}
        self._new_parser: Any = None
        if any(reader.shape for reader in self._readers) and installed("simdjson"):
            import simdjson

            self._new_parser = simdjson.Parser

    def __call__(self, body: bytes) -> Block | None:
        """The rows of a request's body, or None where the complete decoder must decide."""
        try:
            if self._new_parser is not None and len(body) > _SIMD_BYTES:
                return self._read_large(body)
            document = self._document(self._loads(body))
            return self._read(document, body)
        except _FAULTS:
            return None

    def _document(self, document: Any) -> Any:
        """The document, if its keys are those of a request."""
        if "on_unknown" in document:
            if len(document) != 2 or document["on_unknown"] not in _POLICIES:  # noqa: PLR2004
                raise UnsureError
        elif len(document) != 1:
            raise UnsureError
        return document

    def _read(self, document: Any, body: bytes) -> Block:
        """The rows of a document that consists of Python's own objects."""
        if type(document) is not dict:
            raise UnsureError
        if "columns" in document:
            columns = document["columns"]
            keys = len(columns)
        else:
            columns, keys = self._turned(document["instances"])
        if columns.keys() != self._names or _count(body, b":") != keys + len(document):
            raise UnsureError
        n_rows = len(columns[self._readers[0].name])
        if n_rows <= _FEW_ROWS and self._simple:
            block = self._few(columns, n_rows)
        else:
            for reader in self._readers:
                if type(columns[reader.name]) is not list:
                    raise UnsureError
            block = self._many(columns, n_rows)
        return self._allowed(block, document)

    def _allowed(self, block: Block, document: Any) -> Block:
        if block.n_rows == 0 or (block.unknown and document.get("on_unknown") == "error"):
            raise UnsureError
        return block

    def _turned(self, instances: Any) -> tuple[dict[str, Any], int]:
        """Instances as columns, and how many keys they have together."""
        if type(instances) is not list or set(map(type, instances)) != {dict}:
            raise UnsureError
        width = len(self._names)
        if set(map(len, instances)) != {width}:
            raise UnsureError
        columns = {name: [row[name] for row in instances] for name in self._names}
        return columns, width * len(instances)

    def _few(self, columns: dict[str, Any], n_rows: int) -> Block:
        """A few rows, value by value."""
        block = Block(n_rows, [None] * len(self._readers))
        if self._numbers:
            lists = [columns[name] for name in self._number_names]
            if n_rows == 1:
                cells = [cell for (cell,) in lists]
            elif all(type(cells) is list and len(cells) == n_rows for cells in lists):
                cells = [*chain.from_iterable(lists)]
            else:
                raise UnsureError
            block.numbers = self._packed(cells, n_rows)
        for reader in self._others:
            values = columns[reader.name]
            if type(values) is not list or len(values) != n_rows:
                raise UnsureError
            block.columns[reader.place] = (
                self._few_lists(reader, values) if reader.shape else _texts(reader, values, block)
            )
        return block

    def _packed(self, cells: list[Any], n_rows: int) -> bytes:
        """The numbers of a few rows, one column after the other, as the bytes of an array."""
        kinds = tuple(map(type, cells))
        nulls = self._known_kinds.get(kinds)
        if nulls is None:
            nulls = self._nulls(kinds, n_rows)
        lows, highs = self._limits[n_rows]
        for place in nulls:
            cells[place] = lows[place]
        if not (all(map(le, lows, cells)) and all(map(le, cells, highs))):
            raise UnsureError
        for place in nulls:
            cells[place] = _NAN
        return self._pack(cells)

    def _nulls(self, kinds: tuple[type, ...], n_rows: int) -> list[int]:
        """Where numbers are missing in cells of these types, all of which must be allowed."""
        readers = [reader for reader in self._numbers for _ in range(n_rows)]
        if not all(kind in reader.types for kind, reader in zip(kinds, readers, strict=True)):
            raise UnsureError
        nulls = [place for place, kind in enumerate(kinds) if kind is type(None)]
        if len(self._known_kinds) < _MOST_REMEMBERED:
            self._known_kinds[kinds] = nulls
        return nulls

    def _few_lists(self, reader: _Reader, rows: list[Any]) -> bytes:
        """A few rows of a matrix."""
        width = reader.shape[0]
        for row in rows:
            if type(row) is not list or len(row) != width:
                raise UnsureError
            if not _NUMBERS.issuperset(map(type, row)):
                raise UnsureError
            if not (reader.low <= min(row) and max(row) <= reader.high):
                raise UnsureError
        return self._pack(rows[0] if len(rows) == 1 else [*chain.from_iterable(rows)])

    def _pack(self, values: list[float]) -> bytes:
        """Numbers as the bytes of a float32 array."""
        packer = self._packers.get(len(values))
        if packer is None:
            packer = self._packers[len(values)] = struct.Struct(f"{len(values)}f")
        return packer.pack(*values)

    def _many(self, columns: Any, n_rows: int) -> Block:
        """Many rows, column by column: a list or, where they are numbers already, an array."""
        numbers = np.empty((len(self._numbers), n_rows))
        for place, reader in enumerate(self._numbers):
            numbers[place] = self._listed(reader, columns[reader.name], n_rows)
        if numbers.size:
            least, most = np.fmin.reduce(numbers, axis=1), np.fmax.reduce(numbers, axis=1)
            if (least < self._low).any() or (most > self._high).any():
                raise UnsureError
        block = Block(n_rows, [None] * len(self._readers))
        if numbers.size:
            block.numbers = numbers.astype(np.float32)
        for reader in self._others:
            values = columns[reader.name]
            if reader.shape:
                found: Any = _matrix(reader, values, n_rows)
            elif reader.dtype == "int64":
                cells = self._listed(reader, values, n_rows)
                found = _within(reader, np.array(cells, dtype=np.int64))
            else:
                found = _texts(reader, self._listed(reader, values, n_rows), block)
            block.columns[reader.place] = found
        return block

    def _listed(self, reader: _Reader, values: Any, n_rows: int) -> Any:
        """The values, if they are of the right number and types."""
        if len(values) != n_rows:
            raise UnsureError
        if type(values) is list and not reader.types.issuperset(map(type, values)):
            raise UnsureError
        return values

    def _read_large(self, body: bytes) -> Block:
        """The rows of a large body, numbers without a Python object for each."""
        document = self._document(self._new_parser().parse(body))
        if "columns" not in document:
            return self._read(self._loads(body), body)
        columns = document["columns"]
        if {*columns.keys()} != self._names or _count(body, b":") != len(columns) + len(document):
            raise UnsureError
        n_rows = len(columns[self._readers[0].name])
        found = {}
        brackets = len(self._readers)
        for reader in self._readers:
            values = columns[reader.name]
            if reader.shape:
                found[reader.name] = _flattened(reader, values, n_rows)
                sizes = [math.prod(reader.shape[:depth]) for depth in range(len(reader.shape))]
                brackets += n_rows * sum(sizes)
            else:
                found[reader.name] = _listed(reader, values)
        if _count(body, b"[") != brackets:
            raise UnsureError
        return self._allowed(self._many(found, n_rows), document)


def _count(body: bytes, sign: bytes) -> int:
    """How often a sign stands in a body; bytes.count looks at one byte at a time."""
    if len(body) <= _SIMD_BYTES:
        return body.count(sign)
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == sign[0]))


def _listed(reader: _Reader, values: Any) -> Any:
    """A column that simdjson has read: an array where all must be numbers, else a list."""
    if reader.types is _NUMBERS:
        return np.frombuffer(values.as_buffer(of_type="d"))
    return values.as_list()


def _flattened(reader: _Reader, rows: Any, n_rows: int) -> Any:
    """A matrix that simdjson has read. That its numbers are no lists, the brackets must tell."""
    if reader.dtype != "float32" or len(rows) != n_rows or not _fits(rows, reader.shape):
        raise UnsureError
    return np.frombuffer(rows.as_buffer(of_type="d")).reshape(n_rows, *reader.shape)


def _fits(rows: Any, shape: tuple[int, ...]) -> bool:
    """Whether lists in lists have the lengths of a shape."""
    if set(map(len, rows)) != {shape[0]}:
        return False
    return len(shape) == 1 or all(_fits(row, shape[1:]) for row in rows)


def _texts(reader: _Reader, cells: list[Any], block: Block) -> list[str]:
    """The values of a column of text; those that are unknown are counted in the block."""
    known, count = reader.known, 0
    for row, cell in enumerate(cells):
        if type(cell) is str:
            count += known is not None and cell not in known
        elif cell is None and reader.nullable:
            cells[row] = ""
        else:
            raise UnsureError
    if count:
        block.unknown[reader.name] = count
    return cells


def _matrix(reader: _Reader, values: Any, n_rows: int) -> np.ndarray:
    """A column whose rows are lists of numbers."""
    if isinstance(values, np.ndarray):
        return _within(reader, values)
    cells = values
    for _ in reader.shape:
        cells = [*chain.from_iterable(cells)]
    if not reader.types.issuperset(map(type, cells)):
        raise UnsureError
    array = np.array(values, dtype=np.int64 if reader.dtype == "int64" else np.float64)
    if array.shape != (n_rows, *reader.shape):
        raise UnsureError
    return _within(reader, array)


def _within(reader: _Reader, array: np.ndarray) -> np.ndarray:
    """The array in the column's dtype, if all of it lies within the limits."""
    if array.size:
        least, most = np.fmin.reduce(array, axis=None), np.fmax.reduce(array, axis=None)
        if least < reader.low or most > reader.high:
            raise UnsureError
    return array.astype(reader.dtype, copy=False)
