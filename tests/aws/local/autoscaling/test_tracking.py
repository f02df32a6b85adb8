"""The arithmetic of target tracking: by hand, and what must hold for any load."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.aws.local.autoscaling.tracking import Tracking, Trigger, desired, scale_in, scale_out

CAPACITY = st.integers(1, 200)
LOAD = st.floats(0, 1e6)
TARGET = st.floats(0.1, 1e4)


@pytest.mark.parametrize(
    ("capacity", "value", "wanted"),
    [
        (1, 100, 1),  # at the target
        (1, 101, 2),  # capacity is rounded up
        (2, 250, 5),  # 500 in all
        (3, 110, 4),  # 330 in all
        (10, 30, 3),
        (10, 31, 4),  # 310 do not fit into 3
        (4, 0, 0),
        (7, 0.1 + 0.2, 1),
        (3, 100.0000000000001, 3),  # noise is no reason for an instance
    ],
)
def test_capacity_is_in_proportion_to_the_metric(capacity: int, value: float, wanted: int) -> None:
    """With a target of 100: enough for all of the load, rounded up."""
    assert desired(capacity, value=value, target=100) == wanted


@given(CAPACITY, LOAD, TARGET)
def test_after_it_the_metric_is_not_above_the_target(
    capacity: int, value: float, target: float
) -> None:
    """And with one unit less it would be."""
    wanted = desired(capacity, value=value, target=target)
    load = capacity * value
    assert load <= wanted * target * (1 + 1e-6) + 1e-6
    assert wanted == 0 or load > (wanted - 1) * target * (1 - 1e-6)


@given(CAPACITY, LOAD, TARGET)
def test_scaling_out_never_takes_away_and_scaling_in_never_adds(
    capacity: int, value: float, target: float
) -> None:
    """And at most one of the two changes anything, so a policy does not flap."""
    more = scale_out(capacity, value=value, target=target)
    less = scale_in(capacity, value=value, target=target)
    assert less <= capacity <= more
    assert capacity in (less, more)


def test_in_its_cooldown_a_scale_out_counts_from_where_the_first_began() -> None:
    """From 2 to 5; again at 250 it is 5; at 300 it is 6."""
    assert scale_out(5, value=250, target=100, base=2) == 5
    assert scale_out(5, value=300, target=100, base=2) == 6
    assert scale_out(5, value=250, target=100) == 13


def test_when_a_policy_is_asked() -> None:
    """Above the target for 3 minutes; below 90 % of it for 15; likewise every ten seconds."""
    tracking = Tracking(target=50)
    assert (tracking.high, tracking.low) == (Trigger(3, 50), Trigger(15, 45))
    assert Tracking(target=50, period_s=10).low == Trigger(90, 45)
    assert (tracking.out_cooldown_s, tracking.in_cooldown_s) == (300, 300)
