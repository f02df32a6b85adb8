"""Schedules of Application Auto Scaling: at(...), rate(...) and cron(...).

    >>> parse("cron(0 18 ? * MON-FRI *)").after(datetime(2013, 6, 1, 12, tzinfo=UTC)).isoformat()
    '2013-06-03T18:00:00+00:00'

The fields of cron are minutes, hours, day of the month, month, day of the week (1 is Sunday), year.
One of the two days is "?" or "*". L is the last day, 6L the last Friday, 6#3 the third Friday. W is
not there.

Source: Application Auto Scaling User Guide, "Schedule recurring scaling actions using cron
expressions"; Amazon EventBridge User Guide, "Cron expressions".
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlref.aws.local.errors import AwsError, validation

__all__ = ["Schedule", "parse"]

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_RATE = re.compile(r"rate\((\d+) (minute|minutes|hour|hours|day|days)\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_UNITS_S = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS = tuple(calendar.month_abbr[number].upper() for number in range(13))
_DAYS = ("", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = (  # least, most, names
    (0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (1, 7, _DAYS), (1970, 2199, ()),
)  # fmt: skip
_SEARCHED_DAYS = 366 * 9  # a 29th of February may be eight years away


@dataclass(frozen=True)
class Schedule:
    """When something is done.

    Attributes:
        text: as it was written.
        once: whether it is done one time only.
        after: the first moment after another; None if there is none.
    """

    text: str
    once: bool
    after: Callable[[datetime], datetime | None]


def parse(text: str, zone: str = "UTC", begin: datetime | None = None) -> Schedule:
    """A schedule, read.

    Args:
        text: at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(fields).
        zone: in which at and cron are meant, for instance "America/New_York".
        begin: from which a rate counts; None is 1970.

    Raises:
        AwsError: it is none, or there is no such time zone.
    """
    try:
        where: tzinfo = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise validation(f"there is no time zone {zone!r}; use one as in Etc/GMT+9") from error
    if match := _AT.fullmatch(text):
        return _once(text, match[1], where)
    if match := _RATE.fullmatch(text):
        return _rate(text, int(match[1]), match[2], begin or datetime(1970, 1, 1, tzinfo=UTC))
    if match := _CRON.fullmatch(text):
        return _cron(text, match[1], where)
    known = "at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(six fields)"
    raise validation(f"the schedule {text!r} cannot be read; write {known}")


def _once(text: str, moment: str, where: tzinfo) -> Schedule:
    try:
        at = datetime.fromisoformat(moment).replace(tzinfo=where).astimezone(UTC)
    except ValueError as error:
        raise validation(f"the schedule {text!r} names no moment: {error}") from error
    return Schedule(text, once=True, after=lambda moment: at if at > moment else None)


def _rate(text: str, count: int, unit: str, begin: datetime) -> Schedule:
    if count < 1 or (count == 1) == unit.endswith("s"):
        raise validation(f"the schedule {text!r} is none; write rate(1 minute) or rate(5 minutes)")
    every = timedelta(seconds=count * _UNITS_S[unit.rstrip("s")])
    return Schedule(
        text, once=False, after=lambda moment: begin + every * ((moment - begin) // every + 1)
    )


def _cron(text: str, fields: str, where: tzinfo) -> Schedule:
    parts = fields.split()
    if len(parts) != len(_FIELDS):
        names = "minutes, hours, day of month, month, day of week, year"
        raise validation(f"{text!r} has {len(parts)} fields; cron has six: {names}")
    free = [parts[place] in ("*", "?") for place in (2, 4)]
    if parts[2] == parts[4] == "?" or not any(free):
        raise validation(f"{text!r}: name day of month or day of week, and put '?' for the other")
    minutes, hours, months, years = (_numbers(text, parts[n], n) for n in (0, 1, 3, 5))
    day_fits = _days(text, "?" if free[0] and not free[1] else parts[2], parts[4])

    def moments(after: datetime) -> Iterator[datetime]:
        first = after.astimezone(where).date()
        for ahead in range(_SEARCHED_DAYS):
            day = first + timedelta(days=ahead)
            if day.year in years and day.month in months and day_fits(day):
                for hour in sorted(hours):
                    for minute in sorted(minutes):
                        yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=where)

    def following(after: datetime) -> datetime | None:
        utc = (moment.astimezone(UTC) for moment in moments(after))
        return next((moment for moment in utc if moment > after), None)

    return Schedule(text, once=False, after=following)


def _days(text: str, of_month: str, of_week: str) -> Callable[[date], bool]:
    """Whether a day is meant."""
    if of_month == "L":
        return lambda day: day.day == calendar.monthrange(day.year, day.month)[1]
    if of_month != "?" and of_week in ("*", "?"):
        wanted = _numbers(text, of_month, 2)
        return lambda day: day.day in wanted
    if match := re.fullmatch(r"([1-7]|[A-Z]{3})L", of_week):
        last = _number(text, match[1], 4)
        return lambda day: _weekday(day) == last and (day + timedelta(days=7)).month != day.month
    if match := re.fullmatch(r"([1-7]|[A-Z]{3})#([1-5])", of_week):
        nth, which = _number(text, match[1], 4), int(match[2])
        return lambda day: _weekday(day) == nth and (day.day - 1) // 7 + 1 == which
    wanted = _numbers(text, "SAT" if of_week == "L" else of_week, 4)
    return lambda day: _weekday(day) in wanted


def _weekday(day: date) -> int:
    """1 is Sunday."""
    return day.isoweekday() % 7 + 1


def _numbers(text: str, field: str, place: int) -> set[int]:
    """All that a field means: * for all, numbers or names with commas, ranges, steps after /."""
    least, most, _ = _FIELDS[place]
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if step and not (step.isdecimal() and int(step)):
            raise _unread(text, field)
        begin, _, end = span.partition("-")
        if span == "*":
            low, high = least, most
        else:
            low = _number(text, begin, place)
            high = _number(text, end, place) if end else most if step else low
        if low > high:
            raise _unread(text, field)
        found.update(range(low, high + 1, int(step or 1)))
    return found


def _number(text: str, word: str, place: int) -> int:
    least, most, names = _FIELDS[place]
    if word.upper() in names[1:]:
        return names.index(word.upper())
    if not word.isdecimal() or not least <= int(word) <= most:
        raise _unread(text, word)
    return int(word)


def _unread(text: str, field: str) -> AwsError:
    return validation(f"the schedule {text!r} cannot be read at {field!r}")
