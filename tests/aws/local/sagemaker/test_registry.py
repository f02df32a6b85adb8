"""The Model Registry: versions, their approval, and what may be deployed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from support.aws import START, world
from support.aws_parts import Asked

from mlref.aws.local.errors import AwsError
from mlref.aws.local.sagemaker.registry import Registry

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlref:1.0.0"
DATA = "s3://models/flights/model.tar.gz"
PREFIX = "arn:aws:sagemaker:us-east-1:123456789012:"


class Place:
    """A registry with a group "Flights" in a world of its own."""

    def __init__(self) -> None:
        self.world = world("models")
        self.world.objects.put(DATA, b"a model")
        self.registry = Registry(self.world)
        self.ask = Asked(self.registry, self.registry.groups)
        self.group = self.ask.create_model_package_group(ModelPackageGroupName="Flights")

    def version(self, **more: Any) -> str:
        """A version of the group; returns its ARN."""
        given = {"ModelPackageGroupName": "Flights", "InferenceSpecification": _containers()}
        return str(self.ask.create_model_package(**{**given, **more})["ModelPackageArn"])

    def listed(self, **filters: Any) -> list[str]:
        """The ARNs that ListModelPackages gives, without what they have in common."""
        told = self.ask.list_model_packages(**{"MaxResults": 100, **filters})
        found = told["ModelPackageSummaryList"]
        return [each["ModelPackageArn"].removeprefix(f"{PREFIX}model-package/") for each in found]


def _containers(**container: Any) -> dict[str, Any]:
    return {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": DATA, **container}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


@pytest.fixture
def place() -> Place:
    """An empty group."""
    return Place()


def _refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        call(**request)
    return caught.value.code, caught.value.message


def test_versions_are_numbered_and_wait_for_approval(place: Place) -> None:
    """From 1 on; the ARN is that of the group with the number, in lower case as all of AWS's."""
    assert place.group["ModelPackageGroupArn"] == f"{PREFIX}model-package-group/flights"
    assert place.version() == f"{PREFIX}model-package/flights/1"
    arn = place.version(ModelPackageDescription="with weather")
    told = place.ask.describe_model_package(ModelPackageName=arn)
    assert told["ModelPackageVersion"] == 2
    assert told["ModelPackageGroupName"] == "Flights"
    assert told["ModelApprovalStatus"] == "PendingManualApproval"
    assert told["ModelPackageStatus"] == "Completed"
    assert told["ModelPackageDescription"] == "with weather"
    assert told["CreationTime"] == START


def test_a_number_is_never_given_again(place: Place) -> None:
    """Also if it was the last one."""
    place.ask.delete_model_package(ModelPackageName=place.version())
    assert place.version().endswith("/2")
    place.ask.delete_model_package(ModelPackageName="Flights/2")
    assert place.version().endswith("/3")
    assert place.listed(ModelPackageGroupName="Flights") == ["flights/3"]


def test_only_an_approved_version_can_be_deployed(place: Place) -> None:
    """Its containers are those of CreateModel; approval can be taken back."""
    arn = place.version(
        InferenceSpecification=_containers(Environment={"SEED": "0"}, Framework="ONNX")
    )
    with pytest.raises(AwsError, match=r"flights/1 cannot be deployed.*PendingManualApproval"):
        place.registry.resolve(arn)
    place.ask.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="AUC .71"
    )
    container = {"Image": IMAGE, "ModelDataUrl": DATA, "Environment": {"SEED": "0"}}
    assert place.registry.resolve(arn) == [container]
    place.ask.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    with pytest.raises(AwsError, match="Rejected"):
        place.registry.resolve(arn)


def test_an_update_changes_what_it_names_and_says_when(place: Place) -> None:
    """Metadata are merged and removed by key."""
    arn = place.version(CustomerMetadataProperties={"auc": "0.70", "data": "2013-03"})
    place.world.timers.advance(3600)
    place.ask.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="better",
        CustomerMetadataProperties={"auc": "0.71"},
        CustomerMetadataPropertiesToRemove=["data", "absent"],
    )
    told = place.ask.describe_model_package(ModelPackageName=arn)
    assert told["CustomerMetadataProperties"] == {"auc": "0.71"}
    assert told["ApprovalDescription"] == "better"
    assert told["LastModifiedTime"] == START + timedelta(hours=1)
    assert told["InferenceSpecification"] == _containers()
    place.ask.update_model_package(
        ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["auc"], SourceUri="s3://models/x"
    )
    told = place.ask.describe_model_package(ModelPackageName=arn)
    assert "CustomerMetadataProperties" not in told
    assert told["SourceUri"] == "s3://models/x"
    assert told["ModelApprovalStatus"] == "Approved"


