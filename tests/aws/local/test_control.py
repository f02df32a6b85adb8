"""Every request but those of S3 is held against AWS's model, whoever answers it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.local_account import TRUST
from support.shop import refused

from mlref.aws.local import wire
from mlref.aws.local.errors import AwsError
from mlref.aws.models import operation_model

POLICY = json.dumps(TRUST)
LONG = "k" * 129
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "x",
    "ScalableDimension": "sagemaker:variant:Instances",
}


@pytest.mark.parametrize(
    ("service", "method", "given", "code"),
    [
        ("application-autoscaling", "deregister_scalable_target", TARGET, "ValidationException"),
        ("cloudwatch", "describe_alarms", {"StateValue": "x"}, "ValidationError"),
        ("ecr", "create_repository", {"repositoryName": "No Name"}, "InvalidParameterException"),
        ("iam", "create_role", {"RoleName": "x y/z!", "AssumeRolePolicyDocument": POLICY},
         "ValidationError"),
        ("iam", "create_policy", {"PolicyName": "a b c!", "PolicyDocument": POLICY},
         "ValidationError"),
        ("iam", "simulate_custom_policy", {"PolicyInputList": [], "ActionNames": [LONG]},
         "ValidationError"),
        ("kms", "create_key", {"KeyUsage": "x"}, "ValidationException"),
        ("logs", "create_log_group", {"logGroupName": "no name!"}, "InvalidParameterException"),
        ("logs", "filter_log_events", {"logGroupName": "no name!"}, "InvalidParameterException"),
        ("resourcegroupstaggingapi", "get_resources", {"TagFilters": [{"Key": LONG}]},
         "InvalidParameterException"),
        ("sagemaker", "describe_model", {"ModelName": "no name!"}, "ValidationException"),
        ("sns", "create_topic", {"Name": "t", "Tags": [{"Key": LONG, "Value": "v"}]},
         "InvalidParameter"),
        ("sqs", "get_queue_attributes", {"QueueUrl": "x", "AttributeNames": ["x"]},
         "InvalidParameterValue"),
        ("sts", "assume_role", {"RoleArn": ROLE, "RoleSessionName": "a b"}, "ValidationError"),
    ],
)  # fmt: skip
def test_what_breaks_the_model_is_refused_with_the_code_of_the_service(
    account: Any, service: str, method: str, given: dict[str, Any], code: str
) -> None:
    """Also where moto would take it; the message tells the field."""
    client = account.client(service)
    got, message = refused(getattr(client, method), **given)
    assert (got, message.startswith("1 validation error detected: ")) == (code, True), message


def test_the_exception_is_the_one_that_a_client_has(account: Any) -> None:
    """Where the model of a service declares it."""
    with pytest.raises(account.logs.exceptions.InvalidParameterException, match="logGroupName"):
        account.logs.filter_log_events(logGroupName="no name!")


def test_what_cannot_be_read_is_refused() -> None:
    """No JSON, no object, or bytes that are not base64."""
    shape = operation_model("kms", "Decrypt").input_shape
    for body in (b"x", b"[]", b'{"CiphertextBlob": "x"}'):
        with pytest.raises(AwsError, match="SerializationException"):
            wire.load(body, shape)


def test_requests_of_s3_are_not_held_against_the_model(account: Any) -> None:
    """Moto alone looks at them."""
    bucket = account.name("bucket")
    account.s3.create_bucket(Bucket=bucket)
    account.s3.put_bucket_tagging(
        Bucket=bucket, Tagging={"TagSet": [{"Key": "k" * 129, "Value": "v"}]}
    )
    account.s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "none"}}]
        },
    )


@pytest.mark.parametrize(
    ("service", "method", "given"),
    [
        ("bedrock-runtime", "invoke_model", {"modelId": "x", "body": b"{}"}),
        ("apigatewayv2", "get_apis", {}),
        ("iot-data", "get_thing_shadow", {"thingName": "x"}),
    ],
)
def test_a_service_that_signs_with_the_name_of_another_one_is_refused_like_any(
    account: Any, service: str, method: str, given: dict[str, Any]
) -> None:
    """The operation cannot be told, but method and path are."""
    with pytest.raises(ClientError) as caught:
        getattr(account.client(service), method)(**given)
    told = caught.value.response
    assert told["Error"]["Code"] == "UnsupportedOperation"
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert " /" in told["Error"]["Message"]
