"""What labs on AWS check with, driven against a local AWS that really serves."""

from __future__ import annotations

import io
import math
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from mlref.study.labs import clouds
from mlref.study.labs.checks import Rejected
from mlref.study.labs.clouds import Account, account, strictly
from mlref.study.labs.small_models import model_data

_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/flights:3.2.0"
_ROLE = "arn:aws:iam::123456789012:role/flights"
_ROWS = "360,42.0,39.0,18.0\n"
_CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://captures/live",
    "CaptureOptions": [{"CaptureMode": "Input"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}
_ALL_AT_ONCE = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 600}
    }
}


def _model(name: str, uri: str) -> dict[str, Any]:
    container = {"Image": _IMAGE, "ModelDataUrl": uri}
    return {"ModelName": name, "ExecutionRoleArn": _ROLE, "PrimaryContainer": container}


def _config(aws: Account, name: str, content: bytes) -> None:
    """A model of some model data, and a configuration of the same name."""
    aws.upload(f"s3://models/{name}/model.tar.gz", content)
    aws.send("sagemaker", "create_model", _model(name, f"s3://models/{name}/model.tar.gz"))
    variant = {"VariantName": "main", "ModelName": name, "InstanceType": "ml.m5.large"}
    aws.send("sagemaker", "create_endpoint_config", {
        "EndpointConfigName": name,
        "ProductionVariants": [{**variant, "InitialInstanceCount": 1}],
        "DataCaptureConfig": _CAPTURE,
    })  # fmt: skip


def _create(aws: Account, endpoint: str, content: bytes) -> None:
    _config(aws, endpoint, content)
    aws.send("sagemaker", "create_endpoint", {
        "EndpointName": endpoint, "EndpointConfigName": endpoint,
    })  # fmt: skip


def _archive(**files: str) -> bytes:
    """A model.tar.gz of some files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture(scope="module")
def aws() -> Iterator[Account]:
    """An account with the endpoint `flights` in service."""
    with account() as found:
        found.create_bucket("captures")
        found.create_role(_ROLE)
        _create(found, "flights", model_data())
        found.running("flights")
        yield found


def test_a_request_that_aws_takes_is_given_back() -> None:
    """As it stands in the answer."""
    request = _model("flights", "s3://models/model.tar.gz")
    assert strictly("sagemaker", "CreateModel", request, shown="`model`") is request


@pytest.mark.parametrize("request_", [None, "flights", ["flights"]])
def test_what_is_no_dictionary_is_rejected(request_: object) -> None:
    """Keyword arguments come from a mapping."""
    with pytest.raises(Rejected, match=r"`model` must be a dictionary, got (NoneType|str|list)"):
        strictly("sagemaker", "CreateModel", request_, shown="`model`")


def test_a_wrong_field_is_told_by_its_name() -> None:
    """The pattern of a name is AWS's own: letters, digits and hyphens."""
    request = {**_model("flights 1.4", "s3://models/model.tar.gz")}
    with pytest.raises(Rejected, match=r"(?s)refuse `model`, by its model of CreateModel:.*Name"):
        strictly("sagemaker", "CreateModel", request, shown="`model`")


def test_of_many_problems_three_are_told() -> None:
    """And how many more there are."""
    request = {f"Nothing{number}": 1 for number in range(5)} | {"ModelName": "a"}
    with pytest.raises(Rejected) as caught:
        strictly("sagemaker", "CreateModel", request, shown="`model`")
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert lines[-1] == "- and 2 more"


def test_an_endpoint_in_service_answers(aws: Account) -> None:
    """With what the weights of its model say; `tried` tells that it did."""
    right = 1 / (1 + math.exp(-(0.0013 * 360 + 0.0194 * 42 - 0.016 * 39 + 0.004 * 18 - 2.8)))
    assert float(aws.ask("flights", _ROWS)) == pytest.approx(right, rel=1e-5)
    assert aws.tried("flights", _ROWS)


def test_who_is_not_there_does_not_answer(aws: Account) -> None:
    """The message has the service's words; `tried` tells that it did not."""
    with pytest.raises(Rejected, match=r"was refused with ValidationError: .*nobody"):
        aws.ask("nobody", _ROWS)
    assert not aws.tried("nobody", _ROWS)


def test_captures_can_be_read_line_by_line(aws: Account) -> None:
    """An exchange has a line, below the endpoint and its variant; below another folder is none."""
    before = len(aws.lines("s3://captures/live/flights/main/"))
    aws.ask("flights", _ROWS)
    lines = aws.lines("s3://captures/live/flights/main/")
    assert len(lines) == before + 1
    assert "360,42.0,39.0,18.0" in lines[-1]
    assert aws.lines("s3://captures/live/nobody/") == []


def test_model_data_that_is_not_there_is_refused(aws: Account) -> None:
    """When the model is created, in the words that the lab's incident shows."""
    with pytest.raises(Rejected, match=r"create_model was refused with ValidationException: Could "
                       r"not access model data at s3://models/nothing") as caught:  # fmt: skip
        aws.send("sagemaker", "create_model", _model("nothing", "s3://models/nothing/model.tar.gz"))
    assert "never created" in caught.value.why


def test_an_endpoint_that_fails_its_ping_is_told_with_its_log(aws: Account) -> None:
    """The reason is what was seen from outside, the log says why."""
    _create(aws, "empty", _archive(notes="nothing to serve"))
    with pytest.raises(Rejected, match=r"(?s)empty is Failed: The primary container for production "
                       r"variant main did not pass the ping health check\..*its log ends:\n.*no "
                       r"artefact in "):  # fmt: skip
        aws.running("empty")


def test_an_endpoint_that_is_not_there_has_no_log(aws: Account) -> None:
    """Nothing was printed, and that is no error."""
    assert aws.log("nobody") == []


def test_who_waits_too_long_is_told(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the status that it had."""
    _create(aws, "late", model_data())
    monkeypatch.setattr(clouds, "_LOOKS", 0)
    with pytest.raises(Rejected, match="late is still Creating after a minute"):
        aws.settled("late")


def test_an_update_is_followed_to_its_end(aws: Account) -> None:
    """First it bakes, in virtual time; when that has passed it is the new configuration."""
    _config(aws, "next", model_data())
    request = {"EndpointName": "flights", "EndpointConfigName": "next"}
    aws.send("sagemaker", "update_endpoint", {**request, "DeploymentConfig": _ALL_AT_ONCE})
    told = aws.baking("flights")
    assert told["EndpointStatus"] == "Updating"
    assert told["EndpointConfigName"] == "flights"
    aws.cloud.advance(1200)
    told = aws.settled("flights")
    assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("InService", "next")


def test_an_account_is_empty_and_ends_with_its_block(aws: Account) -> None:
    """It sees nothing of another one, and afterwards nobody listens."""
    with account() as other:
        assert other.client("sagemaker").list_endpoints()["Endpoints"] == []
        assert other.cloud.url != aws.cloud.url
    with pytest.raises(EndpointConnectionError):
        other.client("sagemaker").list_endpoints()
