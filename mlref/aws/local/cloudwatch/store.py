"""What CloudWatch keeps: for each metric, unit and period a `Distribution`.

Periods are a minute long, or a second for metrics of high resolution. As in CloudWatch, data grows
coarser with age: seconds become minutes after 3 hours, minutes become 5 minutes after 15 days,
those become hours after 63 days, and after 455 days they are gone. What is older than 3 hours keeps
two significant digits where a period saw many different values. So memory stays bounded.

The data plane of the endpoints does not put a value for each request. It counts in memory, and puts
what it has when asked: it adds a callable to `sources`, which is called before anything is read.

    store = MetricStore(world.clock)
    store.sources.append(data_plane.flush)
    store.put("AWS/SageMaker", "Invocations", {"EndpointName": "f"}, {1.0: 200}, unit="None")

Source: Amazon CloudWatch API Reference, GetMetricStatistics (retention).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from mlref.aws.local.cloudwatch.statistics import Distribution
from mlref.runtime.clock import Clock

__all__ = ["HOUR_S", "MetricKey", "MetricStore"]

HOUR_S = 3600
_DAY_S = 24 * HOUR_S
_TIERS = ((1, 3 * HOUR_S), (60, 15 * _DAY_S), (300, 63 * _DAY_S), (HOUR_S, 455 * _DAY_S))
"""For each length of a period how long it is kept, both in seconds."""
_MANY = 100  # different values of a period that is older than 3 hours
_OLD_DIGITS = 2


@dataclass(frozen=True, order=True)
class MetricKey:
    """A metric: all of it names the metric, another value of a dimension is another one.

    Attributes:
        namespace: as in "AWS/SageMaker".
        name: as in "Invocations".
        dimensions: (name, value) each, in order.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> MetricKey:
        """A metric by its dimensions in any order.

        Args:
            namespace: as in "AWS/SageMaker".
            name: as in "Invocations".
            dimensions: name -> value.
        """
        return cls(namespace, name, tuple(sorted(dimensions.items())))


Periods = dict[int, Distribution]  # beginning, in seconds since 1970 -> what was seen
_Tiers = dict[int, Periods]  # length of a period, in seconds -> periods


