"""Scaling policies and their alarms, as a client calls them."""

from __future__ import annotations

from typing import Any

import pytest
from support.scaling import NAMED, START, Stage

from mlref.aws.local.errors import AwsError

PREDEFINED = {
    "PredefinedMetricSpecification": {
        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
    }
}
MEMBER = "TargetTrackingScalingPolicyConfiguration"


def _refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        call(**request)
    return caught.value.code, caught.value.message


def test_target_tracking_makes_two_alarms(stage: Stage) -> None:
    """Named as AWS names them, above the target and below 90 % of it."""
    stage.register()
    response = stage.track(100)
    prefix = "TargetTracking-endpoint/flights/variant/blue-"
    high, low = stage.alarms.describe_alarms()["MetricAlarms"]
    assert [each["AlarmName"] for each in response["Alarms"]] == [
        high["AlarmName"],
        low["AlarmName"],
    ]
    assert high["AlarmName"].startswith(f"{prefix}AlarmHigh-")
    assert low["AlarmName"].startswith(f"{prefix}AlarmLow-")
    same = {
        "Namespace": "AWS/SageMaker", "MetricName": "InvocationsPerInstance", "Statistic": "Sum",
        "Period": 60, "AlarmActions": [response["PolicyARN"]],
        "Dimensions": [{"Name": "EndpointName", "Value": "flights"},
                       {"Name": "VariantName", "Value": "blue"}],
    }  # fmt: skip
    for alarm, periods, threshold, comparison in (
        (high, 3, 100, "GreaterThanThreshold"),
        (low, 15, 90, "LessThanThreshold"),
    ):
        assert {name: alarm[name] for name in same} == same
        found = (alarm["EvaluationPeriods"], alarm["Threshold"], alarm["ComparisonOperator"])
        assert found == (periods, threshold, comparison)
        assert alarm["AlarmDescription"].startswith("DO NOT EDIT OR DELETE.")


def test_a_policy_is_described_as_it_was_put(stage: Stage) -> None:
    """With its ARN, type, alarms and time."""
    stage.register()
    response = stage.track(100, ScaleInCooldown=60)
    (policy,) = stage.asked.describe_scaling_policies(ServiceNamespace="sagemaker")[
        "ScalingPolicies"
    ]
    assert policy == {
        **NAMED, "PolicyName": "keep", "PolicyType": "TargetTrackingScaling", "CreationTime": START,
        "PolicyARN": response["PolicyARN"], "Alarms": response["Alarms"],
        MEMBER: {"TargetValue": 100.0, **PREDEFINED, "ScaleInCooldown": 60},
    }  # fmt: skip
    assert response["PolicyARN"].startswith(
        "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:"
    )
    resource = "resource/sagemaker/endpoint/flights/variant/blue:policyName/keep"
    assert response["PolicyARN"].endswith(resource)


def test_policies_are_listed_ten_at_a_time(stage: Stage) -> None:
    """And more cannot be asked for, unlike with the other lists."""
    stage.register()
    steps = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
    for number in range(11):
        stage.asked.put_scaling_policy(
            **NAMED, PolicyName=f"p{number}", StepScalingPolicyConfiguration=steps
        )
    describe, named = stage.asked.describe_scaling_policies, {"ServiceNamespace": "sagemaker"}
    first = describe(**named)
    second = describe(**named, NextToken=first["NextToken"])
    assert [len(each["ScalingPolicies"]) for each in (first, second)] == [10, 1]
    code, message = _refused(describe, **named, MaxResults=11)
    assert (code, message) == ("ValidationException", "MaxResults is from 1 to 10, got 11")


def test_an_update_keeps_the_policy_and_its_alarms(stage: Stage) -> None:
    """With the new target."""
    stage.register()
    first = stage.track(100)
    assert stage.track(50) == first
    high, low = stage.alarms.describe_alarms()["MetricAlarms"]
    assert (high["Threshold"], low["Threshold"]) == (50, 45)


def test_deleting_a_policy_deletes_its_alarms(stage: Stage) -> None:
    """An alarm of one's own stays, without the action."""
    stage.register()
    stage.track(100)
    steps = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
    arn = stage.asked.put_scaling_policy(
        **NAMED, PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=steps
    )["PolicyARN"]
    topic = "arn:aws:sns:us-east-1:123456789012:t"
    stage.alarms.put_metric_alarm(
        AlarmName="mine", Namespace="n", MetricName="m", Statistic="Sum", Period=60, Threshold=1.0,
        EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn, topic],
    )  # fmt: skip
    service = {"ServiceNamespace": "sagemaker", "PolicyNames": ["steps"]}
    (policy,) = stage.asked.describe_scaling_policies(**service)["ScalingPolicies"]
    assert [alarm["AlarmName"] for alarm in policy["Alarms"]] == ["mine"]
    for name in ("keep", "steps"):
        stage.asked.delete_scaling_policy(**NAMED, PolicyName=name)
    (alarm,) = stage.alarms.describe_alarms()["MetricAlarms"]
    assert (alarm["AlarmName"], alarm["AlarmActions"]) == ("mine", [topic])
    code, _ = _refused(stage.asked.delete_scaling_policy, **NAMED, PolicyName="keep")
    assert code == "ObjectNotFoundException"


