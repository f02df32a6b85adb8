"""Schedules: the examples of the User Guide, time zones, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from mlref.aws.local.autoscaling.schedules import parse
from mlref.aws.local.errors import AwsError

SATURDAY = datetime(2013, 6, 1, 12, 30, tzinfo=UTC)


def _next(text: str, count: int = 3, zone: str = "UTC") -> list[str]:
    schedule, found, moment = parse(text, zone), [], SATURDAY
    for _ in range(count):
        following = schedule.after(moment)
        if following is None:
            break
        moment = following
        found.append(moment.strftime("%a %d.%m. %H:%M"))
    return found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("0 10 * * ? *", ["Sun 02.06. 10:00", "Mon 03.06. 10:00", "Tue 04.06. 10:00"]),
        ("15 12 * * ? *", ["Sun 02.06. 12:15", "Mon 03.06. 12:15", "Tue 04.06. 12:15"]),
        ("0 18 ? * MON-FRI *", ["Mon 03.06. 18:00", "Tue 04.06. 18:00", "Wed 05.06. 18:00"]),
        ("0 8 1 * ? *", ["Mon 01.07. 08:00", "Thu 01.08. 08:00", "Sun 01.09. 08:00"]),
        ("0/15 * * * ? *", ["Sat 01.06. 12:45", "Sat 01.06. 13:00", "Sat 01.06. 13:15"]),
        ("0/10 * ? * MON-FRI *", ["Mon 03.06. 00:00", "Mon 03.06. 00:10", "Mon 03.06. 00:20"]),
        ("0/5 8-17 ? * MON-FRI *", ["Mon 03.06. 08:00", "Mon 03.06. 08:05", "Mon 03.06. 08:10"]),
    ],
)
def test_the_examples_of_the_guide(fields: str, expected: list[str]) -> None:
    """The table of cron expressions, from a Saturday at 12:30 on."""
    assert _next(f"cron({fields})") == expected


def test_the_last_example_ends_at_1755() -> None:
    """Every 5 minutes between 8:00 and 17:55."""
    found = _next("cron(0/5 8-17 ? * MON-FRI *)", 121)
    assert (found[119], found[120]) == ("Mon 03.06. 17:55", "Tue 04.06. 08:00")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("0 0 L * ? *", ["Sun 30.06. 00:00", "Wed 31.07. 00:00", "Sat 31.08. 00:00"]),
        ("0 0 ? * L *", ["Sat 08.06. 00:00", "Sat 15.06. 00:00", "Sat 22.06. 00:00"]),
        ("0 0 ? * 6L *", ["Fri 28.06. 00:00", "Fri 26.07. 00:00", "Fri 30.08. 00:00"]),
        ("0 0 ? * MON#2 *", ["Mon 10.06. 00:00", "Mon 08.07. 00:00", "Mon 12.08. 00:00"]),
        ("0 0 29 2 ? *", ["Mon 29.02. 00:00", "Sat 29.02. 00:00", "Thu 29.02. 00:00"]),
        ("0 0,12 1 jul,DEC ? *", ["Mon 01.07. 00:00", "Mon 01.07. 12:00", "Sun 01.12. 00:00"]),
        ("0 0 1 1 ? 2014", ["Wed 01.01. 00:00"]),
        ("30 6 * * 3 *", ["Tue 04.06. 06:30", "Tue 11.06. 06:30", "Tue 18.06. 06:30"]),
        ("0 0 1 1 ? 2012", []),
    ],
)
def test_other_fields(fields: str, expected: list[str]) -> None:
    """The last day, the last or second of a weekday, leap years, lists, names, years."""
    assert _next(f"cron({fields})") == expected


def test_time_zones_observe_summer_time() -> None:
    """9:00 in New York is 14:00 UTC in winter and 13:00 in summer."""
    schedule = parse("cron(0 9 * * ? *)", "America/New_York")
    winter = schedule.after(datetime(2013, 1, 10, tzinfo=UTC))
    summer = schedule.after(datetime(2013, 7, 10, tzinfo=UTC))
    assert winter is not None
    assert summer is not None
    assert (winter.hour, summer.hour) == (14, 13)


def test_once() -> None:
    """At a moment in a time zone, and then no more."""
    schedule = parse("at(2013-06-01T20:00:00)", "Etc/GMT+9")
    moment = schedule.after(SATURDAY)
    assert moment == datetime(2013, 6, 2, 5, tzinfo=UTC)
    assert schedule.after(moment) is None
    assert schedule.once


def test_a_rate_counts_from_its_beginning() -> None:
    """Every five minutes from 12:30:20 on."""
    schedule = parse("rate(5 minutes)", begin=SATURDAY + timedelta(seconds=20))
    moments = [SATURDAY + timedelta(seconds=20)]
    for _ in range(3):
        following = schedule.after(moments[-1])
        assert following is not None
        moments.append(following)
    assert {after - before for before, after in pairwise(moments)} == {timedelta(minutes=5)}
    assert parse("rate(1 day)").after(SATURDAY) == datetime(2013, 6, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("every day", r"write at\(yyyy-mm-ddThh:mm:ss\), rate\(value unit\) or cron"),
        ("at(2013-13-01T00:00:00)", "names no moment"),
        ("rate(0 minutes)", "is none; write rate"),
        ("rate(1 minutes)", "is none; write rate"),
        ("rate(5 minute)", "is none; write rate"),
        ("cron(0 10 * * ?)", "has 5 fields; cron has six"),
        ("cron(0 0 10 * * ? *)", "has 7 fields"),
        ("cron(0 10 ? * ? *)", "put '[?]' for the other"),
        ("cron(0 10 1 * MON *)", "put '[?]' for the other"),
        ("cron(60 10 * * ? *)", "cannot be read at '60'"),
        ("cron(0 10 15W * ? *)", "cannot be read at '15W'"),
        ("cron(0 10 * * FRI-MON *)", "cannot be read at 'FRI-MON'"),
        ("cron(0 10/0 * * ? *)", "cannot be read at '10/0'"),
    ],
)
def test_schedules_that_are_refused(text: str, told: str) -> None:
    """With what is wrong."""
    with pytest.raises(AwsError, match=told) as caught:
        parse(text)
    assert caught.value.code == "ValidationException"


def test_unknown_time_zones_are_refused() -> None:
    """With how one is written."""
    with pytest.raises(AwsError, match="there is no time zone 'Mars/Olympus'"):
        parse("cron(0 10 * * ? *)", "Mars/Olympus")
