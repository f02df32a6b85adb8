"""The steps of a deployment, as DeploymentConfig asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.rollout import plan


def _blue_green(kind: str, *, wait_s: int = 300, after_s: int = 0, **sizes: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait_s, **sizes}
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": after_s}
    return {"BlueGreenUpdatePolicy": policy}


def _rolling(kind: str, value: int) -> dict[str, Any]:
    size = {"Type": kind, "Value": value}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 60}}


def _steps(config: dict[str, Any], instances: int) -> list[tuple[float, float]]:
    return [(step.share, step.wait_s) for step in plan(config, instances).steps]


def test_without_a_configuration_all_goes_at_once() -> None:
    """One step, and nothing to wait for."""
    assert _steps({}, 3) == [(1.0, 0.0)]


def test_all_at_once_is_watched_before_the_old_ones_go() -> None:
    """For the baking period, and then for as long as the termination waits."""
    assert _steps(_blue_green("ALL_AT_ONCE", wait_s=300, after_s=600), 3) == [(1.0, 900.0)]


@pytest.mark.parametrize(
    "config",
    [
        _blue_green("CANARY", wait_s=60, CanarySize={"Type": "INSTANCE_COUNT", "Value": 1}),
        _blue_green("LINEAR", wait_s=60, LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 10}),
        _rolling("INSTANCE_COUNT", 1),
    ],
)
def test_without_instances_all_goes_at_once_and_bakes(config: dict[str, Any]) -> None:
    """As of an asynchronous endpoint that is scaled to zero, when its capacity is retained."""
    assert _steps(config, 0) == [(1.0, 60.0)]


def test_a_canary_is_a_part_and_then_all() -> None:
    """One of four instances, then the rest, which bakes likewise; the old ones stay a while."""
    size = {"CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}
    steps = _steps(_blue_green("CANARY", wait_s=300, after_s=120, **size), 4)
    assert steps == [(0.25, 300.0), (1.0, 420.0)]


@pytest.mark.parametrize(
    ("percent", "shares"),
    [(25, [0.25, 0.5, 0.75, 1.0]), (30, [0.3, 0.6, 0.9, 1.0]), (50, [0.5, 1])],
)
def test_linear_steps_are_equal_and_the_last_is_what_is_left(
    percent: int, shares: list[float]
) -> None:
    """25 % makes four steps, 30 % as well; each is watched, also the last."""
    size = {"LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": percent}}
    found = _steps(_blue_green("LINEAR", **size), 10)
    assert [share for share, _ in found] == pytest.approx(shares)
    assert {wait_s for _, wait_s in found} == {300.0}


def test_a_rolling_update_goes_by_batches_of_instances() -> None:
    """Two of five, four of five, five of five."""
    found = plan(_rolling("INSTANCE_COUNT", 2), 5)
    assert [(step.instances, step.share) for step in found.steps] == [(2, 0.4), (4, 0.8), (5, 1.0)]


def test_a_rolling_update_goes_back_at_once() -> None:
    """RollbackMaximumBatchSize changes nothing: the old instances are all still there."""
    config = _rolling("CAPACITY_PERCENT", 50)
    back = {"RollbackMaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1}}
    policy = {**config["RollingUpdatePolicy"], **back}
    assert plan({"RollingUpdatePolicy": policy}, 4) == plan(config, 4)


def test_alarms_and_the_limit_are_kept() -> None:
    """As the configuration names them."""
    config = _blue_green("ALL_AT_ONCE")
    config["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 900
    config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": "slow"}]}
    found = plan(config, 1)
    assert (found.alarms, found.limit_s) == (("slow",), 900.0)


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (_blue_green("CANARY"), "needs CanarySize"),
        (_blue_green("LINEAR"), "needs LinearStepSize"),
        (
            _blue_green("CANARY", CanarySize={"Type": "INSTANCE_COUNT", "Value": 5}),
            "CanarySize must be at most 50% of the capacity, got 5 of 4 instances",
        ),
        (
            _blue_green("CANARY", CanarySize={"Type": "CAPACITY_PERCENT", "Value": 60}),
            "at most 50% of the capacity, got 60 %",
        ),
        (
            _blue_green("LINEAR", LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 100}),
            "LinearStepSize must be 10% to 50% of the capacity, got 100 %",
        ),
        (
            _blue_green("LINEAR", LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 9}),
            "10% to 50%",
        ),
        (_rolling("CAPACITY_PERCENT", 51), "MaximumBatchSize must be 5% to 50%"),
        (_rolling("CAPACITY_PERCENT", 4), "5% to 50%"),
        (_rolling("INSTANCE_COUNT", 3), "got 3 of 4 instances"),
        (
            {**_blue_green("ALL_AT_ONCE"), "RollingUpdatePolicy": {"MaximumBatchSize": {}}},
            "not both",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(config: dict[str, Any], what: str) -> None:
    """With what is wrong."""
    with pytest.raises(AwsError, match=what) as caught:
        plan(config, 4)
    assert caught.value.code == "ValidationException"
