"""How an alarm's state follows from its data points: AWS's published rules, without any I/O.

An alarm looks at more periods than its evaluation periods N (the evaluation range), because some
may have no data. Of those that have, the N most recent count; the alarm goes off if at least M of
them breach the threshold. If fewer than N have data, the others are filled as the alarm says:

    >>> verdict("0 - X - X", rule=Rule(3, 3)).state
    'OK'
    >>> verdict("- - - - -", rule=Rule(3, 3, missing="breaching")).state
    'ALARM'

One breaching value after a gap shall not set off an alarm that wants three. But if missing data is
treated as missing, such an alarm does go off once the oldest breaching value is M periods old and
nothing better has come since (AWS calls this the premature alarm state).

AWS says how large the evaluation range is for one example only: 5 for N = 3. Here it is N + 2.

Source: Amazon CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch alarms
treat missing data", with the tables of examples.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "ALARM",
    "COMPARISONS",
    "INSUFFICIENT_DATA",
    "MISSING",
    "OK",
    "Rule",
    "Verdict",
    "enough_samples",
    "verdict",
]

OK = "OK"
ALARM = "ALARM"
INSUFFICIENT_DATA = "INSUFFICIENT_DATA"

MISSING = ("missing", "ignore", "breaching", "notBreaching")
"""How missing data can be treated."""

COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
"""By their names in AWS: whether a value breaches a threshold, and in words."""

_RANGE = 2  # periods that are looked at beyond the evaluation periods
_SAMPLES = 10  # of each side of a percentile, so that it means something


@dataclass(frozen=True)
class Rule:
    """M out of N.

    Attributes:
        periods: N, the evaluation periods.
        to_alarm: M, how many of them must breach.
        missing: how missing data is treated; see `MISSING`.
    """

    periods: int
    to_alarm: int
    missing: str = "missing"

    @property
    def range(self) -> int:
        """How many periods are looked at."""
        return self.periods + _RANGE


@dataclass(frozen=True)
class Verdict:
    """What an evaluation found.

    Attributes:
        state: the alarm's; None is the one that it has.
        counted: the places of the data points that counted, in the order of the range.
        filled: how many missing ones were counted.
    """

    state: str | None
    counted: tuple[int, ...]
    filled: int = 0


def verdict(points: Sequence[bool | None] | str, *, rule: Rule) -> Verdict:
    """The state of an alarm.

    Args:
        points: the evaluation range, the most recent last: whether each breaches the threshold;
            None is missing. Or as AWS's tables write it, for instance "0 - X - X".
        rule: of the alarm.
    """
    if isinstance(points, str):
        points = [{"0": False, "X": True, "-": None}[mark] for mark in points.split()]
    there = [place for place, point in enumerate(points) if point is not None]
    counted = tuple(there[-rule.periods :])
    breaching = sum(bool(points[place]) for place in counted)
    filled = rule.periods - len(counted)
    if filled > 0 and rule.missing == "breaching":
        breaching += filled
    elif filled > 0 and rule.missing != "notBreaching" and breaching < rule.to_alarm:
        return Verdict(_with_gaps(points, counted, breaching, rule), counted, filled)
    return Verdict(ALARM if breaching >= rule.to_alarm else OK, counted, filled)


def _with_gaps(
    points: Sequence[bool | None], counted: tuple[int, ...], breaching: int, rule: Rule
) -> str | None:
    """The state where too few points are there, too few of them breach, and none is filled."""
    if len(counted) > breaching:  # at least one was good
        return OK
    if rule.missing == "ignore":
        return None
    premature = bool(counted) and len(points) - counted[0] >= rule.to_alarm
    return ALARM if premature else INSUFFICIENT_DATA


def enough_samples(percent: float, samples: float) -> bool:
    """Whether a percentile means something.

    Args:
        percent: of the percentile, for instance 99.
        samples: how many observations there are.
    """
    share = percent / 100
    least = min(share, 1 - share)
    return least > 0 and samples >= _SAMPLES / least - 1e-9 * samples
