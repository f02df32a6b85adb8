"""Capacity follows a load: each figure is computed by hand from the rules that AWS documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.scaling import NAMED, START, Stage

HIGH, LOW = 0, 1  # of a policy's alarms


def _causes(stage: Stage) -> list[tuple[float, str, str]]:
    """Minutes since the start, description, status."""
    return [
        ((a["StartTime"] - START).total_seconds() / 60, a["Description"], a["StatusCode"])
        for a in stage.activities()
    ]


def test_a_load_profile(stage: Stage) -> None:
    """Out after 3 minutes above 100 per instance, in after 15 minutes below 90.

    250 requests a minute on one instance are 2.5 times the target: 3 instances, with 83 each. That
    is below 90, and so are the minutes with 20 requests: 15 of them are minutes 4 to 18. One
    instance is enough for 20.
    """
    stage.register(1, 4)
    stage.track(100)
    assert stage.minutes(250, 250, 250) == [1, 1, 3]
    assert stage.minutes(250, *[20] * 13) == [3] * 14
    assert stage.minutes(20) == [1]
    assert _causes(stage) == [
        (3, "Setting desired instance count to 3.", "Successful"),
        (18, "Setting desired instance count to 1.", "Successful"),
    ]


def test_activities_say_what_aws_says(stage: Stage) -> None:
    """The alarm, the policy, and what came of it."""
    stage.register()
    names = [alarm["AlarmName"] for alarm in stage.track()["Alarms"]]
    stage.minutes(250, 250, 250)
    (activity,) = stage.activities()
    cause = f"monitor alarm {names[HIGH]} in state ALARM triggered policy keep"
    assert activity["Cause"] == cause
    assert activity["StatusMessage"] == (
        "Successfully set desired instance count to 3. Change successfully fulfilled by sagemaker."
    )
    assert {name: activity[name] for name in NAMED} == NAMED


def test_at_the_target_nothing_happens(stage: Stage) -> None:
    """100 is not above it; 91 is not below 90 %."""
    stage.register()
    stage.track(100)
    assert stage.minutes(*[100] * 5, *[91] * 20) == [1] * 25
    assert stage.activities() == []


def test_two_high_minutes_are_not_enough(stage: Stage) -> None:
    """Nor are three that do not follow each other."""
    stage.register()
    stage.track(100)
    assert stage.minutes(900, 900, 50, 900, 900, 50) == [1] * 6


def test_without_requests_there_is_no_data_and_no_scaling_in(stage: Stage) -> None:
    """AlarmLow goes to INSUFFICIENT_DATA: the well-known trap of this metric."""
    stage.register()
    low = stage.track(100)["Alarms"][LOW]["AlarmName"]
    assert stage.minutes(250, 250, 250)[-1] == 3
    assert stage.minutes(*[0] * 60) == [3] * 60
    assert stage.book.state_of(low) == "INSUFFICIENT_DATA"


def test_the_maximum_bounds_it_and_is_told(stage: Stage) -> None:
    """1000 requests need 10 instances; 4 are allowed. Why no more are added is told once."""
    stage.register(1, 4)
    stage.track(100)
    assert stage.minutes(*[1000] * 8) == [1, 1, 4, 4, 4, 4, 4, 4]
    assert len(stage.activities()) == 1
    told = stage.activities(IncludeNotScaledActivities=True)
    reason = {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 4, "CurrentCapacity": 4}
    assert [each.get("NotScaledReasons") for each in told] == [None, [reason]]
    assert (told[1]["StatusCode"], told[1]["Description"]) == (
        "Failed",
        "Attempting to scale due to alarm triggered",
    )


def test_the_minimum_bounds_it(stage: Stage) -> None:
    """10 requests on 3 instances would need one; 2 must stay."""
    stage.variants.counts[NAMED["ResourceId"]] = 3
    stage.register(2, 4)
    stage.track(100)
    assert stage.minutes(*[10] * 16) == [*[3] * 14, 2, 2]


def test_in_the_cooldown_a_scale_out_waits(stage: Stage) -> None:
    """1 to 3 at minute 3. 700 requests on 3 are 233 each.

    Counted from 1 that is 3 again, until the cooldown ends at minute 8: 3 * 2.33 = 7.
    """
    stage.register()
    stage.track(100)
    assert stage.minutes(250, 250, 250) == [1, 1, 3]
    assert stage.minutes(700, 700, 700, 700, 700) == [3, 3, 3, 3, 7]


def test_a_larger_scale_out_does_not_wait(stage: Stage) -> None:
    """1500 requests on 3 are 500 each: counted from 1 that is 5, which is more than 3."""
    stage.register()
    stage.track(100)
    assert stage.minutes(250, 250, 250, 1500) == [1, 1, 3, 5]


def test_cooldowns_can_be_chosen(stage: Stage) -> None:
    """With none, each minute counts from the present capacity."""
    stage.register(1, 20)
    stage.track(100, ScaleOutCooldown=0)
    assert stage.minutes(250, 250, 250, 700) == [1, 1, 3, 7]


def test_in_the_cooldown_a_scale_in_waits(stage: Stage) -> None:
    """500 requests on 10 are 50 each: 5 at minute 15. 100 on 5 are 20 each: 1 is enough.

    The last 15 minutes are below 90 all the time; the cooldown ends at minute 20.
    """
    stage.variants.counts[NAMED["ResourceId"]] = 10
    stage.register()
    stage.track(100)
    assert stage.minutes(*[500] * 15) == [*[10] * 14, 5]
    assert stage.minutes(*[100] * 5) == [5, 5, 5, 5, 1]


def test_a_scale_out_ends_the_cooldown_of_a_scale_in(stage: Stage) -> None:
    """And does not wait for it: out at minute 18, in again at 33, though an hour was wanted."""
    stage.variants.counts[NAMED["ResourceId"]] = 10
    stage.register()
    stage.track(100, ScaleInCooldown=3600)
    assert stage.minutes(*[500] * 15)[-1] == 5
    assert stage.minutes(900, 900, 900) == [5, 5, 9]
    assert stage.minutes(*[10] * 15) == [*[9] * 14, 1]


def test_scaling_in_can_be_disabled(stage: Stage) -> None:
    """Then the policy only adds."""
    stage.register()
    stage.track(100, DisableScaleIn=True)
    assert stage.minutes(250, 250, 250, *[10] * 30) == [1, 1, *[3] * 31]


@pytest.mark.parametrize(
    ("member", "expected"),
    [("DynamicScalingOutSuspended", [1, 1, 1, 1]), ("DynamicScalingInSuspended", [1, 1, 3, 3])],
)
def test_scaling_can_be_suspended(stage: Stage, member: str, expected: list[int]) -> None:
    """And resumed: what is still in breach is then acted on."""
    stage.register(SuspendedState={member: True})
    stage.track(100)
    assert stage.minutes(250, 250, 250, 250) == expected
    stage.minutes(*[20] * 15)
    stage.register(SuspendedState={member: False})
    assert stage.minutes(20) == [1]


def test_with_two_policies_the_one_that_needs_more_decides(stage: Stage) -> None:
    """Out if one asks for it; in only if both do, and then to the larger of the two.

    20 requests need one instance of 3. 45 jobs on each of 3 with a target of 60 need 3 * 45 / 60 =
    2.25: 3. When there are 15 on each, 0.75 would be enough: one.
    """
    stage.register()
    stage.track(100)
    metric = {"MetricName": "Jobs", "Namespace": "flights", "Statistic": "Average"}
    stage.track(60, "jobs", CustomizedMetricSpecification=metric)

    def minutes(count: int, requests: int, jobs: float) -> list[int]:
        found = []
        for _ in range(count):
            stage.store.put("flights", "Jobs", {}, {jobs: 1}, unit="None")
            found.append(stage.minute(requests))
        return found

    assert minutes(3, 250, 60)[-1] == 3
    assert minutes(20, 20, 60) == [3] * 20
    assert minutes(20, 20, 45) == [3] * 20
    assert minutes(2, 20, 15) == [1, 1]


def test_policies_of_the_same_moment_count_from_the_same_capacity(stage: Stage) -> None:
    """One asks for 3 and the other for 2 times 2: it is 4, not 3 times 2."""
    stage.register()
    stage.track(100)
    metric = {"MetricName": "Jobs", "Namespace": "flights", "Statistic": "Average"}
    stage.track(60, "jobs", CustomizedMetricSpecification=metric)
    for _ in range(3):
        stage.store.put("flights", "Jobs", {}, {240.0: 1}, unit="None")
        stage.minute(250)
    assert stage.capacity == 4


def _step_alarm(stage: Stage, policy: str, **more: Any) -> None:
    dimensions = [
        {"Name": "EndpointName", "Value": "flights"}, {"Name": "VariantName", "Value": "blue"},
    ]  # fmt: skip
    stage.alarms.put_metric_alarm(
        AlarmName="mine", Namespace="AWS/SageMaker", MetricName="InvocationsPerInstance",
        Dimensions=dimensions, Statistic="Sum", Period=60, EvaluationPeriods=1,
        AlarmActions=[policy],
        **{"Threshold": 100.0, "ComparisonOperator": "GreaterThanThreshold", **more},
    )  # fmt: skip


def _steps(stage: Stage, *steps: tuple[float | None, float | None, int], **more: Any) -> str:
    names = ("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment")
    listed = [
        {name: value for name, value in zip(names, step, strict=True) if value is not None}
        for step in steps
    ]
    given = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": listed, **more}
    arn: str = stage.asked.put_scaling_policy(
        **NAMED, PolicyName="steps", StepScalingPolicyConfiguration=given
    )["PolicyARN"]
    return arn


def test_steps_follow_an_alarm_of_ones_own(stage: Stage) -> None:
    """150 is 50 above the threshold: one more. In the cooldown the step of 3 counts from 1: 4."""
    stage.register()
    _step_alarm(stage, _steps(stage, (0.0, 100.0, 1), (100.0, None, 3), Cooldown=180))
    assert stage.minutes(150) == [2]
    assert stage.minutes(300) == [2]  # 150 each: the same step again, in the cooldown
    assert stage.minutes(500) == [4]  # 250 each: the step of 3, counted from 1
    assert stage.minutes(1000, 1000) == [4, 4]  # 250 each: the cooldown began anew at minute 3
    assert stage.minutes(1000) == [7]  # at minute 6 it is over: 3 more than 4


def test_a_larger_step_in_the_cooldown_counts_from_the_beginning(stage: Stage) -> None:
    """The guide's example: a step of 2, then one of 3 in its cooldown, adds 1 more."""
    stage.variants.counts[NAMED["ResourceId"]] = 3
    stage.register()
    _step_alarm(stage, _steps(stage, (0.0, 100.0, 2), (100.0, None, 3)))
    assert stage.minutes(450) == [5]  # 150 each: the step of 2
    assert stage.minutes(1250) == [6]  # 250 each: the step of 3 from 3 on


