"""What Application Auto Scaling knows: targets, policies, scheduled actions, and what was done."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mlref.aws.local.autoscaling.resources import Place
from mlref.aws.local.autoscaling.schedules import Schedule
from mlref.aws.local.autoscaling.stepping import Stepping
from mlref.aws.local.autoscaling.tracking import Tracking
from mlref.aws.local.errors import AwsError
from mlref.aws.local.timers import Timer
from mlref.aws.local.world import arn
from mlref.runtime.clock import Clock

__all__ = ["Action", "Policy", "Registry", "Target"]

_KEPT = timedelta(weeks=6)
_MOST = 10_000


@dataclass(eq=False)
class Policy:
    """A scaling policy.

    Attributes:
        name: of the policy.
        place: what it scales.
        kind: "TargetTrackingScaling" or "StepScaling".
        given: its configuration as it was put.
        made: when.
        rule: what it computes.
        alarms: of target tracking: the names of AlarmHigh and AlarmLow.
        identity: part of its Amazon Resource Name.
        low_seen: when AlarmLow last asked, and with which value of the metric.
        base: the capacity before the scale-out whose cooldown runs.
        out_until: when that cooldown ends.
    """

    name: str
    place: Place
    kind: str
    given: Mapping[str, Any]
    made: datetime
    rule: Tracking | Stepping
    alarms: tuple[str, ...] = ()
    identity: str = field(default_factory=lambda: str(uuid.uuid4()))
    low_seen: tuple[datetime, float] | None = None
    base: int | None = None
    out_until: datetime | None = None

    @property
    def arn(self) -> str:
        """Its Amazon Resource Name."""
        resource = f"resource/sagemaker/{self.place.resource_id}:policyName/{self.name}"
        return arn("autoscaling", f"scalingPolicy:{self.identity}:{resource}")


@dataclass(eq=False)
class Action:
    """A scheduled action.

    Attributes:
        name: of the action.
        place: what it scales.
        schedule: when.
        settings: the members that DescribeScheduledActions tells again.
        made: when.
        identity: part of its Amazon Resource Name.
        timer: of the next time.
    """

    name: str
    place: Place
    schedule: Schedule
    settings: Mapping[str, Any]
    made: datetime
    identity: str = field(default_factory=lambda: str(uuid.uuid4()))
    timer: Timer | None = None

    @property
    def arn(self) -> str:
        """Its Amazon Resource Name."""
        resource = f"resource/sagemaker/{self.place.resource_id}:scheduledActionName/{self.name}"
        return arn("autoscaling", f"scheduledAction:{self.identity}:{resource}")


@dataclass(eq=False)
class Target:
    """A scalable target.

    Attributes:
        place: what is scaled.
        least: MinCapacity.
        most: MaxCapacity.
        made: when it was registered.
        suspended: SuspendedState.
        policies: by name.
        actions: by name.
        in_until: when the cooldown of the last scale-in ends.
        before: the capacity before the first change of this moment, and the moment.
        identity: part of its Amazon Resource Name.
    """

    place: Place
    least: int
    most: int
    made: datetime
    suspended: dict[str, bool]
    policies: dict[str, Policy] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    in_until: datetime | None = None
    before: tuple[datetime, int] | None = None
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def arn(self) -> str:
        """Its Amazon Resource Name."""
        return arn("application-autoscaling", f"scalable-target/{self.identity}")


class Registry:
    """All targets, and what was done with them.

    Args:
        clock: tells the time.

    Attributes:
        lock: held by whoever changes what is in here.
    """

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.RLock()
        self._clock = clock
        self._targets: dict[Place, Target] = {}
        self._done: deque[dict[str, Any]] = deque(maxlen=_MOST)

    def add(self, target: Target) -> None:
        """Keep a new target."""
        with self.lock:
            self._targets[target.place] = target

    def remove(self, target: Target) -> None:
        """Forget a target."""
        with self.lock:
            self._targets.pop(target.place, None)

    def find(self, place: Place) -> Target | None:
        """The target of a place, if it is registered."""
        with self.lock:
            return self._targets.get(place)

    def get(self, place: Place) -> Target:
        """The target of a place.

        Raises:
            AwsError: it is not registered.
        """
        found = self.find(place)
        if found is None:
            text = "No scalable target registered for service namespace: sagemaker, resource ID: "
            text += f"{place.resource_id}, scalable dimension: {place.dimension}"
            raise AwsError("ObjectNotFoundException", text)
        return found

    def all(self) -> list[Target]:
        """The targets, in the order of their places."""
        with self.lock:
            return [self._targets[place] for place in sorted(self._targets)]

    def policy(self, arn: str) -> tuple[Target, Policy] | None:
        """A policy by its Amazon Resource Name, and its target."""
        for target in self.all():
            for policy in list(target.policies.values()):
                if policy.arn == arn:
                    return target, policy
        return None

    def note(
        self,
        place: Place,
        cause: str,
        description: str,
        status: str,
        message: str = "",
        **more: Any,
    ) -> None:
        """Keep what was done, or why it was not.

        Args:
            place: what was scaled.
            cause: why.
            description: what was to be done.
            status: "Successful" or "Failed".
            message: what came of it.
            **more: other members of a ScalingActivity.
        """
        now = self._clock.now()
        told = {"StatusMessage": message} if message else {}
        activity = {
            "ActivityId": str(uuid.uuid4()),
            **place.told(),
            "Description": description,
            "Cause": cause,
            "StartTime": now,
            "EndTime": now,
            "StatusCode": status,
            **told,
            **more,
        }
        with self.lock:
            self._done.append(activity)

    def done(self) -> list[dict[str, Any]]:
        """What was done in the last six weeks, the latest first."""
        with self.lock:
            since = self._clock.now() - _KEPT
            return [each for each in reversed(self._done) if each["StartTime"] >= since]
