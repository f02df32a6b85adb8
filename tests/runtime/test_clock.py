"""The clock that tells the time, and the one that is told."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mlref.runtime.clock import Clock, ManualClock, SystemClock, created_at

NEW_YEAR = datetime(2013, 1, 1, tzinfo=UTC)


def test_system_clock_tells_aware_utc() -> None:
    """The system's clock gives the moment in UTC, between two looks at the machine's own."""
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


def test_system_clock_sleeps() -> None:
    """Sleeping takes at least the time asked for, by the clock's own count."""
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0.02)
    assert clock.monotonic() - before >= 0.02


def test_both_are_clocks() -> None:
    """Both fit the protocol that the rest of mlref asks for."""
    assert isinstance(SystemClock(), Clock)
    assert isinstance(ManualClock(NEW_YEAR), Clock)


def test_manual_clock_stands_still() -> None:
    """Real time leaves the manual clock alone."""
    clock = ManualClock(NEW_YEAR)
    threading.Event().wait(0.01)
    assert clock.now() == NEW_YEAR
    assert clock.monotonic() == 0.0


def test_manual_clock_sleeps_in_no_time() -> None:
    """A sleep of a day advances both readings by a day, at once."""
    clock = ManualClock(NEW_YEAR)
    clock.sleep(86400)
    clock.advance(0.5)
    assert clock.now() == datetime(2013, 1, 2, 0, 0, 0, 500_000, tzinfo=UTC)
    assert clock.monotonic() == 86400.5


def test_manual_clock_converts_to_utc() -> None:
    """A start in another zone is the same moment, told in UTC."""
    start = datetime(2013, 1, 1, tzinfo=timezone(timedelta(hours=-5)))
    assert ManualClock(start).now().isoformat() == "2013-01-01T05:00:00+00:00"


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_time_does_not_go_back(seconds: float) -> None:
    """Neither clock accepts a negative time or NaN, and the manual one stays where it was."""
    clock = ManualClock(NEW_YEAR)
    for act in (clock.advance, clock.sleep, SystemClock().sleep):
        with pytest.raises(ValueError, match="at least 0"):
            act(seconds)
    assert clock.monotonic() == 0.0


def test_naive_start_is_refused() -> None:
    """A moment without a zone could be any of 24; it is refused."""
    with pytest.raises(ValueError, match="start must have a time zone"):
        ManualClock(datetime(2013, 1, 1))  # noqa: DTZ001 - the subject


def test_argument_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument beats the environment and the clock, and is told in UTC."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    given = datetime(2013, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    created = created_at(given, SystemClock())
    assert created == NEW_YEAR
    assert created.tzinfo is UTC


def test_environment_comes_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """SOURCE_DATE_EPOCH beats the clock; 1234567890 is a well-known moment of POSIX time."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1234567890")
    created = created_at(None, ManualClock(NEW_YEAR))
    assert created.isoformat() == "2009-02-13T23:31:30+00:00"


def test_clock_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the others the clock decides."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert created_at(None, ManualClock(NEW_YEAR)) == NEW_YEAR


@pytest.mark.parametrize(
    "text", ["", "now", "-1", "1.5", " 1", "1_0", "\u0661", "2013-01-01", "9" * 12, "9" * 30]
)
def test_bad_epoch_is_refused(text: str) -> None:
    """Anything but a whole number of seconds that a date can hold is refused, and named."""
    with pytest.raises(ValueError, match="SOURCE_DATE_EPOCH must be a whole number") as caught:
        created_at(None, ManualClock(NEW_YEAR), environ={"SOURCE_DATE_EPOCH": text})
    assert repr(text) in str(caught.value)


def test_naive_creation_is_refused() -> None:
    """A creation time without a zone would give other bytes on another machine."""
    with pytest.raises(ValueError, match="created must have a time zone"):
        created_at(datetime(2013, 1, 1), SystemClock())  # noqa: DTZ001 - the subject
