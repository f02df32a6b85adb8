"""The data plane without processes: limits, streams, and workers that are gone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from support.aws import world
from support.data_plane import DataPlane, data_plane

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.capture import Capture, Exchange
from mlref.aws.local.hosting.elastic import Elastic

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
WAYS = ("invoke", "stream")


@pytest.fixture
def plane() -> Iterator[DataPlane]:
    """An endpoint with a worker."""
    with data_plane() as found:
        found.workers(1)
        yield found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("body", "headers", "code", "words"),
    [
        (b"x" * 6_291_457, {}, "ValidationError", "allowed are 6291456"),
        (b"1", {"custom_attributes": "a" * 1025}, "ValidationError", "at most 1024"),
        (b"1", {"inference_id": "a" * 65}, "ValidationError", "at most 64"),
        (b"1", {"session_id": "NEW_SESSION"}, "UnsupportedOperation", "SessionId"),
        (b"1", {"target_container_hostname": "x"}, "UnsupportedOperation", "Hostname"),
    ],
)
def test_what_aws_refuses_is_refused(  # noqa: PLR0917 - a table
    plane: DataPlane, way: str, body: bytes, headers: dict[str, str], code: str, words: str
) -> None:
    """Also of a stream; no worker is asked."""
    named = {f"x_amzn_sagemaker_{name}": value for name, value in headers.items()}
    with pytest.raises(AwsError, match=words) as caught:
        plane.ask(way, body, **named)
    assert caught.value.code == code
    assert plane.metrics() == {}


def test_a_serverless_endpoint_takes_and_gives_less(
    plane: DataPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 MB of a request, and of an answer."""
    most = Elastic.payload_limit
    assert most == 4 * 2**20
    monkeypatch.setattr(plane.fleet, "payload_limit", most, raising=True)
    assert plane.ask("invoke", bytes(most)).body == bytes(most)
    with pytest.raises(AwsError, match=f"{most + 1} bytes, allowed are {most}") as caught:
        plane.ask("invoke", bytes(most + 1))
    assert caught.value.status == 413
    plane.answer = lambda _: (200, {}, bytes(most + 1))
    with pytest.raises(AwsError, match=f"{most + 1} bytes from primary") as caught:
        plane.ask("invoke", b"1")
    assert (caught.value.code, caught.value.status) == ("ModelError", 424)


def test_an_answer_of_any_endpoint_has_a_limit(plane: DataPlane) -> None:
    """That of Body in the response; an answer in a stream has none."""
    plane.answer = lambda _: (200, {}, bytes(6_291_457))
    with pytest.raises(AwsError, match="allowed are 6291456"):
        plane.ask("invoke", b"1")
    assert len(plane.parts(plane.ask("stream", b"1"))) > 6_291_457


def test_a_stream_has_the_container_s_headers(plane: DataPlane) -> None:
    """Its Content-Type, and its own custom attributes."""
    plane.answer = lambda _: (200, {"Content-Type": "text/plain", ATTRIBUTES: "a=1"}, b"ok")
    reply = plane.ask("stream", b"1")
    told = dict(reply.headers)
    assert told["X-Amzn-SageMaker-Content-Type"] == "text/plain"
    assert told[ATTRIBUTES] == "a=1"
    assert told["x-amzn-invoked-production-variant"] == "A"
    assert b"ok" in plane.parts(reply)
    plane.answer = lambda _: (200, {}, b"ok")
    assert ATTRIBUTES not in dict(plane.ask("stream", b"1").headers)


@pytest.mark.parametrize("way", WAYS)
def test_who_does_not_listen_is_left_out(plane: DataPlane, way: str) -> None:
    """Nothing was sent to it, so another worker is asked, and it never is again."""
    dead = plane.dead_worker()
    reply: Any = plane.ask(way, b"1")
    assert b"1" in (plane.parts(reply) if way == "stream" else reply.body)
    assert dead.gone
    assert plane.lost == [plane.variant]
    assert [slot.in_flight for slot in plane.fleet.slots] == [0, 0]


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_that_ends_before_it_answers_is_told(plane: DataPlane, way: str) -> None:
    """503, which boto3 tries again: the request may have been begun, so here nobody does."""
    plane.answer = lambda _: None
    with pytest.raises(AwsError, match="a worker of A ended") as caught:
        plane.ask(way, b"1")
    assert (caught.value.code, caught.value.status) == ("ServiceUnavailable", 503)
    assert plane.lost == [plane.variant]


def test_a_stream_that_breaks_off_says_so(plane: DataPlane) -> None:
    """The last event is a ModelStreamError; nothing can be sent again."""
    plane.answer = lambda _: (200, {"Content-Length": "99"}, b"half of it")
    found = plane.parts(plane.ask("stream", b"1"))
    assert b"ModelStreamError" in found
    assert b"StreamBroken" in found
    assert plane.fleet.slots[0].in_flight == 0


def test_a_stream_is_not_captured() -> None:
    """An answer that comes as a whole is."""
    config = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://b/captures",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    }
    chance = random.Random(0)  # noqa: S311 - no secret
    keeps = Capture(config, "e", world("b"), chance)
    kept: list[Exchange] = []
    keeps.keep = kept.append  # type: ignore[method-assign]
    with data_plane(capture=keeps) as plane:
        plane.workers(1)
        plane.parts(plane.ask("stream", b"1"))
        assert kept == []
        plane.ask("invoke", b"1")
        assert [each.response for each in kept] == [b"1"]


def test_a_stream_is_counted_once(plane: DataPlane) -> None:
    """When it has ended."""
    plane.parts(plane.ask("stream", b"1"))
    assert plane.metrics()["Invocations"] == {1.0: 1}
