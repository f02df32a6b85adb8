"""The arithmetic of step scaling: against the examples of the User Guide."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.aws.local.autoscaling.stepping import Step, Stepping, _whole, stepping_of
from mlref.aws.local.errors import AwsError

OUT = Stepping("PercentChangeInCapacity", [Step(0, 10, 0), Step(10, 20, 10), Step(20, None, 30)])
IN = Stepping(
    "PercentChangeInCapacity", [Step(-10, 0, 0), Step(-20, -10, -10), Step(None, -20, -30)]
)


@pytest.mark.parametrize(
    ("policy", "capacity", "metric", "wanted"),
    [
        (OUT, 10, 59, 10), (OUT, 10, 60, 11), (OUT, 11, 70, 14), (OUT, 10, 50, 10),
        (IN, 14, 41, 14), (IN, 14, 40, 13), (IN, 13, 30, 10), (IN, 10, 49, 10),
    ],
)  # fmt: skip
def test_the_example_of_the_guide(
    policy: Stepping, capacity: int, metric: float, wanted: int
) -> None:
    """A threshold of 50 percent: +10 % from 60, +30 % from 70; -10 % from 40, -30 % from 30."""
    assert policy.capacity(capacity, beyond=metric - 50) == wanted


@pytest.mark.parametrize(
    ("percent", "change"),
    [(12.7, 12), (0.67, 1), (-0.58, -1), (-6.67, -6), (0.0, 0), (1.0, 1), (-1.0, -1)],
)
def test_percentages_are_rounded_as_the_guide_says(percent: float, change: int) -> None:
    """12.7 to 12, .67 to 1, -.58 to -1, -6.67 to -6."""
    policy = Stepping("PercentChangeInCapacity", [Step(None, None, round(percent))])
    assert _whole(percent) == change
    assert policy.capacity(100, beyond=0) == 100 + round(percent)


def test_the_smallest_change() -> None:
    """25 percent of 4 is 1; with MinAdjustmentMagnitude 2 it is 2."""
    steps = [Step(0, None, 25)]
    assert Stepping("PercentChangeInCapacity", steps, least=2).capacity(4, beyond=1) == 6


def test_the_other_kinds() -> None:
    """3 and an adjustment of 5: 8 by change, 5 exactly; capacity is never negative."""
    assert Stepping("ChangeInCapacity", [Step(0, None, 5)]).capacity(3, beyond=0) == 8
    assert Stepping("ExactCapacity", [Step(0, None, 5)]).capacity(3, beyond=0) == 5
    assert Stepping("ChangeInCapacity", [Step(None, 0, -5)]).capacity(3, beyond=-1) == 0


def test_bounds_belong_to_one_step_each() -> None:
    """From the threshold up the lower bound is inclusive; below it the upper one is."""
    steps = [Step(None, -10, -2), Step(-10, 0, -1), Step(0, 10, 1), Step(10, None, 2)]
    policy = Stepping("ChangeInCapacity", steps)
    found = {beyond: policy.capacity(10, beyond=beyond) - 10 for beyond in (-11, -10, -9, 0, 9, 10)}
    assert found == {-11: -2, -10: -2, -9: -1, 0: 1, 9: 1, 10: 2}


def _given(*steps: tuple[float | None, float | None, int], **more: Any) -> dict[str, Any]:
    names = ("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment")
    listed = [
        {name: value for name, value in zip(names, step, strict=True) if value is not None}
        for step in steps
    ]
    return {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": listed, **more}


def test_a_policy_is_read() -> None:
    """With the cooldown of the service where it names none."""
    policy = stepping_of(_given((None, 0.0, -1), (0.0, None, 1)), 300)
    assert (policy.capacity(5, beyond=1), policy.cooldown_s) == (6, 300)
    assert stepping_of(_given((0.0, None, 1), Cooldown=0), 300).cooldown_s == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"AdjustmentType": "ChangeInCapacity"}, "needs AdjustmentType and StepAdjustments"),
        ({"StepAdjustments": [{"ScalingAdjustment": 1}]}, "needs AdjustmentType"),
        (_given((0, 10, 1), (5, None, 2)), "overlap or leave a gap: one ends at 10, the next"),
        (_given((0, 10, 1), (15, None, 2)), "overlap or leave a gap"),
        (_given((None, None, 1), (5, None, 2)), "cannot both be left out"),
        (_given((-10, 0, -1)), "the lowest step begins at -10"),
        (_given((0, 10, 1)), "the highest step ends at 10"),
        (_given((10, 5, 1)), "a step's lower bound must be below its upper"),
        (_given((0, None, -1), AdjustmentType="ExactCapacity"), "takes a positive adjustment"),
        (_given((0, None, 1), MinAdjustmentMagnitude=2), "for PercentChangeInCapacity only"),
    ],
)
def test_policies_that_are_refused(given: dict[str, Any], told: str) -> None:
    """By the rules of the guide."""
    with pytest.raises(AwsError, match=told) as caught:
        stepping_of(given, 300)
    assert caught.value.code == "ValidationException"
