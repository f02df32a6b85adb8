"""What data capture leaves in S3."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from support.aws import world
from support.data_plane import Limited
from support.roles import IMAGE, Roles

from mlref.aws.local.hosting.capture import Capture, Exchange, captures

AT = datetime(2026, 2, 14, 17, 25, 49, 120_000, tzinfo=UTC)
BOTH = [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]
TYPES = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}
ROLE = "arn:aws:iam::123456789012:role/model"


def _capture(
    percent: int = 100, options: Any = BOTH, *, roles: Any = None, **more: Any
) -> tuple[Capture, Any]:
    config = {
        "EnableCapture": True,
        "InitialSamplingPercentage": percent,
        "DestinationS3Uri": "s3://captures/data/",
        "CaptureOptions": options,
        "CaptureContentTypeHeader": TYPES,
        **more,
    }
    place = world("captures", **({} if roles is None else {"roles": roles}))
    return Capture(config, "flights", place, random.Random(0)), place.objects  # noqa: S311 - no secret


def _exchange(**changed: Any) -> Exchange:
    given = {
        "at": AT,
        "variant": "A",
        "request": b"1,2",
        "request_type": "text/csv",
        "response": b'{"predictions":[0.5]}',
        "response_type": "application/json",
    }
    return Exchange(**{**given, **changed})


def _records(objects: Any) -> list[dict[str, Any]]:
    keys = objects.keys("s3://captures/")
    return [json.loads(line) for key in keys for line in objects.get(key).splitlines()]


def test_a_configuration_captures_unless_it_says_otherwise() -> None:
    """EnableCapture "defaults to enabled", as the API reference has it."""
    place = {"DestinationS3Uri": "s3://captures"}
    assert [captures(each) for each in (place, {**place, "EnableCapture": False}, {}, None)] == [
        True,
        False,
        False,
        False,
    ]


def test_a_record_is_as_the_guide_shows_it() -> None:
    """The example of "Capture data from real-time endpoint", field by field."""
    capture, objects = _capture()
    capture.keep(_exchange(inference_id="42"))
    capture.flush()
    (record,) = _records(objects)
    event = record["eventMetadata"]
    assert event.pop("eventId")
    assert record == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": "1,2",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "application/json",
                "mode": "OUTPUT",
                "data": '{"predictions":[0.5]}',
                "encoding": "JSON",
            },
        },
        "eventMetadata": {"inferenceId": "42", "inferenceTime": "2026-02-14T17:25:49Z"},
        "eventVersion": "0",
    }


def test_files_lie_by_endpoint_variant_and_hour() -> None:
    """One for each variant; the next flush writes others."""
    capture, objects = _capture()
    for variant in ("A", "A", "B"):
        capture.keep(_exchange(variant=variant))
    capture.flush()
    capture.flush()
    keys = objects.keys("s3://captures/")
    folders = [key.rpartition("/")[0] for key in keys]
    assert folders == [
        "s3://captures/data/flights/A/2026/02/14/17",
        "s3://captures/data/flights/B/2026/02/14/17",
    ]
    assert all(key.rpartition("/")[2].startswith("25-49-120-") for key in keys)
    assert len(_records(objects)) == 3


@pytest.mark.parametrize(
    ("options", "sides"),
    [
        ([{"CaptureMode": "Input"}], {"endpointInput"}),
        ([{"CaptureMode": "Output"}], {"endpointOutput"}),
        ([{"CaptureMode": "InputAndOutput"}], {"endpointInput", "endpointOutput"}),
    ],
)
def test_only_the_sides_asked_for_are_kept(options: Any, sides: set[str]) -> None:
    """Input, output or both."""
    capture, objects = _capture(options=options)
    capture.keep(_exchange())
    capture.flush()
    assert set(_records(objects)[0]["captureData"]) == sides


@pytest.mark.parametrize(
    ("kind", "body", "encoding", "data"),
    [
        ("application/x-npy", b"\x93NUMPY", "BASE64", "k05VTVBZ"),
        ("text/csv; charset=utf-8", b"1", "CSV", "1"),
        ("application/json", b"\xff", "BASE64", "/w=="),
        ("application/custom", b"{}", "JSON", "{}"),
    ],
)
def test_the_encoding_follows_the_content_type(
    kind: str, body: bytes, encoding: str, data: str
) -> None:
    """What the configuration lists is text; all else, and what is no text, is base64."""
    header = {**TYPES, "JsonContentTypes": ["application/json", "application/custom"]}
    capture, objects = _capture(CaptureContentTypeHeader=header)
    capture.keep(_exchange(request=body, request_type=kind))
    capture.flush()
    found = _records(objects)[0]["captureData"]["endpointInput"]
    assert (found["encoding"], found["data"]) == (encoding, data)


@pytest.mark.parametrize(
    ("header", "encodings"),
    [
        (None, ("BASE64", "BASE64")),
        ({"CsvContentTypes": ["Text/CSV"]}, ("CSV", "BASE64")),
        ({"JsonContentTypes": ["application/json"]}, ("BASE64", "JSON")),
    ],
)
def test_a_type_that_nobody_lists_is_base64(header: Any, encodings: tuple[str, str]) -> None:
    """Neither CSV nor JSON is text by default."""
    capture, objects = _capture(CaptureContentTypeHeader=header or {})
    capture.keep(_exchange())
    capture.flush()
    found = _records(objects)[0]["captureData"]
    assert tuple(found[each]["encoding"] for each in ("endpointInput", "endpointOutput")) == (
        encodings
    )
    if header is None:
        assert found["endpointInput"]["data"] == "MSwy"


def test_captures_are_saved_in_the_role_of_the_model(caplog: Any) -> None:
    """Where it may not write they are lost, and the log says why; another model's are kept."""
    capture, objects = _capture(
        roles=Limited(("s3:PutObject", "arn:aws:s3:::captures/data/flights/B/"))
    )
    for variant in ("A", "B"):
        capture.keep(_exchange(variant=variant, role=ROLE))
    capture.flush()
    assert len(_records(objects)) == 1
    assert objects.keys("s3://captures/data/flights/B/")
    assert f"1 captures of flights are lost: Access denied: the role {ROLE} lacks" in caplog.text


