"""Workers that are containers answer as those that are processes, and end with their endpoint."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.local_account import LocalAccount, prepared
from support.waiting import until

from mlref import containers
from mlref.artifact import TOLERANCE
from mlref.aws.local.cloud import start
from mlref.containers import engine

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/colours:1.0.0"


@pytest.fixture(scope="module")
def client() -> Any:
    """A client of the daemon; without one the test is skipped, or fails where CI requires it."""
    reason = containers.available()
    if reason is not None:
        required = "docker" in os.environ.get("MLREF_REQUIRE", "").split(",")
        (pytest.fail if required else pytest.skip)(f"docker: {reason}")
    return engine.connect()


@pytest.fixture(scope="module")
def named(client: Any, colours: Any) -> Iterator[str]:
    """An image under the name that a registry of the account would give it."""
    image = containers.build(colours)
    client.images.get(image.digest).tag(ECR)
    yield ECR
    client.images.remove(ECR)


@pytest.fixture(scope="module")
def account(named: str, diabetes: Any) -> Iterator[LocalAccount]:
    """A local AWS whose workers are containers of the images that models name."""
    assert named
    with start(docker=True, seed=0) as cloud:
        yield prepared(cloud.url, diabetes.artifact)


def _endpoint(account: LocalAccount, name: str, image: str) -> Any:
    """An endpoint of one worker; returns what DescribeEndpoint tells when it has settled."""
    account.client("sagemaker").create_model(
        ModelName=name,
        ExecutionRoleArn=account.role,
        PrimaryContainer={"Image": image, "ModelDataUrl": account.model_data},
    )
    return _deployed(account, name)


def _deployed(account: LocalAccount, name: str) -> Any:
    """An endpoint of a model that is there; returns what DescribeEndpoint tells then."""
    sagemaker = account.client("sagemaker")
    variant = {"VariantName": "A", "ModelName": name, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def settled() -> Any:
        told = sagemaker.describe_endpoint(EndpointName=name)
        return None if told["EndpointStatus"] == "Creating" else told

    return until(settled)


def _running(client: Any) -> set[str]:
    return {each.id for each in client.containers.list(filters={"ancestor": ECR})}


def test_a_container_answers_with_the_model_of_s3(account: LocalAccount, client: Any) -> None:
    """Not with the one in its image; killed it is replaced, and deleted it is gone."""
    assert _endpoint(account, "contained", ECR)["EndpointStatus"] == "InService"
    (first,) = _running(client)
    invoke = account.client("sagemaker-runtime").invoke_endpoint

    def answers() -> Any:
        reply = invoke(
            EndpointName="contained", ContentType="application/json", Body=account.request
        )
        return np.array(json.load(reply["Body"])["predictions"])

    golden = account.artifact.golden.predictions
    assert np.abs(answers() - golden).max() <= TOLERANCE
    client.containers.get(first).kill()
    until(lambda: _running(client) - {first})
    until(lambda: np.abs(answers() - golden).max() <= TOLERANCE)
    account.client("sagemaker").delete_endpoint(EndpointName="contained")
    until(lambda: not _running(client))


def test_a_container_loads_models_when_they_are_asked_for(account: LocalAccount) -> None:
    """A multi-model endpoint: below /opt/ml/models, as SageMaker mounts them."""
    sagemaker = account.client("sagemaker")
    container = {
        "Image": ECR,
        "Mode": "MultiModel",
        "ModelDataUrl": account.model_data.rpartition("/")[0] + "/",
    }
    sagemaker.create_model(
        ModelName="many", ExecutionRoleArn=account.role, PrimaryContainer=container
    )
    assert _deployed(account, "many")["EndpointStatus"] == "InService"
    reply = account.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="many",
        TargetModel="model.tar.gz",
        ContentType="application/json",
        Body=account.request,
    )
    found = np.array(json.load(reply["Body"])["predictions"])
    assert np.abs(found - account.artifact.golden.predictions).max() <= TOLERANCE
    sagemaker.delete_endpoint(EndpointName="many")


def test_an_image_that_is_not_there_fails_the_endpoint(account: LocalAccount) -> None:
    """With its name."""
    told = _endpoint(account, "no-image", "123456789012.dkr.ecr.us-east-1.amazonaws.com/none:1")
    assert told["EndpointStatus"] == "Failed"
    assert "amazonaws.com/none:1 could not be run: No such image" in told["FailureReason"]


def test_a_container_without_its_model_fails_its_ping(account: LocalAccount, tmp_path: Any) -> None:
    """And what it said is in its log."""
    (tmp_path / "empty.txt").write_text("no model")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "empty.txt", arcname="empty.txt")
    s3 = account.client("s3")
    s3.upload_file(str(tmp_path / "model.tar.gz"), account.bucket, "model/model.tar.gz")
    told = _endpoint(account, "no-model", ECR)
    assert told["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in told["FailureReason"]
    events = account.client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/Endpoints/no-model"
    )["events"]
    assert any("/opt/ml/model" in each["message"] for each in events)


def test_all_workers_can_be_of_one_image(named: str, colours: Any, client: Any) -> None:
    """Whatever the models name; a killed local AWS leaves no container."""
    with start(image=named) as cloud:
        account = prepared(cloud.url, colours)
        assert _endpoint(account, "any", "nobody/has:this")["EndpointStatus"] == "InService"
        assert len(_running(client)) == 1
        os.kill(int(cloud.pid or 0), 9)
        until(lambda: not _running(client))


def test_without_a_daemon_it_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so at once, and not when an endpoint is made."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(Exception, match="Docker"):
        start(docker=True)
