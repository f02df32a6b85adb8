"""The time as an argument.

Code that needs the time takes a `Clock`. In use it gets a `SystemClock`; a test gives it a
`ManualClock` and lets an hour pass in no time:

    >>> clock = ManualClock(datetime(2013, 1, 1, tzinfo=UTC))
    >>> clock.sleep(3600)
    >>> clock.now().isoformat()
    '2013-01-01T01:00:00+00:00'

`created_at` decides which moment is written into a file, such that building the file again gives
the same bytes.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Clock", "ManualClock", "SystemClock", "created_at"]


@runtime_checkable
class Clock(Protocol):
    """Whatever tells the time: `SystemClock` in use, `ManualClock` in tests."""

    def now(self) -> datetime:
        """The moment, as an aware datetime in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back. For durations only."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds.

        Args:
            seconds: how long, in seconds, at least 0.

        Raises:
            ValueError: `seconds` is negative.
        """
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The moment, as an aware datetime in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back. For durations only."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds.

        Args:
            seconds: how long, in seconds, at least 0.

        Raises:
            ValueError: `seconds` is negative.
        """
        time.sleep(_at_least_zero(seconds))


class ManualClock:
    """A clock that stands still until it is told to go on.

    Args:
        start: what `now()` tells first; an aware datetime. `monotonic()` starts at 0.0.

    Raises:
        ValueError: `start` has no time zone.

    >>> clock = ManualClock(datetime(2013, 1, 1, tzinfo=UTC))
    >>> clock.advance(1.5)
    >>> clock.monotonic()
    1.5
    """

    def __init__(self, start: datetime) -> None:
        self._start = _in_utc(start, "start")
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """The moment, as an aware datetime in UTC."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Seconds by which the clock was advanced so far."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Let time pass at once.

        Args:
            seconds: how much time, in seconds, at least 0.

        Raises:
            ValueError: `seconds` is negative.
        """
        self._elapsed_s += _at_least_zero(seconds)

    def sleep(self, seconds: float) -> None:
        """Advance the clock instead of waiting.

        Args:
            seconds: how much time, in seconds, at least 0.

        Raises:
            ValueError: `seconds` is negative.
        """
        self.advance(seconds)


def created_at(
    created: datetime | None, clock: Clock, *, environ: Mapping[str, str] | None = None
) -> datetime:
    """The moment, in UTC, to write into a file as its time of creation.

    The argument counts first, then the environment variable SOURCE_DATE_EPOCH, then the clock.

    Args:
        created: an aware datetime, or None to go on to the next source.
        clock: tells the moment when neither of the others does.
        environ: where SOURCE_DATE_EPOCH is looked up; None means `os.environ`.

    Raises:
        ValueError: `created` has no time zone, or SOURCE_DATE_EPOCH is not a whole number of
            seconds since 1970.

    Source:
        SOURCE_DATE_EPOCH specification 1.1, https://reproducible-builds.org/specs/source-date-epoch/

    >>> created_at(None, SystemClock(), environ={"SOURCE_DATE_EPOCH": "1356998400"}).isoformat()
    '2013-01-01T00:00:00+00:00'
    """
    if created is not None:
        return _in_utc(created, "created")
    text = (os.environ if environ is None else environ).get("SOURCE_DATE_EPOCH")
    if text is None:
        return clock.now()
    problem = (
        f"SOURCE_DATE_EPOCH must be a whole number of seconds since 1970 as in '1356998400', "
        f"got {text!r}; correct or unset it"
    )
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(problem)
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (OverflowError, OSError, ValueError) as error:  # beyond the year 9999
        raise ValueError(problem) from error


def _in_utc(moment: datetime, name: str) -> datetime:
    """The same moment in UTC; refuses one that leaves the zone open."""
    if moment.utcoffset() is None:
        raise ValueError(
            f"{name} must have a time zone, got {moment.isoformat()}; "
            f"pass datetime(..., tzinfo=UTC) or moment.astimezone()"
        )
    return moment.astimezone(UTC)


def _at_least_zero(seconds: float) -> float:
    """The number itself; refuses a negative one and NaN."""
    if not seconds >= 0:
        raise ValueError(f"seconds must be at least 0, got {seconds!r}; time does not go back")
    return seconds