def test_an_https_address_of_s3_is_one_of_s3() -> None:
    """As the pattern of DestinationS3Uri allows."""
    capture, objects = _capture(DestinationS3Uri="https://captures.s3.us-east-1.amazonaws.com/d")
    capture.keep(_exchange())
    capture.flush()
    assert objects.keys("s3://captures/d/flights/A/")


def test_a_sample_is_as_large_as_asked_for() -> None:
    """20 %: of 10,000 within four standard deviations; 0 % keeps none, 100 % all."""
    capture, _ = _capture(20)
    assert abs(sum(capture.wants() for _ in range(10_000)) - 2000) <= 160
    assert not any(_capture(0)[0].wants() for _ in range(1000))
    assert all(_capture(100)[0].wants() for _ in range(1000))


def test_a_bucket_that_is_gone_does_not_break_the_endpoint(caplog: Any) -> None:
    """It is logged, and what comes later is kept again."""
    capture, objects = _capture()
    bucket = objects.buckets.pop("captures")
    capture.keep(_exchange())
    capture.flush()
    assert "1 captures of flights are lost" in caplog.text
    objects.buckets["captures"] = bucket
    capture.keep(_exchange())
    capture.flush()
    assert len(_records(objects)) == 1


def test_a_role_that_may_write_keeps_captures(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str]
) -> None:
    """The model's: where it may only read, calls are answered, and nothing of them is kept."""
    account.model(diabetes.artifact)
    roles, model = Roles(account), account.name("model")
    role = roles.role(read := {"Action": ["s3:GetObject", "s3:ListBucket"]})
    uri = f"s3://{account.bucket}/{diabetes.artifact.digest}/model.tar.gz"
    container = {"Image": IMAGE, "ModelDataUrl": uri}
    account.sagemaker.create_model(
        ModelName=model, ExecutionRoleArn=role, PrimaryContainer=container
    )
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{account.bucket}/in-role",
        "CaptureOptions": BOTH,
    }
    name = endpoint_of(account.config(model, DataCaptureConfig=capture))
    golden = json.loads((diabetes.artifact.folder / "golden.json").read_text())

    def kept() -> int:
        account.sagemaker_runtime.invoke_endpoint(
            EndpointName=name,
            ContentType="application/json",
            Body=json.dumps({"instances": golden["instances"][:1]}),
        )
        listed = account.s3.list_objects_v2(Bucket=account.bucket, Prefix="in-role/")
        return int(listed["KeyCount"])

    told = account.sagemaker.describe_endpoint(EndpointName=name)["DataCaptureConfig"]
    assert (told["EnableCapture"], told["CaptureStatus"]) == (True, "Started")  # as it is not said
    assert kept() == 0
    roles.put(role, read, {"Action": "s3:PutObject"})
    assert kept() == 1


def test_a_call_that_was_answered_can_be_read_at_once(
    account: Any, diabetes: Any, endpoint_of: Callable[..., str]
) -> None:
    """With boto3 alone: asked, listed, read; what fails is not kept."""
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{account.bucket}/captures",
        "CaptureOptions": BOTH,
        "CaptureContentTypeHeader": TYPES,
    }
    name = endpoint_of(account.config(account.model(diabetes.artifact), DataCaptureConfig=capture))
    golden = json.loads((diabetes.artifact.folder / "golden.json").read_text())
    body = json.dumps({"instances": golden["instances"][:2]})
    invoke = account.sagemaker_runtime.invoke_endpoint
    reply = invoke(
        EndpointName=name, ContentType="application/json", Body=body, InferenceId="first"
    )["Body"].read()
    listed = account.s3.list_objects_v2(Bucket=account.bucket, Prefix=f"captures/{name}/A/")
    (found,) = listed["Contents"]
    content = account.s3.get_object(Bucket=account.bucket, Key=found["Key"])["Body"].read()
    (record,) = [json.loads(line) for line in content.splitlines()]
    assert record["captureData"]["endpointInput"]["data"] == body
    assert record["captureData"]["endpointOutput"]["data"] == reply.decode()
    assert record["eventMetadata"]["inferenceId"] == "first"
    told = account.sagemaker.describe_endpoint(EndpointName=name)["DataCaptureConfig"]
    assert (told["CaptureStatus"], told["CurrentSamplingPercentage"]) == ("Started", 100)
