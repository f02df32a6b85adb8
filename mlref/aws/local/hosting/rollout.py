"""How traffic moves from the variants that are to those that will be.

A deployment is a list of steps. Each says which share of the requests the new variants get, and how
long it is watched before the next; the last one is watched, too, before the old variants go. If an
alarm of the configuration rings, all goes back, in one step.

Source: the Amazon SageMaker Developer Guide, "Deployment guardrails for updating models in
production", and the API reference of DeploymentConfig.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlref.aws.local.errors import validation

__all__ = ["Plan", "Step", "plan"]

_BOUNDS = {  # of each size, as a share of all instances
    "CanarySize": (0.0, 0.5),
    "LinearStepSize": (0.1, 0.5),
    "MaximumBatchSize": (0.05, 0.5),
}


@dataclass(frozen=True)
class Step:
    """A step of a deployment.

    Attributes:
        share: of the requests that the new variants get, more than 0, at most 1.
        wait_s: seconds to watch the alarms afterwards.
        instances: how many of the new instances there must be, or None for all of them.
    """

    share: float
    wait_s: float
    instances: int | None = None


@dataclass(frozen=True)
class Plan:
    """All steps of a deployment.

    Attributes:
        steps: in their order; the last has a share of 1.
        alarms: names of the alarms that take it back.
        limit_s: seconds that it may take, or None for any.
    """

    steps: tuple[Step, ...]
    alarms: tuple[str, ...] = ()
    limit_s: float | None = None


def plan(config: Mapping[str, Any], instances: int) -> Plan:
    """The steps that a DeploymentConfig asks for.

    Args:
        config: as CreateEndpoint and UpdateEndpoint take it; {} is all at once.
        instances: how many the new variants have together; with none there is nothing to divide,
            so all goes at once and bakes.

    Raises:
        AwsError: it contradicts itself, or a size is out of its bounds.
    """
    rollback = config.get("AutoRollbackConfiguration", {})
    alarms = tuple(alarm["AlarmName"] for alarm in rollback.get("Alarms", ()))
    blue_green = config.get("BlueGreenUpdatePolicy")
    rolling = config.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise validation("give BlueGreenUpdatePolicy or RollingUpdatePolicy, not both")
    if rolling:
        return Plan(_rolling(rolling, instances), alarms, _limit(rolling))
    if not blue_green:
        return Plan((Step(1.0, 0.0),), alarms)
    return Plan(_blue_green(blue_green, instances), alarms, _limit(blue_green))


def _blue_green(policy: Mapping[str, Any], instances: int) -> tuple[Step, ...]:
    routing = policy["TrafficRoutingConfiguration"]
    kind, wait_s = routing["Type"], float(routing["WaitIntervalInSeconds"])
    last = Step(1.0, wait_s + float(policy.get("TerminationWaitInSeconds", 0)))
    if kind == "ALL_AT_ONCE" or not instances:
        return (last,)
    name = "CanarySize" if kind == "CANARY" else "LinearStepSize"
    if name not in routing:
        raise validation(f"TrafficRoutingConfiguration of type {kind} needs {name}")
    share = _part(name, routing[name], instances)
    if kind == "CANARY":
        return (Step(share, wait_s), last)
    before = [Step(share * number, wait_s) for number in range(1, math.ceil(1 / share - 1e-9))]
    return (*before, last)


def _rolling(policy: Mapping[str, Any], instances: int) -> tuple[Step, ...]:
    name, wait_s = "MaximumBatchSize", float(policy["WaitIntervalInSeconds"])
    if not instances:
        return (Step(1.0, wait_s),)
    batch = max(1, math.floor(_part(name, policy[name], instances) * instances + 1e-9))
    counts = [*range(batch, instances, batch), instances]
    return tuple(Step(count / instances, wait_s, count) for count in counts)


def _part(name: str, size: Mapping[str, Any], instances: int) -> float:
    """A CapacitySize as a share of all; refuses one that is out of its bounds."""
    value = float(size["Value"])
    percent = size["Type"] != "INSTANCE_COUNT"
    share = value / (100 if percent else instances)
    least, most = _BOUNDS[name]
    if not least <= share <= most:
        allowed = f"{least:.0%} to {most:.0%}" if least else f"at most {most:.0%}"
        got = f"{value:g} %" if percent else f"{value:g} of {instances} instances"
        raise validation(f"{name} must be {allowed} of the capacity, got {got}")
    return share


def _limit(policy: Mapping[str, Any]) -> float | None:
    found = policy.get("MaximumExecutionTimeoutInSeconds")
    return None if found is None else float(found)
