"""What an alarm does when its state changes.

An action is named by its Amazon Resource Name. `Actions` knows by the beginning of it who acts: the
local AWS registers a publisher for topics of SNS and the policies of Application Auto Scaling.
Actions of other kinds are written into the alarm's history as not modelled:

    actions = Actions()
    actions.register("arn:aws:sns:", notify(topics))
    actions.register("arn:aws:autoscaling:", scaler.act, repeats=True)

An action of autoscaling is repeated at every evaluation as long as the alarm stays in its state;
one of SNS is not.

Source: Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mlref.aws.local.errors import AwsError
from mlref.aws.local.world import ACCOUNT

__all__ = ["Actions", "Change", "Notifier", "message", "notify"]

_REGION_NAME = "US East (N. Virginia)"


class Notifier(Protocol):
    """Who passes messages on: SNS."""

    def publish(self, topic: str, subject: str, text: str) -> None:
        """Send a message to all that listen to a topic.

        Args:
            topic: its Amazon Resource Name.
            subject: one line.
            text: the message.

        Raises:
            AwsError: there is no such topic.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of an alarm's state, or that the alarm is still in it.

    Attributes:
        alarm: as DescribeAlarms tells of it, in its new state.
        old: the state before.
        new: the state now.
        value: the most recent data point that counted; None if there is none.
        at: when it was seen.
    """

    alarm: Mapping[str, Any]
    old: str
    new: str
    value: float | None
    at: datetime


Act = Callable[[str, Change], object]


class Actions:
    """Who acts, by the beginning of an action's name."""

    def __init__(self) -> None:
        self._known: list[tuple[str, Act, bool]] = []

    def register(self, prefix: str, act: Act, *, repeats: bool = False) -> None:
        """Let a callable act.

        Args:
            prefix: with which the names of the actions begin, for instance "arn:aws:sns:".
            act: takes the name and the change; refuses as an `AwsError`.
            repeats: whether it is called at each evaluation in which the alarm stays as it is.
        """
        self._known.append((prefix, act, repeats))

    def repeats(self, action: str) -> bool:
        """Whether an action is repeated while the alarm stays in its state."""
        return any(again for prefix, _, again in self._known if action.startswith(prefix))

    def act(self, action: str, change: Change) -> str:
        """Act, and tell in a sentence what came of it."""
        for prefix, act, _ in self._known:
            if action.startswith(prefix):
                try:
                    act(action, change)
                except AwsError as error:
                    return f"Failed to execute action {action}. Received error: {error}"
                return f"Successfully executed action {action}"
        return f"Failed to execute action {action}. The local AWS does not model it"


def notify(notifier: Notifier) -> Act:
    """An action that sends what AWS sends to a topic."""

    def act(topic: str, change: Change) -> None:
        name = change.alarm["AlarmName"]
        subject = f'{change.new}: "{name}" in {_REGION_NAME}'
        notifier.publish(topic, subject, json.dumps(message(change)))

    return act


def message(change: Change) -> dict[str, Any]:
    """The content of a notification, with the fields that AWS's has."""
    alarm = change.alarm
    told = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _stamp(alarm["AlarmConfigurationUpdatedTimestamp"]),
        "NewStateValue": change.new,
        "NewStateReason": alarm["StateReason"],
        "StateChangeTime": _stamp(change.at),
        "Region": _REGION_NAME,
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": change.old,
        "OKActions": alarm.get("OKActions", []),
        "AlarmActions": alarm.get("AlarmActions", []),
        "InsufficientDataActions": alarm.get("InsufficientDataActions", []),
    }
    if "AlarmRule" in alarm:
        return {**told, "AlarmRule": alarm["AlarmRule"]}
    return {**told, "Trigger": _trigger(alarm)}


def _trigger(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """What the alarm watches."""
    trigger = {
        "Period": alarm.get("Period"),
        "EvaluationPeriods": alarm["EvaluationPeriods"],
        "DatapointsToAlarm": alarm.get("DatapointsToAlarm"),
        "ComparisonOperator": alarm["ComparisonOperator"],
        "Threshold": alarm["Threshold"],
        "TreatMissingData": alarm.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": alarm.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Metrics" in alarm:
        return {**trigger, "Metrics": alarm["Metrics"]}
    kind = "Statistic" if "Statistic" in alarm else "ExtendedStatistic"
    statistic = alarm[kind].upper() if kind == "Statistic" else alarm[kind]
    dimensions = [
        {"name": each["Name"], "value": each["Value"]} for each in alarm.get("Dimensions", ())
    ]
    return {
        "MetricName": alarm["MetricName"],
        "Namespace": alarm["Namespace"],
        "StatisticType": kind,
        kind: statistic,
        "Unit": alarm.get("Unit"),
        "Dimensions": dimensions,
        **trigger,
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
