"""Requests, replies and blocks of rows; and whole exchanges over a socket, whichever way."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import hypothesis
import numpy as np
import pytest
import uvicorn
from hypothesis import strategies as st

from mlref.artifact import Artifact
from mlref.errors import RequestRefusedError
from mlref.runtime import process
from mlref.schema import Column, Schema
from mlref.serving import create_app, lane
from mlref.serving.batching import Batcher
from mlref.serving.exchange import Block, Reply, Request, block_of
from mlref.serving.fast_decoding import FastDecoder
from mlref.serving.probes import Connection, send_pipelined, send_raw
from mlref.serving.raw_http import Answer, request_bytes
from mlref.serving.settings import Settings

LIMIT = 100_000
PREDICT = "/v1/predict"
MODELS = ("colours", "digits", "diabetes", "champion")
TRACED = {"traceparent": f"00-{'a1' * 16}-{'b' * 16}-01"}

MIXED = Schema(
    (
        Column("temp", nullable=True),
        Column("carrier", dtype="string"),
        Column("gust"),
        Column("count", dtype="int64"),
        Column("pixels", shape=(2, 2)),
    )
)
PIXELS = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
NUMBERS = np.array([[1.5, np.nan], [3.0, 4.0]], dtype=np.float32)
FORMS: dict[str, Block] = {
    "bytes": Block(
        2, [None, ["UA", ""], None, [5, 2**60], PIXELS.tobytes()], numbers=NUMBERS.tobytes()
    ),
    "array of numbers": Block(
        2, [None, ["UA", ""], None, np.array([5, 2**60]), PIXELS], numbers=NUMBERS
    ),
    "lists": Block(2, [[1.5, float("nan")], ["UA", ""], [3, 4.0], [5, 2**60], PIXELS.tolist()]),
    "arrays": Block(
        2,
        [
            NUMBERS[0],
            np.array(["UA", ""], dtype=object),
            NUMBERS[1],
            np.array([5, 2**60]),
            PIXELS.astype(np.float64),
        ],
    ),
}


@pytest.mark.parametrize("block", FORMS.values(), ids=FORMS)
def test_each_form_of_a_block_gives_the_same_arrays(block: Block) -> None:
    """Lists, arrays and bytes become arrays of the columns' dtypes and shapes."""
    arrays = block.arrays(MIXED)
    assert list(arrays) == list(MIXED.names)
    dtypes = [array.dtype for array in arrays.values()]
    assert dtypes == [np.float32, object, np.float32, np.int64, np.float32]
    np.testing.assert_array_equal(arrays["temp"], NUMBERS[0])
    np.testing.assert_array_equal(arrays["gust"], NUMBERS[1])
    assert arrays["carrier"].tolist() == ["UA", ""]
    assert arrays["count"].tolist() == [5, 2**60]
    np.testing.assert_array_equal(arrays["pixels"], PIXELS)


def test_a_block_of_decoded_rows_has_its_columns_in_order(colours: Artifact) -> None:
    """Whatever the order of the request, the schema's is kept; unknown categories are counted."""
    rows = {"extra": [None], "count": [4], "colour": ["pink"]}
    block = block_of(colours.inputs.decode(rows), colours.inputs, context="kept")
    assert (block.n_rows, block.unknown, block.context) == (1, {"colour": 1}, "kept")
    assert colours.predict_arrays(block.arrays(colours.inputs), 1).tolist() == [40]


def test_blocks_do_not_share_what_is_unknown() -> None:
    """Each block counts for itself, and is equal to itself alone."""
    one, other = Block(1, []), Block(1, [])
    one.unknown["colour"] = 1
    assert other.unknown == {}
    assert one != other


def test_a_header_is_found_by_its_name() -> None:
    """The first value of that name; bytes beyond ASCII are latin-1; None if it is not there."""
    headers = ((b"x-user", b"J\xf6rg"), (b"x-user", b"other"), (b"x-empty", b""))
    request = Request("POST", "/", headers)
    found: list[Any] = [request.header(name) for name in (b"x-user", b"x-empty", b"x-none")]
    assert found == ["Jörg", "", None]


def test_a_reply_is_json_unless_it_says_otherwise() -> None:
    """The default content type is that of our wire."""
    assert Reply(200, b"{}").content_type == b"application/json"


class _Asked:
    """Somebody who waits for predictions."""

    cancelled = False

    def __init__(self, block: Any) -> None:
        self.block = block
        self.future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()

    def answered(self, predictions: np.ndarray) -> None:
        self.future.set_result(predictions)

    def failed(self, error: Exception) -> None:
        self.future.set_exception(error)


