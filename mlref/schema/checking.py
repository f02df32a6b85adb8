"""The values of one column on their way to an array, and what is wrong with them."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from mlref import errors
from mlref.schema.column import Column, DType

__all__ = ["ColumnCheck", "JsonConstant", "first_few", "problem_at", "show", "stand_in"]

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_INT64 = np.iinfo(np.int64)
_SHOWN_ROWS = 10
_SHOWN_NAMES = 20
_NO_LISTS = (str, bytes, bytearray, memoryview, Mapping, AbstractSet, type)
_LIST_ADVICE = "give a list of values per column, or a list of rows"
_LONGEST_BITS = 10_000  # an int beyond about 4300 digits has no repr


class _Short(reprlib.Repr):
    """Looks at the beginning of a value only, however deep or long it is."""

    def repr_int(self, x: int, level: int) -> str:
        """An integer, also one that is too long for `repr`."""
        bits = x.bit_length()
        return super().repr_int(x, level) if bits < _LONGEST_BITS else f"an integer of {bits} bits"


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 40  # as much as a line holds


class JsonConstant(str):
    """NaN, Infinity or -Infinity as it stood in a JSON document, which may not hold it."""

    __slots__ = ()


def problem_at(
    kind: type[errors.InputProblem], text: str, rows: Sequence[int], column: str | None = None
) -> errors.InputProblem:
    """A problem whose message ends in the rows that have it, at most the first ten of them.

    Args:
        kind: the class of the problem.
        text: the message so far.
        rows: positions of all the rows that have it, counted from 0; none if it is about no row.
        column: the column that has it, or None.
    """
    shown = rows[:_SHOWN_ROWS]
    if shown:
        more = f" and {len(rows) - len(shown)} more" if len(rows) > len(shown) else ""
        text += f" (row{'s' if len(rows) > 1 else ''} {', '.join(map(str, shown))}{more})"
    return kind(text, column=column, rows=shown)


def stand_in(column: Column) -> float:
    """A number that a column of numbers accepts, the nearest to 0."""
    low = -math.inf if column.low is None else column.low
    high = math.inf if column.high is None else column.high
    value = min(max(0.0, low), high)
    return math.ceil(value) if column.dtype == "int64" else value


def first_few(problems: Iterable[errors.InputProblem]) -> Iterator[errors.InputProblem]:
    """Problems with names that are not the schema's, of which there is no end: 20, then a count."""
    others = 0
    kind = errors.InputProblem
    for number, problem in enumerate(problems):
        if number < _SHOWN_NAMES:
            yield problem
        else:
            others, kind = others + 1, type(problem)
    if others:
        yield kind(f"and {others} more of this kind")


def show(value: Any) -> str:
    """The beginning of a value, as a message quotes it."""
    text = str(value) if isinstance(value, JsonConstant) else _SHORT.repr(value)
    return text if len(text) <= _SHORT.maxstring else f"{text[: _SHORT.maxstring - 3]}..."


