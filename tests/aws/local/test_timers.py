"""Time that can be moved on: what is due runs in its order, each at its own moment."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest

from mlref.aws.local.timers import LocalClock, Timer, Timers
from mlref.runtime.clock import ManualClock

START = datetime(2013, 1, 1, tzinfo=UTC)


@pytest.fixture
def base() -> ManualClock:
    """The machine's clock; it stands still."""
    return ManualClock(START)


@pytest.fixture
def timers(base: ManualClock) -> Timers:
    """With a clock that goes with `base`."""
    return Timers(LocalClock(base))


def _seconds(timers: Timers) -> float:
    return (timers.clock.now() - START).total_seconds()


def test_what_is_due_runs_in_the_order_of_the_moments(timers: Timers) -> None:
    """The order of adding decides only between those that are due at the same moment."""
    seen: list[tuple[str, float]] = []
    for name, delay in (("c", 3), ("a", 1), ("b", 2), ("also b", 2)):
        timers.after(delay, lambda name=name: seen.append((name, _seconds(timers))))
    timers.advance(3)
    assert seen == [("a", 1), ("b", 2), ("also b", 2), ("c", 3)]


def test_an_hour_passes_at_once(timers: Timers) -> None:
    """What repeats is called at each of its moments, and the clock ends where it was sent."""
    seen: list[float] = []
    timers.every(60, lambda: seen.append(_seconds(timers)))
    timers.advance(3630)
    assert seen == [60 * k for k in range(1, 61)]
    assert timers.clock.now() == START + timedelta(seconds=3630)
    timers.advance(30)
    assert seen[-1] == 3660


def test_the_first_call_may_come_sooner_than_the_others(timers: Timers) -> None:
    """`first_s` aligns what repeats, for instance with the minutes of the wall clock."""
    seen: list[float] = []
    timers.every(60, lambda: seen.append(_seconds(timers)), first_s=10)
    timers.advance(130)
    assert seen == [10, 70, 130]


def test_the_clock_goes_on_with_the_machine(timers: Timers, base: ManualClock) -> None:
    """`run_due` calls what the machine's clock has reached, and nothing else."""
    seen: list[str] = []
    timers.after(5, lambda: seen.append("due"))
    timers.after(50, lambda: seen.append("later"))
    base.advance(4)
    timers.run_due()
    assert seen == []
    base.advance(1)
    timers.run_due()
    assert seen == ["due"]
    timers.advance(45)
    assert seen == ["due", "later"]
    assert timers.clock.monotonic() == 50


def test_what_was_missed_is_called_once(timers: Timers, base: ManualClock) -> None:
    """A laptop that slept for an hour does not evaluate an alarm 60 times at the same moment."""
    seen: list[float] = []
    timers.every(60, lambda: seen.append(_seconds(timers)))
    base.advance(3590)
    timers.run_due()
    assert seen == [3590]
    base.advance(10)
    timers.run_due()
    assert seen == [3590, 3600]


def test_at_a_moment_of_the_calendar(timers: Timers) -> None:
    """A moment that has passed is due at once."""
    seen: list[str] = []
    timers.at(START + timedelta(hours=1), lambda: seen.append("in an hour"))
    timers.at(START - timedelta(hours=1), lambda: seen.append("long ago"))
    timers.run_due()
    assert seen == ["long ago"]
    timers.advance(3600)
    assert seen == ["long ago", "in an hour"]


def test_a_call_may_add_others(timers: Timers) -> None:
    """What falls due in the time that passes runs, though it was added only on the way."""
    seen: list[float] = []

    def again() -> None:
        seen.append(_seconds(timers))
        timers.after(20, again)

    timers.after(20, again)
    timers.advance(100)
    assert seen == [20, 40, 60, 80, 100]


def test_a_call_may_let_time_pass(timers: Timers) -> None:
    """Time does not go back afterwards, and no call runs inside of itself."""
    seen: list[tuple[str, float]] = []

    def slow() -> None:
        seen.append(("begins", _seconds(timers)))
        timers.advance(100)
        seen.append(("ends", _seconds(timers)))

    timers.every(60, slow)
    timers.after(90, lambda: seen.append(("other", _seconds(timers))))
    timers.advance(60)
    assert seen == [("begins", 60), ("other", 90), ("ends", 160)]
    assert _seconds(timers) == 160
    timers.advance(20)
    assert seen[3:] == [("begins", 180), ("ends", 280)]


