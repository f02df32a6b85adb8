"""Endpoints that only count their instances, and the load that reaches them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from support.aws_parts import Asked

from mlref.aws.local.autoscaling.service import AutoScaling, autoscaling
from mlref.aws.local.cloudwatch.actions import Actions
from mlref.aws.local.cloudwatch.alarms import AlarmsPart
from mlref.aws.local.cloudwatch.book import AlarmBook
from mlref.aws.local.cloudwatch.store import MetricStore
from mlref.aws.local.errors import validation
from mlref.aws.local.timers import LocalClock, Timers
from mlref.aws.local.world import World
from mlref.runtime.clock import ManualClock

__all__ = ["NAMED", "START", "Stage", "Variants"]

START = datetime(2013, 6, 1, 12, tzinfo=UTC)
NAMED = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/flights/variant/blue",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


class Variants:
    """Variants of endpoints that have nothing but a number of instances."""

    def __init__(self) -> None:
        self.counts = {NAMED["ResourceId"]: 1}
        self.fails = False

    def get(self, resource_id: str, dimension: str) -> int:
        """How many there are."""
        if resource_id not in self.counts:
            raise validation(f"there is no {resource_id} to scale by {dimension}")
        return self.counts[resource_id]

    def set(self, resource_id: str, dimension: str, capacity: int) -> None:
        """Have another number."""
        self.get(resource_id, dimension)
        if self.fails:
            raise validation("the endpoint is being updated")
        self.counts[resource_id] = capacity


class Stage:
    """Autoscaling of one variant on a virtual clock."""

    def __init__(self) -> None:
        self.timers = Timers(LocalClock(ManualClock(START)))
        self.store = MetricStore(self.timers.clock)
        actions = Actions()
        self.book = AlarmBook(self.store, self.timers, actions)
        self.variants = Variants()
        world = World(timers=self.timers, objects=None, metrics=self.store)  # type: ignore[arg-type]
        self.service: AutoScaling = autoscaling(world, self.variants, self.book, actions)
        self.asked = Asked(*self.service.parts, service="application-autoscaling")
        self.alarms = Asked(AlarmsPart(self.book, world.tags), service="cloudwatch")

    @property
    def capacity(self) -> int:
        """Of the variant."""
        return self.variants.counts[NAMED["ResourceId"]]

    def register(self, least: int = 1, most: int = 10, **more: Any) -> str:
        """Make the variant a scalable target; its ARN."""
        bounds = {"MinCapacity": least, "MaxCapacity": most}
        arn: str = self.asked.register_scalable_target(**NAMED, **bounds, **more)[
            "ScalableTargetARN"
        ]
        return arn

    def track(self, target: float = 100.0, name: str = "keep", **more: Any) -> dict[str, Any]:
        """Put a target tracking policy on invocations per instance."""
        kind = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
        metric = (
            {}
            if "CustomizedMetricSpecification" in more
            else {"PredefinedMetricSpecification": kind}
        )
        response: dict[str, Any] = self.asked.put_scaling_policy(
            **NAMED,
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={"TargetValue": target, **metric, **more},
        )
        return response

    def minute(self, requests: int) -> int:
        """Let a minute pass with so many requests; the capacity at its end."""
        if requests:
            dimensions = {"EndpointName": "flights", "VariantName": "blue"}
            share = {1 / self.capacity: float(requests)}
            self.store.put(
                "AWS/SageMaker", "InvocationsPerInstance", dimensions, share, unit="None"
            )
        self.timers.advance(60)
        return self.capacity

    def minutes(self, *loads: int) -> list[int]:
        """The capacity after each of some minutes."""
        return [self.minute(load) for load in loads]

    def activities(self, **more: Any) -> list[dict[str, Any]]:
        """The earliest first."""
        found = self.asked.describe_scaling_activities(ServiceNamespace="sagemaker", **more)
        return list(reversed(found["ScalingActivities"]))
