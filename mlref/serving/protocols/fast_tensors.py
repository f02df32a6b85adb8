"""The short way from an inference request to checked rows, for requests that are as they should be.

`FastTensors` gives the rows, or None: "I am not sure". Then `mlref.serving.protocols.infer_request`
looks at every value and names every problem. It goes the ways of `mlref.serving.fast_decoding`,
whose checks of lists it uses, and has one more for bytes: columns of numbers become one array, and
what is allowed is compared for all of them at once.

Left to the complete reader: requests that mix JSON and bytes, and parameters of single inputs.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from mlref.runtime.lazy import extra
from mlref.schema import Column, Schema
from mlref.serving.exchange import Block
from mlref.serving.fast_decoding import FastDecoder, UnsureError
from mlref.serving.protocols.infer_request import ALL_BINARY, BINARY, Asked
from mlref.serving.protocols.tensors import DATATYPES, NUMPY_TYPES, SIZE

__all__ = ["FastTensors"]

_SIMD_BYTES = 2048  # a smaller request is read sooner by orjson
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_INT64 = np.iinfo(np.int64)
_LARGE_BYTES = 2**15
_KEYS = frozenset({"id", "inputs", "outputs", "parameters"})
_PLAIN = frozenset({str, bool, int, float})
_POLICIES = ("impute", "error")
_LENGTH = struct.Struct("<I")
_FIELDS = 4  # name, datatype, shape, and data or parameters
_FEW_ROWS = 6  # up to here values are looked at one by one
_NO_BYTES = memoryview(b"")
_NOTHING: dict[str, Any] = {}
_NOT_SURE = (
    UnsureError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
    struct.error,
)  # fmt: skip


class _Input:
    """One input, with all that it takes to read it at hand."""

    __slots__ = (
        "datatype", "kind", "known", "limits", "lists", "nullable", "row", "size", "tails", "types"
    )  # fmt: skip

    def __init__(self, column: Column) -> None:
        self.row, self.nullable = column.shape, column.nullable
        self.datatype = DATATYPES[column.dtype]
        sizes = (1, *column.shape[:-1])
        self.lists = sum(math.prod(sizes[: depth + 1]) for depth in range(len(sizes)))
        self.tails = ([*column.shape],) if column.shape else ([1], [])
        self.kind = None if column.dtype == "string" else np.dtype(NUMPY_TYPES[column.dtype])
        self.size = math.prod(column.shape) * (self.kind.itemsize if self.kind else 1)
        whole = column.dtype == "int64"
        low, high = (_INT64.min, _INT64.max) if whole else (-_FLOAT32_MAX, _FLOAT32_MAX)
        self.limits = (
            low if column.low is None else max(column.low, low),
            high if column.high is None else min(column.high, high),
        )
        missing = {""} if column.nullable else set()
        self.known = None if column.categories is None else missing | {*column.categories}
        self.types = {int} if whole else {int, float}
        if column.nullable:
            self.types |= {type(None)}

    def rows(self, values: Any, n_rows: int, *, nested: bool) -> Any:
        """The data of a tensor as the values of a column, or as an array of numbers."""
        if type(values) is not list:
            if isinstance(values, np.ndarray):
                return values
            raise UnsureError
        if not self.row:
            if not values or type(values[0]) is not list:
                return values
            if not nested or set(map(type, values)) != {list}:
                raise UnsureError
            return [value for (value,) in values]
        kinds = set(map(type, values))
        if kinds == {list}:
            return values
        if not kinds <= self.types:
            raise UnsureError
        if n_rows <= _FEW_ROWS and len(self.row) == 1:
            (width,) = self.row
            return [values[at : at + width] for at in range(0, len(values), width)]
        wide = np.float64 if self.datatype == "FP32" else np.int64
        return np.array(values, dtype=wide).reshape(n_rows, *self.row)

    def listed(self, data: Any, n_rows: int) -> tuple[Any, int]:
        """What simdjson has read, a matrix of floats as an array; and the brackets it had.

        It flattens nested lists, so [1, [2], 3] looks like [1, 2, 3]: the brackets must tell.
        """
        brackets = 1 + n_rows * self.lists
        if len(self.row) == 1 and self.datatype == "FP32":
            numbers = np.frombuffer(data.as_buffer(of_type="d")).reshape(n_rows, *self.row)
            if len(data) == numbers.size:
                return numbers, 1
            if len(data) != n_rows or {*map(len, data)} != {*self.row}:
                raise UnsureError
            return numbers, brackets
        values = data.as_list()
        return values, brackets if type(values[0]) is list else 1

    def unpacked(self, tail: memoryview, start: int, size: int, n_rows: int) -> Any:
        """The bytes of a tensor as an array of numbers, or as a list of a few or of texts."""
        if self.kind is None:
            return _texts(bytes(tail[start : start + size]), n_rows)
        if size != n_rows * self.size:
            raise UnsureError
        if n_rows <= _FEW_ROWS and not self.row and self.datatype == "FP32":
            return list(struct.unpack_from(f"<{n_rows}f", tail, start))
        numbers = np.frombuffer(tail, self.kind, size // self.kind.itemsize, start)
        if not self.row:
            return numbers
        numbers = numbers.reshape(n_rows, *self.row)
        return numbers if numbers.flags.aligned else numbers.copy()

    def unknown(self, values: list[str]) -> int:
        """How many of the texts are categories that are not known."""
        if self.known is None or self.known.issuperset(values):
            return 0
        return sum(value not in self.known for value in values)

    def within(self, numbers: np.ndarray) -> np.ndarray:
        """The numbers, if all of them are allowed. A NaN fails every comparison."""
        if self.nullable:
            least, most = np.fmin.reduce(numbers, axis=None), np.fmax.reduce(numbers, axis=None)
        else:
            least, most = (
                np.minimum.reduce(numbers, axis=None),
                np.maximum.reduce(numbers, axis=None),
            )
        low, high = self.limits
        if low <= least.item() and most.item() <= high:
            return numbers
        raise UnsureError


def _texts(data: bytes, n_rows: int) -> list[str]:
    """The elements of a tensor, each its length and then its text."""
    (length,) = _LENGTH.unpack_from(data)
    width = _LENGTH.size + length
    if length and n_rows > _FEW_ROWS and len(data) == n_rows * width and data.isascii():
        table = np.frombuffer(data, np.uint8).reshape(n_rows, width)
        if (table[:, : _LENGTH.size] == table[0, : _LENGTH.size]).all():  # codes of one length
            text = table[:, _LENGTH.size :].tobytes().decode("ascii")
            return [text[at : at + length] for at in range(0, n_rows * length, length)]
    found, at = [], 0
    for _ in range(n_rows):
        (length,) = _LENGTH.unpack_from(data, at)
        start = at + _LENGTH.size
        at = start + length
        found.append(data[start:at].decode())
    if at != len(data):
        raise UnsureError
    return found


class FastTensors(FastDecoder):
    """Checked rows from a request that is as it should be, None from any other.

    Safe to share by threads.

    Args:
        schema: the columns of the model.
        output: the name of what it gives.

    Raises:
        MissingExtraError: orjson is not installed.
    """

    def __init__(self, schema: Schema, *, output: str) -> None:
        with extra("serve"):
            import orjson
        super().__init__(schema)
        self._dumps = orjson.dumps
        self._output = output
        self._inputs = {column.name: _Input(column) for column in schema}
        self._nullable = [column.name for column in schema if column.nullable]
        self._has_matrix = any(column.shape for column in schema)
        self._required = np.array([not reader.nullable for reader in self._numbers], dtype=bool)

    def __call__(self, body: bytes, tail: memoryview = _NO_BYTES) -> Block | None:
        """The rows of a request, or None where the complete reader must decide.

        Args:
            body: the JSON object.
            tail: the bytes behind it.
        """
        try:
            if self._new_parser is not None and len(body) > _SIMD_BYTES:
                document, brackets = self._lightly_parsed(body), _count(body, b"[")
            else:
                document, brackets = self._loads(body), 0
            if type(document) is not dict:
                return None
            return self._rows_of(document, tail, _count(body, b":"), brackets)
        except _NOT_SURE:
            return None

    def _rows_of(self, document: Any, tail: memoryview, colons: int, brackets: int) -> Block:
        """The rows of a parsed request; `brackets` is 0 where all data are Python's own lists."""
        inputs = document["inputs"]
        asked, more_keys, more_brackets = self._asked(document)
        n_rows = inputs[0]["shape"][0]
        if n_rows < 1 or len(inputs) != len(self._inputs):
            raise UnsureError
        found: dict[str, Any] = {}
        sizes: list[Any] = []
        start, n_raw, counted = 0, 0, 1 + more_brackets + len(inputs)
        for tensor in inputs:
            name, shape = tensor["name"], tensor["shape"]
            column = self._inputs[name]
            if len(tensor) != _FIELDS or tensor["datatype"] != column.datatype:
                raise UnsureError
            if shape[0] != n_rows or shape[1:] not in column.tails:
                raise UnsureError
            sizes += shape
            if "data" in tensor:
                data = tensor["data"]
                if brackets:
                    data, more = column.listed(data, n_rows)
                    counted += more
                found[name] = column.rows(data, n_rows, nested=len(shape) > 1)
            else:
                size = _only_parameter(tensor, SIZE, int)
                found[name] = column.unpacked(tail, start, size, n_rows)
                start, n_raw = start + size, n_raw + 1
        keys = len(document) + _FIELDS * len(inputs) + n_raw + more_keys
        if set(map(type, sizes)) != {int}:  # 1.0 and True are equal to 1
            raise UnsureError
        if start != len(tail) or colons != keys or (brackets and counted != brackets):
            raise UnsureError
        on_unknown = document.get("parameters", _NOTHING)
        few = n_rows <= _FEW_ROWS and self._simple and not brackets
        block = self._checked(found, n_rows, n_raw, few=few)
        block.context = asked
        return self._allowed(block, on_unknown)

    def _checked(self, found: dict[str, Any], n_rows: int, n_raw: int, *, few: bool) -> Block:
        """The columns, after a look at their values."""
        if n_raw == len(found):
            few = few and not self._has_matrix
            return self._few(self._with_nulls(found), n_rows) if few else self._raw(found, n_rows)
        if n_raw:
            raise UnsureError
        return self._few(found, n_rows) if few else self._many(found, n_rows)

    def _with_nulls(self, found: dict[str, Any]) -> dict[str, Any]:
        """Lists that came as bytes, with None for what is missing."""
        for name in self._nullable:  # NaN is not itself, and an empty text is not true
            found[name] = [None if x != x or x == "" else x for x in found[name]]  # noqa: PLR0124
        return found

    @np.errstate(invalid="ignore")  # a signalling NaN is a NaN, too
    def _raw(self, found: dict[str, Any], n_rows: int) -> Block:
        """Columns that came as bytes, without a Python object for each number."""
        block = Block(n_rows, [None] * len(self._inputs))
        if self._numbers:
            numbers = np.array([found[name] for name in self._number_names], dtype=np.float32)
            least, most = np.fmin.reduce(numbers, axis=1), np.fmax.reduce(numbers, axis=1)
            if (least < self._low).any() or (most > self._high).any():
                raise UnsureError
            if (np.isnan(numbers).any(axis=1) & self._required).any():
                raise UnsureError
            block.numbers = numbers
        for place, (name, column) in enumerate(self._inputs.items()):
            if column.kind is None:
                block.columns[place] = found[name]
                count = column.unknown(found[name])
                if count:
                    block.unknown[name] = count
            elif column.row or column.datatype == "INT64":
                block.columns[place] = column.within(found[name])
        return block

    def _asked(self, document: Any) -> tuple[Asked, int, int]:
        """What the reply must know, and how many keys and brackets said it."""
        if not document.keys() <= _KEYS:
            raise UnsureError
        ident, keys, binary = b"", 0, False
        if "id" in document:
            if type(document["id"]) is not str:
                raise UnsureError
            ident = self._dumps(document["id"])
        if "parameters" in document:
            keys, binary = _request_parameters(document["parameters"])
        if "outputs" not in document:
            return Asked(ident, binary), keys, 0
        (output,) = document["outputs"]
        if output["name"] != self._output or len(output) > 2:  # noqa: PLR2004 - and parameters
            raise UnsureError
        if len(output) > 1:
            binary = _only_parameter(output, BINARY, bool)
            keys += 1
        return Asked(ident, binary), keys + len(output), 1

    def _lightly_parsed(self, body: bytes) -> Any:
        """The request, in which the data of tensors stay with simdjson."""
        parsed = self._new_parser().parse(body)
        document = {key: _plain(parsed[key]) for key in parsed.keys() if key != "inputs"}  # noqa: SIM118
        document["inputs"] = [
            {key: tensor[key] if key == "data" else _plain(tensor[key]) for key in tensor.keys()}  # noqa: SIM118
            for tensor in parsed["inputs"]
        ]
        return document


def _count(body: bytes, sign: bytes) -> int:
    """How often a sign stands in the body."""
    if len(body) < _LARGE_BYTES:  # in a larger one it is rare, and finding faster than counting
        return body.count(sign)
    count, at = 0, body.find(sign)
    while at >= 0:
        count, at = count + 1, body.find(sign, at + 1)
    return count


def _plain(value: Any) -> Any:
    """What simdjson has read, as Python's own objects."""
    if hasattr(value, "as_dict"):
        return value.as_dict()
    return value.as_list() if hasattr(value, "as_list") else value


def _request_parameters(parameters: Any) -> tuple[int, bool]:
    """How many parameters a request has, and whether it asks for bytes."""
    if not _PLAIN.issuperset(map(type, parameters.values())):
        raise UnsureError
    binary = parameters.get(ALL_BINARY, False)
    if type(binary) is not bool or parameters.get("on_unknown", "impute") not in _POLICIES:
        raise UnsureError
    return len(parameters), binary


def _only_parameter(holder: Any, name: str, kind: type) -> Any:
    """The one parameter of an input or an output, whose last field is its parameters."""
    parameters = holder["parameters"]
    value = parameters[name]
    if len(parameters) != 1 or type(value) is not kind:
        raise UnsureError
    return value