def test_a_policy_needs_a_target(stage: Stage) -> None:
    """In AWS's words, which other programs look for."""
    given = {"TargetValue": 1.0, **PREDEFINED}
    request = {**NAMED, "PolicyName": "p", "PolicyType": "TargetTrackingScaling", MEMBER: given}
    code, message = _refused(stage.asked.put_scaling_policy, **request)
    assert code == "ObjectNotFoundException"
    assert message == (
        "No scalable target registered for service namespace: sagemaker, resource ID: "
        "endpoint/flights/variant/blue, scalable dimension: sagemaker:variant:DesiredInstanceCount"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"TargetValue": 0.0, **PREDEFINED}, "TargetValue must be more than 0, got 0"),
        ({"TargetValue": 1.0}, "exactly one of PredefinedMetricSpecification"),
        ({"TargetValue": 1.0, **PREDEFINED, "CustomizedMetricSpecification": {"MetricName": "m"}},
         "exactly one of PredefinedMetricSpecification"),
        ({"TargetValue": 1.0, "CustomizedMetricSpecification": {"MetricName": "m"}},
         "lacks Namespace, Statistic"),
        ({"TargetValue": 1.0, "PredefinedMetricSpecification":
          {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}},
         "are SageMakerVariantInvocationsPerInstance, SageMakerVariantConcurrentRequests"),
        ({"TargetValue": 1.0, **PREDEFINED, "ScaleInCooldown": -1}, "at least 0 seconds"),
    ],
)  # fmt: skip
def test_target_tracking_that_is_refused(stage: Stage, given: dict[str, Any], told: str) -> None:
    """As a ValidationException; no alarm is made."""
    stage.register()
    request = {**NAMED, "PolicyName": "p", "PolicyType": "TargetTrackingScaling", MEMBER: given}
    code, message = _refused(stage.asked.put_scaling_policy, **request)
    assert (code, told in message) == ("ValidationException", True)
    assert stage.book.all() == []


def test_a_metric_has_one_target_tracking_policy(stage: Stage) -> None:
    """Two would work against each other."""
    stage.register()
    stage.track(100)
    given = {"TargetValue": 50.0, **PREDEFINED}
    request = {**NAMED, "PolicyName": "p", "PolicyType": "TargetTrackingScaling", MEMBER: given}
    code, message = _refused(stage.asked.put_scaling_policy, **request)
    assert code == "ValidationException"
    assert message.startswith("Only one TargetTrackingScaling policy for a given metric")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"PolicyType": "StepScaling", MEMBER: {"TargetValue": 1.0, **PREDEFINED}},
         "ValidationException"),
        ({"PolicyType": "TargetTrackingScaling"}, "ValidationException"),
        ({}, "ValidationException"),
        ({"PolicyName": "keep", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration":
          {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}},
         "ValidationException"),
        ({"PolicyType": "PredictiveScaling", "PredictiveScalingPolicyConfiguration":
          {"MetricSpecifications": []}}, "UnsupportedOperation"),
    ],
)  # fmt: skip
def test_types_that_are_refused(stage: Stage, more: dict[str, Any], code: str) -> None:
    """The configuration must be that of the type, and a policy does not change its type."""
    stage.register()
    stage.track(100)
    request = {**NAMED, "PolicyName": "p", **more}
    assert _refused(stage.asked.put_scaling_policy, **request)[0] == code


def test_a_metric_on_which_no_alarm_can_be_made_changes_nothing(stage: Stage) -> None:
    """The policy stays as it was, and the code is that of this service."""
    stage.register()
    stage.track(100)
    before = stage.asked.describe_scaling_policies(ServiceNamespace="sagemaker")
    metric = {"Namespace": "flights", "MetricName": "jobs", "Dimensions": []}
    jobs = {"Id": "jobs", "MetricStat": {"Metric": metric, "Stat": "Sum"}, "ReturnData": False}
    metrics = {"Metrics": [jobs, {"Id": "all", "Expression": "SUM(jobs)", "ReturnData": True}]}
    given = {"TargetValue": 10.0, "CustomizedMetricSpecification": metrics}
    request = {**NAMED, "PolicyName": "keep", "PolicyType": "TargetTrackingScaling", MEMBER: given}
    code, message = _refused(stage.asked.put_scaling_policy, **request)
    assert (code, "single number" in message) == ("ValidationException", True)
    assert stage.asked.describe_scaling_policies(ServiceNamespace="sagemaker") == before


def test_a_customized_metric_may_be_an_expression(stage: Stage) -> None:
    """Its periods are minutes, which a policy does not say."""
    stage.register()

    def query(name: str) -> dict[str, Any]:
        metric = {"Namespace": "flights", "MetricName": name, "Dimensions": []}
        return {"Id": name, "MetricStat": {"Metric": metric, "Stat": "Sum"}, "ReturnData": False}

    share = {"Id": "share", "Expression": "jobs / workers", "ReturnData": True}
    metrics = {"Metrics": [query("jobs"), query("workers"), share]}
    stage.track(10, CustomizedMetricSpecification=metrics)
    for _ in range(3):
        stage.store.put("flights", "jobs", {}, {40.0: 1}, unit="Count")
        stage.store.put("flights", "workers", {}, {1.0: 1}, unit="Count")
        stage.timers.advance(60)
    assert stage.capacity == 4


def test_high_resolution_reacts_within_half_a_minute(stage: Stage) -> None:
    """Three periods of ten seconds with 12 concurrent requests for a target of 4."""
    stage.register()
    kind = {"PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"}
    stage.asked.put_scaling_policy(
        **NAMED, PolicyName="p", PolicyType="TargetTrackingScaling",
        **{MEMBER: {"TargetValue": 4.0, "PredefinedMetricSpecification": kind}},
    )  # fmt: skip
    dimensions = {"EndpointName": "flights", "VariantName": "blue"}
    for _ in range(3):
        assert stage.capacity == 1
        stage.store.put(
            "AWS/SageMaker", "ConcurrentRequestsPerModel", dimensions, {12.0: 1}, unit="Count",
            resolution_s=1,
        )  # fmt: skip
        stage.timers.advance(10)
    assert stage.capacity == 3