class MetricStore:
    """Metrics by periods; may be used from several threads at once.

    Args:
        clock: tells the time.

    Attributes:
        sources: called before anything is read, to put what they hold back.
    """

    def __init__(self, clock: Clock) -> None:
        self.sources: list[Callable[[], object]] = []
        self._clock = clock
        self._kept: dict[MetricKey, dict[str, _Tiers]] = {}
        self._last: dict[MetricKey, float] = {}
        self._aged_s = 0.0
        self._lock = threading.Lock()

    def put(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        values: Mapping[float, float],
        *,
        unit: str,
        at: datetime | None = None,
        resolution_s: int = 60,
    ) -> None:
        """Keep observations.

        Args:
            namespace: as in "AWS/SageMaker".
            name: as in "Invocations".
            dimensions: name -> value.
            values: value -> how often it was seen.
            unit: one of CloudWatch's, as in "Microseconds".
            at: when they were made; None is now.
            resolution_s: 60, or 1 for a metric of high resolution.
        """
        key = MetricKey.of(namespace, name, dimensions)
        with self._lock:
            self._age()  # a long time may pass in which nobody reads
            self._period(key, unit, at, resolution_s).add(values)

    def put_set(
        self,
        key: MetricKey,
        *,
        count: float,
        total: float,
        low: float,
        high: float,
        unit: str,
        at: datetime | None = None,
        resolution_s: int = 60,
    ) -> None:
        """Keep a statistic set: observations of which no more is known.

        Args:
            key: the metric.
            count: how many observations there are.
            total: their sum.
            low: the smallest.
            high: the largest.
            unit: one of CloudWatch's.
            at: when they were made; None is now.
            resolution_s: 60, or 1 for a metric of high resolution.
        """
        with self._lock:
            self._period(key, unit, at, resolution_s).add_set(count, total, low, high)

    def read(
        self, key: MetricKey, start_s: int, end_s: int, period_s: int, *, unit: str | None = None
    ) -> Periods:
        """What was seen in each period that saw anything, by its beginning.

        Args:
            key: the metric.
            start_s: where the first period begins, in seconds since 1970.
            end_s: where the last one ends at the latest.
            period_s: how long each is.
            unit: only what has it; None is all, taken together.
        """
        found: Periods = {}
        for periods in self.read_units(key, start_s, end_s, period_s, unit=unit).values():
            for begin, seen in periods.items():
                found.setdefault(begin, Distribution()).merge(seen)
        return found

    def read_units(
        self, key: MetricKey, start_s: int, end_s: int, period_s: int, *, unit: str | None = None
    ) -> dict[str, Periods]:
        """What `read` tells, for each unit by itself.

        Args:
            key: the metric.
            start_s: where the first period begins, in seconds since 1970.
            end_s: where the last one ends at the latest.
            period_s: how long each is. What is kept in longer ones only is left out.
            unit: only what has it; None is all.
        """
        self.flush()
        found: dict[str, Periods] = {}
        with self._lock:
            self._age()
            for name, tiers in self._kept.get(key, {}).items():
                if unit is not None and name != unit:
                    continue
                periods = found.setdefault(name, {})
                for begin, seen in _between(tiers, start_s, end_s, period_s):
                    slot = start_s + (begin - start_s) // period_s * period_s
                    periods.setdefault(slot, Distribution()).merge(seen)
        return found

    def known(self) -> list[tuple[MetricKey, float]]:
        """All metrics in order, each with the time of its last value in seconds since 1970."""
        self.flush()
        with self._lock:
            self._age()
            return sorted(self._last.items())

    def flush(self) -> None:
        """Let the sources put what they hold back."""
        for source in list(self.sources):
            source()

    def _period(
        self, key: MetricKey, unit: str, at: datetime | None, resolution_s: int
    ) -> Distribution:
        """Where observations belong."""
        moment_s = (self._clock.now() if at is None else at).timestamp()
        self._last[key] = max(self._last.get(key, 0.0), moment_s)
        tiers = self._kept.setdefault(key, {}).setdefault(unit, {})
        begin = int(moment_s // resolution_s * resolution_s)
        return tiers.setdefault(resolution_s, {}).setdefault(begin, Distribution())

    def _age(self) -> None:
        """Once an hour, make coarser what has grown old."""
        now_s = self._clock.now().timestamp()
        if now_s - self._aged_s < HOUR_S:
            return
        self._aged_s = now_s
        for key, units in list(self._kept.items()):
            for tiers in units.values():
                _make_coarser(tiers, now_s)
            if not any(periods for tiers in units.values() for periods in tiers.values()):
                del self._kept[key], self._last[key]


def _between(
    tiers: _Tiers, start_s: int, end_s: int, period_s: int
) -> Iterator[tuple[int, Distribution]]:
    """The kept periods that lie in a time and fit into longer ones of a length."""
    for length_s, periods in tiers.items():
        if period_s % length_s:
            continue
        first = -(-start_s // length_s) * length_s
        if (end_s - first) // length_s < len(periods):
            begins: Iterator[int] = iter(range(first, end_s, length_s))
        else:
            begins = (begin for begin in periods if first <= begin < end_s)
        yield from ((begin, periods[begin]) for begin in begins if begin in periods)


def _make_coarser(tiers: _Tiers, now_s: float) -> None:
    """Merge old periods into longer ones, and drop the oldest."""
    for number, (length_s, kept_s) in enumerate(_TIERS):
        periods = tiers.get(length_s, {})
        for begin in [begin for begin in periods if begin < now_s - _TIERS[0][1]]:
            seen = periods[begin]
            if len(seen.values) > _MANY and seen.digits != _OLD_DIGITS:
                seen.coarsen(_OLD_DIGITS)
            if begin >= now_s - kept_s:
                continue
            del periods[begin]
            if number + 1 < len(_TIERS):
                longer_s = _TIERS[number + 1][0]
                longer = tiers.setdefault(longer_s, {})
                longer.setdefault(begin // longer_s * longer_s, Distribution()).merge(seen)
