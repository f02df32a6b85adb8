"""Endpoints of other kinds: serverless, asynchronous, with a shadow; and answers in a stream."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psutil
import pytest
from botocore.exceptions import ClientError
from support.waiting import until

JSON = "application/json"


@pytest.fixture(scope="module")
def golden(diabetes: Any) -> dict[str, Any]:
    """Golden rows of the model."""
    return dict(json.loads((diabetes.artifact.folder / "golden.json").read_text()))


@pytest.fixture(scope="module")
def body(golden: dict[str, Any]) -> str:
    """All golden rows, as the body of a request."""
    return json.dumps({"instances": golden["instances"]})


def _right(answer: bytes, golden: dict[str, Any]) -> None:
    found = json.loads(answer)["predictions"]
    np.testing.assert_allclose(found, golden["predictions"], rtol=1e-5)


def _serverless(account: Any, model: str, most: int, warm: int = 0) -> str:
    name = account.name("serverless")
    config: dict[str, Any] = {"MemorySizeInMB": 2048, "MaxConcurrency": most}
    if warm:
        config["ProvisionedConcurrency"] = warm
    variant = {"VariantName": "A", "ModelName": model, "ServerlessConfig": config}
    account.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    return name


def _children(account: Any) -> set[int]:
    return {each.pid for each in psutil.Process(account.cloud.pid).children(recursive=True)}


def test_a_serverless_endpoint_scales_from_zero_and_back(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str], body: str, golden: dict[str, Any]
) -> None:
    """No process before the first call; one afterwards; none ten minutes later."""
    before = _children(account)
    name = endpoint_of(_serverless(account, account.model(diabetes.artifact), 2))
    assert _children(account) <= before
    for _ in range(3):
        reply = account.sagemaker_runtime.invoke_endpoint(
            EndpointName=name, ContentType=JSON, Body=body
        )
        _right(reply["Body"].read(), golden)
        assert len(_children(account) - before) == 1
    (told,) = account.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]
    assert told["CurrentServerlessConfig"]["MaxConcurrency"] == 2
    account.cloud.advance(11 * 60)
    until(lambda: _children(account) <= before)


def test_more_than_the_allowed_concurrency_is_throttled(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str], body: str
) -> None:
    """Who comes while the only worker is busy is refused, and served when tried again."""
    name = endpoint_of(_serverless(account, account.model(diabetes.artifact), 1))
    once = account.client("sagemaker-runtime", retries=0)

    def ask(client: Any) -> str:
        try:
            client.invoke_endpoint(EndpointName=name, ContentType=JSON, Body=body)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "answered"

    with ThreadPoolExecutor(4) as pool:
        found = Counter(pool.map(ask, [once] * 4))
    assert set(found) == {"answered", "ThrottlingException"}
    assert ask(account.client("sagemaker-runtime", retries=5)) == "answered"


def test_provisioned_concurrency_is_always_warm(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str]
) -> None:
    """Before the first call, and after a long rest."""
    before = _children(account)
    endpoint_of(_serverless(account, account.model(diabetes.artifact), 2, warm=1))
    assert len(_children(account) - before) == 1
    account.cloud.advance(3600)
    assert len(_children(account) - before) == 1


@pytest.fixture(scope="module")
def mailbox(account: Any) -> dict[str, str]:
    """Two topics, and a queue that listens to both."""
    sns, sqs = account.sns, account.sqs
    queue = sqs.create_queue(QueueName="results")["QueueUrl"]
    named = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    topics = {each: sns.create_topic(Name=each)["TopicArn"] for each in ("success", "error")}
    for topic in topics.values():
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=named["QueueArn"])
    return {**topics, "queue": queue}


@pytest.fixture(scope="module")
def later(account: Any, diabetes: Any, mailbox: dict[str, str]) -> Any:
    """An asynchronous endpoint."""
    config = {
        "OutputConfig": {
            "S3OutputPath": f"s3://{account.bucket}/answers",
            "S3FailurePath": f"s3://{account.bucket}/failures",
            "NotificationConfig": {
                "SuccessTopic": mailbox["success"],
                "ErrorTopic": mailbox["error"],
            },
        },
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 2},
    }
    name = account.endpoint(
        account.config(account.model(diabetes.artifact), AsyncInferenceConfig=config)
    )
    yield name
    account.settled(name)
    account.remove(name)


def _content(account: Any, uri: str) -> bytes:
    """What lies at an address in S3, as soon as it does."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")

    def found() -> bytes:
        try:
            return bytes(account.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError:
            return b""

    return until(found)


def _message(account: Any, mailbox: dict[str, str]) -> dict[str, Any]:
    def found() -> Any:
        got = account.sqs.receive_message(QueueUrl=mailbox["queue"], WaitTimeSeconds=0)
        return got.get("Messages")

    (told,) = until(found)
    account.sqs.delete_message(QueueUrl=mailbox["queue"], ReceiptHandle=told["ReceiptHandle"])
    return dict(json.loads(json.loads(told["Body"])["Message"]))


def test_an_asynchronous_answer_lies_in_s3_and_is_told(
    account: Any, later: str, mailbox: dict[str, str], body: str, golden: dict[str, Any]
) -> None:
    """The answer where the call said it would be, and SageMaker's message with all its fields."""
    account.s3.put_object(Bucket=account.bucket, Key="asked/1.json", Body=body)
    source = f"s3://{account.bucket}/asked/1.json"
    reply = account.sagemaker_runtime.invoke_endpoint_async(
        EndpointName=later, InputLocation=source, ContentType=JSON, InferenceId="mine"
    )
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert reply["InferenceId"] == "mine"
    assert reply["OutputLocation"].startswith(f"s3://{account.bucket}/answers/")
    assert reply["FailureLocation"].startswith(f"s3://{account.bucket}/failures/")
    _right(_content(account, reply["OutputLocation"]), golden)
    told = _message(account, mailbox)
    for moment in ("eventTime", "receivedTime"):
        assert told.pop(moment).endswith("Z")
    assert told == {
        "awsRegion": "us-east-1",
        "invocationStatus": "Completed",
        "requestParameters": {
            "contentType": JSON,
            "endpointName": later,
            "inputLocation": source,
        },
        "responseParameters": {"contentType": JSON, "outputLocation": reply["OutputLocation"]},
        "inferenceId": "mine",
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def test_an_asynchronous_failure_lies_in_s3_and_is_told(
    account: Any, later: str, mailbox: dict[str, str]
) -> None:
    """A body that the model refuses, and an object that is not there."""
    account.s3.put_object(Bucket=account.bucket, Key="asked/bad.json", Body=b"{}")
    for key, reason in (("asked/bad.json", "422"), ("asked/none.json", "no object")):
        reply = account.sagemaker_runtime.invoke_endpoint_async(
            EndpointName=later, InputLocation=f"s3://{account.bucket}/{key}", ContentType=JSON
        )
        assert reason in _content(account, reply["FailureLocation"]).decode()
        told = _message(account, mailbox)
        assert told["invocationStatus"] == "Failed"
        assert reason in told["failureReason"]


def test_an_asynchronous_endpoint_has_the_metrics_of_the_guide_alone(
    account: Any, later: str, mailbox: dict[str, str], body: str
) -> None:
    """Invocations and requests at the same time are told of real-time endpoints only."""
    account.s3.put_object(Bucket=account.bucket, Key="asked/3.json", Body=body)
    account.sagemaker_runtime.invoke_endpoint_async(
        EndpointName=later, InputLocation=f"s3://{account.bucket}/asked/3.json", ContentType=JSON
    )
    _message(account, mailbox)
    account.cloud.advance(60)
    dimensions = [{"Name": "EndpointName", "Value": later}]
    pages = account.cloudwatch.get_paginator("list_metrics").paginate(Dimensions=dimensions)
    names = {each["MetricName"] for page in pages for each in page["Metrics"]}
    assert {"ApproximateBacklogSize", "InvocationsProcessed", "ModelLatency"} <= names
    assert not {"Invocations", "InvocationsPerInstance", "ConcurrentRequestsPerModel"} & names


def test_requests_wait_while_there_is_no_instance(
    account: Any, later: str, mailbox: dict[str, str], body: str
) -> None:
    """Scaled to zero, two requests wait; with an instance again, both are answered."""
    change = account.sagemaker.update_endpoint_weights_and_capacities

    def scale(count: int) -> None:
        wanted = [{"VariantName": "A", "DesiredInstanceCount": count}]
        change(EndpointName=later, DesiredWeightsAndCapacities=wanted)
        account.settled(later)

    scale(0)
    account.s3.put_object(Bucket=account.bucket, Key="asked/2.json", Body=body)
    places = [
        account.sagemaker_runtime.invoke_endpoint_async(
            EndpointName=later,
            InputLocation=f"s3://{account.bucket}/asked/2.json",
            ContentType=JSON,
            Filename=f"{number}.json",
        )["OutputLocation"]
        for number in range(2)
    ]
    listed = account.s3.list_objects_v2(Bucket=account.bucket, Prefix="answers/0.json")
    assert listed["KeyCount"] == 0
    scale(1)
    for place in places:
        assert _content(account, place)
        assert _message(account, mailbox)["invocationStatus"] == "Completed"


def test_each_kind_of_endpoint_has_its_own_call(
    account: Any, later: str, diabetes: Any, endpoint_of: Callable[..., str], body: str
) -> None:
    """The other one is refused, with the right one's name."""
    runtime = account.sagemaker_runtime
    with pytest.raises(ClientError, match="use InvokeEndpointAsync"):
        runtime.invoke_endpoint(EndpointName=later, ContentType=JSON, Body=body)
    direct = endpoint_of(account.config(account.model(diabetes.artifact)))
    with pytest.raises(ClientError, match="use InvokeEndpoint"):
        runtime.invoke_endpoint_async(EndpointName=direct, InputLocation="s3://models/x")


def test_an_asynchronous_endpoint_needs_a_place_for_its_answers(
    account: Any, diabetes: Any
) -> None:
    """Refused when it is configured, and not when the first answer is there."""
    with pytest.raises(ClientError, match="needs S3OutputPath") as caught:
        account.config(account.model(diabetes.artifact), AsyncInferenceConfig={"OutputConfig": {}})
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperation"


def test_an_answer_may_come_in_a_stream(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str], body: str, golden: dict[str, Any]
) -> None:
    """All parts together are the answer; what the model refuses is a ModelError at once."""
    name = endpoint_of(account.config(account.model(diabetes.artifact)))
    stream = account.sagemaker_runtime.invoke_endpoint_with_response_stream
    reply = stream(EndpointName=name, ContentType=JSON, Body=body)
    assert reply["ContentType"] == JSON
    assert reply["InvokedProductionVariant"] == "A"
    _right(b"".join(part["PayloadPart"]["Bytes"] for part in reply["Body"]), golden)
    with pytest.raises(ClientError, match="422") as caught:
        stream(EndpointName=name, ContentType=JSON, Body=b"{}")
    assert caught.value.response["Error"]["Code"] == "ModelError"


def test_a_shadow_is_asked_and_never_answers(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str], body: str
) -> None:
    """Every answer is the production variant's; both are captured, the shadow half as often."""
    model = account.model(diabetes.artifact)
    shadow = {
        "VariantName": "Shadow",
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 0.5,
    }
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{account.bucket}/shadowed",
        "CaptureOptions": [{"CaptureMode": "Output"}],
    }
    name = endpoint_of(
        account.config(model, ShadowProductionVariants=[shadow], DataCaptureConfig=capture)
    )
    told = account.sagemaker.describe_endpoint(EndpointName=name)
    assert [each["VariantName"] for each in told["ShadowProductionVariants"]] == ["Shadow"]
    for _ in range(100):
        reply = account.sagemaker_runtime.invoke_endpoint(
            EndpointName=name, ContentType=JSON, Body=body
        )
        assert reply["InvokedProductionVariant"] == "A"

    def lines(variant: str) -> int:
        found = 0
        listed = account.s3.list_objects_v2(
            Bucket=account.bucket, Prefix=f"shadowed/{name}/{variant}/"
        )
        for each in listed.get("Contents", ()):
            content = account.s3.get_object(Bucket=account.bucket, Key=each["Key"])["Body"].read()
            found += len(content.splitlines())
        return found

    assert until(lambda: lines("A")) == 100
    assert 50 - 20 <= until(lambda: lines("Shadow")) <= 50 + 20  # four standard deviations
