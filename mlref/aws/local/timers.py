"""Time inside the local AWS: it runs with the machine's, and can be moved on.

Alarms, autoscaling and monitoring schedules wait for minutes. Whoever learns from them does not
want to: `advance` lets an hour pass at once, and all that was due in it runs in its order, each at
its own moment:

    clock = LocalClock(ManualClock(datetime(2013, 1, 1, tzinfo=UTC)))
    timers = Timers(clock)
    timers.every(60, evaluate_alarms)
    timers.advance(3600)                        # calls it 60 times, at 00:01, 00:02, ..., 01:00

In between, `run_due` is called from time to time and runs what the machine's clock has reached. If
that was late, what repeats is called once for all the moments that it missed.

One call runs at a time, whichever thread asks for it. A call may add and cancel others, and may let
time pass itself. Adding and cancelling never waits for a call that runs, so that they may be done
under a lock that the calls take, too. `advance` and `run_due` may not.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from mlref.runtime.clock import Clock

__all__ = ["LocalClock", "Timer", "Timers"]

logger = logging.getLogger(__name__)


class LocalClock(Clock):
    """A clock that goes as another does, and can be moved on.

    Args:
        base: the clock that it goes with.
    """

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._ahead_s = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The moment, as an aware datetime in UTC."""
        return self._base.now() + timedelta(seconds=self._ahead_s)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back. For durations only."""
        return self._base.monotonic() + self._ahead_s

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds of the other clock.

        Raises:
            ValueError: `seconds` is negative.
        """
        self._base.sleep(seconds)

    def move_to(self, moment_s: float) -> None:
        """Let `monotonic` tell a later moment; an earlier one changes nothing.

        Args:
            moment_s: as `monotonic` counts, in seconds.
        """
        with self._lock:
            self._ahead_s += max(moment_s - self.monotonic(), 0.0)


class Timer:
    """Something that will be called; see `Timers`."""

    def __init__(self, call: Callable[[], object], period_s: float | None) -> None:
        self.call = call
        self.period_s = period_s
        self.cancelled = False

    def cancel(self) -> None:
        """Let it not be called any more; a call that runs already goes on to its end."""
        self.cancelled = True


class Timers:
    """What is to be done when, by a clock that can be moved on.

    Args:
        clock: tells the time.
    """

    def __init__(self, clock: LocalClock) -> None:
        self.clock = clock
        self._due: list[tuple[float, int, Timer]] = []
        self._number = itertools.count()
        self._lock = threading.Lock()
        self._running = threading.RLock()

    def every(
        self, period_s: float, call: Callable[[], object], *, first_s: float | None = None
    ) -> Timer:
        """Call something again and again.

        Args:
            period_s: seconds between two calls; more than 0.
            call: takes nothing. What it raises is logged; it is called again all the same.
            first_s: seconds before the first call, at least 0; None is `period_s`.

        Raises:
            ValueError: the period is not more than 0, or the first delay is negative.
        """
        if not period_s > 0:
            raise ValueError(f"period_s must be more than 0, got {period_s!r}")
        delay_s = period_s if first_s is None else _at_least_zero(first_s, "first_s")
        return self._push(self.clock.monotonic() + delay_s, Timer(call, period_s))

    def after(self, delay_s: float, call: Callable[[], object]) -> Timer:
        """Call something once.

        Args:
            delay_s: seconds until then, at least 0.
            call: takes nothing. What it raises is logged.

        Raises:
            ValueError: the delay is negative.
        """
        delay_s = _at_least_zero(delay_s, "delay_s")
        return self._push(self.clock.monotonic() + delay_s, Timer(call, None))

    def at(self, moment: datetime, call: Callable[[], object]) -> Timer:
        """Call something once, at a moment; at the next chance if that has passed.

        Args:
            moment: an aware datetime.
            call: takes nothing. What it raises is logged.

        Raises:
            TypeError: the moment has no time zone.
        """
        return self.after(max((moment - self.clock.now()).total_seconds(), 0.0), call)

    def run_due(self) -> None:
        """Call all whose moment has come, in the order of their moments."""
        with self._running:
            self._run_until(self.clock.monotonic())

    def advance(self, seconds: float) -> None:
        """Let time pass at once, and call all that falls due in it, each at its own moment.

        Args:
            seconds: at least 0, and not infinite.

        Raises:
            ValueError: it is negative or infinite.
        """
        if not 0 <= seconds < math.inf:
            told = "seconds must be a number of at least 0"
            raise ValueError(f"{told}, got {seconds!r}; time does not go back")
        with self._running:
            end = self.clock.monotonic() + seconds
            self._run_until(end)
            self.clock.move_to(end)

    def _run_until(self, end: float) -> None:
        while (found := self._pop(end)) is not None:
            moment, timer = found
            self.clock.move_to(moment)
            try:
                timer.call()
            except Exception:
                logger.exception("a timer of the local AWS failed")
            finally:
                if timer.period_s is not None and not timer.cancelled:
                    late = (self.clock.monotonic() - moment) // timer.period_s
                    self._push(moment + timer.period_s * (1 + late), timer)

    def _push(self, moment: float, timer: Timer) -> Timer:
        with self._lock:
            heapq.heappush(self._due, (moment, next(self._number), timer))
        return timer

    def _pop(self, end: float) -> tuple[float, Timer] | None:
        with self._lock:
            while self._due and self._due[0][0] <= end:
                moment, _, timer = heapq.heappop(self._due)
                if not timer.cancelled:
                    return moment, timer
            return None


def _at_least_zero(seconds: float, name: str) -> float:
    """The number itself; refuses a negative one and NaN."""
    if not seconds >= 0:
        raise ValueError(f"{name} must be at least 0, got {seconds!r}; time does not go back")
    return seconds
