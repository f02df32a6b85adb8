"""Asynchronous endpoints without processes: what waits, expires, is told and measured."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.data_plane import DataPlane, Limited, data_plane
from support.queue import CONFIG, later, message, settled
from support.waiting import until

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.backlog import require_output

ROLE = "arn:aws:iam::123456789012:role/model"
EVERYTHING = {("s3:GetObject", ""), ("s3:PutObject", ""), ("sns:Publish", "")}


def config(**notification: Any) -> dict[str, Any]:
    """The same, and more of NotificationConfig."""
    output = CONFIG["OutputConfig"]
    whole = {**output["NotificationConfig"], **notification}
    return {**CONFIG, "OutputConfig": {**output, "NotificationConfig": whole}}


@pytest.fixture
def plane() -> Iterator[DataPlane]:
    """An endpoint with a worker."""
    with data_plane(asynchronous=CONFIG) as found:
        found.workers(1)
        yield found


def test_a_request_expires_while_there_is_no_instance() -> None:
    """At its time, and not before; it is counted, told, and waits no more."""
    with data_plane(asynchronous=CONFIG) as plane:
        _, failure = later(plane, requestttlseconds="60")
        later(plane)
        plane.world.timers.advance(59)
        assert plane.told == []
        plane.world.timers.advance(1)
        found = message(plane)
        assert found["invocationStatus"] == "Failed"
        assert "RequestTTLSeconds" in found["failureReason"]
        assert found["eventTime"] == "2026-01-05T12:01:00.000Z"
        assert found["responseParameters"] == {"failureLocation": failure}
        assert b"RequestTTLSeconds" in plane.world.objects.get(failure)
        plane.asynchronous.measure()
        seen = plane.metrics()
        assert seen["ExpiredRequests"] == {1.0: 1}
        assert seen["ApproximateBacklogSize"] == {1.0: 1}
        assert seen["ApproximateAgeOfOldestRequest"] == {60.0: 1}
        assert seen["HasBacklogWithoutCapacity"] == {1.0: 1}
        plane.world.timers.advance(6 * 3600)
        assert len(plane.told) == 2  # the default of the other


def test_what_cloudwatch_is_told_is_what_aws_lists(plane: DataPlane) -> None:
    """The guide's list, which it calls exhaustive; and nothing of what real-time endpoints have."""
    plane.world.objects.put("s3://b/asked", b"1,2")
    later(plane, b"", inputlocation="s3://b/asked")
    message(plane)
    settled(plane)
    plane.asynchronous.measure()
    found = plane.metrics()
    assert set(found) == {
        "Invocation4XXErrors",
        "Invocation5XXErrors",
        "ModelLatency",
        "ApproximateBacklogSize",
        "ApproximateBacklogSizePerInstance",
        "ApproximateAgeOfOldestRequest",
        "HasBacklogWithoutCapacity",
        "RequestDownloadLatency",
        "ResponseUploadLatency",
        "InvocationsProcessed",
        "TimeInBacklog",
        "TotalProcessingTime",
    }
    metrics: Any = plane.world.metrics
    of_endpoint = {each["name"] for each in metrics.puts if "VariantName" not in each["dimensions"]}
    assert {name for name in found if name not in of_endpoint} >= {"TimeInBacklog", "ModelLatency"}
    assert found["InvocationsProcessed"] == {1.0: 1}
    assert {each["unit"] for each in metrics.of("TotalProcessingTime")} == {"Milliseconds"}


def test_time_in_the_backlog_goes_by_the_clock_of_the_cloud() -> None:
    """An hour that was advanced is an hour."""
    with data_plane(asynchronous=CONFIG) as plane:
        later(plane)
        plane.world.timers.advance(3600)
        plane.workers(1)
        message(plane)
        settled(plane)
        assert plane.metrics()["TimeInBacklog"] == {3600e6: 1}
        assert plane.metrics()["TotalProcessingTime"] == {3600e3: 1}


@pytest.mark.parametrize(
    ("lacking", "metric", "reason"),
    [
        (("s3:GetObject", ""), "RequestDownloadFailures", "lacks s3:GetObject on s3://b/asked"),
        (("s3:PutObject", ""), "ResponseUploadFailures", "lacks s3:PutObject on s3://b/answers/"),
    ],
)
def test_a_role_that_may_not_use_s3_fails_the_request(
    lacking: tuple[str, str], metric: str, reason: str
) -> None:
    """It is told and counted, and no answer is left."""
    roles = Limited(*EVERYTHING - {lacking})
    with data_plane(asynchronous=CONFIG, role=ROLE, roles=roles) as plane:
        plane.workers(1)
        plane.world.objects.put("s3://b/asked", b"1,2")
        output, failure = later(plane, b"", inputlocation="s3://b/asked")
        found = message(plane)
        assert found["invocationStatus"] == "Failed"
        assert f"the role {ROLE} {reason}" in found["failureReason"]
        assert not plane.world.objects.exists(output)
        assert plane.world.objects.exists(failure) == (lacking[0] == "s3:GetObject")
        settled(plane)
        assert plane.metrics()[metric]
        assert plane.metrics()["InvocationFailures"] == {1.0: 1}


