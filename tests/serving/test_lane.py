"""The lane: what it needs of uvicorn, and its limits. See test_exchange for its answers."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from mlref.artifact import Artifact
from mlref.runtime import process
from mlref.serving import create_app, lane
from mlref.serving.probes import Connection, send_raw
from mlref.serving.raw_http import Answer, request_bytes
from mlref.serving.settings import Settings
from mlref.serving.watch import Watch

LIMIT, TIMEOUT_S = 100_000, 0.6
PREDICT = "/v1/predict"
GET = b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-A: B\r\n\r\n"
HALF = b"POST /half HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-Continue\r\n\r\nab"


class _Transport(asyncio.Transport):
    """A transport to nowhere."""

    def __init__(self) -> None:
        super().__init__({"peername": ("1.2.3.4", 5), "sockname": ("5.6.7.8", 9)})
        self.written, self.closed, self.paused = b"", False, False

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def _turns(count: int = 10) -> None:
    for _ in range(count):
        turned = asyncio.Event()
        asyncio.get_running_loop().call_soon(turned.set)
        await turned.wait()


async def _app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["raw_path"]})


async def _cycle(p: Any) -> None:
    assert p.cycle is None
    p.data_received(GET)
    assert (p.cycle.response_complete, p.cycle.disconnected) == (False, False)
    await _turns()
    assert p.cycle.response_complete is True


async def _connections(p: Any) -> None:
    assert p in p.connections
    assert p.connections is p.server_state.connections
    p.connection_lost(None)
    assert p not in p.connections


async def _requested(p: Any) -> None:
    p.data_received(GET)
    assert (p.url, p.headers) == (b"/a?b", [(b"host", b"x"), (b"x-a", b"B")])
    assert p.scope["headers"] is p.headers
    before = p.headers
    p.on_message_begin()
    assert (p.url, p.headers, p.expect_100_continue) == (b"", [], False)
    assert p.headers is not before
    assert p.scope["headers"] is p.headers


async def _flows(p: Any) -> None:
    assert p.flow.write_paused is False
    p.pause_writing()
    assert p.flow.write_paused is True
    p.resume_writing()
    assert p.flow.write_paused is False


async def _bodies(p: Any) -> None:
    assert p.expect_100_continue is False
    p.data_received(HALF)
    assert p.expect_100_continue is True
    assert (bytes(p.cycle.body), p.cycle.more_body) == (b"ab", True)
    told = (p.parser.get_method(), p.parser.should_upgrade(), p.parser.should_keep_alive())
    assert told == (b"POST", False, True)
    p.on_body(b"cd")
    assert bytes(p.cycle.body) == b"abcd"
    p.on_message_complete()
    assert p.cycle.more_body is False


async def _pipelines(p: Any) -> None:
    assert p.pipeline == deque()
    p.data_received(GET + GET.replace(b"/a", b"/b") + GET.replace(b"/a", b"/c"))
    assert [cycle.scope["path"] for cycle, _ in p.pipeline] == ["/c", "/b"]
    assert p.transport.paused
    await _turns(50)
    assert [line[-2:] for line in p.transport.written.split(b"\r\n") if line[:1] == b"/"] == [
        b"/a", b"/b", b"/c",
    ]  # fmt: skip
    assert (p.server_state.total_requests, p.transport.paused) == (3, False)


async def _completes(p: Any) -> None:
    p.cycle = SimpleNamespace(response_complete=False, disconnected=False)  # as the lane does
    p.data_received(GET)
    await _turns()
    assert (len(p.pipeline), p.transport.written) == (1, b"")
    p.on_response_complete()
    await _turns()
    assert (len(p.pipeline), p.transport.written[:12]) == (0, b"HTTP/1.1 200")


async def _states(p: Any) -> None:
    assert isinstance(p.server_state.default_headers, list)
    p.server_state.default_headers = [(b"date", b"today")]
    before = p.server_state.total_requests
    p.data_received(GET)
    await _turns()
    assert p.server_state.total_requests == before + 1
    assert b"date: today\r\n" in p.transport.written


async def _shuts(p: Any) -> None:
    p.data_received(HALF)
    p.shutdown()
    assert (p.transport.closed, p.cycle.keep_alive) == (False, False)
    p.cycle = None
    p.shutdown()
    assert p.transport.closed


async def _keeps(p: Any) -> None:
    assert p.timeout_keep_alive_task is None
    p.data_received(GET)
    await _turns()
    assert p.timeout_keep_alive_task.when() > p.loop.time()
    p.data_received(b"G")
    assert p.timeout_keep_alive_task is None


async def _is_made(p: Any) -> None:
    assert (p.client, p.loop) == (("1.2.3.4", 5), asyncio.get_running_loop())
    assert isinstance(p.transport, _Transport)
    assert isinstance(p.config, uvicorn.Config)
    p.data_received(HALF)
    p.connection_lost(None)
    assert p.cycle.disconnected is True


CONTRACT = {
    "client": _is_made, "config": _is_made, "connection_lost": _connections,
    "connection_made": _is_made, "connections": _connections, "cycle": _cycle,
    "data_received": _cycle, "expect_100_continue": _bodies, "flow": _flows,
    "headers": _requested, "loop": _is_made, "on_body": _bodies,
    "on_headers_complete": _completes, "on_message_begin": _requested,
    "on_message_complete": _bodies, "on_response_complete": _completes, "parser": _bodies,
    "pipeline": _pipelines, "server_state": _states, "shutdown": _shuts,
    "timeout_keep_alive_task": _keeps, "transport": _is_made, "url": _requested,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted({*lane.INTERNALS, *CONTRACT}))
def test_uvicorn_does_what_the_lane_believes(name: str) -> None:
    """Each internal is there, of its type, and has the effect that the lane counts on."""

    async def main() -> None:
        config = uvicorn.Config(_app, ws="none", lifespan="off", log_config=None)
        config.load()
        protocol = HttpToolsProtocol(config, ServerState(), {}, asyncio.get_running_loop())
        protocol.connection_made(_Transport())
        await CONTRACT[name](protocol)
        for task in protocol.tasks:
            task.cancel()

    asyncio.run(main())


def test_the_lane_uses_no_other_internals() -> None:
    """What `Lane` asks of itself or its base, and does not define, is in `INTERNALS`."""
    tree = ast.parse(inspect.getsource(lane.Lane)).body[0]
    found = [each for each in ast.walk(tree) if isinstance(each, ast.Attribute)]
    own = {each.attr for each in found if ast.unparse(each.value) == "self"} - {*vars(lane.Lane)}
    own -= {*lane.Lane.__annotations__}
    base = {each.attr for each in found if ast.unparse(each.value) == "super()"}
    assert own | base <= set(lane.INTERNALS)


def test_an_unknown_uvicorn_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """`why_not` names the version and those that are known; the one installed here is known."""
    assert lane.why_not() is None
    for version, told in (("0.99.0", "0.99.0"), (None, "none")):
        monkeypatch.setattr(lane, "version_of", lambda _, found=version: found)
        assert f"uvicorn {told} is not one" in str(lane.why_not())
    monkeypatch.setattr(lane, "version_of", {"uvicorn": "0.54.0"}.get)
    assert "httptools is not installed" in str(lane.why_not())


class _Server(uvicorn.Server):
    """Uvicorn's server, with a watch that cuts off who is too slow."""

    engine: Any
    ready: threading.Event

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        ends: Any = {"stop_listening": lambda: None, "end": lambda: None}
        Watch(self.engine, self.server_state.connections, sockets[0], **ends)
        self.ready.set()


