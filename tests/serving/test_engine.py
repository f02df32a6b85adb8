"""The way of a request through the engine: admitted, read, predicted, answered, counted."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import pytest

from mlref.artifact import Artifact
from mlref.errors import RequestRefusedError
from mlref.serving import create_app
from mlref.serving.cache import CacheStats, MemoryCache
from mlref.serving.exchange import Block, Request
from mlref.serving.protocols.native import PredictV1
from mlref.serving.settings import Settings

PREDICT = "/v1/predict"
ROW = {"colour": "red", "count": 3, "extra": 0.5}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"  # W3C Trace Context, 3.2.2


class _Held:
    """The graph of an artefact, which waits until it is let go, and then adds a number or fails."""

    def __init__(self, graph: Any, plus: float = 0) -> None:
        self._graph, self.plus, self.calls = graph, plus, 0
        self.started, self.go_on = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.go_on.set()

    def run(self, arrays: Any, n_rows: int) -> np.ndarray:
        self.calls += 1
        self.started.set()
        assert self.go_on.wait(10), "the loop stood still while the model worked"
        if self.error is not None:
            raise self.error
        found: np.ndarray = self._graph.run(arrays, n_rows) + np.float32(self.plus)
        return found

    def hold(self) -> None:
        """Wait from now on."""
        self.started.clear()
        self.go_on.clear()
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)


@pytest.fixture
def graph(colours: Artifact) -> _Held:
    """The hand-written graph, under control."""
    return _Held(colours.graph)


def version(colours: Artifact, graph: Any, text: str = "0.1.0") -> Artifact:
    """A version of the hand-written model."""
    manifest = dataclasses.replace(colours.manifest, version=text)
    digest = f"{colours.digest}{text}"
    return dataclasses.replace(colours, graph=graph, manifest=manifest, digest=digest)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns, unless it takes far too long."""

    async def limited() -> Any:
        async with asyncio.timeout(15):
            return await main

    return asyncio.run(limited())


async def until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds."""
    loop = asyncio.get_running_loop()
    while not condition():
        turned = asyncio.Event()
        loop.call_later(0.005, turned.set)
        await turned.wait()


@asynccontextmanager
async def client_of(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a network."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def body(*rows: dict[str, Any]) -> bytes:
    """A body of some rows."""
    return json.dumps({"instances": list(rows) or [ROW]}).encode()


def slow_app(colours: Artifact, graph: _Held, **limits: Any) -> Any:
    """An application whose batches run in the thread, from now on only when the graph is let go."""
    app = create_app(version(colours, graph), settings=Settings(inline_ms=0, **limits))
    graph.hold()
    return app


@pytest.mark.parametrize(
    ("path", "content", "status", "told"),
    [
        (PREDICT, body(), 200, "predictions"),
        (f"{PREDICT}?model=colours&version=0.1.0", body(), 200, "predictions"),
        ("/v2/predict", body(), 200, "digest"),
        (f"{PREDICT}?model=shapes", body(), 404, "there are: colours"),
        (f"{PREDICT}?version=7", body(), 404, "has no version '7'; it has: 0.1.0"),
        ("/v2/models/shapes/infer", b"{}", 404, "there are: colours"),
        (PREDICT, b"{", 422, "MalformedRequest"),
        (PREDICT, body() + b" " * 100_000 + b"x", 422, "MalformedRequest"),
    ],
)
def test_each_outcome_has_its_status_and_the_ids_of_the_request(
    colours_app: Any, path: str, content: bytes, status: int, told: str
) -> None:
    """200, 404 or 422 with a reason, the request's id, our part of its trace; nothing is left."""
    headers = {"x-request-id": "mine-1", "traceparent": PARENT}

    async def main() -> httpx.Response:
        async with client_of(colours_app) as client:
            return await client.post(path, content=content, headers=headers)

    reply = run(main())
    assert reply.status_code == status
    assert told in reply.text
    assert reply.headers["x-request-id"] == "mine-1"
    ours = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", reply.headers["traceparent"])
    assert ours is not None
    assert ours[1] == PARENT[3:35]
    assert ours[2] != PARENT[36:52]
    assert colours_app.engine.in_flight == 0


def test_a_server_without_a_model_says_so(ask: Any) -> None:
    """503, not 404: it may have one later. It is not ready, and lives."""
    app = create_app()
    answer = ask(app, "POST", PREDICT, content=body())
    assert (answer.status, answer.body["error"]) == (503, "this server has no model; load one")
    assert ask(app, "GET", "/health/ready").status == 503
    assert ask(app, "GET", "/health/live").status == 200
    assert (app.engine.ready, app.engine.in_flight) == (False, 0)