def test_steps_take_away_with_a_cooldown(stage: Stage) -> None:
    """One at a time: the next after 120 seconds."""
    stage.variants.counts[NAMED["ResourceId"]] = 5
    stage.register()
    arn = _steps(stage, (None, 0.0, -1), Cooldown=120)
    _step_alarm(stage, arn, ComparisonOperator="LessThanThreshold")
    assert stage.minutes(10, 10, 10, 10) == [4, 4, 3, 3]


def test_an_alarm_that_is_set_by_hand_needs_data(stage: Stage) -> None:
    """SetAlarmState scales with StateReasonData, and tells when there is none."""
    stage.register()
    high = stage.track(100)["Alarms"][HIGH]["AlarmName"]
    state = {"AlarmName": high, "StateValue": "ALARM", "StateReason": "a test"}
    stage.alarms.set_alarm_state(**state)
    assert stage.capacity == 1
    (item,) = stage.alarms.describe_alarm_history(HistoryItemType="Action")["AlarmHistoryItems"]
    assert "the alarm tells no data point" in item["HistorySummary"] + item["HistoryData"]
    stage.alarms.set_alarm_state(**{**state, "StateValue": "OK"})
    data = json.dumps({"recentDatapoints": [500.0]})
    stage.alarms.set_alarm_state(**state, StateReasonData=data)
    assert stage.capacity == 5


def test_a_change_that_fails_is_told(stage: Stage) -> None:
    """And tried again at the next evaluation, without a cooldown."""
    stage.register()
    stage.track(100)
    stage.variants.fails = True
    assert stage.minutes(250, 250, 250) == [1, 1, 1]
    (activity,) = stage.activities()
    assert (activity["StatusCode"], activity["StatusMessage"]) == (
        "Failed",
        "Failed to set desired instance count to 3. Reason: the endpoint is being updated",
    )
    stage.variants.fails = False
    assert stage.minutes(250) == [3]
