"""How things are deleted: ARNs as AWS writes them, and operations that AWS has."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlref.aws.deletion import _LISTS, Arn, Deleter, _snake, is_gone
from mlref.aws.models import service_model

JOBS = ["training_job", "processing_job", "transform_job"]
DEFINITIONS = ["data_quality", "model_quality", "model_bias", "model_explainability"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # as in the Service Authorization Reference
        ("arn:aws:sagemaker:us-east-1:1:endpoint/e", ("sagemaker", "endpoint", "e")),
        ("arn:aws:sagemaker:us-east-1:1:model-package/g/3", ("sagemaker", "model-package", "g/3")),
        ("arn:aws:cloudwatch:us-east-1:1:alarm:a:b", ("cloudwatch", "alarm", "a:b")),
        ("arn:aws:cloudwatch:us-east-1:1:alarm:a:*", ("cloudwatch", "alarm", "a:*")),
        ("arn:aws:logs:us-east-1:1:log-group:/aws/x:*", ("logs", "log-group", "/aws/x")),
        ("arn:aws:s3:::models", ("s3", "", "models")),
        ("arn:aws:sns:us-east-1:1:topic", ("sns", "", "topic")),
        ("arn:aws:iam::1:role/service-role/r", ("iam", "role", "r")),
        ("arn:aws:ecr:us-east-1:1:repository/a/b", ("ecr", "repository", "a/b")),
        ("arn:aws-cn:kms:cn-north-1:1:key/k", ("kms", "key", "k")),
        ("no arn", ("", "", "no arn")),
    ],
)
def test_an_arn_is_read_as_its_service_writes_it(text: str, parts: tuple[str, str, str]) -> None:
    """Each service has its own form after the account."""
    found = Arn.of(text)
    assert (found.service, found.kind, found.name) == parts


@pytest.mark.parametrize("kind", _LISTS)
def test_sagemaker_has_what_a_kind_is_listed_and_deleted_by(kind: str) -> None:
    """Names of operations and members are made from the kind's; botocore's model has them all."""
    stem, items = _LISTS[kind]
    model = service_model("sagemaker")
    listed: Any = model.operation_model(f"List{stem}s").output_shape.members[items]
    assert {f"{stem}Name", f"{stem}Arn"} <= set(listed.member.members)
    assert model.operation_model(f"Delete{stem}").input_shape.required_members == [f"{stem}Name"]
    assert _snake(stem) == kind.replace("-", "_")


def test_sagemaker_has_what_jobs_and_definitions_are_ended_by() -> None:
    """Likewise for what is stopped, and for definitions of monitoring."""
    model = service_model("sagemaker")
    for job in JOBS:
        stem = "".join(word.capitalize() for word in job.split("_"))
        assert f"{stem}Status" in model.operation_model(f"Describe{stem}").output_shape.members
        assert model.operation_model(f"Stop{stem}").input_shape.required_members == [f"{stem}Name"]
    for definition in DEFINITIONS:
        stem = "".join(word.capitalize() for word in definition.split("_"))
        shape = model.operation_model(f"Delete{stem}JobDefinition").input_shape
        assert shape.required_members == ["JobDefinitionName"]


@pytest.mark.parametrize(
    ("code", "message", "gone"),
    [
        ("NoSuchBucket", "The specified bucket does not exist", True),
        ("NoSuchEntity", "The role with name r cannot be found.", True),
        ("ResourceNotFoundException", "", True),
        ("RepositoryNotFoundException", "", True),
        ("AWS.SimpleQueueService.NonExistentQueue", "", True),
        ("QueueDoesNotExist", "", True),
        ("ValidationException", 'Could not find model "arn:aws:sagemaker:...".', True),
        ("ValidationException", "Cannot update in-progress endpoint", False),
        ("ResourceInUse", "", False),
        ("AccessDenied", "the role does not exist, or is not yours", False),
    ],
)
def test_services_say_differently_that_something_is_gone(
    code: str,
    message: str,
    gone: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """By code; SageMaker has one code for all that is wrong, so there by the message."""
    error = ClientError({"Error": {"Code": code, "Message": message}}, "Delete")
    assert is_gone(error) is gone


def test_what_is_not_known_stands_last() -> None:
    """It is only reported; it keeps nothing from being deleted."""
    deleter = Deleter(None)
    known = deleter.rank(Arn.of("arn:aws:kms:us-east-1:1:key/k"))
    assert deleter.rank(Arn.of("arn:aws:glue:us-east-1:1:job/j")) > known
