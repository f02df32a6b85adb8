"""Scalable targets, their activities and tags, as a client calls them."""

from __future__ import annotations

from typing import Any

import pytest
from support.scaling import NAMED, START, Stage

from mlref.aws.local.errors import AwsError


def _refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        call(**request)
    return caught.value.code, caught.value.message


def test_a_target_is_registered_and_described(stage: Stage) -> None:
    """With the role that AWS uses, and nothing suspended."""
    arn = stage.register(1, 4)
    (target,) = stage.asked.describe_scalable_targets(ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    assert arn.startswith("arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/")
    assert target == {
        **NAMED, "MinCapacity": 1, "MaxCapacity": 4, "CreationTime": START,
        "RoleARN": target["RoleARN"], "ScalableTargetARN": arn,
        "SuspendedState": {
            "DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        },
    }  # fmt: skip
    assert target["RoleARN"].endswith("AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint")


def test_an_update_changes_only_what_it_names(stage: Stage) -> None:
    """The same target, found again by its name."""
    arn = stage.register(1, 4, SuspendedState={"DynamicScalingInSuspended": True})
    again = stage.asked.register_scalable_target(**NAMED, MaxCapacity=8)
    assert again["ScalableTargetARN"] == arn
    (target,) = stage.asked.describe_scalable_targets(ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 8)
    assert target["SuspendedState"]["DynamicScalingInSuspended"] is True


def test_the_capacity_is_brought_between_the_bounds(stage: Stage) -> None:
    """When it is registered, and when the bounds change; an activity tells why."""
    stage.register(2, 4)
    assert stage.capacity == 2
    stage.variants.counts[NAMED["ResourceId"]] = 4
    stage.asked.register_scalable_target(**NAMED, MaxCapacity=3)
    assert stage.capacity == 3
    assert [activity["Cause"] for activity in stage.activities()] == [
        "minimum capacity was set to 2",
        "maximum capacity was set to 3",
    ]


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        ({"ResourceId": "endpoint/gone/variant/blue"}, "ValidationException", "there is no"),
        ({"ResourceId": "endpoint/flights"}, "ValidationException", "endpoint/NAME/variant/NAME"),
        ({"ScalableDimension": "ecs:service:DesiredCount"}, "ValidationException", "unsupported"),
        ({"ScalableDimension": "sagemaker:inference-component:DesiredCopyCount"},
         "ValidationException", "inference-component/NAME"),
        ({"ServiceNamespace": "ecs"}, "UnsupportedOperation", "sagemaker only"),
        ({"MinCapacity": 5}, "ValidationException", "at most MaxCapacity, got 5 and 4"),
        ({"MinCapacity": -1}, "ValidationException", "capacities are at least 0"),
    ],
)  # fmt: skip
def test_targets_that_are_refused(stage: Stage, more: dict[str, Any], code: str, told: str) -> None:
    """An unknown endpoint among them, as in AWS; nothing is registered."""
    request = {**NAMED, "MinCapacity": 1, "MaxCapacity": 4, **more}
    found, message = _refused(stage.asked.register_scalable_target, **request)
    assert (found, told in message) == (code, True)
    listed = stage.asked.describe_scalable_targets(ServiceNamespace="sagemaker")
    assert listed["ScalableTargets"] == []


def test_a_new_target_needs_its_bounds(stage: Stage) -> None:
    """The message says which is missing."""
    code, message = _refused(stage.asked.register_scalable_target, **NAMED, MinCapacity=1)
    assert (code, message.startswith("MaxCapacity is missing")) == ("ValidationException", True)


