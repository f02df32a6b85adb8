"""Application Auto Scaling put together."""

from __future__ import annotations

from dataclasses import dataclass

from mlref.aws.local.autoscaling.policies import Policies
from mlref.aws.local.autoscaling.registry import Registry
from mlref.aws.local.autoscaling.resources import ScalableResources
from mlref.aws.local.autoscaling.scaler import Scaler
from mlref.aws.local.autoscaling.scheduled import Scheduled
from mlref.aws.local.autoscaling.targets import Targets
from mlref.aws.local.cloudwatch.actions import Actions
from mlref.aws.local.cloudwatch.book import AlarmBook
from mlref.aws.local.services import Part
from mlref.aws.local.world import World

__all__ = ["AutoScaling", "autoscaling"]


@dataclass(frozen=True)
class AutoScaling:
    """The parts of Application Auto Scaling.

    Attributes:
        targets: tells endpoints whether they are scaled, and is told when they are gone.
        policies: scaling policies.
        scheduled: scheduled actions.
    """

    targets: Targets
    policies: Policies
    scheduled: Scheduled

    @property
    def parts(self) -> list[Part]:
        """All of them."""
        return [self.targets, self.policies, self.scheduled]


def autoscaling(
    world: World, resources: ScalableResources, book: AlarmBook, actions: Actions
) -> AutoScaling:
    """Application Auto Scaling that scales some resources by the alarms of a book.

    Args:
        world: what all parts share.
        resources: whoever has capacity.
        book: keeps the alarms.
        actions: of the alarms; scaling policies are registered there.
    """
    registry = Registry(world.clock)
    scaler = Scaler(registry, resources, book, world.clock)
    actions.register("arn:aws:autoscaling:", scaler.act, repeats=True)
    targets = Targets(registry, scaler, resources, world.clock, world.tags)
    policies = Policies(registry, book, world.clock)
    scheduled = Scheduled(registry, scaler, world.timers)
    targets.on_removal += [policies.forget, scheduled.forget]
    return AutoScaling(targets, policies, scheduled)