def test_one_request_too_many_is_told_to_come_back_a_little_later(
    colours: Artifact, graph: _Held
) -> None:
    """Two are accepted and answered; a third gets 503 with Retry-After; health is asked freely."""
    app = slow_app(colours, graph, max_in_flight=2, retry_after_s=7, refusal_delay_s=0.2)

    async def main() -> None:
        async with client_of(app) as client:
            accepted = [asyncio.create_task(client.post(PREDICT, content=body())) for _ in range(2)]
            await until(lambda: app.engine.in_flight == 2)
            began = time.monotonic()
            refused = await client.post(PREDICT, content=body())
            assert time.monotonic() - began >= 0.19
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "7")
            assert "try again in 7 s" in refused.json()["error"]
            assert "x-request-id" in refused.headers
            assert (await client.get("/health/ready")).status_code == 200
            graph.go_on.set()
            assert [(await each).status_code for each in accepted] == [200, 200]
            assert (await client.post(PREDICT, content=body())).status_code == 200
            metrics = (await client.get("/metrics")).text
        assert 'mlref_refused_requests_total{reason="in_flight"} 1.0' in metrics
        assert 'status="503"' in metrics

    run(main())
    assert app.engine.in_flight == 0


def test_a_late_loop_takes_no_new_requests(colours: Artifact, ask: Any) -> None:
    """Beyond `max_lag_s` each gets 503; below it they are answered again."""
    app = create_app(colours, settings=Settings(max_lag_s=0.5, refusal_delay_s=0))
    statuses = []
    for lag_s in (0.4, 0.6, 0.0):
        app.engine.lag_s = lag_s
        statuses.append(ask(app, "POST", PREDICT, content=body()).status)
    assert statuses == [200, 503, 200]
    assert app.engine.in_flight == 0


@pytest.mark.parametrize("waits", ["in the queue", "in the model", "for a reader", "for a refusal"])
def test_a_client_that_goes_away_leaves_no_place_taken(
    colours: Artifact, graph: _Held, waits: str
) -> None:
    """Wherever its request was, the next ones find the server as empty as before."""
    limit = 1 if waits == "for a refusal" else 128
    large = b" " * 100_000 if waits == "for a reader" else b""  # read behind the batch that runs
    app = slow_app(colours, graph, max_in_flight=limit)

    async def main() -> None:
        async with client_of(app) as client:
            first = asyncio.create_task(client.post(PREDICT, content=body()))
            assert await asyncio.to_thread(graph.started.wait, 10)
            sent = [client.post(PREDICT, content=body() + large) for _ in range(20)]
            more = [asyncio.create_task(each) for each in sent]
            counted = app.engine.metrics._refused
            await until(lambda: app.engine.in_flight == 21 or "in_flight" in counted)
            gone, kept = ([first], more) if waits == "in the model" else (more, [first])
            for each in gone:
                each.cancel()
            await asyncio.gather(*gone, return_exceptions=True)
            graph.go_on.set()
            assert {(await each).status_code for each in kept} == {200}
            assert (await client.post(PREDICT, content=body())).status_code == 200
            assert app.engine.in_flight == 0

    run(main())


def _refuse(request: Request) -> None:
    if request.header(b"authorization") != "Bearer good":
        raise RequestRefusedError("who are you?", status=401, headers=[(b"www-authenticate", b"B")])


def test_who_asks_is_checked_on_every_route_but_health(colours: Artifact, ask: Any) -> None:
    """The hook's refusal has its status, its headers and the form of every refusal."""
    app = create_app(colours, authorize=_refuse)
    for method, path in (("POST", PREDICT), ("GET", "/v1/model"), ("GET", "/metrics")):
        answer = ask(app, method, path, content=body())
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "B"), path
        assert answer.body == {"error": "who are you?", "problems": []}
    for path in ("/health", "/health/live", "/health/ready", "/ping", "/v2/health/ready"):
        assert ask(app, "GET", path).status == 200
    good = {"authorization": "Bearer good"}
    assert ask(app, "POST", PREDICT, content=body(), headers=good).status == 200
    assert ask(app, "GET", "/v1/model", headers=good).status == 200
    assert app.engine.in_flight == 0


