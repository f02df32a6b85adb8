"""Tags on what is created: in each form that AWS has, and on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

import boto3
import pytest
from moto import mock_aws

from mlref.aws import strict
from mlref.aws.models import service_model
from mlref.aws.tagging import EXPIRES, SESSION, expiry_of, install, tags_for

EXPIRY = datetime(2026, 1, 5, 16, 0, tzinfo=UTC)
TAGS = tags_for("lab", EXPIRY)
OURS = {SESSION: "lab", EXPIRES: "2026-01-05T16:00:00Z"}
LISTED = [{"Key": key, "Value": value} for key, value in OURS.items()]
ROLE = "arn:aws:iam::123456789012:role/service-role/sagemaker"


@pytest.fixture
def session() -> Iterator[boto3.Session]:
    """A session that tags, of a cloud in memory; requests are checked strictly, too."""
    with mock_aws():
        found = boto3.Session("test", "test", region_name="us-east-1")
        strict.install(found)
        install(found, TAGS)
        yield found


def _sent(session: boto3.Session, service: str, operation: str, **request: Any) -> dict[str, Any]:
    """The parameters that a request has when it is sent; it is not sent."""
    client = session.client(service)
    model = client.meta.service_model.operation_model(operation)
    client._emit_api_params(api_params=request, operation_model=model, context={})
    return request


def test_tags_are_added_in_the_form_of_each_service(session: boto3.Session) -> None:
    """A list of Key and Value, of TagKey and TagValue, a map: and AWS takes them."""
    role = session.client("iam").create_role(
        RoleName="r", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}'
    )
    assert role["Role"]["Tags"] == LISTED
    key = session.client("kms").create_key()["KeyMetadata"]["KeyId"]
    assert session.client("kms").list_resource_tags(KeyId=key)["Tags"] == [
        {"TagKey": name, "TagValue": value} for name, value in OURS.items()
    ]
    session.client("logs").create_log_group(logGroupName="/mlref")
    assert session.client("logs").list_tags_log_group(logGroupName="/mlref")["tags"] == OURS
    queue = session.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    assert session.client("sqs").list_queue_tags(QueueUrl=queue)["Tags"] == OURS
    model = session.client("sagemaker").create_model(
        ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"}
    )
    listed = session.client("sagemaker").list_tags(ResourceArn=model["ModelArn"])["Tags"]
    assert listed == LISTED


def test_tags_of_the_user_stay(session: boto3.Session) -> None:
    """Those with other keys, and also those with ours; what the caller passed is not changed."""
    mine = [{"Key": "team", "Value": "ml"}, {"Key": EXPIRES, "Value": "never"}]
    sent = _sent(session, "sagemaker", "CreateModel", ModelName="m", Tags=mine)
    assert sent["Tags"] == [*mine, {"Key": SESSION, "Value": "lab"}]
    assert len(mine) == 2
    sent = _sent(session, "lambda", "CreateFunction", FunctionName="f", Role=ROLE,
                 Code={"ZipFile": b""}, Tags={SESSION: "mine"})  # fmt: skip
    assert sent["Tags"] == {SESSION: "mine", EXPIRES: OURS[EXPIRES]}


def test_tags_that_are_text_are_added_as_text(session: boto3.Session) -> None:
    """As in an address: some operations of IoT take them in a header."""
    rule = {"sql": "SELECT *", "actions": []}
    sent = _sent(session, "iot", "CreateTopicRule", ruleName="r", topicRulePayload=rule, tags="a=b")
    assert dict(parse_qsl(sent["tags"])) == {"a": "b", **OURS}


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("sagemaker", "AddTags", {
            "ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:model/theirs", "Tags": []}),
        ("sagemaker", "UpdateProject", {"ProjectName": "theirs"}),
        ("iam", "TagRole", {"RoleName": "theirs", "Tags": []}),
        ("sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "lab"}),
        ("sagemaker", "CreateModelPackage", {"ModelPackageGroupName": "flights"}),
        ("sagemaker", "CreatePresignedDomainUrl", {"DomainId": "d-1", "UserProfileName": "u"}),
        ("sts", "GetCallerIdentity", {}),
    ],
)  # fmt: skip
def test_what_creates_nothing_is_not_tagged(
    session: boto3.Session, service: str, operation: str, request_: dict[str, Any]
) -> None:
    """Somebody else's things are not marked for the sweep; versions have their group's tags."""
    sent = _sent(session, service, operation, **request_)
    assert {**sent, "ClientToken": None} == {**request_, "ClientToken": None}


def test_a_package_without_a_group_is_tagged(session: boto3.Session) -> None:
    """It is a thing of its own."""
    sent = _sent(session, "sagemaker", "CreateModelPackage", ModelPackageName="flights")
    assert sent["Tags"] == LISTED


@pytest.mark.parametrize("service", ["sagemaker", "iam", "kms", "sns", "ecr", "lambda", "iot"])
def test_every_creation_that_can_carry_tags_does(service: str) -> None:
    """By botocore's model: no form of tags is one that the hook does not know."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    install(session, TAGS)
    model, seen = service_model(service), 0
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        tags = [each for each in getattr(shape, "members", ()) if each.lower() == "tags"]
        if tags and name.startswith("Create"):
            params: dict[str, Any] = {}
            session.events.emit(
                "before-parameter-build", params=params, model=model.operation_model(name)
            )
            assert params[tags[0]], name
            assert strict.check_shape(shape.members[tags[0]], params[tags[0]]) == []
            seen += 1
    assert seen


def test_a_new_bucket_is_tagged(session: boto3.Session) -> None:
    """By a second request, as creating a bucket takes no tags; also through a resource."""
    s3 = session.client("s3")
    s3.create_bucket(Bucket="new")
    assert s3.get_bucket_tagging(Bucket="new")["TagSet"] == LISTED
    session.resource("s3").create_bucket(Bucket="other")
    assert s3.get_bucket_tagging(Bucket="other")["TagSet"] == LISTED


def test_a_bucket_that_is_there_already_is_not_tagged(session: boto3.Session) -> None:
    """In us-east-1 creating it again succeeds; it is not the session's."""
    plain = boto3.client("s3", region_name="us-east-1")
    plain.create_bucket(Bucket="theirs")
    s3 = session.client("s3")
    s3.create_bucket(Bucket="theirs")
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket="theirs")


def test_other_sessions_tag_nothing(session: boto3.Session) -> None:
    """It is installed on one session."""
    assert session
    plain = boto3.client("s3", region_name="us-east-1")
    plain.create_bucket(Bucket="plain")
    with pytest.raises(plain.exceptions.ClientError, match="NoSuchTagSet"):
        plain.get_bucket_tagging(Bucket="plain")


def test_an_expiry_is_the_same_moment_again() -> None:
    """Whatever the time zone was; what tells no moment is None."""
    there = EXPIRY.astimezone(timezone(timedelta(hours=2)))
    assert tags_for("a", there)[EXPIRES] == "2026-01-05T16:00:00Z"
    assert expiry_of(TAGS) == EXPIRY
    assert expiry_of({EXPIRES: "2026-01-05T16:00:00"}) == EXPIRY
    assert expiry_of({EXPIRES: "tomorrow"}) is None
    assert expiry_of({}) is None
