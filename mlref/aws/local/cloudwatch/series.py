"""Time series and the functions of metric math.

A series has values at some of the moments of its grid. In arithmetic a missing value of one series
counts as 0 where the other has one, and a division by zero drops the point:

    >>> grid = Grid(0, 180, 60)
    >>> errors, calls = Series(grid, {0: 1.0, 60: 2.0}), Series(grid, {0: 4.0, 120: 5.0})
    >>> combine(operator.truediv, errors, calls).values
    {0: 0.25, 120: 0.0}

Source: Amazon CloudWatch User Guide, "Using metric math".
"""

from __future__ import annotations

import bisect
import itertools
import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlref.aws.local.errors import AwsError

__all__ = ["FUNCTIONS", "OPERATORS", "Grid", "Series", "Value", "combine", "each", "invalid"]


@dataclass(frozen=True)
class Grid:
    """The moments of a series, in seconds since 1970.

    Attributes:
        start: the first.
        end: before which the last one lies.
        period: between two of them.
    """

    start: int
    end: int
    period: int

    def moments(self) -> range:
        """All of them."""
        return range(self.start, self.end, self.period)


@dataclass(frozen=True)
class Series:
    """Values over time.

    Attributes:
        grid: at which moments there may be one.
        values: moment -> value.
        label: what a person reads.
    """

    grid: Grid
    values: Mapping[int, float]
    label: str = ""


Value = float | Series | list[Series] | str


def invalid(message: str) -> AwsError:
    """An expression that cannot be computed, as GetMetricData says it."""
    return AwsError("ValidationError", message)


def _divide(left: float, right: float) -> float:
    return left / right  # ZeroDivisionError drops the point


def _power(left: float, right: float) -> float:
    result = left**right
    if isinstance(result, complex):
        raise ZeroDivisionError
    return float(result)


OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "AND": lambda left, right: float(bool(left) and bool(right)),
    "OR": lambda left, right: float(bool(left) or bool(right)),
}
"""What stands between two operands, by how it is written."""


