"""The arithmetic of target tracking: how much capacity a metric asks for.

A target tracking policy keeps a metric per unit of capacity (for instance invocations per instance
and minute) near a target. If the metric was above the target for three minutes, capacity grows in
proportion, at once as far as needed:

    >>> scale_out(2, value=250.0, target=100.0)
    5

It shrinks only after the metric was below 90 % of the target for 15 minutes, and never so far that
the metric would be above the target again:

    >>> scale_in(5, value=30.0, target=100.0)
    2

While the cooldown of a scale-out runs, what it added is not asked for again: the next one is
computed from where that one began, and counts only if it leads further.

    >>> scale_out(5, value=250.0, target=100.0, base=2)
    5

AWS documents the proportion, the rounding in favour of capacity, and that scaling in is slower; it
does not publish its formula for scaling in, nor that of predicting flapping.

Source: Application Auto Scaling User Guide, "Target tracking scaling policies".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["DEFAULT_COOLDOWN_S", "Tracking", "Trigger", "desired", "scale_in", "scale_out"]

DEFAULT_COOLDOWN_S = 300
"""Of endpoint variants, for scaling out and in."""

_HIGH_PERIODS = 3
_LOW_S = 900  # 15 minutes
_LOW_SHARE = 0.9
_DIGITS = 9  # beyond which a capacity is noise of the floating-point numbers


@dataclass(frozen=True)
class Trigger:
    """When a policy is asked.

    Attributes:
        periods: how many periods in a row the metric must be beyond the threshold.
        threshold: above or below which.
    """

    periods: int
    threshold: float


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """A target tracking policy.

    Attributes:
        target: of the metric, more than 0.
        out_cooldown_s: seconds after a scale-out.
        in_cooldown_s: seconds after a scale-in in which there is no other.
        scales_in: whether it takes capacity away.
        period_s: of the metric, in seconds.
    """

    target: float
    out_cooldown_s: float = DEFAULT_COOLDOWN_S
    in_cooldown_s: float = DEFAULT_COOLDOWN_S
    scales_in: bool = True
    period_s: int = 60

    @property
    def high(self) -> Trigger:
        """When it scales out: above the target for three periods."""
        return Trigger(_HIGH_PERIODS, self.target)

    @property
    def low(self) -> Trigger:
        """When it scales in: below 90 % of the target for 15 minutes."""
        return Trigger(_LOW_S // self.period_s, self.target * _LOW_SHARE)


def desired(capacity: int, *, value: float, target: float) -> int:
    """The least capacity at which the metric would not be above the target.

    Args:
        capacity: at which the metric was observed.
        value: of the metric per unit of capacity.
        target: of the metric, more than 0.
    """
    return math.ceil(round(capacity * value / target, _DIGITS))


def scale_out(capacity: int, *, value: float, target: float, base: int | None = None) -> int:
    """The capacity after scaling out; the present one if that is enough.

    Args:
        capacity: at present.
        value: of the metric per unit of capacity.
        target: of the metric, more than 0.
        base: the capacity before the scale-out whose cooldown runs; None if none does.
    """
    begin = capacity if base is None else base
    return max(capacity, desired(begin, value=value, target=target))


def scale_in(capacity: int, *, value: float, target: float) -> int:
    """The capacity after scaling in; the present one if all of it is needed.

    Args:
        capacity: at present.
        value: of the metric per unit of capacity.
        target: of the metric, more than 0.
    """
    return min(capacity, desired(capacity, value=value, target=target))
