"""What alarms do: who acts, what is told when it fails, and the message of a notification."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mlref.aws.local.cloudwatch.actions import Actions, Change, message, notify
from mlref.aws.local.errors import not_found

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
ALARM = {
    "AlarmName": "errors",
    "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors",
    "AlarmConfigurationUpdatedTimestamp": NOON,
    "StateReason": "Threshold Crossed",
    "AlarmActions": [TOPIC],
    "Namespace": "flights",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "EndpointName", "Value": "f"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0.0,
    "ComparisonOperator": "GreaterThanThreshold",
}
CHANGE = Change(alarm=ALARM, old="OK", new="ALARM", value=2.0, at=NOON)


class Topics:
    """Topics that remember what they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def publish(self, topic: str, subject: str, text: str) -> None:
        """Keep a message; one topic is not there."""
        if topic.endswith(":gone"):
            raise not_found("there is no such topic")
        self.told.append((topic, subject, text))


@pytest.fixture
def topics() -> Topics:
    """Empty."""
    return Topics()


@pytest.fixture
def actions(topics: Topics) -> Actions:
    """Topics and autoscaling are known."""
    known = Actions()
    known.register("arn:aws:sns:", notify(topics))
    known.register("arn:aws:autoscaling:", lambda *_: None, repeats=True)
    return known


def test_a_notification_has_the_fields_of_aws(actions: Actions, topics: Topics) -> None:
    """Those that programs behind a topic read."""
    assert actions.act(TOPIC, CHANGE) == f"Successfully executed action {TOPIC}"
    ((topic, subject, text),) = topics.told
    assert (topic, subject) == (TOPIC, 'ALARM: "errors" in US East (N. Virginia)')
    told = json.loads(text)
    assert told["NewStateValue"] == "ALARM"
    assert told["OldStateValue"] == "OK"
    assert told["StateChangeTime"] == "2013-06-01T12:00:00.000+0000"
    assert told["AWSAccountId"] == "123456789012"
    assert told["Trigger"]["Dimensions"] == [{"name": "EndpointName", "value": "f"}]
    assert (told["Trigger"]["Statistic"], told["Trigger"]["Threshold"]) == ("SUM", 0.0)


def test_what_fails_is_told(actions: Actions) -> None:
    """The alarm goes on; its history says what happened."""
    told = actions.act("arn:aws:sns:us-east-1:123456789012:gone", CHANGE)
    assert told.startswith("Failed to execute action")
    assert "there is no such topic" in told


def test_other_actions_are_not_modelled(actions: Actions) -> None:
    """And nobody thinks that they ran."""
    told = actions.act("arn:aws:automate:us-east-1:ec2:stop", CHANGE)
    assert told.endswith("arn:aws:automate:us-east-1:ec2:stop. The local AWS does not model it")


def test_actions_of_autoscaling_are_repeated(actions: Actions) -> None:
    """Those of topics are not."""
    assert actions.repeats("arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:x")
    assert not actions.repeats(TOPIC)


def test_the_message_of_a_composite_alarm_has_its_rule() -> None:
    """It has no trigger."""
    kept = ("AlarmName", "AlarmArn", "AlarmConfigurationUpdatedTimestamp", "StateReason")
    alarm = {**{name: ALARM[name] for name in kept}, "AlarmRule": "ALARM(errors)"}
    told = message(Change(alarm=alarm, old="OK", new="ALARM", value=None, at=NOON))
    assert told["AlarmRule"] == "ALARM(errors)"
    assert "Trigger" not in told
