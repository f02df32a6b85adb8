"""Rows on their way to the bytes of a request: the client's half of `mlref.serving.decoding`.

No row is checked here, so that the server names every problem at once. What JSON has no word for
is sent as something that the server is sure to refuse for the right reason: infinity as the literal
`Infinity`, a date or any other object as a JSON object.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterable, Mapping, Sized
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from mlref.schema import OnUnknown, Rows
from mlref.schema.rows import are_instances
from mlref.schema.schema import check_policy

__all__ = ["encode"]

_LARGEST_BITS = 1024  # an integer of more bits is beyond float64
_NO_LISTS = (str, bytes, bytearray, memoryview, Mapping, AbstractSet)
_MISSING = {"MaskedConstant", "NAType", "NaTType", "NoneType"}


def encode(rows: Rows, *, on_unknown: OnUnknown = "impute") -> bytes:
    """The body of a prediction request.

    Args:
        rows: column name -> n values each (mapping or DataFrame), or a list of n rows. None, NaN
            and pandas.NA become null.
        on_unknown: what the server does with unknown categories.

    Raises:
        InvalidInputError: `rows` is neither a mapping, a DataFrame nor a list of rows.
        ValueError: `on_unknown` is neither "impute" nor "error".

    >>> encode({"temp": [71.5, float("nan")]})
    b'{"columns": {"temp": [71.5, null]}, "on_unknown": "impute"}'
    """
    check_policy(on_unknown)
    if are_instances(rows):
        form = "instances"
        held = f"[{', '.join(_object((name, _cell(row[name])) for name in row) for row in rows)}]"
    else:
        form = "columns"
        held = _object((name, _values(values)) for name, values in rows.items())
    return f'{{"{form}": {held}, "on_unknown": {json.dumps(on_unknown)}}}'.encode()


def _object(pairs: Iterable[tuple[Any, Any]]) -> str:
    """A JSON object. By hand, since a DataFrame may hold one name twice: the server shall hear."""
    texts = (f"{json.dumps(str(name))}: {json.dumps(value)}" for name, value in pairs)
    return f"{{{', '.join(texts)}}}"


def _values(values: Any) -> Any:
    """A column, or one row of a matrix, as JSON values."""
    to_numpy = getattr(values, "to_numpy", None)
    array = to_numpy() if callable(to_numpy) else values
    if isinstance(array, np.ndarray) and not isinstance(array, np.ma.MaskedArray):
        return _array(array) if array.ndim else _cell(array)
    if isinstance(array, _NO_LISTS) or not isinstance(array, Sized):
        return _cell(array)
    return [_cell(value) for value in array]  # type: ignore[attr-defined]


def _array(array: np.ndarray) -> list[Any]:
    kind = array.dtype.kind
    if kind in "iubU":
        return list(array.tolist())
    if kind == "f":
        with np.errstate(over="ignore"):
            wide = array.astype(np.float64)
        missing = np.isnan(wide)
        if not missing.any():
            return list(wide.tolist())
        cells = wide.astype(object)
        cells[missing] = None
        return list(cells.tolist())
    return [_cell(value) for value in array]


def _cell(value: Any) -> Any:
    """One value as JSON has it."""
    if isinstance(value, np.generic) and value.dtype.kind in "iubf":
        value = float(value) if value.dtype.kind == "f" else value.item()
    kind = type(value)
    if kind is float or kind is int:
        return _number(value)
    if kind.__name__ in _MISSING:
        return None
    if kind is bool or isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        return _values(value)
    return {kind.__name__: reprlib.repr(value)}


def _number(value: float) -> float | None:
    """A number as JSON has it; what is beyond float64 as infinity."""
    if isinstance(value, int):
        if value.bit_length() > _LARGEST_BITS:
            return math.inf if value > 0 else -math.inf
        return value
    return None if math.isnan(value) else value
