"""When a monitoring schedule runs, and which stretch of time it looks at.

    NOW                       once, at once
    cron(0 * ? * * *)         each hour, on the hour
    cron(0 6 ? * * *)         each day at 06:00
    cron(0 6/12 ? * * *)      each day at 06:00 and 18:00

An execution looks at the time since the one before: an hour, a day, or the hours after the slash.
DataAnalysisStartTime and DataAnalysisEndTime say otherwise, counted from the execution: -PT5H is
five hours before it. Times are in UTC. AWS may begin an execution up to twenty minutes late; here
it begins on the hour.

Source: the Amazon SageMaker API Reference, ScheduleConfig.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlref.aws.local.errors import validation

__all__ = ["Rhythm"]

_CRON = re.compile(r"cron\(0 (?P<hour>\*|\d{1,2})(?:/(?P<step>\d{1,2}))? \? \* \* \*\)")
_OFFSET = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?"
    r"(?:(?P<seconds>\d+)S)?)?"
)
_DAY_H = 24
_DAY = timedelta(hours=_DAY_H)
_BOUNDS = ("DataAnalysisStartTime", "DataAnalysisEndTime")


@dataclass(frozen=True)
class Rhythm:
    """When to run, and over what.

    Attributes:
        hours: of the day at which to run; none is once, at once.
        begin: of the stretch that is looked at, from the execution.
        end: of it, likewise.
    """

    hours: frozenset[int]
    begin: timedelta
    end: timedelta

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Rhythm:
        """What a ScheduleConfig says.

        Raises:
            AwsError: it says nothing that a monitoring schedule can do.
        """
        text = config["ScheduleExpression"]
        hours, period_h = _hours(text)
        given = {name: _offset(name, config[name]) for name in _BOUNDS if name in config}
        if not hours and len(given) < len(_BOUNDS):
            raise validation(
                f"ScheduleExpression NOW needs {' and '.join(_BOUNDS)}, as in -PT1H and -PT0H"
            )
        begin = given.get(_BOUNDS[0], timedelta(hours=-period_h))
        end = given.get(_BOUNDS[1], timedelta())
        if not begin < end <= timedelta() or end - begin > _DAY:
            raise validation(
                f"the stretch from {_BOUNDS[0]} to {_BOUNDS[1]} must be of at most 24 hours and "
                f"end by the time of the execution, got {begin.total_seconds() / 3600:g} and "
                f"{end.total_seconds() / 3600:g} hours"
            )
        return cls(hours, begin, end)

    @property
    def once(self) -> bool:
        """Whether it runs once, at once."""
        return not self.hours

    def after(self, moment: datetime) -> datetime:
        """When it runs next.

        Args:
            moment: aware; what is due at just that moment has run.
        """
        if self.once:
            return moment
        found = moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        while found.hour not in self.hours:
            found += timedelta(hours=1)
        return found

    def window(self, scheduled: datetime) -> tuple[datetime, datetime]:
        """What an execution looks at: from the first moment up to, and without, the second.

        Args:
            scheduled: when it was to run.
        """
        return scheduled + self.begin, scheduled + self.end


def _hours(text: str) -> tuple[frozenset[int], int]:
    """The hours at which to run, and how many lie between two of them."""
    if text == "NOW":
        return frozenset(), 0
    found = _CRON.fullmatch(text)
    if found is None:
        raise validation(
            f"ScheduleExpression {text!r} is none of: NOW, cron(0 * ? * * *) for each hour, "
            f"cron(0 6 ? * * *) for each day at a full hour, cron(0 0/6 ? * * *) for each 6 hours "
            f"from 0 o'clock on"
        )
    hour, step = found["hour"], found["step"]
    if hour == "*" and step is None:
        return frozenset(range(_DAY_H)), 1
    first, every = 0 if hour == "*" else int(hour), int(step or _DAY_H)
    if first >= _DAY_H or not 1 <= every <= _DAY_H:
        raise validation(
            f"ScheduleExpression {text!r}: the hour must be 0 to 23 and the number of hours 1 to 24"
        )
    return frozenset(range(first, _DAY_H, every)), every


def _offset(name: str, text: str) -> timedelta:
    """A duration of ISO 8601, perhaps negative."""
    found = _OFFSET.fullmatch(text)
    parts = {} if found is None else found.groupdict()
    units = {unit: int(parts[unit]) for unit in parts if unit != "sign" and parts[unit]}
    if not units:
        raise validation(f"{name} {text!r} is no duration of ISO 8601, as -PT1H is")
    told = timedelta(**units)
    return -told if parts["sign"] == "-" else told