def _rows_of(name: str, case: Any, start: int, count: int) -> dict[str, Any]:
    """Rows of a model's data; of the hand-written graph's, made up."""
    if name != "colours":
        return {key: values[start : start + count] for key, values in case.rows.items()}
    places = range(start, start + count)
    return {
        "colour": [("red", "blue", "green", "")[place % 4] for place in places],
        "count": [place % 1000 for place in places],
        "extra": [None if place % 3 else place / 8 for place in places],
    }


def _plain(values: Any) -> list[Any]:
    """Values as JSON has them: missing is null."""
    listed = np.asarray(values).tolist() if isinstance(values, np.ndarray) else list(values)
    return [None if value != value else value for value in listed]  # noqa: PLR0124 - NaN


def _block(way: str, artifact: Artifact, fast: FastDecoder, rows: dict[str, Any]) -> Block:
    """The rows as one of the decoders gives them."""
    columns = {name: _plain(values) for name, values in rows.items()}
    if way == "slow":
        return block_of(artifact.inputs.decode(columns), artifact.inputs)
    document: dict[str, Any] = {"columns": columns}
    if way == "instances":
        turned = zip(*columns.values(), strict=True)
        document = {"instances": [dict(zip(columns, row, strict=True)) for row in turned]}
    block = fast(json.dumps(document).encode())
    assert block is not None
    return block