def test_a_cancelled_one_is_not_called(timers: Timers) -> None:
    """Neither by itself, nor from another call that is due at the same moment."""
    seen: list[str] = []
    first = timers.after(1, lambda: seen.append("first"))
    first.cancel()
    others: list[Timer] = []
    timers.after(2, lambda: [other.cancel() for other in others])
    others.append(timers.after(2, lambda: seen.append("second")))
    timers.advance(5)
    assert seen == []


def test_a_call_may_cancel_itself(timers: Timers) -> None:
    """What repeats ends when it says so, and is not kept."""
    seen: list[float] = []

    def call() -> None:
        seen.append(_seconds(timers))
        if len(seen) == 2:
            timer.cancel()

    timer: Timer = timers.every(60, call)
    timers.advance(600)
    assert seen == [60, 120]
    assert timers._due == []


def test_an_error_is_logged_and_stops_nothing(
    timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    """What repeats is called again, and what is due later, too."""
    seen: list[float] = []

    def fails() -> None:
        seen.append(_seconds(timers))
        raise RuntimeError("no such alarm")

    timers.every(60, fails)
    with caplog.at_level(logging.ERROR):
        timers.advance(120)
    assert seen == [60, 120]
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info] == [
        ("no such alarm",)
    ] * 2


def test_an_interrupt_goes_through_and_loses_nothing(timers: Timers) -> None:
    """Ctrl-C in the middle of a call ends `advance`; what repeats goes on afterwards."""
    seen: list[float] = []

    def interrupted() -> None:
        seen.append(_seconds(timers))
        if len(seen) == 1:
            raise KeyboardInterrupt

    timers.every(60, interrupted)
    with pytest.raises(KeyboardInterrupt):
        timers.advance(600)
    timers.advance(60)
    assert seen == [60, 120]


def test_threads_let_time_pass_one_after_the_other(timers: Timers) -> None:
    """The time of all of them adds up, and calls never overlap."""
    inside, worst, calls = [0], [0], [0]

    def call() -> None:
        inside[0] += 1
        worst[0] = max(worst[0], inside[0])
        calls[0] += 1
        inside[0] -= 1

    timers.every(1, call)
    threads = [
        threading.Thread(target=lambda: [timers.advance(1) for _ in range(50)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (_seconds(timers), calls, worst) == (400, [400], [1])


def test_adding_does_not_wait_for_a_call_that_runs(timers: Timers) -> None:
    """Or a part that adds under its own lock and a call that takes it would wait for ever."""
    added = threading.Event()

    def call() -> None:
        def add() -> None:
            timers.after(1, lambda: None)
            added.set()

        threading.Thread(target=add).start()
        assert added.wait(10)

    timers.after(1, call)
    timers.advance(1)
    assert added.is_set()


@pytest.mark.parametrize("period_s", [0, -1, float("nan")])
def test_a_period_is_more_than_nothing(timers: Timers, period_s: float) -> None:
    """With none, `advance` would never end."""
    with pytest.raises(ValueError, match="period_s must be more than 0, got"):
        timers.every(period_s, lambda: None)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_time_does_not_go_back(timers: Timers, seconds: float) -> None:
    """Nor does it go on for ever."""
    with pytest.raises(ValueError, match="seconds must be a number of at least 0, got"):
        timers.advance(seconds)


def test_delays_are_not_negative(timers: Timers) -> None:
    """The message names the argument."""
    with pytest.raises(ValueError, match=r"delay_s must be at least 0, got -1"):
        timers.after(-1, lambda: None)
    with pytest.raises(ValueError, match=r"first_s must be at least 0, got -2"):
        timers.every(1, lambda: None, first_s=-2)
    with pytest.raises(TypeError, match="offset-naive"):
        timers.at(datetime(2013, 1, 1), lambda: None)  # noqa: DTZ001 - it is the wrong input