def test_a_role_that_may_not_publish_tells_nobody(caplog: Any) -> None:
    """The answer is there all the same; the failure is counted and logged."""
    roles = Limited(*EVERYTHING - {("sns:Publish", "")}, ("sns:Publish", "arn:error"))
    with data_plane(asynchronous=CONFIG, role=ROLE, roles=roles) as plane:
        plane.workers(1)
        output, _ = later(plane)
        until(lambda: plane.world.objects.exists(output))
        settled(plane)
        assert plane.told == []
        assert plane.metrics()["NotificationFailures"] == {1.0: 1}
        assert f"{ROLE} lacks sns:Publish on arn:success" in caplog.text


def test_the_content_type_that_is_told_is_the_container_s(plane: DataPlane) -> None:
    """Not the one that was asked for."""
    plane.answer = lambda body: (200, {"Content-Type": "text/plain"}, body)
    output, _ = later(plane, content_type="text/csv", accept="text/csv")
    found = message(plane)["responseParameters"]
    assert found == {"contentType": "text/plain", "outputLocation": output}


@pytest.mark.parametrize(
    ("size", "status", "included"),
    [(131_072, 200, True), (131_073, 200, False), (10, 400, True), (0, 200, False)],
)
def test_a_small_answer_is_included_where_that_is_asked_for(
    size: int,
    status: int,
    included: bool,  # noqa: FBT001 - a table
) -> None:
    """Up to 128 KB, in the message of success as of error."""
    both = ["SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC"]
    with data_plane(asynchronous=config(IncludeInferenceResponseIn=both)) as plane:
        plane.workers(1)
        plane.answer = lambda _: (status, {}, b"x" * size)
        later(plane)
        found = message(plane).get("responseBody")
        told = {"content": base64.b64encode(b"x" * size).decode(), "encoding": "BASE64"}
        assert found == (told if included else None)


def test_an_answer_is_included_only_where_it_is_asked_for() -> None:
    """The other topic's message has none."""
    only = config(IncludeInferenceResponseIn=["ERROR_NOTIFICATION_TOPIC"])
    with data_plane(asynchronous=only) as plane:
        plane.workers(1)
        later(plane)
        assert "responseBody" not in message(plane)


def test_an_https_address_of_s3_is_one_of_s3(plane: DataPlane) -> None:
    """As the pattern of InputLocation allows."""
    plane.world.objects.put("s3://b/asked", b"1,2")
    source = "https://b.s3.us-east-1.amazonaws.com/asked"
    output, _ = later(plane, b"", inputlocation=source)
    assert message(plane)["requestParameters"]["inputLocation"] == source
    assert plane.world.objects.get(output) == b"1,2"


@pytest.mark.parametrize(
    ("body", "headers", "code", "words"),
    [
        (b"", {}, "ValidationError", "exactly one"),
        (b"1", {"inputlocation": "s3://b/asked"}, "ValidationError", "exactly one"),
        (b"x" * 128_001, {}, "ValidationError", "allowed are 128000"),
        (b"", {"inputlocation": "s3://"}, "ValidationError", "InputLocation"),
        (b"", {"inputlocation": "https://elsewhere.org/a"}, "ValidationError", "InputLocation"),
        (b"1", {"requestttlseconds": "59"}, "ValidationError", "at least 60"),
        (b"1", {"requestttlseconds": "soon"}, "ValidationError", "a whole number"),
        (b"1", {"invocationtimeoutseconds": "3601"}, "ValidationError", "at most 3600"),
        (b"1", {"filename": "../x"}, "ValidationError", "Filename"),
    ],
)
def test_what_is_wrong_is_refused_at_once(
    plane: DataPlane, body: bytes, headers: dict[str, str], code: str, words: str
) -> None:
    """Instead of being queued; 202 promises that it will be worked on."""
    with pytest.raises(AwsError, match=words) as caught:
        later(plane, body, **headers)
    assert caught.value.code == code
    plane.asynchronous.measure()
    assert "ApproximateBacklogSize" not in plane.metrics()


def test_a_configuration_says_where_answers_go() -> None:
    """AWS does not tell where they are otherwise."""
    require_output(None)
    require_output(CONFIG)
    with pytest.raises(AwsError, match="S3OutputPath") as caught:
        require_output({"OutputConfig": {"S3FailurePath": "s3://b/failures"}})
    assert caught.value.code == "UnsupportedOperation"


def test_a_slow_subscriber_keeps_nobody_waiting(plane: DataPlane) -> None:
    """While one publishes, the loop goes on: another request is taken and answered."""
    release, begun = threading.Event(), threading.Event()
    publish = plane.publish

    def slow(*what: str) -> None:
        begun.set()
        release.wait(30)
        publish(*what)

    plane.publish = slow
    later(plane)
    assert begun.wait(30)
    assert plane.ask("later", b"2").status == 202
    release.set()
    assert message(plane, 1)
