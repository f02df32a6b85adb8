"""The arithmetic of step scaling: the further a metric is off, the larger the step.

Bounds of a step are relative to the threshold of the alarm:

    >>> steps = [Step(0, 10, 0), Step(10, 20, 10), Step(20, None, 30)]
    >>> policy = Stepping("PercentChangeInCapacity", steps)
    >>> policy.capacity(10, beyond=10.0), policy.capacity(11, beyond=20.0)
    (11, 14)

Source: Application Auto Scaling User Guide, "Step scaling policies".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlref.aws.local.errors import validation

__all__ = ["Step", "Stepping", "stepping_of"]


@dataclass(frozen=True)
class Step:
    """What is done if the metric is so far beyond the threshold.

    Attributes:
        low: the lower bound; None is minus infinity.
        high: the upper bound; None is infinity.
        adjustment: by how much, or to how much.
    """

    low: float | None
    high: float | None
    adjustment: int

    def holds(self, beyond: float) -> bool:
        """Whether a metric is within the bounds.

        Args:
            beyond: the metric less the threshold. From 0 on the lower bound belongs to the step,
                below 0 the upper one does.
        """
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return low <= beyond < high if beyond >= 0 else low < beyond <= high


@dataclass(frozen=True)
class Stepping:
    """A step scaling policy.

    Attributes:
        kind: "ChangeInCapacity", "PercentChangeInCapacity" or "ExactCapacity".
        steps: that do not overlap.
        least: the smallest change of "PercentChangeInCapacity".
        cooldown_s: seconds after a change.
    """

    kind: str
    steps: Sequence[Step]
    least: int = 0
    cooldown_s: float = 0

    def capacity(self, capacity: int, *, beyond: float) -> int:
        """The capacity that the step asks for; the present one if there is none.

        Args:
            capacity: from which to count.
            beyond: the metric less the threshold of the alarm.
        """
        step = next((step for step in self.steps if step.holds(beyond)), None)
        if step is None:
            return capacity
        if self.kind == "ExactCapacity":
            return step.adjustment
        if self.kind == "ChangeInCapacity":
            return max(capacity + step.adjustment, 0)
        change = _whole(capacity * step.adjustment / 100)
        if change and abs(change) < self.least:
            change = int(math.copysign(self.least, change))
        return max(capacity + change, 0)


def stepping_of(given: Mapping[str, Any], default_cooldown_s: float) -> Stepping:
    """A policy as PutScalingPolicy has it.

    Args:
        given: StepScalingPolicyConfiguration.
        default_cooldown_s: where it names none.

    Raises:
        AwsError: a part of it is missing, or the steps overlap or leave a gap.
    """
    kind, adjustments = given.get("AdjustmentType"), given.get("StepAdjustments")
    if kind is None or not adjustments:
        raise validation("a step scaling policy needs AdjustmentType and StepAdjustments")
    if "MinAdjustmentMagnitude" in given and kind != "PercentChangeInCapacity":
        raise validation("MinAdjustmentMagnitude is for PercentChangeInCapacity only")
    steps = [
        Step(
            each.get("MetricIntervalLowerBound"),
            each.get("MetricIntervalUpperBound"),
            each["ScalingAdjustment"],
        )
        for each in adjustments
    ]
    _check(steps, kind)
    least, cooldown_s = given.get("MinAdjustmentMagnitude", 0), given.get("Cooldown")
    return Stepping(kind, steps, least, default_cooldown_s if cooldown_s is None else cooldown_s)


def _check(steps: Sequence[Step], kind: str) -> None:
    """Refuses steps that overlap or leave a gap."""
    for step in steps:
        if step.low is None and step.high is None and len(steps) > 1:
            raise validation("the bounds of a step cannot both be left out if there are others")
        if step.low is not None and step.high is not None and step.low >= step.high:
            raise validation(f"a step's lower bound must be below its upper, got {step}")
        if kind == "ExactCapacity" and step.adjustment < 0:
            raise validation(f"ExactCapacity takes a positive adjustment, got {step.adjustment}")
    ordered = sorted(steps, key=lambda step: -math.inf if step.low is None else step.low)
    for before, after in itertools.pairwise(ordered):
        if before.high is None or after.low is None or before.high != after.low:
            text = "the steps must not overlap or leave a gap"
            raise validation(f"{text}: one ends at {before.high}, the next begins at {after.low}")
    first, last = ordered[0], ordered[-1]
    if first.low is not None and first.low < 0:
        text = f"the lowest step begins at {first.low}"
        raise validation(f"{text}; one without a lower bound is needed below the threshold")
    if last.high is not None and last.high > 0:
        text = f"the highest step ends at {last.high}"
        raise validation(f"{text}; one without an upper bound is needed above the threshold")


def _whole(change: float) -> int:
    """A change rounded as AWS does: towards 0, but at least 1 if it is not 0."""
    change = round(change, 9)
    return int(math.copysign(1, change)) if 0 < abs(change) < 1 else math.trunc(change)
