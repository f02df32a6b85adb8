"""The query protocol, against botocore's own two ends of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from mlref.aws.local import wire_query
from mlref.aws.models import operation_model
from mlref.aws.strict import check_shape

STARTED = datetime(2026, 1, 5, 12, tzinfo=UTC)
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("iam", "ListRoles", {}),
    ("iam", "GetRole", {"RoleName": "a&b=c d"}),
    (
        "iam",
        "SimulatePrincipalPolicy",
        {
            "PolicySourceArn": "arn:aws:iam::123456789012:role/r",
            "ActionNames": [f"s3:Action{number}" for number in range(12)],
            "ResourceArns": [],
            "ContextEntries": [
                {
                    "ContextKeyName": "aws:username",
                    "ContextKeyValues": ["a", "b"],
                    "ContextKeyType": "stringList",
                },
                {"ContextKeyName": "empty"},
            ],
            "MaxItems": 7,
        },
    ),
    ("iam", "CreateVirtualMFADevice", {
        "VirtualMFADeviceName": "x", "Tags": [{"Key": "k", "Value": ""}]}),
    ("sns", "CreateTopic", {"Name": "t", "Attributes": {"DisplayName": "a", "FifoTopic": "true"}}),
    ("sns", "Publish", {"Message": "m", "MessageAttributes": {
        "size": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}}),
    ("autoscaling", "PutScheduledUpdateGroupAction", {
        "AutoScalingGroupName": "g", "ScheduledActionName": "s", "StartTime": STARTED}),
    ("rds", "DescribeDBInstances", {
        "Filters": [{"Name": "engine", "Values": ["a", "b"]}], "MaxRecords": 20}),
    ("redshift", "ModifyCluster", {"ClusterIdentifier": "c", "AllowVersionUpgrade": False}),
    ("elb", "CreateLoadBalancer", {"LoadBalancerName": "l", "Listeners": [
        {"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 8080}]}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "given"), REQUESTS)
def test_what_botocore_sends_is_read(service: str, operation: str, given: dict[str, Any]) -> None:
    """Lists, structures in lists, maps, numbers, booleans, times and blobs."""
    model = operation_model(service, operation)
    sent = create_serializer("query").serialize_to_request(given, model)
    found = wire_query.load(urlencode(sent["body"]).encode(), model.input_shape)
    assert found == given


RESPONSES: list[tuple[str, str, dict[str, Any]]] = [
    ("iam", "DeleteRole", {}),
    (
        "iam",
        "SimulatePrincipalPolicy",
        {
            "EvaluationResults": [
                {
                    "EvalActionName": "s3:GetObject",
                    "EvalResourceName": "<&>",
                    "EvalDecision": "allowed",
                    "MatchedStatements": [
                        {"SourcePolicyId": "p", "StartPosition": {"Line": 1, "Column": 2}}
                    ],
                    "MissingContextValues": [],
                    "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False},
                    "EvalDecisionDetails": {"arn:a": "allowed", "arn:b": "implicitDeny"},
                }
            ],
            "IsTruncated": False,
        },
    ),
    ("iam", "GetPolicy", {"Policy": {"PolicyName": "p", "CreateDate": STARTED}}),
    ("sns", "ListTagsForResource", {"Tags": [{"Key": "k", "Value": "v"}]}),
    ("rds", "DescribeEventCategories", {
        "EventCategoriesMapList": [{"EventCategories": ["a", "b"]}]}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "told"), RESPONSES)
def test_what_is_written_is_what_botocore_reads(
    service: str, operation: str, told: dict[str, Any]
) -> None:
    """With a request id, and nothing lost."""
    model = operation_model(service, operation)
    body = wire_query.dump(told, model)
    raw = {"body": body, "headers": {}, "status_code": 200}
    found = create_parser("query").parse(raw, model.output_shape)
    assert len(found.pop("ResponseMetadata")["RequestId"]) == 36
    assert found == told


def test_what_does_not_fit_stays_for_the_check() -> None:
    """A word where a number belongs is told about, and nothing falls over."""
    shape = operation_model("iam", "SimulatePrincipalPolicy").input_shape
    body = b"MaxItems=many&ActionNames=s3&ContextEntries.member.1=x&PolicySourceArn.a=b"
    assert wire_query.load(body, shape) == {
        "MaxItems": "many",
        "ActionNames": "s3",
        "ContextEntries": ["x"],
        "PolicySourceArn": {"a": "b"},
    }
    shape = operation_model("sns", "CreateTopic").input_shape
    for attributes in ("x=1", "entry=1", "entry.1=x", "entry.1.value=x", "1.key=x"):
        kept = wire_query.load(f"Name=n&Attributes.{attributes}&Tags.member=5".encode(), shape)
        assert [problem.field for problem in check_shape(shape, kept)] == ["Attributes", "Tags"]
