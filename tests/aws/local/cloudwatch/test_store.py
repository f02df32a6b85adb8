"""What CloudWatch keeps: periods, units, sources, age, and several threads at once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from mlref.aws.local.cloudwatch.store import MetricKey, MetricStore
from mlref.aws.local.timers import Timers

START = datetime(2013, 6, 1, 12, tzinfo=UTC)
NOON = int(START.timestamp())
DAY = 86_400
KEY = MetricKey.of("flights", "latency", {"variant": "a", "endpoint": "f"})


def _put(
    store: MetricStore, *values: float, at: int = NOON, unit: str = "None", **more: int
) -> None:
    moment = datetime.fromtimestamp(at, UTC)
    counts = dict.fromkeys(values, 1.0)
    dimensions = {"endpoint": "f", "variant": "a"}
    store.put("flights", "latency", dimensions, counts, unit=unit, at=moment, **more)


def _sums(store: MetricStore, start: int, end: int, period: int, **more: str) -> dict[int, float]:
    found = store.read(KEY, start, end, period, **more)
    return {begin - NOON: seen.total for begin, seen in sorted(found.items())}


def test_values_are_kept_by_the_minute(store: MetricStore) -> None:
    """In which second of the minute they were made is forgotten; dimensions have no order."""
    _put(store, 1, at=NOON)
    _put(store, 2, at=NOON + 59)
    _put(store, 4, at=NOON + 60)
    assert _sums(store, NOON, NOON + 300, 60) == {0: 3, 60: 4}
    assert _sums(store, NOON, NOON + 300, 300) == {0: 7}
    assert _sums(store, NOON, NOON + 60, 60) == {0: 3}
    assert _sums(store, NOON, NOON + 300, 1) == {}


def test_high_resolution_is_kept_by_the_second(store: MetricStore) -> None:
    """And can be read by the minute, too."""
    _put(store, 1, at=NOON + 3, resolution_s=1)
    _put(store, 2, at=NOON + 12, resolution_s=1)
    assert _sums(store, NOON, NOON + 60, 1) == {3: 1, 12: 2}
    assert _sums(store, NOON, NOON + 60, 10) == {0: 1, 10: 2}
    assert _sums(store, NOON, NOON + 60, 60) == {0: 3}


def test_periods_begin_where_the_reader_says(store: MetricStore) -> None:
    """Five minutes from 12:03 on end at 12:08, as in CloudWatch."""
    for minute in range(10):
        _put(store, 2**minute, at=NOON + 60 * minute)
    assert _sums(store, NOON + 180, NOON + 600, 300) == {180: 8 + 16 + 32 + 64 + 128, 480: 768}


def test_without_a_time_it_is_now(store: MetricStore, timers: Timers) -> None:
    """By the clock of the local AWS, not the machine's."""
    timers.advance(120)
    store.put("flights", "latency", dict(KEY.dimensions), {5.0: 2}, unit="None")
    assert _sums(store, NOON, NOON + 600, 60) == {120: 10}


def test_units_are_kept_apart(store: MetricStore) -> None:
    """CloudWatch converts none; who names no unit gets all."""
    _put(store, 1, unit="Seconds")
    _put(store, 1000, unit="Milliseconds")
    assert _sums(store, NOON, NOON + 60, 60, unit="Seconds") == {0: 1}
    assert _sums(store, NOON, NOON + 60, 60, unit="Count") == {}
    assert _sums(store, NOON, NOON + 60, 60) == {0: 1001}
    assert set(store.read_units(KEY, NOON, NOON + 60, 60)) == {"Seconds", "Milliseconds"}


def test_sources_are_asked_before_each_read(store: MetricStore) -> None:
    """What the data plane counts in memory is there when somebody looks."""
    held = [1.0, 2.0]

    def flush() -> None:
        while held:
            _put(store, held.pop())

    store.sources.append(flush)
    assert _sums(store, NOON, NOON + 60, 60) == {0: 3}
    held.append(4.0)
    assert [key for key, _ in store.known()] == [KEY]
    assert held == []


@pytest.mark.parametrize(
    ("age", "length", "finest"),
    [
        (3600 * 2, 1, 1),
        (3600 * 5, 1, 60),
        (DAY * 14, 60, 60),
        (DAY * 16, 60, 300),
        (DAY * 62, 60, 300),
        (DAY * 64, 60, 3600),
        (DAY * 454, 60, 3600),
        (DAY * 456, 60, None),
    ],
)
def test_data_grows_coarser_with_age(
    store: MetricStore, timers: Timers, age: int, length: int, finest: int | None
) -> None:
    """3 hours by the second, 15 days by the minute, 63 by five, 455 by the hour, then nothing."""
    _put(store, 1, 2, 3, resolution_s=length)
    for _ in range(4):
        timers.advance(age / 4)
        store.known()
    found = [period for period in (1, 60, 300, 3600) if _sums(store, NOON, NOON + 3600, period)]
    assert (found[0] if found else None) == finest
    assert [key for key, _ in store.known()] == ([KEY] if finest else [])


def test_old_data_has_fewer_digits(store: MetricStore, timers: Timers) -> None:
    """A minute with a thousand different latencies does not stay that large for 15 days."""
    _put(store, *(1000 + number for number in range(900)))
    timers.advance(4 * 3600)
    seen = store.read(KEY, NOON, NOON + 60, 60)[NOON]
    assert (seen.count, seen.low, seen.high) == (900, 1000, 1899)
    assert len(seen.values) < 20
    assert seen.percentile(50) == pytest.approx(1449.5, rel=0.05)


def test_metrics_are_listed_with_the_time_of_their_last_value(store: MetricStore) -> None:
    """In the order of namespace, name and dimensions."""
    later = START + timedelta(minutes=5)
    store.put("b", "x", {}, {1.0: 1}, unit="None", at=later)
    store.put("a", "y", {}, {1.0: 1}, unit="None", at=later)
    store.put("a", "y", {}, {1.0: 1}, unit="None", at=START)
    assert store.known() == [
        (MetricKey("a", "y"), later.timestamp()),
        (MetricKey("b", "x"), later.timestamp()),
    ]


def test_a_statistic_set_is_kept(store: MetricStore) -> None:
    """With what is known of it."""
    store.put_set(KEY, count=10, total=55, low=1, high=10, unit="None")
    seen = store.read(KEY, NOON, NOON + 60, 60)[NOON]
    assert (seen.count, seen.total, seen.low, seen.high, seen.raw) == (10, 55, 1, 10, False)


def test_threads_put_and_read_at_once(store: MetricStore) -> None:
    """Nothing is lost, and nobody sees half of it."""

    def work() -> None:
        for _ in range(200):
            _put(store, 1, 2)
            store.read(KEY, NOON, NOON + 60, 60)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _sums(store, NOON, NOON + 60, 60) == {0: 6 * 200 * 3}
