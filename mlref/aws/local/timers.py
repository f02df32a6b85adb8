"""Time inside the local AWS: it runs with the machine's, and can be moved on.

Alarms, autoscaling and monitoring schedules wait for minutes. Whoever learns from them does not
want to: `advance` lets an hour pass at once, and all that was due in it runs in its order, each at
its own moment. In between, `run_due` is called from time to time and runs what the machine's clock
has reached.
"""

from __future__ import annotations

import heapq
import itertools
import logging
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
        self._ahead_s += max(moment_s - self.monotonic(), 0.0)


class Timer:
    """Something that will be called; see `Timers`."""

    def __init__(self, call: Callable[[], object], period_s: float | None) -> None:
        self.call = call
        self.period_s = period_s
        self.cancelled = False

    def cancel(self) -> None:
        """Let it not be called any more."""
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

    def every(self, period_s: float, call: Callable[[], object]) -> Timer:
        """Call something again and again.

        Args:
            period_s: seconds between two calls, and before the first; more than 0.
            call: takes nothing. What it raises is logged; it is called again all the same.

        Raises:
            ValueError: the period is not more than 0.
        """
        if not period_s > 0:
            raise ValueError(f"period_s must be more than 0, got {period_s!r}")
        timer = Timer(call, period_s)
        self._push(self.clock.monotonic() + period_s, timer)
        return timer

    def after(self, delay_s: float, call: Callable[[], object]) -> Timer:
        """Call something once.

        Args:
            delay_s: seconds until then, at least 0.
            call: takes nothing. What it raises is logged.
        """
        timer = Timer(call, None)
        self._push(self.clock.monotonic() + delay_s, timer)
        return timer

    def run_due(self) -> None:
        """Call all whose moment has come, in the order of their moments."""
        self._run_until(self.clock.monotonic())

    def advance(self, seconds: float) -> None:
        """Let time pass at once, and call all that falls due in it, each at its own moment.

        Args:
            seconds: at least 0.

        Raises:
            ValueError: it is negative.
        """
        if not seconds >= 0:
            raise ValueError(f"seconds must be at least 0, got {seconds!r}; time does not go back")
        end = self.clock.monotonic() + seconds
        self._run_until(end)
        self.clock.move_to(end)

    def _run_until(self, end: float) -> None:
        with self._running:
            while (found := self._pop(end)) is not None:
                moment, timer = found
                self.clock.move_to(moment)
                try:
                    timer.call()
                except Exception:
                    logger.exception("a timer of the local AWS failed")
                if timer.period_s is not None:
                    self._push(moment + timer.period_s, timer)

    def _push(self, moment: float, timer: Timer) -> None:
        with self._lock:
            heapq.heappush(self._due, (moment, next(self._number), timer))

    def _pop(self, end: float) -> tuple[float, Timer] | None:
        with self._lock:
            while self._due and self._due[0][0] <= end:
                moment, _, timer = heapq.heappop(self._due)
                if not timer.cancelled:
                    return moment, timer
            return None
