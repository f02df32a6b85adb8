"""How traffic moves from the variants that are to those that will be.

A deployment is a list of steps. Each says which share of the requests the new variants get, and how
long it is watched before the next. If an alarm of the configuration rings, all goes back.

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

_MOST_CANARY = 0.5  # of the capacity


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
        instances: how many the new variants have together.

    Raises:
        AwsError: it contradicts itself.
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
    last = Step(1.0, float(policy.get("TerminationWaitInSeconds", 0)))
    if kind == "ALL_AT_ONCE":
        return (Step(1.0, max(wait_s, last.wait_s)),)
    name = "CanarySize" if kind == "CANARY" else "LinearStepSize"
    if name not in routing:
        raise validation(f"TrafficRoutingConfiguration of type {kind} needs {name}")
    share = _part(routing[name], instances)
    if kind == "CANARY":
        if share > _MOST_CANARY:
            raise validation(f"CanarySize must be at most 50 % of the capacity, got {share:.0%}")
        return (Step(share, wait_s), last)
    before = [Step(share * number, wait_s) for number in range(1, math.ceil(1 / share - 1e-9))]
    return (*before, last)


def _rolling(policy: Mapping[str, Any], instances: int) -> tuple[Step, ...]:
    batch = max(1, math.floor(_part(policy["MaximumBatchSize"], instances) * instances + 1e-9))
    wait_s = float(policy["WaitIntervalInSeconds"])
    counts = [*range(batch, instances, batch), instances]
    return tuple(Step(count / instances, wait_s, count) for count in counts)


def _part(size: Mapping[str, Any], instances: int) -> float:
    """A CapacitySize as a share of all."""
    value = float(size["Value"])
    if size["Type"] == "INSTANCE_COUNT":
        if value > instances:
            raise validation(f"a step of {value:g} instances is more than all {instances} of them")
        return value / instances
    if value > 100:  # noqa: PLR2004 - percent
        raise validation(f"a capacity in percent is at most 100, got {value:g}")
    return value / 100


def _limit(policy: Mapping[str, Any]) -> float | None:
    found = policy.get("MaximumExecutionTimeoutInSeconds")
    return None if found is None else float(found)
