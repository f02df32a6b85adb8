"""Capacity is changed: because an alarm went off, because it is time, or because it must.

An alarm of CloudWatch asks its policy at every evaluation as long as it is in ALARM (`act`). The
policy computes a capacity, and the scalable target bounds it:

* it lies between MinCapacity and MaxCapacity;
* scaling out counts, in the cooldown of an earlier scale-out, from where that one began;
* scaling in waits for the cooldown of the last scale-in, which a scale-out ends;
* with several target tracking policies, capacity is taken away only if all that may do so ask for
  it, and then as much as the least of them.

Source: Application Auto Scaling User Guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mlref.aws.local.autoscaling.registry import Policy, Registry, Target
from mlref.aws.local.autoscaling.resources import ScalableResources
from mlref.aws.local.autoscaling.stepping import Stepping
from mlref.aws.local.autoscaling.tracking import Tracking, scale_in, scale_out
from mlref.aws.local.cloudwatch.actions import Change
from mlref.aws.local.cloudwatch.book import AlarmBook
from mlref.aws.local.cloudwatch.evaluation import ALARM
from mlref.aws.local.errors import AwsError, validation
from mlref.runtime.clock import Clock

__all__ = ["Scaler"]

_RECENT = timedelta(minutes=1)  # an alarm asks at least as often


class Scaler:
    """Changes the capacity of scalable targets.

    Args:
        registry: has them.
        resources: have the capacity.
        book: has the alarms.
        clock: tells the time.
    """

    def __init__(
        self, registry: Registry, resources: ScalableResources, book: AlarmBook, clock: Clock
    ) -> None:
        self._registry = registry
        self._resources = resources
        self._book = book
        self._clock = clock

    def act(self, policy_arn: str, change: Change) -> None:
        """What an alarm's action does; see `mlref.aws.local.cloudwatch.actions.Actions`.

        Raises:
            AwsError: there is no such policy, or the alarm tells no value.
        """
        found = self._registry.policy(policy_arn)
        if found is None:
            raise AwsError("ObjectNotFoundException", f"there is no scaling policy {policy_arn}")
        if change.value is None:
            raise validation("the alarm tells no data point; give StateReasonData with some")
        target, policy = found
        name, value = str(change.alarm["AlarmName"]), change.value
        cause = f"monitor alarm {name} in state {change.new} triggered policy {policy.name}"
        with self._registry.lock:
            if isinstance(policy.rule, Tracking):
                self._track(
                    target, policy, policy.rule, value, cause, low=name in policy.alarms[1:]
                )
            else:
                beyond = value - float(change.alarm["Threshold"])
                self._step(target, policy, policy.rule, beyond, cause)

    def fit(self, target: Target) -> None:
        """Bring the capacity between the bounds of a target, if it is not."""
        with self._registry.lock:
            now = self._capacity(target)
            if now < target.least:
                told = f"minimum capacity was set to {target.least}"
                self._set(target, target.least, told)
            elif now > target.most:
                self._set(target, target.most, f"maximum capacity was set to {target.most}")

    def schedule(self, target: Target, name: str, bounds: Mapping[str, int]) -> None:
        """Do what a scheduled action says.

        Args:
            target: of the action.
            name: of the action.
            bounds: its ScalableTargetAction.
        """
        with self._registry.lock:
            if target.suspended["ScheduledScalingSuspended"]:
                return
            target.least = bounds.get(
                "MinCapacity", min(target.least, bounds.get("MaxCapacity", 0))
            )
            target.most = bounds.get("MaxCapacity", max(target.most, target.least))
            told = {"MinCapacity": "min capacity", "MaxCapacity": "max capacity"}
            what = " and ".join(
                f"{told[member]} to {bounds[member]}" for member in told if member in bounds
            )
            cause = f"scheduled action name {name} was triggered"
            done = f"Successfully set {what}"
            self._registry.note(target.place, cause, f"Setting {what}", "Successful", done)
        try:
            self.fit(target)
        except AwsError as error:
            self._registry.note(target.place, cause, "Setting capacity", "Failed", error.message)

    def _track(
        self, target: Target, policy: Policy, rule: Tracking, value: float, cause: str, *, low: bool
    ) -> None:
        """Target tracking: above the target, or far below it."""
        now = self._capacity(target)
        if not low:
            base = self._base(target, policy)
            wanted = scale_out(now, value=value, target=rule.target, base=base)
            self._out(target, policy, wanted, rule.out_cooldown_s, cause)
            return
        moment = self._clock.now()
        policy.low_seen = moment, value
        proposals = []
        for each in target.policies.values():
            if not isinstance(each.rule, Tracking) or not each.rule.scales_in:
                continue
            asks = self._book.state_of(each.alarms[1]) == ALARM and each.low_seen is not None
            if not asks or each.low_seen is None or moment - each.low_seen[0] > _RECENT:
                return  # another policy still needs the capacity, or has not been asked yet
            value = each.low_seen[1]
            proposals.append(scale_in(now, value=value, target=each.rule.target))
        if rule.scales_in:
            self._in(target, max(proposals), rule.in_cooldown_s, cause)

    def _step(
        self, target: Target, policy: Policy, rule: Stepping, beyond: float, cause: str
    ) -> None:
        """Step scaling: by how far the metric is beyond the threshold."""
        now = self._capacity(target)
        wanted = rule.capacity(now, beyond=beyond)
        base = self._base(target, policy)
        if wanted >= now:
            if base is not None and rule.kind != "ExactCapacity":
                wanted = max(rule.capacity(base, beyond=beyond), now)
            self._out(target, policy, wanted, rule.cooldown_s, cause)
        else:
            self._in(target, wanted, rule.cooldown_s, cause)

    def _base(self, target: Target, policy: Policy) -> int | None:
        """From which capacity a scale-out counts, if not from the present one.

        Policies that are asked at the same moment all count from the capacity before it.
        """
        now = self._clock.now()
        if policy.out_until is not None and now < policy.out_until:
            return policy.base
        if target.before is not None and target.before[0] == now:
            return target.before[1]
        return None

    def _out(
        self, target: Target, policy: Policy, wanted: int, cooldown_s: float, cause: str
    ) -> None:
        """Add capacity, as far as it may be."""
        if target.suspended["DynamicScalingOutSuspended"]:
            return
        capacity, now = self._capacity(target), self._clock.now()
        bounded = max(min(wanted, target.most), target.least)
        if bounded <= capacity:
            if wanted > capacity:
                limit = {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": target.most}
                self._not_scaled(target, cause, {**limit, "CurrentCapacity": capacity})
            return
        running = policy.out_until is not None and now < policy.out_until
        base = policy.base if running else capacity
        if self._set(target, bounded, cause):
            policy.base, policy.out_until = base, now + timedelta(seconds=cooldown_s)
            target.in_until = None  # a scale-out ends the cooldown of a scale-in

    def _in(self, target: Target, wanted: int, cooldown_s: float, cause: str) -> None:
        """Take capacity away, as far as it may be."""
        if target.suspended["DynamicScalingInSuspended"]:
            return
        capacity, now = self._capacity(target), self._clock.now()
        if target.in_until is not None and now < target.in_until:
            return
        if target.before is not None and target.before[0] == now and target.before[1] < capacity:
            return  # another policy has just added some
        bounded = min(max(wanted, target.least), target.most)
        if bounded < capacity:
            if self._set(target, bounded, cause):
                target.in_until = now + timedelta(seconds=cooldown_s)
        elif wanted < capacity:
            limit = {"Code": "AlreadyAtMinCapacity", "MinCapacity": target.least}
            self._not_scaled(target, cause, {**limit, "CurrentCapacity": capacity})
        else:
            same = {"Code": "AlreadyAtDesiredCapacity", "CurrentCapacity": capacity}
            self._not_scaled(target, cause, same)

    def _capacity(self, target: Target) -> int:
        return self._resources.get(target.place.resource_id, target.place.dimension)

    def _set(self, target: Target, capacity: int, cause: str) -> bool:
        """Change the capacity, and keep what came of it; whether it worked."""
        place, before = target.place, self._capacity(target)
        description = f"Setting {place.words} to {capacity}."
        try:
            self._resources.set(place.resource_id, place.dimension, capacity)
        except AwsError as error:
            message = f"Failed to set {place.words} to {capacity}. Reason: {error.message}"
            self._registry.note(place, cause, description, "Failed", message)
            return False
        message = f"Successfully set {place.words} to {capacity}."
        message += " Change successfully fulfilled by sagemaker."
        self._registry.note(place, cause, description, "Successful", message)
        moment: datetime = self._clock.now()
        if target.before is None or target.before[0] != moment:
            target.before = (moment, before)
        return True

    def _not_scaled(self, target: Target, cause: str, reason: Mapping[str, Any]) -> None:
        """Keep why nothing was done, once for as long as it stays so."""
        place = target.place
        done = self._registry.done()
        latest = next((each for each in done if each["ResourceId"] == place.resource_id), {})
        if latest.get("Cause") == cause and latest.get("NotScaledReasons") == [reason]:
            return
        described = "Attempting to scale due to alarm triggered"
        self._registry.note(place, cause, described, "Failed", NotScaledReasons=[reason])
