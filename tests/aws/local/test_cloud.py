"""From model data in S3 to an answer, with clients that know nothing of us."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import psutil
import pytest
from botocore.exceptions import ClientError

from mlref.aws.local.cloud import start
from mlref.aws.strict import check_response


def test_a_model_answers_as_the_artefact_does(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str]
) -> None:
    """Created, described and asked through boto3; the answer is the artefact's own."""
    model = account.model(diabetes.artifact)
    name = endpoint_of(account.config(model))
    golden = json.loads((diabetes.artifact.folder / "golden.json").read_text())
    reply = account.sagemaker_runtime.invoke_endpoint(
        EndpointName=name,
        ContentType="application/json",
        Body=json.dumps({"instances": golden["instances"]}),
    )
    assert reply["InvokedProductionVariant"] == "A"
    answered = np.array(json.load(reply["Body"])["predictions"])
    np.testing.assert_allclose(answered, golden["predictions"], rtol=1e-5)


def test_what_is_told_of_an_endpoint_is_of_the_shape_of_aws(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str]
) -> None:
    """All that describes and lists models, configurations and endpoints."""
    sagemaker = account.sagemaker
    model = account.model(diabetes.artifact)
    config = account.config(model)
    name = endpoint_of(config)
    answers = {
        "DescribeModel": sagemaker.describe_model(ModelName=model),
        "ListModels": sagemaker.list_models(NameContains=model),
        "DescribeEndpointConfig": sagemaker.describe_endpoint_config(EndpointConfigName=config),
        "ListEndpointConfigs": sagemaker.list_endpoint_configs(NameContains=config),
        "DescribeEndpoint": sagemaker.describe_endpoint(EndpointName=name),
        "ListEndpoints": sagemaker.list_endpoints(StatusEquals="InService"),
    }
    assert {name: check_response("sagemaker", name, told) for name, told in answers.items()} == {
        name: [] for name in answers
    }
    assert answers["ListModels"]["Models"][0]["ModelName"] == model


def test_what_is_not_there_is_refused_and_not_tried_again(account: Any) -> None:
    """An operation of AWS that nobody has: 400 with its name, at the first try."""
    with pytest.raises(ClientError, match="sagemaker CreateApp") as caught:
        account.sagemaker.create_app(
            DomainId="d-1", UserProfileName="me", AppType="JupyterServer", AppName="default"
        )
    told = caught.value.response
    assert told["Error"]["Code"] == "UnsupportedOperation"
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert told["ResponseMetadata"]["RetryAttempts"] == 0


def test_another_region_is_refused(account: Any) -> None:
    """A client that signs for one gets no empty answer from it."""
    client = boto3.client(
        "sagemaker",
        endpoint_url=account.cloud.url,
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the local AWS takes any
    )
    with pytest.raises(ClientError, match=r"has one region, us-east-1; .* signed for eu-central-1"):
        client.list_endpoints()


def test_nothing_is_left_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State is in memory: another one begins empty, and the first one's folders are gone."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def buckets(cloud: Any) -> tuple[Any, list[str]]:
        client = boto3.client(
            "s3",
            endpoint_url=cloud.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - as above
        )
        return client, [each["Name"] for each in client.list_buckets()["Buckets"]]

    with start() as cloud:
        client, _ = buckets(cloud)
        client.create_bucket(Bucket="kept")
        client.put_object(Bucket="kept", Key="model", Body=b"1" * 20_000_000)
        assert buckets(cloud)[1] == ["kept"]
        pid = cloud.pid
    assert not psutil.pid_exists(pid)
    assert list(tmp_path.iterdir()) == []
    with start() as cloud:
        assert buckets(cloud)[1] == []


def test_a_large_request_may_be_compressed(account: Any) -> None:
    """As boto3 does from ten kilobytes on; a body that is not what its header says is refused."""
    name = account.name("compressed")
    sent: list[str | None] = []
    client = account.client("cloudwatch")
    client.meta.events.register(
        "before-send", lambda request, **_: sent.append(request.headers.get("Content-Encoding"))
    )
    at = account.now()
    data = [
        {"MetricName": name, "Value": 1.0, "Timestamp": at, "Unit": "Count"} for _ in range(500)
    ]
    client.put_metric_data(Namespace="large", MetricData=data)
    assert [each.decode() if isinstance(each, bytes) else each for each in sent] == ["gzip"]
    (found,) = client.get_metric_statistics(
        Namespace="large",
        MetricName=name,
        StartTime=at - timedelta(minutes=5),
        EndTime=at + timedelta(minutes=5),
        Period=600,
        Statistics=["SampleCount"],
    )["Datapoints"]
    assert found["SampleCount"] == 500

    def spoil(request: Any, **_: Any) -> None:
        request.body = b"no gzip"
        request.headers["Content-Length"] = "7"

    client.meta.events.register("before-send", spoil)
    with pytest.raises(ClientError, match="the body is not gzip"):
        client.put_metric_data(Namespace="large", MetricData=data)
