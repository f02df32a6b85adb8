"""Statistics of the observations of one period, as CloudWatch defines them.

Observations are kept as value -> how often it was seen. So any statistic can be computed later, and
a minute with 12,000 requests that took a few hundred different times is small:

    >>> seen = Distribution()
    >>> seen.add({1.0: 50, 2.0: 45, 9.0: 5})
    >>> round(parse("p95")(seen), 2)
    2.35
    >>> parse("Average")(seen)
    1.85

What was published as a statistic set (only its count, sum, minimum and maximum are known) has no
percentiles, and what has negative values has none either, as in CloudWatch: the statistic is None.

Where the documentation is silent: percentiles interpolate between neighbours, as `numpy.percentile`
does. A boundary in percent that falls inside a group of equal values splits it. More than 1,000
different values of one period are rounded to three significant digits, which count, sum, minimum
and maximum never are.

Source: Amazon CloudWatch User Guide, "CloudWatch statistics definitions".
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlref.aws.local.errors import AwsError

__all__ = ["BASIC", "Distribution", "is_percentile", "parse"]

Statistic = Callable[["Distribution"], float | None]

_MOST = 1000  # different values of one period; more are rounded
_DIGITS = 3  # significant digits that rounded values keep


@dataclass(eq=False)
class Distribution:
    """What was observed in a period.

    Attributes:
        count: how many observations there are.
        total: their sum.
        low: the smallest; infinity if there are none.
        high: the largest; minus infinity if there are none.
        values: value -> how often it was seen.
        raw: whether `values` is all there is; else some came as a statistic set.
        digits: significant digits to which values are rounded; None is all.
    """

    count: float = 0.0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: dict[float, float] = field(default_factory=dict)
    raw: bool = True
    digits: int | None = None

    def add(self, values: Mapping[float, float]) -> None:
        """Take in observations.

        Args:
            values: value -> how often it was seen, at least 0.
        """
        for value, count in values.items():
            if count > 0:
                self._bounds(count, value * count, value, value)
                self._keep(value, count)

    def add_set(self, count: float, total: float, low: float, high: float) -> None:
        """Take in a statistic set: observations of which no more is known.

        Args:
            count: how many there are.
            total: their sum.
            low: the smallest.
            high: the largest.
        """
        if low == high and math.isclose(total, low * count):
            self.add({low: count})
        elif count > 0:
            self._bounds(count, total, low, high)
            self.raw = False

    def merge(self, other: Distribution) -> None:
        """Take in all that another one has."""
        self._bounds(other.count, other.total, other.low, other.high)
        self.raw = self.raw and other.raw
        for value, count in other.values.items():
            self._keep(value, count)

    def coarsen(self, digits: int) -> None:
        """Round the values, those that will come, too.

        Args:
            digits: significant digits that are kept, at least 1.
        """
        self.digits = digits
        values, self.values = self.values, {}
        for value, count in values.items():
            self._keep(value, count)

    def _keep(self, value: float, count: float) -> None:
        if self.digits is not None:
            value = float(f"{value:.{self.digits - 1}e}")
        self.values[value] = self.values.get(value, 0.0) + count
        if self.digits is None and len(self.values) > _MOST:
            self.coarsen(_DIGITS)

    def percentile(self, percent: float) -> float:
        """The value below which so many percent of the observations lie; there is at least one."""
        rank = percent / 100 * (self.count - 1)
        below, above = self._ranked(math.floor(rank)), self._ranked(math.ceil(rank))
        return below + (above - below) * (rank - math.floor(rank))

    def _ranked(self, rank: int) -> float:
        """The value of a rank, from 0; the first and the last are known exactly."""
        if rank <= 0 or rank >= self.count - 1:
            return self.low if rank <= 0 else self.high
        seen = 0.0
        for value in sorted(self.values):
            seen += self.values[value]
            if rank < seen:
                return min(max(value, self.low), self.high)
        return self.high

    def _bounds(self, count: float, total: float, low: float, high: float) -> None:
        self.count += count
        self.total += total
        self.low, self.high = min(self.low, low), max(self.high, high)


BASIC: Mapping[str, Statistic] = {
    "SampleCount": lambda seen: seen.count,
    "Average": lambda seen: seen.total / seen.count,
    "Sum": lambda seen: seen.total,
    "Minimum": lambda seen: seen.low,
    "Maximum": lambda seen: seen.high,
}
"""The statistics that need no raw values, by name."""

_NUMBER = r"\d{1,3}(?:\.\d{1,10})?"
_SHORT = re.compile(rf"(?P<kind>p|tm|wm|tc|ts)(?P<high>{_NUMBER})")
_LONG = re.compile(
    r"(?P<kind>TM|WM|TC|TS|PR)"
    r"\((?P<low>-?\d+(?:\.\d{1,10})?%?)?:(?P<high>-?\d+(?:\.\d{1,10})?%?)?\)"
)


def is_percentile(name: str) -> bool:
    """Whether a statistic is a percentile, as p99 is."""
    return re.fullmatch(rf"p{_NUMBER}", name) is not None


@functools.cache
def parse(name: str) -> Statistic:
    """What computes a statistic; it gives None where that cannot be known.

    Args:
        name: as in "Average", "p99.9", "tm90", "TM(2%:98%)", "PR(100:300)" or "IQM".

    Raises:
        AwsError: there is no such statistic.
    """
    if name in BASIC:
        return BASIC[name]
    if name == "IQM":
        return _on_raw("TM", _Between(25.0, 75.0, percent=True))
    short, long = _SHORT.fullmatch(name), _LONG.fullmatch(name)
    if short and float(short["high"]) <= 100:  # noqa: PLR2004 - percent
        high = float(short["high"])
        kind = "p" if short["kind"] == "p" else short["kind"].upper()
        return _on_raw(kind, _Between(None, high, percent=True))
    if long and (bounds := _bounds(long)) is not None:
        return _on_raw(long["kind"], bounds)
    text = f"there is no statistic {name!r}; use SampleCount, Average, Sum, Minimum, Maximum, p0 to"
    raise AwsError(
        "InvalidParameterValue", f"{text} p100, tm, wm, tc, ts, IQM, or as in TM(10%:90%), PR(:300)"
    )


@dataclass(frozen=True)
class _Between:
    """The boundaries of a trimmed statistic: two values, or two shares in percent."""

    low: float | None
    high: float | None
    percent: bool = False


def _bounds(match: re.Match[str]) -> _Between | None:
    """The boundaries that stand in parentheses, or None if they make no sense."""
    texts = [text for text in (match["low"], match["high"]) if text is not None]
    percents = {text.endswith("%") for text in texts}
    if len(percents) != 1:
        return None
    percent = percents.pop()
    low, high = (
        None if text is None else float(text.rstrip("%")) for text in (match["low"], match["high"])
    )
    numbers = [number for number in (low, high) if number is not None]
    allowed = not percent or all(0 <= number <= 100 for number in numbers)  # noqa: PLR2004
    if not allowed or sorted(numbers) != numbers or (percent and match["kind"] == "PR"):
        return None
    return _Between(low, high, percent=percent)


def _on_raw(kind: str, between: _Between) -> Statistic:
    """A statistic that needs raw values, none of them negative."""
    compute = _KINDS[kind]

    def statistic(seen: Distribution) -> float | None:
        return compute(seen, between) if seen.raw and seen.low >= 0 and seen.count else None

    return statistic


def _inside(seen: Distribution, between: _Between) -> list[tuple[float, float]]:
    """The values between the boundaries, each with how often it counts."""
    if not between.percent:
        low = -math.inf if between.low is None else between.low
        high = math.inf if between.high is None else between.high
        return [(value, count) for value, count in seen.values.items() if low < value <= high]
    first = seen.count * (between.low or 0.0) / 100
    last = seen.count * (100.0 if between.high is None else between.high) / 100
    values = sorted(seen.values)
    ends = list(itertools.accumulate(seen.values[value] for value in values))
    parts = zip(values, [0.0, *ends], ends, strict=False)
    shares = [(value, min(end, last) - max(begin, first)) for value, begin, end in parts]
    return [(value, share) for value, share in shares if share > 0]


def _percentile(seen: Distribution, between: _Between) -> float | None:
    return seen.percentile(between.high or 0.0)


def _trimmed_count(seen: Distribution, between: _Between) -> float | None:
    return sum(count for _, count in _inside(seen, between))


def _trimmed_sum(seen: Distribution, between: _Between) -> float | None:
    return math.fsum(value * count for value, count in _inside(seen, between))


def _trimmed_mean(seen: Distribution, between: _Between) -> float | None:
    inside = _inside(seen, between)
    count = sum(each for _, each in inside)
    return math.fsum(value * each for value, each in inside) / count if count else None


def _winsorized_mean(seen: Distribution, between: _Between) -> float | None:
    low, high = between.low, between.high
    if between.percent:
        low = None if low is None else seen.percentile(low)
        high = None if high is None else seen.percentile(high)
    low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
    clipped = (min(max(value, low), high) * count for value, count in seen.values.items())
    return math.fsum(clipped) / seen.count


def _percentile_rank(seen: Distribution, between: _Between) -> float | None:
    return 100 * sum(count for _, count in _inside(seen, between)) / seen.count


_KINDS: Mapping[str, Callable[[Distribution, _Between], float | None]] = {
    "p": _percentile,
    "TM": _trimmed_mean,
    "WM": _winsorized_mean,
    "TC": _trimmed_count,
    "TS": _trimmed_sum,
    "PR": _percentile_rank,
}