def combine(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """What an operator gives for two values.

    Args:
        function: of two numbers; one of `OPERATORS`.
        left: a number, a series, or several.
        right: likewise.

    Raises:
        AwsError: the two do not go together.
    """
    if isinstance(left, str) or isinstance(right, str):
        raise invalid("text is no operand; only METRICS takes it")
    if isinstance(left, list) and isinstance(right, list):
        raise invalid("an operator takes one list of time series, not two")
    if isinstance(left, list):
        return [_one(combine(function, item, right)) for item in left]
    if isinstance(right, list):
        return [_one(combine(function, left, item)) for item in right]
    if isinstance(left, Series) and isinstance(right, Series):
        _same_grid([left, right])
        moments = sorted({*left.values, *right.values})
        pairs = {at: (left.values.get(at, 0.0), right.values.get(at, 0.0)) for at in moments}
        return Series(left.grid, _computed(function, pairs))
    if isinstance(left, Series) and not isinstance(right, Series):
        return Series(
            left.grid, _computed(function, {t: (v, right) for t, v in left.values.items()})
        )
    if isinstance(right, Series) and not isinstance(left, Series):
        return Series(
            right.grid, _computed(function, {t: (left, v) for t, v in right.values.items()})
        )
    numbers = _computed(function, {0: (float(left), float(right))})  # type: ignore[arg-type]
    if not numbers:
        raise invalid("the expression divides a number by zero")
    return numbers[0]


def each(function: Callable[[float], float], value: Value) -> Value:
    """A function applied to every value of a series, or of each of several, or to a number.

    Raises:
        AwsError: it is text, or a number of which the function gives nothing.
    """
    if isinstance(value, list):
        return [_one(each(function, item)) for item in value]
    if isinstance(value, Series):
        pairs = {at: (item, 0.0) for at, item in value.values.items()}
        return Series(value.grid, _computed(lambda item, _: function(item), pairs), value.label)
    if isinstance(value, str):
        raise invalid("text is no argument here; only METRICS takes it")
    try:
        return function(value)
    except (ArithmeticError, ValueError) as error:
        raise invalid(f"a function of the expression gives nothing for {value}") from error


def _computed(
    function: Callable[[float, float], float], pairs: Mapping[int, tuple[float, float]]
) -> dict[int, float]:
    """What a function gives at each moment; where it gives nothing finite, there is no point."""
    found = {}
    for at, (left, right) in pairs.items():
        try:
            value = function(left, right)
        except (ArithmeticError, ValueError):
            continue
        if math.isfinite(value):
            found[at] = value
    return found


def _one(value: Value) -> Series:
    if not isinstance(value, Series):
        raise invalid("a time series is needed here")
    return value


def _several(value: Value) -> list[Series]:
    return value if isinstance(value, list) else [_one(value)]


def _same_grid(series: Sequence[Series]) -> Grid:
    grids = {item.grid for item in series}
    if len(grids) != 1:
        text = "all metrics of an expression must have the same period"
        raise invalid(f"{text}, got {sorted(grid.period for grid in grids)} seconds")
    return grids.pop()


def _aggregate(function: Callable[[Sequence[float]], float]) -> Callable[[list[Value]], Value]:
    """SUM and its like: a number for one series, a series for several (missing counts as 0)."""

    def apply(arguments: list[Value]) -> Value:
        (value,) = _exactly(arguments, 1)
        if isinstance(value, Series):
            return float(function(list(value.values.values()))) if value.values else 0.0
        several = _several(value)
        grid = _same_grid(several)
        moments = sorted({at for item in several for at in item.values})
        return Series(
            grid, {at: function([item.values.get(at, 0.0) for item in several]) for at in moments}
        )

    return apply


def _exactly(arguments: list[Value], count: int) -> list[Value]:
    if len(arguments) != count:
        raise invalid(f"the function takes {count} arguments, got {len(arguments)}")
    return arguments


def _fill(arguments: list[Value]) -> Value:
    """FILL(series, number | series | REPEAT | LINEAR)."""
    value, filler = _exactly(arguments, 2)
    if isinstance(value, list):
        return [_one(_fill([item, filler])) for item in value]
    series = _one(value)
    gaps = [at for at in series.grid.moments() if at not in series.values]
    if isinstance(filler, float):
        filled = dict.fromkeys(gaps, filler)
    elif isinstance(filler, Series):
        filled = {at: filler.values[at] for at in gaps if at in filler.values}
    elif filler in ("REPEAT", "LINEAR"):
        filled = _from_neighbours(series, gaps, linear=filler == "LINEAR")
    else:
        raise invalid("FILL takes a number, a time series, REPEAT or LINEAR")
    return Series(series.grid, dict(sorted({**series.values, **filled}.items())), series.label)


def _from_neighbours(series: Series, gaps: Sequence[int], *, linear: bool) -> dict[int, float]:
    """For each gap the value before it, or what lies on the line to the one after it."""
    found, there = {}, sorted(series.values)
    for at in gaps:
        place = bisect.bisect(there, at)
        if place == 0 or (linear and place == len(there)):
            continue
        before = there[place - 1]
        found[at] = series.values[before]
        if linear:
            after = there[place]
            rise = series.values[after] - found[at]
            found[at] += rise * (at - before) / (after - before)
    return found


def _if(arguments: list[Value]) -> Value:
    """IF(condition, value, other): point by point; without `other`, points are dropped."""
    grid = next((item.grid for item in arguments if isinstance(item, Series)), Grid(0, 0, 60))
    if len(arguments) == len(("condition", "value")):
        arguments = [*arguments, Series(grid, {})]
    condition, value, other = _exactly(arguments, 3)
    if isinstance(condition, float):
        return value if condition else other
    found: dict[int, float] = {}
    for at, holds in _one(condition).values.items():
        chosen = value if holds else other
        if isinstance(chosen, float):
            found[at] = chosen
        elif holds or at in _one(chosen).values:
            found[at] = _one(chosen).values.get(at, 0.0)
    return Series(grid, found)


def _along(function: Callable[[Series], dict[int, float]]) -> Callable[[list[Value]], Value]:
    """A function of a series as a whole, or of each of several."""

    def apply(arguments: list[Value]) -> Value:
        (value,) = _exactly(arguments, 1)
        if isinstance(value, list):
            return [Series(s.grid, function(s), s.label) for s in value]
        series = _one(value)
        return Series(series.grid, function(series), series.label)

    return apply


def _steps(series: Series) -> list[tuple[int, int, float]]:
    """(moment, seconds since the point before, difference to it) of all points but the first."""
    pairs = itertools.pairwise(sorted(series.values.items()))
    return [(at, at - earlier, now - before) for (earlier, before), (at, now) in pairs]


def _running_sum(series: Series) -> dict[int, float]:
    moments = sorted(series.values)
    sums = itertools.accumulate(series.values[at] for at in moments)
    return dict(zip(moments, sums, strict=True))


def _count(arguments: list[Value]) -> Value:
    (value,) = _exactly(arguments, 1)
    if isinstance(value, Series):
        return float(len(value.values))
    moments = sorted({at for item in _several(value) for at in item.values})
    counts = {at: float(sum(at in s.values for s in _several(value))) for at in moments}
    return Series(_same_grid(_several(value)), counts)


def _at(place: int) -> Callable[[list[Value]], Value]:
    """FIRST and LAST."""

    def apply(arguments: list[Value]) -> Value:
        several = _several(_exactly(arguments, 1)[0])
        if not several:
            raise invalid("there is no time series of which one could be the first or the last")
        return several[place]

    return apply


def _simple(function: Callable[[float], float]) -> Callable[[list[Value]], Value]:
    return lambda arguments: each(function, _exactly(arguments, 1)[0])


FUNCTIONS: Mapping[str, Callable[[list[Value]], Value]] = {
    "SUM": _aggregate(math.fsum),
    "AVG": _aggregate(statistics.fmean),
    "MIN": _aggregate(min),
    "MAX": _aggregate(max),
    "STDDEV": _aggregate(statistics.pstdev),
    "ABS": _simple(abs),
    "CEIL": _simple(lambda value: float(math.ceil(value))),
    "FLOOR": _simple(lambda value: float(math.floor(value))),
    "LOG": _simple(math.log),
    "LOG10": _simple(math.log10),
    "FILL": _fill,
    "IF": _if,
    "DIFF": _along(lambda series: {at: step for at, _, step in _steps(series)}),
    "DIFF_TIME": _along(lambda series: {at: float(gap) for at, gap, _ in _steps(series)}),
    "RATE": _along(lambda series: {at: step / gap for at, gap, step in _steps(series)}),
    "RUNNING_SUM": _along(_running_sum),
    "DATAPOINT_COUNT": _count,
    "METRIC_COUNT": lambda arguments: float(len(_several(_exactly(arguments, 1)[0]))),
    "PERIOD": lambda arguments: float(_one(_exactly(arguments, 1)[0]).grid.period),
    "FIRST": _at(0),
    "LAST": _at(-1),
    "REMOVE_EMPTY": lambda arguments: [s for s in _several(_exactly(arguments, 1)[0]) if s.values],
}
"""The functions of metric math that the local AWS has, by name; TIME_SERIES needs a grid."""
