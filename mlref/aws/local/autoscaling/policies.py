"""Application Auto Scaling's operations on scaling policies.

A target tracking policy makes two alarms, which ask it to scale out and in; they are deleted with
it. A step scaling policy is named by alarms that somebody else makes.
"""

from __future__ import annotations

import uuid
from typing import Any

from mlref.aws.local.autoscaling.registry import Policy, Registry, Target
from mlref.aws.local.autoscaling.resources import Place, watched
from mlref.aws.local.autoscaling.stepping import Stepping, stepping_of
from mlref.aws.local.autoscaling.targets import page
from mlref.aws.local.autoscaling.tracking import DEFAULT_COOLDOWN_S, Tracking, Trigger
from mlref.aws.local.cloudwatch.book import AlarmBook
from mlref.aws.local.cloudwatch.watch import Watch
from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.services import Part, Request, Response, operation
from mlref.runtime.clock import Clock

__all__ = ["Policies"]

_TRACKING, _STEP = "TargetTrackingScaling", "StepScaling"
_MEMBERS = {
    _TRACKING: "TargetTrackingScalingPolicyConfiguration",
    _STEP: "StepScalingPolicyConfiguration",
}
_MOST = 50  # policies of a target
_PAGE = 10  # of them, at most; of all else there are more


class Policies(Part):
    """PutScalingPolicy and its like.

    Args:
        registry: keeps the policies.
        book: keeps their alarms.
        clock: tells the time.
    """

    def __init__(self, registry: Registry, book: AlarmBook, clock: Clock) -> None:
        self._registry = registry
        self._book = book
        self._clock = clock

    @operation
    def put_scaling_policy(self, request: Request) -> Response:
        """Make or change a policy.

        Raises:
            AwsError: there is no such target, or the policy makes no sense.
        """
        place, name = Place.of(request), request["PolicyName"]
        kind = _kind(request)
        with self._registry.lock:
            target = self._registry.get(place)
            old = target.policies.get(name)
            if old is not None and old.kind != kind:
                text = f"the policy {name} is a {old.kind} policy; delete it first"
                raise validation(text)
            if old is None and len(target.policies) >= _MOST:
                text = f"a scalable target has at most {_MOST} policies"
                raise AwsError("LimitExceededException", text)
            given = request[_MEMBERS[kind]]
            if kind == _TRACKING:
                policy = self._tracking(target, name, given, old)
            else:
                rule = stepping_of(given, DEFAULT_COOLDOWN_S)
                policy = self._policy(target, name, rule, given, old)
            target.policies[name] = policy
        return {"PolicyARN": policy.arn, "Alarms": self._alarms(policy)}

    @operation
    def describe_scaling_policies(self, request: Request) -> Response:
        """The policies that are asked for."""
        if "ScalableDimension" in request and "ResourceId" not in request:
            raise validation("a ScalableDimension needs a ResourceId; give both or neither")
        names = request.get("PolicyNames")
        found = [
            {
                "PolicyARN": policy.arn,
                "PolicyName": policy.name,
                **policy.place.told(),
                "PolicyType": policy.kind,
                _MEMBERS[policy.kind]: policy.given,
                "Alarms": self._alarms(policy),
                "CreationTime": policy.made,
            }
            for target in self._registry.all()
            for policy in target.policies.values()
            if request["ServiceNamespace"] == "sagemaker"
            and (names is None or policy.name in names or policy.arn in names)
            and request.get("ResourceId", policy.place.resource_id) == policy.place.resource_id
            and request.get("ScalableDimension", policy.place.dimension) == policy.place.dimension
        ]
        return page(found, request, into="ScalingPolicies", most=_PAGE)

    @operation
    def delete_scaling_policy(self, request: Request) -> Response:
        """Delete a policy, and the alarms that it has made.

        Raises:
            AwsError: there is no such policy.
        """
        target, name = self._registry.get(Place.of(request)), request["PolicyName"]
        if name not in target.policies:
            text = f"No scaling policy found for resource ID: {target.place.resource_id}"
            raise AwsError("ObjectNotFoundException", f"{text}, policy name: {name}")
        self._end(target.policies.pop(name))
        return {}

    def forget(self, target: Target) -> None:
        """Delete the policies of a target."""
        for policy in list(target.policies.values()):
            self._end(target.policies.pop(policy.name))

    def _end(self, policy: Policy) -> None:
        self._book.delete(policy.alarms)
        self._book.drop_action(policy.arn)

    def _policy(
        self, target: Target, name: str, rule: Tracking | Stepping, given: Any, old: Policy | None
    ) -> Policy:
        """A policy with a new rule; a running cooldown goes on."""
        if old is not None:
            old.rule, old.given = rule, given
            return old
        kind = _TRACKING if isinstance(rule, Tracking) else _STEP
        return Policy(name, target.place, kind, given, self._clock.now(), rule)

    def _tracking(self, target: Target, name: str, given: Any, old: Policy | None) -> Policy:
        """A target tracking policy, with its two alarms."""
        if given["TargetValue"] <= 0:
            raise validation(f"TargetValue must be more than 0, got {given['TargetValue']}")
        metric = watched(target.place, given)
        others = [each for each in target.policies.values() if each.name != name]
        for other in others:
            if other.kind == _TRACKING and watched(target.place, other.given) == metric:
                text = "Only one TargetTrackingScaling policy for a given metric specification"
                raise validation(f"{text} is allowed; {other.name} has the same one")
        rule = Tracking(
            target=given["TargetValue"],
            out_cooldown_s=_cooldown(given, "ScaleOutCooldown"),
            in_cooldown_s=_cooldown(given, "ScaleInCooldown"),
            scales_in=not given.get("DisableScaleIn", False),
            period_s=metric.get("Period", 60),
        )
        _require_watchable(metric, rule.high)
        policy = self._policy(target, name, rule, given, old)
        prefix = f"TargetTracking-{target.place.resource_id}"
        names = policy.alarms or tuple(
            f"{prefix}-{end}-{uuid.uuid4()}" for end in ("AlarmHigh", "AlarmLow")
        )
        triggers = ((rule.high, "GreaterThanThreshold"), (rule.low, "LessThanThreshold"))
        for alarm, (trigger, comparison) in zip(names, triggers, strict=True):
            self._put_alarm(alarm, policy, metric, trigger, comparison)
        policy.alarms = names
        return policy

    def _put_alarm(
        self, name: str, policy: Policy, metric: Any, trigger: Trigger, comparison: str
    ) -> None:
        self._book.put_metric(
            {
                "AlarmName": name,
                "AlarmDescription": (
                    f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}."
                ),
                "AlarmActions": [policy.arn],
                "EvaluationPeriods": trigger.periods,
                "Threshold": trigger.threshold,
                "ComparisonOperator": comparison,
                **metric,
            }
        )

    def _alarms(self, policy: Policy) -> list[dict[str, str]]:
        """The alarms that ask a policy."""
        return [
            {"AlarmName": alarm.name, "AlarmARN": alarm.arn}
            for alarm in self._book.all()
            if policy.arn in alarm.settings["AlarmActions"]
        ]