@pytest.mark.parametrize("name", MODELS)
@hypothesis.settings(
    max_examples=25, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
@hypothesis.given(
    plan=st.lists(
        st.tuples(
            st.sampled_from(["columns", "instances", "slow"]),
            st.integers(0, 9000),
            st.one_of(st.integers(1, 3), st.integers(4, 40)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_each_request_gets_what_it_would_get_alone(
    request: pytest.FixtureRequest, name: str, plan: list[tuple[str, int, int]]
) -> None:
    """Any mix of blocks (bytes, lists, arrays, unknown categories) gives each its own answers."""
    case = request.getfixturevalue(name)
    artifact: Artifact = case if name == "colours" else case.artifact
    fast = FastDecoder(artifact.inputs)
    calls: list[int] = []
    given_rows = [_rows_of(name, case, start, count) for _, start, count in plan]

    async def main() -> list[np.ndarray]:
        with ThreadPoolExecutor(1) as beside:
            limits = Settings(inline_ms=1e6)
            batcher = Batcher(artifact, beside, limits, lambda rows, *_: calls.append(rows))
            ways = [way for way, _, _ in plan]
            blocks = [
                _block(way, artifact, fast, rows)
                for way, rows in zip(ways, given_rows, strict=True)
            ]
            jobs = [_Asked(block) for block in blocks]
            for job in jobs:
                batcher.submit(job)
            return [await job.future for job in jobs]

    for rows, predictions in zip(given_rows, asyncio.run(main()), strict=True):
        alone = artifact.predict(rows)
        assert (predictions.shape, predictions.dtype) == (alone.shape, alone.dtype)
        np.testing.assert_allclose(predictions, alone, rtol=1e-5, atol=1e-6)
    assert len(calls) <= 2  # at most 320 rows, 256 at a time


def _authorize(request: Request) -> None:
    status = request.header(b"x-status")
    if status:
        raise RequestRefusedError(f"{request.path}?{request.query!r}", status=int(status))


class _Server(uvicorn.Server):
    """Uvicorn's server, which tells when it listens."""

    ready: threading.Event

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


@contextmanager
def serving(artifact: Artifact, *, on_lane: bool) -> Iterator[str]:
    """The URL of a server in a thread."""
    settings = Settings(max_body_bytes=LIMIT)
    app = create_app(artifact, settings=settings, authorize=_authorize)
    way: Any = lane.lane_for(app.engine) if on_lane else "httptools"
    config = uvicorn.Config(app, http=way, lifespan="off", log_config=None, ws="none")
    served = _Server(config)
    served.ready = threading.Event()
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
MIX = [predict(1), LIVE, predict(2), predict(3, chunk_bytes=7), LIVE, predict(4)]


@pytest.mark.parametrize("seed", [None, *range(8)])
def test_requests_are_answered_in_order_however_they_are_cut(url: str, seed: int | None) -> None:
    """Predictions and others in one piece, or cut anywhere."""
    data, draw = b"".join(MIX), random.Random(seed)  # noqa: S311 - no secret
    places = sorted(draw.sample(range(1, len(data)), 12)) if seed is not None else []
    with Connection(url) as connection:
        for start, end in zip([0, *places], [*places, len(data)], strict=True):
            connection.send(data[start:end])
        answers = [connection.answer() for _ in MIX]
    assert [answer.status for answer in answers] == [200] * len(MIX)
    assert [number(answers[place]) for place in (0, 2, 3, 5)] == [1, 2, 3, 4]
    assert [json.loads(answers[place].body)["status"] for place in (1, 4)] == ["alive"] * 2


def test_a_thousand_requests_on_one_connection_and_one_byte_by_byte(url: str) -> None:
    """Each gets its own answer, and none closes the connection."""
    with Connection(url) as connection:
        for count in range(1000):
            connection.send(predict(count))
            answer = connection.answer()
            assert (number(answer), answer.closes) == (count, False)
        for byte in predict(7, chunk_bytes=3):
            connection.send(bytes([byte]))
        assert number(connection.answer()) == 7


@pytest.mark.parametrize("more", [b"", b"Connection: close"], ids=["1.0", "close"])
@pytest.mark.parametrize("count", [3, 9999], ids=["prediction", "refusal"])
def test_who_wants_one_answer_gets_it_and_the_end(url: str, more: bytes, count: int) -> None:
    """HTTP/1.0 and `Connection: close` close, after a prediction and after a refusal."""
    data = predict(count).replace(b"Host: 127.0.0.1", more or b"A: b")
    data = data if more else data.replace(b"HTTP/1.1", b"HTTP/1.0")
    answer = until_closed(url, data)
    assert answer[9:12] == (b"200" if count == 3 else b"422")
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_a_body_waits_for_100_continue(url: str) -> None:
    """The server asks for the body before it comes."""
    head, _, content = predict(5, headers={"Expect": "100-continue"}).partition(b"\r\n\r\n")
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(content)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


ALIKE = {
    "one row": predict(),
    "query": predict(path=f"{PREDICT}?model=colours"),
    "version 2": predict(path="/v2/predict", headers=TRACED),
    "chunked": predict(chunk_bytes=10),
    "unknown model": predict(path=f"{PREDICT}?model=x"),
    "no JSON": request_bytes(PREDICT, b"{"),
    "nothing": request_bytes(PREDICT, b""),
    "out of range": predict(99_999),
    "another type": predict(content_type="text/csv"),
    "GET": request_bytes(PREDICT, method="GET"),
    "elsewhere": predict(path="/nowhere"),
    "too large": request_bytes(PREDICT, b" " * (LIMIT + 1)),
    "infer": request_bytes("/v2/models/colours/infer", b"{}"),
    "absolute": predict(path=f"http://host{PREDICT}"),
    "fragment": predict(path=f"{PREDICT}#x"),
    "hook": predict(headers={"x-status": "401"}),
    "hook, odd path": predict(path="/v1/pr%65dict?a=%41", headers={"x-status": "403"}),
    "hook, odd status": predict(headers={"x-status": "499"}),
}  # fmt: skip


@pytest.mark.parametrize("data", ALIKE.values(), ids=ALIKE)
def test_both_ways_answer_alike(urls: dict[str, str], data: bytes) -> None:
    """The same status, headers and body, apart from date and ids; and what a reply must say."""
    told = []
    for url in urls.values():
        answer = send_raw(url, data)
        headers = dict(answer.headers)
        assert headers.pop("date").endswith("GMT")
        assert int(headers["content-length"]) == len(answer.body)
        assert headers["content-type"]
        headers.pop("x-request-id", None)
        traced = headers.pop("traceparent", None) is not None
        told.append((answer.status, answer.body, headers, traced))
    assert told[0] == told[1]


ODD = ["*", "http://", "//", "/%", "/%zz", "http://h", "http://h?x", "http://h:99999/"]
ODD += ["/" * 60_000]


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
@pytest.mark.parametrize("before", [b"", predict()], ids=["alone", "behind a prediction"])
def test_odd_targets_break_nothing(
    url: str, method: str, before: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Each gets an answer that blames the client, no error is logged, and the server lives."""
    for target in ODD:
        data = before + request_bytes(target, b"{}", method=method)
        answers = send_pipelined(url, data, 1)
        assert answers[0].status in {200, 400, 404, 405}, target
    assert number(send_raw(url, predict())) == 3
    errors = [each.message for each in caplog.records if each.levelno >= logging.ERROR]
    assert errors == []