def test_targets_are_listed_by_filters_and_pages(stage: Stage) -> None:
    """By resource and dimension; other services have none here."""
    for number in range(3):
        resource = f"endpoint/e{number}/variant/v"
        stage.variants.counts[resource] = 1
        place = {**NAMED, "ResourceId": resource}
        stage.asked.register_scalable_target(**place, MinCapacity=1, MaxCapacity=2)

    def found(**more: Any) -> list[str]:
        response = stage.asked.describe_scalable_targets(
            **{"ServiceNamespace": "sagemaker", **more}
        )
        return [target["ResourceId"].split("/")[1] for target in response["ScalableTargets"]]

    assert found() == ["e0", "e1", "e2"]
    one = ["endpoint/e1/variant/v"]
    assert found(ResourceIds=one, ScalableDimension=NAMED["ScalableDimension"]) == ["e1"]
    assert found(ServiceNamespace="ecs") == []
    first = stage.asked.describe_scalable_targets(ServiceNamespace="sagemaker", MaxResults=2)
    assert len(first["ScalableTargets"]) == 2
    assert found(MaxResults=2, NextToken=first["NextToken"]) == ["e2"]
    describe = stage.asked.describe_scalable_targets
    named = {"ServiceNamespace": "sagemaker"}
    assert _refused(describe, **named, NextToken="x")[0] == "InvalidNextTokenException"
    assert _refused(describe, **named, MaxResults=51)[0] == "ValidationException"
    dimension = {"ScalableDimension": NAMED["ScalableDimension"]}
    assert _refused(describe, **named, **dimension)[0] == "ValidationException"


def test_deregistering_deletes_what_belongs_to_it(stage: Stage) -> None:
    """Policies with their alarms, scheduled actions, tags; the capacity stays."""
    stage.register(1, 4, Tags={"team": "a"})
    stage.track()
    action = {"Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 4}}
    stage.asked.put_scheduled_action(**NAMED, ScheduledActionName="up", **action)
    stage.asked.deregister_scalable_target(**NAMED)
    assert stage.book.all() == []
    service = {"ServiceNamespace": "sagemaker"}
    assert stage.asked.describe_scaling_policies(**service)["ScalingPolicies"] == []
    assert stage.asked.describe_scheduled_actions(**service)["ScheduledActions"] == []
    stage.timers.advance(7200)
    assert stage.capacity == 1
    code, message = _refused(stage.asked.deregister_scalable_target, **NAMED)
    assert code == "ObjectNotFoundException"
    assert "resource ID: endpoint/flights/variant/blue, scalable dimension: sagemaker:" in message


def test_a_deleted_endpoint_takes_its_targets_with_it(stage: Stage) -> None:
    """And an endpoint can ask which of its variants are scaled."""
    stage.register()
    stage.track()
    targets = stage.service.targets
    assert targets.registered("endpoint/flights/") == [NAMED["ResourceId"]]
    assert targets.registered("endpoint/flight/") == []
    targets.gone("endpoint/flights/")
    assert targets.registered("") == []
    assert stage.book.all() == []


def test_activities_are_kept_for_six_weeks(stage: Stage) -> None:
    """And found by resource."""
    stage.register(2, 4)
    more = {"ResourceId": NAMED["ResourceId"], "ScalableDimension": NAMED["ScalableDimension"]}
    assert len(stage.activities(**more)) == 1
    assert stage.activities(ResourceId="endpoint/other/variant/v") == []
    stage.timers.advance(43 * 86_400)
    assert stage.activities() == []


def test_tags_of_a_target(stage: Stage) -> None:
    """From its registration, added and removed; an update does not take any."""
    arn = stage.register(Tags={"team": "a"})
    stage.asked.tag_resource(ResourceARN=arn, Tags={"team": "b", "x": "y"})
    stage.asked.untag_resource(ResourceARN=arn, TagKeys=["x"])
    assert stage.asked.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "b"}
    many = {f"k{number}": "" for number in range(50)}
    code, _ = _refused(stage.asked.tag_resource, ResourceARN=arn, Tags=many)
    assert code == "TooManyTagsException"
    code, _ = _refused(stage.asked.register_scalable_target, **NAMED, Tags={"x": "y"})
    assert code == "ValidationException"
    code, _ = _refused(stage.asked.list_tags_for_resource, ResourceARN=arn[:-1] + "x")
    assert code == "ResourceNotFoundException"