def _require_watchable(metric: Any, trigger: Trigger) -> None:
    """Refuse a metric on which no alarm can be made, before anything is changed."""
    sample = {"Threshold": trigger.threshold, "ComparisonOperator": "GreaterThanThreshold"}
    try:
        Watch({**metric, **sample, "EvaluationPeriods": trigger.periods})
    except AwsError as error:
        if error.code == "ValidationError":  # as CloudWatch calls it
            raise validation(error.message) from error
        raise


def _kind(request: Request) -> str:
    """The type of a policy: as named, or as its configuration tells."""
    if "PredictiveScalingPolicyConfiguration" in request:
        text = "the local AWS has no predictive scaling"
        raise AwsError("UnsupportedOperation", f"{text}; use {' or '.join(_MEMBERS)}")
    kinds = [kind for kind, member in _MEMBERS.items() if member in request]
    kind = request.get("PolicyType", kinds[0] if len(kinds) == 1 else _STEP)
    if kinds != [kind]:
        given = ", ".join(_MEMBERS[each] for each in kinds) or "none"
        wanted = _MEMBERS.get(kind, "another type")
        raise validation(f"a {kind} policy needs {wanted} and no other, got {given}")
    return str(kind)


def _cooldown(given: Any, member: str) -> float:
    seconds = given.get(member, DEFAULT_COOLDOWN_S)
    if seconds < 0:
        raise validation(f"{member} must be at least 0 seconds, got {seconds}")
    return float(seconds)