@contextmanager
def serving(artifact: Artifact, *, on_lane: bool) -> Iterator[str]:
    """The URL of a server in a thread."""
    times: dict[str, Any] = {"header_timeout_s": TIMEOUT_S, "body_timeout_s": TIMEOUT_S}
    settings = Settings(max_body_bytes=LIMIT, **times)
    app = create_app(artifact, settings=settings)
    way: Any = lane.lane_for(app.engine) if on_lane else "httptools"
    config = uvicorn.Config(app, http=way, lifespan="off", log_config=None, ws="none")
    served = _Server(config)
    served.engine, served.ready = app.engine, threading.Event()
    with process.bind("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=served.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert served.ready.wait(10)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            assert app.engine.in_flight == 0
        finally:
            served.should_exit = served.force_exit = True
            thread.join()
            app.engine.close()


@pytest.fixture(scope="module")
def urls(colours: Artifact) -> Iterator[dict[str, str]]:
    """The same server twice: on the lane, and plain ASGI."""
    with ExitStack() as stack:
        ways = {"lane": True, "asgi": False}
        yield {way: stack.enter_context(serving(colours, on_lane=it)) for way, it in ways.items()}


@pytest.fixture(params=["lane", "asgi"])
def url(urls: dict[str, str], request: pytest.FixtureRequest) -> str:
    """Each of the two."""
    return urls[request.param]


def body(count: int, rows: int = 1) -> bytes:
    """So many rows, whose prediction is that number."""
    row = {"colour": "red", "count": count, "extra": None}
    return json.dumps({"instances": [row] * rows}).encode()


def predict(count: int = 3, **more: Any) -> bytes:
    """A request for that prediction."""
    return request_bytes(more.pop("path", PREDICT), body(count), **more)


def number(answer: Answer) -> float:
    """The prediction in an answer."""
    found: float = json.loads(answer.body)["predictions"][0]
    return found


def until_closed(url: str, *pieces: bytes) -> bytes:
    """All that a server sends until it closes."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5) as client:
        for piece in pieces:
            client.sendall(piece)
        return b"".join(iter(lambda: client.recv(65536), b""))


LIVE = request_bytes("/health/live", method="GET")


@pytest.mark.parametrize("chunk_bytes", [None, 50_000])
def test_a_body_too_large_is_refused_at_once_and_the_connection_kept(
    url: str, chunk_bytes: int | None
) -> None:
    """413 before the last byte; the rest is thrown away; the next request is answered."""
    data = request_bytes(PREDICT, b" " * (2 * LIMIT + 1), chunk_bytes=chunk_bytes)
    early = len(data) - 30_000 if chunk_bytes else data.index(b"\r\n\r\n") + 4
    with Connection(url) as connection:
        connection.send(data[:early])
        assert connection.answer().status == 413
        connection.send(data[early:] + predict(8))
        assert number(connection.answer()) == 8


def test_a_refused_body_keeps_no_connection_that_shall_close(url: str) -> None:
    """413 with `Connection: close` ends like any other reply, once the body is through."""
    head = f"POST {PREDICT} HTTP/1.1\r\nConnection: close\r\nContent-Length: {LIMIT + 1}\r\n\r\n"
    assert until_closed(url, head.encode(), b" " * (LIMIT + 1))[9:12] == b"413"


STALLS = {
    "in a body": predict()[:-3],
    "before a body": predict().partition(b"{")[0],
    "before 100-continue": predict(headers={"Expect": "100-continue"}).partition(b"{")[0],
    "elsewhere": request_bytes("/v2/repository/index", b"{}")[:-1],
    "in a head": predict()[:40],
    "in a head behind a prediction": predict() + predict()[:40],
}
HEADS = ("in a head", "in a head behind a prediction")


@pytest.mark.parametrize(("way", "where"), [
    (way, where) for way in ("lane", "asgi") for where in STALLS
    if way == "lane" or where not in HEADS  # uvicorn has no limit of time on headers
])  # fmt: skip
def test_who_stops_in_the_middle_is_cut_off(urls: dict[str, str], way: str, where: str) -> None:
    """408 and the end, wherever it was; a prediction before it is answered."""
    with Connection(urls[way], timeout_s=TIMEOUT_S + 2) as connection:
        connection.send(STALLS[where])
        answers = [connection.answer() for _ in range(2 if "behind" in where else 1)]
    assert answers[-1].status == 408


def test_a_head_without_end_is_refused(urls: dict[str, str]) -> None:
    """431 for 100 KB of headers, before their time is over; as one piece or many."""
    head = b"POST /v1/predict HTTP/1.1\r\n" + b"X-A: b\r\n" * 12_500
    for size in (len(head), 5000):
        with Connection(urls["lane"], timeout_s=TIMEOUT_S * 0.9) as connection:
            for start in range(0, len(head), size):
                connection.send(head[start : start + size])
            assert connection.answer().status == 431


def test_a_head_in_pieces_may_have_a_large_body_behind_it(url: str) -> None:
    """What follows the head does not count as one."""
    data = request_bytes(PREDICT, body(4) + b" " * 90_000)
    with Connection(url) as connection:
        for piece in (data[:5], data[5:9], data[9:]):
            connection.send(piece)
            assert send_raw(url, LIVE).status == 200  # so the piece was read alone
        assert number(connection.answer()) == 4


def test_each_part_of_a_request_has_its_own_time(url: str) -> None:
    """The body's time begins at the end of the head."""
    head, brace, rest = predict(6).partition(b"{")
    with Connection(url) as connection:
        for piece in (head[:9], head[9:]):
            connection.send(piece)
            assert not connection.ended_within(0.85 * TIMEOUT_S)
        connection.send(brace + rest)
        assert number(connection.answer()) == 6


def test_a_body_is_not_counted_as_part_of_the_next_head(url: str) -> None:
    """The first byte of a request may come with the last of the one before."""
    with Connection(url) as connection:
        connection.send(request_bytes(PREDICT, body(1) + b" " * 90_000) + b"P")
        assert number(connection.answer()) == 1
        connection.send(b"O")
        assert send_raw(url, LIVE).status == 200  # so the piece was read alone
        connection.send(predict(2)[2:])
        assert number(connection.answer()) == 2


def test_a_client_that_does_not_read_stops_nobody_else(url: str) -> None:
    """It is not served more than the buffers hold; when it reads, all is there, in order."""
    requests = b"".join(request_bytes(PREDICT, body(count, 1000)) for count in range(150))
    with Connection(url, timeout_s=30) as slow:
        sender = threading.Thread(target=slow._socket.sendall, args=(requests,))
        slow._socket.settimeout(30)
        sender.start()
        assert [number(send_raw(url, predict(count))) for count in range(50)] == [*range(50)]
        answers = [number(slow.answer()) for _ in range(150)]
        sender.join()
    assert answers == [*range(150)]