def test_a_check_that_breaks_lets_nobody_in(
    colours: Artifact, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """500, with the reason in the log alone."""

    def broken(_request: Request) -> None:
        raise RuntimeError("the key server is gone")

    answer = ask(create_app(colours, authorize=broken), "POST", PREDICT, content=body())
    assert answer.status == 500
    assert "key server" not in json.dumps(answer.body)
    assert "the key server is gone" in caplog.text


def test_the_cache_answers_with_the_same_bytes(colours: Artifact, graph: _Held, ask: Any) -> None:
    """The same rows are predicted once, whatever their form; warnings come each time; counted."""
    app = create_app(version(colours, graph), cache="memory")
    graph.calls = 0
    row = {"colour": "pink", "count": 2, "extra": None}
    columns = json.dumps({"columns": {name: [value] for name, value in row.items()}})
    forms = [body(row), body(row), columns.encode(), body(row, row)]

    async def main() -> list[bytes]:
        async with client_of(app) as client:
            return [(await client.post(PREDICT, content=form)).content for form in forms]

    first, second, third, other = run(main())
    assert first == second == third != other
    assert json.loads(first)["warnings"] == ["colour: 1 unknown category imputed"]
    assert graph.calls == 2
    assert dataclasses.astuple(app.engine.cache.stats)[:2] == (2, 2)
    app.engine.repository.add(version(colours, _Held(colours.graph, plus=1), "0.2.0"))
    assert ask(app, "POST", PREDICT, content=body(row)).body["predictions"] == [21]
    assert app.engine.in_flight == 0


class _Elsewhere(MemoryCache):
    """A cache that has to be waited for."""

    immediate = False

    async def fetch(self, key: bytes) -> np.ndarray | None:
        """The same, in a later turn of the loop."""
        waited = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, waited.set)
        await waited.wait()
        return self.get(key)


def test_a_cache_that_is_elsewhere_is_waited_for(colours: Artifact, graph: _Held) -> None:
    """The model is asked once; both requests are answered alike."""
    app = create_app(version(colours, graph))
    app.engine.cache = cache = _Elsewhere()
    graph.calls = 0

    async def main() -> list[bytes]:
        async with client_of(app) as client:
            return [(await client.post(PREDICT, content=body())).content for _ in range(2)]

    first, second = run(main())
    assert first == second
    assert (graph.calls, app.engine.in_flight) == (1, 0)
    stats: CacheStats = cache.stats
    assert (stats.hits, stats.misses) == (1, 1)


class _Where(PredictV1):
    """A codec that notes in which thread it reads, and breaks when it is told to."""

    threads: list[str]
    breaks: bool

    def read(self, request: Request) -> Block:
        self.threads.append(threading.current_thread().name)
        return super().read(request)

    def write(self, predictions: np.ndarray, block: Block) -> Any:
        if self.breaks:
            raise RuntimeError("a secret of the codec")
        return super().write(predictions, block)


@pytest.fixture
def where() -> type[_Where]:
    """A codec of its own for each test."""
    return type("Where", (_Where,), {"threads": [], "breaks": False})


def test_a_large_body_is_read_in_the_thread(colours: Artifact, where: type[_Where]) -> None:
    """Beyond `inline_bytes` only; both are answered alike."""
    app = create_app(colours, settings=Settings(inline_bytes=len(body())))
    app.engine.add_route("/where", where, "A test")

    async def main() -> list[bytes]:
        async with client_of(app) as client:
            contents = (body(), body() + b" ")
            return [(await client.post("/where", content=each)).content for each in contents]

    first, second = run(main())
    assert first == second
    assert where.threads[0] == threading.main_thread().name
    assert where.threads[1].startswith("mlref-")


def test_what_breaks_is_told_in_the_log_and_not_to_the_client(
    colours: Artifact, where: type[_Where], ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with a sentence; the traceback is in the log; the next request is answered."""
    app = create_app(colours)
    app.engine.add_route("/where", where, "A test")
    where.breaks = True
    answer = ask(app, "POST", "/where", content=body())
    assert (answer.status, answer.body["problems"]) == (500, [])
    assert "secret" not in answer.body["error"]
    assert "log" in answer.body["error"]
    assert "Traceback" in caplog.text
    assert "a secret of the codec" in caplog.text
    where.breaks = False
    assert ask(app, "POST", "/where", content=body()).status == 200
    assert app.engine.in_flight == 0


def test_each_request_is_a_line_of_the_access_log(
    colours: Artifact, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Predictions, refusals and ordinary routes, with what is known of each."""
    caplog.set_level(logging.INFO, "mlref.access")
    app = create_app(colours, settings=Settings(access_log=True))
    ask(app, "POST", PREDICT, content=body(ROW, ROW), headers={"x-request-id": "a"})
    ask(app, "POST", PREDICT, content=b"{", headers={"x-request-id": "b"})
    ask(app, "GET", "/health", headers={"x-request-id": "c"})
    ask(app, "GET", PREDICT, headers={"x-request-id": "d"})
    lines = [json.loads(each.message) for each in caplog.records if each.name == "mlref.access"]
    told = {each["request_id"]: (each["status"], each["rows"], each["model"]) for each in lines}
    expected = {"a": (200, 2, "colours"), "b": (422, 0, "colours"), "c": (200, 0, None)}
    assert told == {**expected, "d": (405, 0, None)}