def test_additional_specifications_are_added_once(place: Place) -> None:
    """Under names of their own."""
    arn = place.version()
    small = {"Name": "small", "Containers": [{"Image": IMAGE}]}
    place.ask.update_model_package(
        ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=[small]
    )
    told = place.ask.describe_model_package(ModelPackageName=arn)
    assert told["AdditionalInferenceSpecifications"] == [small]
    code, text = _refused(
        place.ask.update_model_package,
        ModelPackageArn=arn,
        AdditionalInferenceSpecificationsToAdd=[small],
    )
    assert (code, "'small'" in text) == ("ValidationException", True)


def test_a_package_without_a_group_has_a_name_and_no_approval(place: Place) -> None:
    """It can be deployed at once, and is listed by default; versions only with their group."""
    arn = place.ask.create_model_package(
        ModelPackageName="Alone", InferenceSpecification=_containers()
    )["ModelPackageArn"]
    assert arn == f"{PREFIX}model-package/alone"
    assert place.registry.resolve("Alone") == [{"Image": IMAGE, "ModelDataUrl": DATA}]
    place.version()
    assert place.listed() == ["alone"]
    assert place.listed(ModelPackageType="Versioned") == ["flights/1"]
    assert place.listed(ModelPackageType="Both") == ["alone", "flights/1"]
    code, text = _refused(
        place.ask.update_model_package, ModelPackageArn=arn, ModelApprovalStatus="Approved"
    )
    assert (code, "versions of a group only" in text) == ("ValidationException", True)


def test_lists_are_filtered_sorted_and_paged(place: Place) -> None:
    """Version 10 comes after version 9; a token leads to the next page."""
    for number in range(1, 12):
        place.version(ModelApprovalStatus="Approved" if number % 2 else "Rejected")
        place.world.timers.advance(60)
    group = {"ModelPackageGroupName": "Flights"}
    everything = [f"flights/{number}" for number in range(1, 12)]
    assert place.listed(**group) == everything
    assert place.listed(**group, SortBy="Name", SortOrder="Descending") == everything[::-1]
    assert place.listed(**group, ModelApprovalStatus="Rejected") == everything[1::2]
    after = place.listed(**group, CreationTimeAfter=START + timedelta(minutes=8, seconds=30))
    assert after == ["flights/10", "flights/11"]
    assert place.listed(**group, NameContains="light") == everything
    assert place.listed(**group, NameContains="1") == []
    for size, sizes in (({"MaxResults": 8}, [8, 3]), ({}, [10, 1])):
        first = place.ask.list_model_packages(**group, **size)
        second = place.ask.list_model_packages(**group, **size, NextToken=first["NextToken"])
        assert [len(each["ModelPackageSummaryList"]) for each in (first, second)] == sizes
        assert "NextToken" not in second


def test_several_are_described_at_once_and_what_is_missing_is_told(place: Place) -> None:
    """Each by its ARN."""
    arn = place.version()
    absent = f"{PREFIX}model-package/flights/9"
    told = place.ask.batch_describe_model_package(ModelPackageArnList=[arn, absent])
    assert told["ModelPackageSummaries"][arn]["ModelPackageVersion"] == 1
    error = told["BatchDescribeModelPackageErrorMap"][absent]
    assert error["ErrorCode"] == "ValidationException"
    assert error["ErrorResponse"] == f"ModelPackage {absent} does not exist."


def test_the_same_token_makes_one_version(place: Place) -> None:
    """As boto3 sends it again when a connection broke."""
    assert place.version(ClientToken="t-1") == place.version(ClientToken="t-1")
    assert place.version(ClientToken="t-2").endswith("/2")


def test_a_group_with_versions_is_not_deleted(place: Place) -> None:
    """Afterwards it is, and its name is free."""
    arn = place.version()
    code, text = _refused(place.ask.delete_model_package_group, ModelPackageGroupName="Flights")
    assert (code, "1 version" in text) == ("ConflictException", True)
    place.ask.delete_model_package(ModelPackageName=arn)
    place.ask.delete_model_package_group(ModelPackageGroupName="Flights")
    code, text = _refused(place.ask.describe_model_package_group, ModelPackageGroupName="Flights")
    assert code == "ValidationException"
    assert text == f"ModelPackageGroup {PREFIX}model-package-group/flights does not exist."
    place.ask.create_model_package_group(ModelPackageGroupName="Flights")


def test_groups_are_described_and_listed(place: Place) -> None:
    """By name or ARN, in the order in which they were made."""
    place.world.timers.advance(1)
    place.ask.create_model_package_group(
        ModelPackageGroupName="digits", ModelPackageGroupDescription="ten classes"
    )
    told = place.ask.describe_model_package_group(
        ModelPackageGroupName=f"{PREFIX}model-package-group/digits"
    )
    assert told["ModelPackageGroupDescription"] == "ten classes"
    assert told["ModelPackageGroupStatus"] == "Completed"
    found = place.ask.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [each["ModelPackageGroupName"] for each in found] == ["Flights", "digits"]
    found = place.ask.list_model_package_groups(NameContains="dig")
    assert [each["ModelPackageGroupName"] for each in found["ModelPackageGroupSummaryList"]] == [
        "digits"
    ]