class ColumnCheck:
    """The values of one column on their way to an array, and what is wrong with them."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.problems: list[errors.InputProblem] = []
        self.unknown_count = 0

    def report(self, kind: type[errors.InputProblem], rows: Sequence[int], text: str) -> None:
        """Note one problem.

        Args:
            kind: the class of the problem.
            rows: positions of all the rows that have it, counted from 0.
            text: the message that follows the column's name.
        """
        name = self.column.name
        self.problems.append(problem_at(kind, f"{name} {text}", rows, name))

    def drop_unknown(self) -> None:
        """Accept unknown categories after all."""
        self.problems = [p for p in self.problems if not isinstance(p, errors.UnknownCategoryError)]

    def length(self, values: Any) -> int:
        """How many rows there are."""
        listed = hasattr(values, "__len__") and getattr(values, "ndim", 1) > 0
        if isinstance(values, _NO_LISTS) or not listed:
            text = f"must be a list of values, got {show(values)}; {_LIST_ADVICE}"
            self.report(errors.WrongTypeError, [], text)
            return 0
        return len(values)

    def string(self, values: Any) -> np.ndarray:
        """An object array of str, shape (n,)."""
        if self.problems:
            return np.empty(0, dtype=object)
        cells = np.fromiter(values, dtype=object, count=len(values))
        wrong, missing = [], []
        for row, value in enumerate(cells):
            if isinstance(value, str) and not isinstance(value, JsonConstant) and _is_text(value):
                cells[row] = str.__str__(value)  # str() of an enum is not its value
            elif _is_missing(value):
                missing.append(row)
            else:
                wrong.append(row)
        if wrong:
            self.report(errors.WrongTypeError, wrong, f"must be text, got {show(cells[wrong[0]])}")
        self._missing(missing, "give a value")
        self._categories(cells, {*wrong, *missing})
        cells[missing] = ""
        return cells

    def _missing(self, rows: Sequence[int], advice: str, where: str = "") -> None:
        if len(rows) and not self.column.nullable:
            text = f"is not nullable, got a missing value{where}; {advice}"
            self.report(errors.MissingValueError, rows, text)

    def _missing_numbers(self, missing: np.ndarray) -> None:
        if missing.any():
            rows = np.flatnonzero(_any_per_row(missing)).tolist()
            self._missing(rows, "give a number", _first(missing))

    def _categories(self, cells: np.ndarray, skip: set[int]) -> None:
        known = self.column.categories
        if known is None:
            return
        allowed = set(known)
        rows = [r for r, value in enumerate(cells) if r not in skip and value not in allowed]
        self.unknown_count = len(rows)
        if rows:
            some = ", ".join(known[:2]) + (", ..." if len(known) > 2 else "")  # noqa: PLR2004
            self.report(
                errors.UnknownCategoryError,
                rows,
                f"must be one of {some} ({len(known)} known), got {show(cells[rows[0]])}; "
                'pass on_unknown="impute" to accept it',
            )

    def number(self, values: Any) -> np.ndarray:
        """A float32 or int64 array of shape (n, *column.shape)."""
        shape, dtype = self.column.shape, self.column.dtype
        if self.problems:
            return np.empty((0, *shape), dtype=dtype)
        array = _as_numbers(values, dtype)
        if array is None or array.shape[1:] != shape:
            array = self._numbers_one_by_one(values)
        if dtype == "int64":
            self._range(array)
            return array.astype(np.int64)
        with np.errstate(over="ignore"):
            wide = array.astype(np.float64)
        lost = np.isinf(wide) | (np.abs(wide) > _FLOAT32_MAX)
        if lost.any():
            rows = np.flatnonzero(_any_per_row(lost)).tolist()
            got = f"{wide[lost][0]:g}{_first(lost)}"
            text = f"must be a finite float32, got {got}{self._null_advice()}"
            self.report(errors.NotFiniteError, rows, text)
        self._missing_numbers(np.isnan(wide))
        self._range(np.where(lost, np.nan, wide))
        with np.errstate(over="ignore"):
            return wide.astype(np.float32)

    def _range(self, array: np.ndarray) -> None:
        low, high = self.column.low, self.column.high
        outside = np.zeros(array.shape, dtype=bool)
        if low is not None:
            outside |= array < low
        if high is not None:
            outside |= array > high
        if outside.any():
            limits = f"between {_bound(low, '-inf')} and {_bound(high, 'inf')}"
            unit = f" {self.column.unit}" if self.column.unit else ""
            rows = np.flatnonzero(_any_per_row(outside)).tolist()
            self.report(
                errors.OutOfRangeError,
                rows,
                f"must lie {limits}{unit}, got {array[outside][0]:.9g}{_first(outside)}",
            )

    def _numbers_one_by_one(self, values: Any) -> np.ndarray:
        """The slow road: a list, or an array of objects. Finds every value that is no number.

        In the place of such a value stands one that the column accepts, so that the others are
        checked all the same, and keep their positions.
        """
        whole = self.column.dtype == "int64"
        accepted = stand_in(self.column)
        found: list[Any] = []
        faults: dict[type[errors.InputProblem], list[int]] = {}
        first: dict[type[errors.InputProblem], tuple[Any, str]] = {}
        for row, value in enumerate(values):
            cells = _flat(value, self.column.shape)
            if cells is None:
                faults.setdefault(errors.WrongLengthError, []).append(row)
                found.append([accepted] * math.prod(self.column.shape))
                continue
            numbers = [_number(cell, whole=whole) for cell in cells]
            if None in numbers:
                bad = [(cells[at], at) for at, number in enumerate(numbers) if number is None]
                kinds = {  # the first of each kind
                    _fault(cell): (cell, _element(at, self.column.shape))
                    for cell, at in reversed(bad)
                }
                first = kinds | first
                for kind in kinds:
                    faults.setdefault(kind, []).append(row)
                numbers = [accepted if n is None else n for n in numbers]
            found.append(numbers)
        for kind, rows in faults.items():
            self.report(kind, rows, self._fault_text(kind, *first.get(kind, (None, ""))))
        array = np.array(found, dtype="int64" if whole else "float64")
        return array.reshape((len(found), *self.column.shape))

    def _fault_text(self, kind: type[errors.InputProblem], value: Any, where: str) -> str:
        kind_name = "a whole number" if self.column.dtype == "int64" else "a number"
        if kind is errors.WrongLengthError:
            size = "x".join(map(str, self.column.shape))
            return f"must be a list of {size} numbers in each row"
        if kind is errors.NotFiniteError:
            dtype, advice = self.column.dtype, self._null_advice()
            return f"must be a finite {dtype}, got {show(value)}{where}{advice}"
        if kind is errors.MissingValueError:
            return f"is not nullable, got a missing value{where}; give {kind_name}"
        return f"must be {kind_name}, got {show(value)}{where}"

    def _null_advice(self) -> str:
        return "; send null where unknown" if self.column.nullable else ""


def _as_numbers(values: Any, dtype: DType) -> np.ndarray | None:
    """The values as a numeric array without looking at each, or None where that is not safe."""
    array = values if isinstance(values, np.ndarray) else getattr(values, "to_numpy", None)
    if callable(array):
        array = array()
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        return None
    if array.dtype.kind in ("iu" if dtype == "int64" else "iuf"):
        if array.dtype == np.uint64 and array.size and array.max() > _INT64.max:
            return None
        return array
    return None


def _number(value: Any, *, whole: bool) -> float | int | None:
    """The value as a plain number (NaN when missing), or None when it is not one."""
    if type(value) is float:
        return None if whole else value
    if isinstance(value, (bool, np.bool_, str)):
        return None
    if _is_integer(value):
        return _integer(int(value), whole=whole)
    if whole:
        return None
    if isinstance(value, np.floating):
        return float(value)
    return float("nan") if _is_missing(value) else None


def _integer(value: int, *, whole: bool) -> float | int | None:
    """The integer; where it is too large, None as int64 and an infinity as float32."""
    if whole:
        return value if _INT64.min <= value <= _INT64.max else None
    return value if abs(value) <= _FLOAT32_MAX else math.inf if value > 0 else -math.inf


def _fault(cell: Any) -> type[errors.InputProblem]:
    """What is wrong with a cell that is no number, or one that int64 cannot hold."""
    if isinstance(cell, JsonConstant) or _is_integer(cell):
        return errors.NotFiniteError
    return errors.MissingValueError if _is_missing(cell) else errors.WrongTypeError


def _is_integer(value: Any) -> bool:
    """Whether it is an integer; a bool is none, nor is the duration that NumPy counts as one."""
    return type(value) is int or (
        isinstance(value, np.integer) and not isinstance(value, np.timedelta64)
    )


def _is_missing(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, (float, np.floating)) and bool(np.isnan(value)))
        or type(value).__name__ in {"NAType", "NaTType", "MaskedConstant"}
    )


def _flat(value: Any, shape: tuple[int, ...]) -> Sequence[Any] | None:
    """The cells of one row's value, or None if it has another shape."""
    if not shape:
        return [value]
    if isinstance(value, np.ndarray):
        return list(value.ravel()) if value.shape == shape else None
    if not isinstance(value, (list, tuple)) or len(value) != shape[0]:
        return None
    if len(shape) == 1:
        return value
    parts = [_flat(part, shape[1:]) for part in value]
    return None if None in parts else [cell for part in parts for cell in part or ()]


def _is_text(value: str) -> bool:
    """Whether it is Unicode: half of a surrogate pair, which JSON can write, is not."""
    return value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value)


def _any_per_row(flags: np.ndarray) -> np.ndarray:
    return np.asarray(flags.any(axis=tuple(range(1, flags.ndim))))


def _first(flags: np.ndarray) -> str:
    """Where in its row the first marked number stands; "" for a scalar."""
    return _element(int(np.argmax(flags)) % math.prod(flags.shape[1:]), flags.shape[1:])


def _element(position: int, shape: tuple[int, ...]) -> str:
    """A position in a row's flat list of cells, as a message tells it; "" for a scalar."""
    if not shape:
        return ""
    place = [int(each) for each in np.unravel_index(position, shape)]
    return f" at element {place[0] if len(place) == 1 else place}"


def _bound(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:.9g}"
