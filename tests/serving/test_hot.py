"""Requests that come as ASGI messages: bodies in pieces, too large, too slow, or without an end."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from mlref.artifact import Artifact
from mlref.serving import create_app
from mlref.serving.settings import Settings

BODY = json.dumps({"instances": [{"colour": "red", "count": 3, "extra": 0.5}]}).encode()
DISCONNECT: dict[str, Any] = {"type": "http.disconnect"}
HANGS: dict[str, Any] = {"type": "hangs"}


def piece(data: bytes, *, more: bool = True) -> dict[str, Any]:
    """A message with a part of a body."""
    return {"type": "http.request", "body": data, "more_body": more}


class _Connection:
    """What an ASGI server has for an application: messages to receive, and where to send."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = deque(messages)
        self.sent: list[Any] = []
        self.received = 0

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        message = self.messages.popleft() if self.messages else DISCONNECT
        if message is HANGS:
            await asyncio.Event().wait()
        return message

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        """Of the reply."""
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        """Of the reply."""
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """Of the reply."""
        return b"".join(message["body"] for message in self.sent[1:])


def asked(
    app: Any,
    *messages: dict[str, Any],
    method: str = "POST",
    path: str = "/v1/predict",
    headers: Any = (),
) -> _Connection:
    """The connection after one request."""
    connection = _Connection(*messages)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": list(headers),
        "client": None,
        "server": None,
    }

    async def limited() -> None:
        async with asyncio.timeout(5):
            await app(scope, connection.receive, connection.send)

    asyncio.run(limited())
    assert app.engine.in_flight == 0
    return connection


@pytest.fixture(scope="module")
def app(colours: Artifact) -> Any:
    """An application that takes 1000 bytes within a tenth of a second."""
    return create_app(colours, settings=Settings(max_body_bytes=1000, body_timeout_s=0.1))


def length(size: int) -> list[tuple[bytes, bytes]]:
    """The header that tells the length of a body."""
    return [(b"content-length", b"%d" % size)]


CUTS: dict[str, list[dict[str, Any]]] = {
    "whole": [piece(BODY, more=False)],
    "whole, without the word": [{"type": "http.request", "body": BODY}],
    "in two": [piece(BODY[:7]), piece(BODY[7:], more=False)],
    "byte by byte": [piece(BODY[at : at + 1], more=at + 1 < len(BODY)) for at in range(len(BODY))],
    "an end without a body": [piece(BODY), {"type": "http.request"}],
    "nothing at first": [piece(b""), piece(BODY), piece(b"", more=False)],
}


@pytest.mark.parametrize("messages", CUTS.values(), ids=CUTS)
def test_a_body_is_whole_however_it_was_cut(app: Any, messages: list[dict[str, Any]]) -> None:
    """The pieces are joined, and the reply says what it is and how long."""
    reply = asked(app, *messages)
    assert reply.status == 200
    assert json.loads(reply.body)["predictions"] == [3.5]
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert "connection" not in reply.headers
    assert [message["type"] for message in reply.sent] == [
        "http.response.start",
        "http.response.body",
    ]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/predict"), ("PUT", "/v1/predict"), ("DELETE", "/v2/predict")]
)
def test_only_post_is_allowed(app: Any, method: str, path: str) -> None:
    """405 with Allow, as RFC 9110 asks for, in the form of every refusal."""
    reply = asked(app, method=method, path=path)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    told = json.loads(reply.body)
    assert told["problems"] == []
    assert f"{method} {path}" in told["error"]


def test_a_body_that_is_announced_too_large_is_not_read(app: Any) -> None:
    """413 by Content-Length alone."""
    reply = asked(app, HANGS, headers=length(1001))
    assert (reply.status, reply.received) == (413, 0)
    assert "1000 bytes" in json.loads(reply.body)["error"]


@pytest.mark.parametrize(
    "messages",
    [
        [piece(b" " * 1001, more=False)],
        [piece(b" " * 600), piece(b" " * 401), HANGS],
        [piece(b" " * 1001), HANGS],
    ],
    ids=["whole", "second piece", "first piece"],
)
def test_a_body_that_grows_too_large_is_read_no_further(
    app: Any, messages: list[dict[str, Any]]
) -> None:
    """413 as soon as it is more than is allowed, whatever Content-Length said."""
    reply = asked(app, *messages, headers=length(10))
    assert reply.status == 413
    assert reply.received <= 2


def test_a_body_of_just_the_limit_is_read(app: Any) -> None:
    """The limit itself is allowed."""
    padded = BODY + b" " * (1000 - len(BODY))
    assert asked(app, piece(padded, more=False), headers=length(1000)).status == 200
    assert asked(app, piece(padded[:500]), piece(padded[500:], more=False)).status == 200


@pytest.mark.parametrize(
    "messages",
    [[HANGS], [piece(BODY[:5]), HANGS], [piece(b""), piece(BODY), HANGS]],
    ids=["before the first byte", "after some", "before the last"],
)
def test_a_body_that_does_not_come_is_not_waited_for(
    app: Any, messages: list[dict[str, Any]]
) -> None:
    """408 after `body_timeout_s`, wherever the client fell silent."""
    reply = asked(app, *messages)
    assert reply.status == 408
    assert "0.1 s" in json.loads(reply.body)["error"]


@pytest.mark.parametrize(
    "messages",
    [[DISCONNECT], [piece(BODY[:5]), DISCONNECT]],
    ids=["before the body", "in the body"],
)
def test_who_leaves_while_sending_gets_nothing(app: Any, messages: list[dict[str, Any]]) -> None:
    """No reply, no error, nothing counted as under way."""
    assert asked(app, *messages).sent == []


@pytest.mark.parametrize("value", [b"", b"ten", b"-1", b"1e3", b"9" * 5000])
def test_a_length_that_is_no_number_is_no_failure_of_the_server(app: Any, value: bytes) -> None:
    """Another server may hand on what uvicorn refuses: the body itself is what counts."""
    reply = asked(app, piece(BODY, more=False), headers=[(b"content-length", value)])
    assert reply.status in {200, 400, 413}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/predict", 200),
        ("GET", "/v1/predict", 405),
        ("GET", "/health", 200),
        ("GET", "/nowhere", 404),
    ],
)
def test_while_the_server_closes_each_reply_says_so(
    colours: Artifact, method: str, path: str, status: int
) -> None:
    """Every client is asked to come back on another connection, on hot and ordinary routes."""
    app = create_app(colours)
    app.engine.closing = True
    reply = asked(app, piece(BODY, more=False), method=method, path=path)
    assert (reply.status, reply.headers["connection"]) == (status, "close")


def test_what_is_refused_is_counted(colours: Artifact, ask: Callable[..., Any]) -> None:
    """A body too large and one too slow are refusals for the server's sake."""
    app = create_app(colours, settings=Settings(max_body_bytes=10, body_timeout_s=0.05))
    asked(app, headers=length(11))
    asked(app, piece(b"{"), HANGS)
    counts = app.engine.metrics.render()[0].decode()
    assert 'mlref_refused_requests_total{reason="body"} 1.0' in counts
    assert 'mlref_refused_requests_total{reason="timeout"} 1.0' in counts
    assert ask(app, "POST", "/v1/predict", content=b"{}").status == 422


def test_a_server_that_tells_less_is_served_as_well(app: Any) -> None:
    """`raw_path` and `client` are optional in ASGI."""
    connection = _Connection(piece(BODY, more=False))
    scope = {"type": "http", "method": "POST", "path": "/v1/predict", "headers": []}
    asyncio.run(app(scope, connection.receive, connection.send))
    assert connection.status == 200
