"""A transform job against a model of a few lines: failures, retries, stops, and what is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.aws import world

from mlref.aws.local.transform.run import TransformRun
from mlref.aws.local.world import World

OUT = "s3://b/out"
WHOLE: dict[str, Any] = {
    "TransformInput": {"SplitType": "None"},
    "TransformOutput": {"AssembleWith": "None"},
}


class Model(ThreadingHTTPServer):
    """A worker whose answers a function gives, by the body: a status, and what it says."""

    daemon_threads = True
    name = "i-0"
    alive = True

    def __init__(self, answer: Callable[[bytes], tuple[int, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.port: int = self.server_address[1]
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: who has given up hears no answer."""

    def seen(self, folder: Path) -> str:
        """See `Worker.seen`."""
        return str(folder)

    def log(self) -> str:
        """See `Worker.log`."""
        return ""

    def stop(self) -> None:
        """See `Worker.stop`."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Model

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        """As the model's function says."""
        body = self._chunks() if self.headers["Transfer-Encoding"] else self._whole()
        self.server.bodies.append(body)
        self.server.headers.append(dict(self.headers))
        status, answer = self.server.answer(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _whole(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        return found


@contextmanager
def _serving(answer: Callable[[bytes], tuple[int, bytes]]) -> Iterator[Model]:
    with Model(answer) as model:
        thread = threading.Thread(target=model.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield model
        finally:
            model.shutdown()
            thread.join()


def _run(model: Model, objects: dict[str, bytes], **more: Any) -> tuple[World, TransformRun]:
    """A job that has not begun, over some objects."""
    place = world("b")
    for key, content in objects.items():
        place.objects.put(f"s3://b/in/{key}", content)
    request: dict[str, Any] = {
        "TransformJobName": "t",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": OUT, "AssembleWith": "Line"},
    }
    for member, value in more.items():
        given = request.get(member)
        request[member] = {**given, **value} if isinstance(given, dict) else value
    return place, TransformRun(place, request, "arn", launch=lambda: model, role=None)


def _done(model: Model, objects: dict[str, bytes], **more: Any) -> tuple[World, TransformRun]:
    place, run = _run(model, objects, **more)
    run.start()
    run.settle()
    return place, run


def _saved(place: World) -> dict[str, bytes]:
    keys = place.objects.keys(f"{OUT}/")
    return {key.removeprefix(f"{OUT}/"): place.objects.get(key) for key in keys}


def test_the_objects_behind_one_that_fails_are_answered() -> None:
    """The guide: a job "continues to process input files even if it fails to process one"."""

    def answer(body: bytes) -> tuple[int, bytes]:
        return (400, b"no such colour") if b"bad" in body else (200, body)

    with _serving(answer) as model:
        objects = {"1.csv": b"one", "2.csv": b"bad", "3.csv": b"three\n", "4.csv": b"bad"}
        place, run = _done(model, objects)
    assert _saved(place) == {"1.csv.out": b"one\n", "3.csv.out": b"three\n"}
    assert run.status == "Failed"
    assert run.reason.startswith("ClientError: s3://b/in/2.csv: the model answered with status 400")
    assert run.reason.endswith("(and 1 more; see the log)")


def test_an_object_that_is_too_large_leaves_the_others_alone() -> None:
    """It is not sent."""
    with _serving(lambda body: (200, body)) as model:
        objects = {"1": b"x" * (2**20 + 1), "2": b"small"}
        place, run = _done(model, objects, MaxPayloadInMB=1, **WHOLE)
    assert (_saved(place), run.status) == ({"2.out": b"small"}, "Failed")
    assert "1048577 bytes, more than MaxPayloadInMB allows" in run.reason


def test_what_takes_too_long_is_asked_again() -> None:
    """As often as InvocationsMaxRetries says; a later answer counts."""
    slow, late = threading.Event(), threading.Event()

    def answer(body: bytes) -> tuple[int, bytes]:
        if not slow.is_set():
            slow.set()
            late.wait(30)
        return 200, body

    with _serving(answer) as model:
        patience = {"InvocationsTimeoutInSeconds": 0.2, "InvocationsMaxRetries": 1}
        place, run = _done(model, {"a": b"1"}, ModelClientConfig=patience)
        late.set()
    assert (run.status, _saved(place)) == ("Completed", {"a.out": b"1\n"})
    assert model.bodies == [b"1", b"1"]


def test_a_model_that_never_answers_in_time_fails_the_object() -> None:
    """After its last retry, and with what was wrong."""
    late = threading.Event()

    def answer(body: bytes) -> tuple[int, bytes]:
        late.wait(30)
        return 200, body

    with _serving(answer) as model:
        patience = {"InvocationsTimeoutInSeconds": 0.2, "InvocationsMaxRetries": 0}
        place, run = _done(model, {"a": b"1"}, ModelClientConfig=patience)
        late.set()
    assert (run.status, _saved(place), len(model.bodies)) == ("Failed", {}, 1)
    assert run.reason == (
        "AlgorithmError: s3://b/in/a: the model container does not answer: TimeoutError: timed out"
    )


def test_a_model_that_is_gone_is_not_asked_again() -> None:
    """Each object fails at once."""
    with _serving(lambda body: (200, body)) as model:
        pass
    model.alive = False
    place, run = _done(model, {"a": b"1", "b": b"2"})
    assert (run.status, _saved(place)) == ("Failed", {})
    assert "ConnectionRefusedError" in run.reason


def test_a_job_that_is_stopped_saves_nothing() -> None:
    """Neither of objects that are done nor of the one that is under way."""
    asked, go_on = threading.Event(), threading.Event()

    def answer(body: bytes) -> tuple[int, bytes]:
        if body == b"2":
            asked.set()
            go_on.wait(30)
        return 200, body

    with _serving(answer) as model:
        place, run = _run(model, {"1": b"1", "2": b"2", "3": b"3"})
        run.start()
        assert asked.wait(30)
        run.stop()
        assert run.status == "Stopping"
        go_on.set()
        run.settle()
    assert (run.status, run.reason, _saved(place)) == ("Stopped", "", {})
    assert model.bodies == [b"1", b"2"]


def test_a_payload_without_a_limit_is_sent_in_chunks() -> None:
    """MaxPayloadInMB 0: "arbitrarily large and is transmitted using HTTP chunked encoding"."""
    large = b"x" * (7 * 2**20)
    with _serving(lambda _: (200, b"done")) as model:
        place, run = _done(model, {"a": large}, MaxPayloadInMB=0, **WHOLE)
        assert (run.status, _saved(place)) == ("Completed", {"a.out": b"done"})
        assert model.bodies == [large]
        assert model.headers[0]["Transfer-Encoding"] == "chunked"
        _, run = _done(model, {"a": large}, **WHOLE)
    assert (run.status, len(model.bodies)) == ("Failed", 1)  # by default 6 MB


@pytest.mark.parametrize(
    ("content", "answer", "processing", "sent", "expected"),
    [
        (b'{"key": 1}', b'{"label": 1}', {}, b'{"key": 1}',
         b'{"key":1,"SageMakerOutput":{"label":1}}'),
        (b"[1,2]", b"[0.5]", {}, b"[1,2]", b'{"SageMakerInput":[1,2],"SageMakerOutput":[0.5]}'),
        (
            b'{"id": 7,\n "features": [1]}',
            b"[0.5]",
            {"InputFilter": "$.features", "OutputFilter": "$['id','SageMakerOutput']"},
            b"[1]",
            b'{"id":7,"SageMakerOutput":[0.5]}',
        ),
    ],
)  # fmt: skip
def test_a_whole_object_of_json_is_one_record(
    content: bytes, answer: bytes, processing: dict[str, str], sent: bytes, expected: bytes
) -> None:
    """Without a SplitType; the first example is the guide's."""
    with _serving(lambda _: (200, answer)) as model:
        place, run = _done(
            model,
            {"a": content},
            TransformInput={"SplitType": "None", "ContentType": "application/json"},
            TransformOutput={"AssembleWith": "None", "Accept": "application/json"},
            DataProcessing={"JoinSource": "Input", **processing},
        )
    assert (run.status, run.reason, _saved(place)) == ("Completed", "", {"a.out": expected})
    assert model.bodies == [sent]
