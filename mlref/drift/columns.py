"""What the values of a column are: read as a CSV file would spell them.

    12         Integral             "12"  the same
    12.5       Fractional           "1e-3", "12."  the same
    "JFK"      text                 True, "NaN"    text
    None, NaN, pandas.NA            missing

A column is of text if any of its values is, else Fractional if any is, else Integral. A float 12.0
is Fractional, as "12.0" is.

The distribution of fractional numbers is taken in single precision: the 39.02 of a CSV file and the
39.0200004577 that a client makes of a float32 are the same number to a model, and must not look
like drift.
"""

from __future__ import annotations

import functools
import math
import numbers
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlref.drift.documents.statistics import InferredType

__all__ = ["Column", "Columns", "read_columns"]

Columns = Any
"""Column name -> values: a mapping of sequences or arrays, or a pandas DataFrame."""

_INTEGRAL = re.compile(r"[+-]?[0-9]+")
_FRACTIONAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, eq=False)
class Column:
    """A column, read.

    Attributes:
        name: of the column.
        missing: rows without a value.
        integral: values that are whole numbers.
        fractional: values that are other numbers.
        text: values that are neither.
        numbers: float64 array, shape (integral + fractional,).
        spelled: how often each value occurs, as text; None if it is to be had from `numbers`.
    """

    name: str
    missing: int
    integral: int
    fractional: int
    text: int
    numbers: np.ndarray
    spelled: Mapping[str, int] | None = field(default=None, repr=False)

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.integral + self.fractional + self.text

    @property
    def completeness(self) -> float:
        """The share of the rows with a value, in [0, 1]; 0 if there are no rows."""
        rows = self.present + self.missing
        return self.present / rows if rows else 0.0

    @property
    def kind(self) -> InferredType:
        """What its values are."""
        if not self.present:
            return "Unknown"
        if self.text:
            return "String"
        return "Fractional" if self.fractional else "Integral"

    def match(self, kind: InferredType) -> float:
        """The share of the values that are of a type, in [0, 1]; 1 if there are no values.

        A whole number is a number, so it is Fractional, too. Text may look like a number here and
        there; it is only something else if all of it does.

        Args:
            kind: the type.
        """
        if not self.present or kind == "Unknown":
            return 1.0
        if kind == "String":
            return float(self.text > 0)
        fitting = self.integral + (self.fractional if kind == "Fractional" else 0)
        return fitting / self.present

    @functools.cached_property
    def categories(self) -> Mapping[str, int]:
        """How often each value occurs, as text, the most frequent first."""
        found = self.spelled
        if found is None:
            distinct, counts = np.unique(self.numbers, return_counts=True)
            whole = self.fractional == 0
            names = [str(int(each)) if whole else repr(each) for each in distinct.tolist()]
            found = dict(zip(names, counts.tolist(), strict=True))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @functools.cached_property
    def comparable(self) -> np.ndarray:
        """The numbers as distributions are compared: fractional ones in single precision."""
        if not self.fractional:
            return self.numbers
        distinct, where = np.unique(self.numbers, return_inverse=True)
        with np.errstate(over="ignore"):
            single = distinct.astype(np.float32)
        short = np.array([float(str(each)) for each in single])  # the shortest spelling
        found: np.ndarray = np.where(np.isfinite(single), short, distinct)[where]
        return found


def read_columns(table: Columns) -> dict[str, Column]:
    """The columns of a table.

    Args:
        table: column name -> values, all of one length.

    Raises:
        ValueError: the columns differ in length, or a number is infinite.
    """
    found = {str(name): _column(str(name), table[name]) for name in table}
    lengths = {name: each.present + each.missing for name, each in found.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name}: {count}" for name, count in list(lengths.items())[:5])
        raise ValueError(f"columns must be of one length, got {told}")
    return found


def _column(name: str, values: Any) -> Column:
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if kind == "f":
        array = np.asarray(values, dtype=np.float64)
        return _numbers(name, array[~np.isnan(array)], len(array), fractional=True)
    if kind in "iu":
        array = np.asarray(values, dtype=np.float64)
        return _numbers(name, array, len(array), fractional=False)
    return _mixed(name, values)


def _numbers(name: str, array: np.ndarray, rows: int, *, fractional: bool) -> Column:
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: infinity is no value; leave it out, or make it missing")
    count = len(array)
    return Column(
        name, rows - count, 0 if fractional else count, count if fractional else 0, 0, array
    )


def _mixed(name: str, values: Iterable[Any]) -> Column:
    """A column of Python's objects; each distinct one is looked at once."""
    counted: Counter[tuple[type, Any]] = Counter()
    missing = 0
    for value in values:
        if value is None:
            missing += 1
        else:
            counted[type(value), value if value.__hash__ else str(value)] += 1
    counts = {"integral": 0, "fractional": 0, "text": 0}
    figures, repeats, spelled = [], [], Counter[str]()
    for (_, value), count in counted.items():
        told, kind = _told(name, value)
        if kind is None:
            missing += count
            continue
        counts[kind] += count
        spelled[told] += count
        if kind != "text":
            figures.append(float(told))
            repeats.append(count)
    array = np.repeat(np.array(figures, dtype=np.float64), repeats)
    return Column(name, missing, **counts, numbers=array, spelled=spelled)


def _told(name: str, value: Any) -> tuple[str, str | None]:
    """A value as text, and what it is; None if it is missing."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower(), "text"
    if isinstance(value, numbers.Integral):
        return str(int(value)), "integral"
    if isinstance(value, (float, np.floating, numbers.Real)):
        if math.isinf(value):
            raise ValueError(f"{name}: infinity is no value; leave it out, or make it missing")
        return str(value), None if math.isnan(value) else "fractional"
    text = str(value)
    if type(value).__name__ in {"NAType", "NaTType"}:
        return text, None
    return text, _spelling(text)


def _spelling(text: str) -> str:
    """What a text looks like."""
    if not _FRACTIONAL.fullmatch(text) or math.isinf(float(text)):
        return "text"
    return "integral" if _INTEGRAL.fullmatch(text) else "fractional"
