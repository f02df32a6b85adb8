"""When a schedule runs, and what it looks at, as the API reference of ScheduleConfig has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mlref.aws.local.errors import AwsError
from mlref.aws.local.monitoring.rhythm import Rhythm

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def _times(expression: str, count: int, begin: datetime = NOON) -> list[str]:
    rhythm, found = Rhythm.of({"ScheduleExpression": expression}), []
    for _ in range(count):
        begin = rhythm.after(begin)
        found.append(f"{begin:%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("expression", "times", "hours"),
    [
        ("cron(0 * ? * * *)", ["05 13:00", "05 14:00"], 1),
        ("cron(0 17 ? * * *)", ["05 17:00", "06 17:00"], 24),  # both of the reference's examples
        ("cron(0 12 ? * * *)", ["06 12:00", "07 12:00"], 24),
        ("cron(0 17/6 ? * * *)", ["05 17:00", "05 23:00", "06 17:00"], 6),
        ("cron(0 0/1 ? * * *)", ["05 13:00", "05 14:00"], 1),
        ("cron(0 */12 ? * * *)", ["06 00:00", "06 12:00"], 12),
        ("cron(0 00/12 ? * * *)", ["06 00:00", "06 12:00"], 12),
    ],
)
def test_a_schedule_runs_on_the_hour(expression: str, times: list[str], hours: int) -> None:
    """Each hour, each day, each so many hours; what is looked at is the time since the last one."""
    assert _times(expression, len(times)) == times
    begin, end = Rhythm.of({"ScheduleExpression": expression}).window(NOON)
    assert (begin, end) == (NOON - timedelta(hours=hours), NOON)


def test_a_schedule_begins_with_the_next_full_hour() -> None:
    """Not at once, and not at the minute at which it was made."""
    late = NOON + timedelta(minutes=59, seconds=59)
    assert _times("cron(0 * ? * * *)", 1, late) == ["05 13:00"]


@pytest.mark.parametrize(
    ("begin", "end", "window"),
    [
        ("-PT5H", "-PT0H", (5, 0)),  # the reference's example: the five hours before
        ("-P1D", "PT0S", (24, 0)),
        ("-PT2H30M", "-PT30M", (2.5, 0.5)),
        ("-P1DT1H", "-PT1H", (25, 1)),
    ],
)
def test_the_stretch_may_be_given(begin: str, end: str, window: tuple[float, float]) -> None:
    """As durations of ISO 8601 from the execution; for NOW it must be."""
    config = {"DataAnalysisStartTime": begin, "DataAnalysisEndTime": end}
    for expression in ("NOW", "cron(0 * ? * * *)"):
        rhythm = Rhythm.of({"ScheduleExpression": expression, **config})
        assert rhythm.once == (expression == "NOW")
        first, last = rhythm.window(NOON)
        assert (first, last) == tuple(NOON - timedelta(hours=each) for each in window)
    assert Rhythm.of({"ScheduleExpression": "NOW", **config}).after(NOON) == NOON


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"ScheduleExpression": "rate(1 hour)"}, r"'rate\(1 hour\)' is none of: NOW, cron"),
        ({"ScheduleExpression": "cron(30 * ? * * *)"}, "is none of"),
        ({"ScheduleExpression": "cron(0 * ? * MON *)"}, "is none of"),
        ({"ScheduleExpression": "cron(0 24 ? * * *)"}, "the hour must be 0 to 23"),
        ({"ScheduleExpression": "cron(0 0/0 ? * * *)"}, "the number of hours 1 to 24"),
        ({"ScheduleExpression": "NOW"}, "needs DataAnalysisStartTime and DataAnalysisEndTime"),
        (
            {"ScheduleExpression": "NOW", "DataAnalysisStartTime": "-PT1H"},
            "needs DataAnalysisStartTime and",
        ),
        (
            {
                "ScheduleExpression": "NOW",
                "DataAnalysisStartTime": "P",
                "DataAnalysisEndTime": "-PT0H",
            },
            "DataAnalysisStartTime 'P' is no duration of ISO 8601",
        ),
        (
            {
                "ScheduleExpression": "NOW",
                "DataAnalysisStartTime": "-PT25H",
                "DataAnalysisEndTime": "-PT0H",
            },
            "of at most 24 hours .* got -25 and 0 hours",
        ),
        (
            {
                "ScheduleExpression": "NOW",
                "DataAnalysisStartTime": "-PT1H",
                "DataAnalysisEndTime": "-PT2H",
            },
            "got -1 and -2 hours",
        ),
        (
            {
                "ScheduleExpression": "NOW",
                "DataAnalysisStartTime": "-PT1H",
                "DataAnalysisEndTime": "PT1H",
            },
            "end by the time of the execution",
        ),
    ],
)
def test_what_no_schedule_can_do_is_refused(config: dict[str, str], message: str) -> None:
    """With what was got, and what is allowed."""
    with pytest.raises(AwsError, match=message) as caught:
        Rhythm.of(config)
    assert caught.value.code == "ValidationException"