def test_a_group_has_one_policy(place: Place) -> None:
    """Put, read, deleted; without one, AWS's sentence."""
    ask, name = place.ask, {"ModelPackageGroupName": "Flights"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    wanted = f"Cannot find resource policy for: {PREFIX}model-package-group/flights"
    assert _refused(ask.get_model_package_group_policy, **name)[1] == wanted
    ask.put_model_package_group_policy(**name, ResourcePolicy=policy)
    assert ask.get_model_package_group_policy(**name)["ResourcePolicy"] == policy
    ask.delete_model_package_group_policy(**name)
    assert _refused(ask.delete_model_package_group_policy, **name)[1] == wanted
    for text in ("no policy", "[]", "{}"):
        code, _ = _refused(ask.put_model_package_group_policy, **name, ResourcePolicy=text)
        assert code == "ValidationException"


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"ModelPackageName": "Alone"}, "Both ModelPackageName and ModelPackageGroupName"),
        ({"ModelPackageGroupName": "Absent"}, "model-package-group/absent does not exist."),
        (
            {"InferenceSpecification": _containers(ModelDataUrl="s3://models/no.tar.gz")},
            "there is no object s3://models/no.tar.gz",
        ),
        (
            {"InferenceSpecification": _containers(ModelDataUrl="s3://absent/no.tar.gz")},
            "there is no object s3://absent/no.tar.gz",
        ),
        (
            {"InferenceSpecification": {"Containers": [{"ModelDataUrl": DATA}]}},
            "needs an Image",
        ),
    ],
)
def test_a_wrong_version_is_refused_and_takes_no_number(
    place: Place, given: dict[str, Any], what: str
) -> None:
    """With what is wrong."""
    request = {"ModelPackageGroupName": "Flights", "InferenceSpecification": _containers(), **given}
    code, text = _refused(place.ask.create_model_package, **request)
    assert code == "ValidationException"
    assert what in text
    assert place.version().endswith("/1")


def test_data_is_not_looked_for_if_that_is_said(place: Place) -> None:
    """SkipModelValidation."""
    absent = _containers(ModelDataUrl="s3://models/later.tar.gz")
    assert place.version(InferenceSpecification=absent, SkipModelValidation="All")


def test_names_are_there_once(place: Place) -> None:
    """Of groups and of packages; and one of the two must be given."""
    code, text = _refused(place.ask.create_model_package_group, ModelPackageGroupName="flights")
    assert text == f"Model Package Group already exists: {PREFIX}model-package-group/flights"
    alone = {"ModelPackageName": "Alone", "InferenceSpecification": _containers()}
    place.ask.create_model_package(**alone)
    code, text = _refused(place.ask.create_model_package, **alone)
    assert (code, "already exists" in text) == ("ValidationException", True)
    assert _refused(place.ask.create_model_package)[1].startswith("Missing ARN")


def test_what_is_not_there_is_said_as_aws_does(place: Place) -> None:
    """ValidationException, and the ARN."""
    wanted = f"ModelPackage {PREFIX}model-package/flights/7 does not exist."
    for call in (place.ask.describe_model_package, place.ask.delete_model_package):
        assert _refused(call, ModelPackageName="Flights/7") == ("ValidationException", wanted)


def test_algorithms_and_validation_jobs_are_not_feigned(place: Place) -> None:
    """What the local AWS does not do is refused by name."""
    code, text = _refused(
        place.ask.create_model_package,
        ModelPackageName="Bought",
        SourceAlgorithmSpecification={"SourceAlgorithms": [{"AlgorithmName": "theirs"}]},
    )
    assert (code, "SourceAlgorithmSpecification" in text) == ("UnsupportedOperation", True)


def test_a_version_without_containers_cannot_be_deployed(place: Place) -> None:
    """It may be registered, for its metadata."""
    arn = place.ask.create_model_package(
        ModelPackageGroupName="Flights", ModelApprovalStatus="Approved", SourceUri="s3://models/x"
    )["ModelPackageArn"]
    with pytest.raises(AwsError, match="no InferenceSpecification"):
        place.registry.resolve(arn)


def test_the_card_is_left_out_on_request(place: Place) -> None:
    """IncludedData."""
    card = {"ModelCardContent": "{}", "ModelCardStatus": "Draft"}
    arn = place.version(ModelCard=card)
    told = place.ask.describe_model_package(ModelPackageName=arn)
    assert told["ModelCard"] == card
    told = place.ask.describe_model_package(ModelPackageName=arn, IncludedData="MetadataOnly")
    assert told["ModelCard"] == {"ModelCardStatus": "Draft"}
