"""Who answers a request: shares that are kept, users who stay with their version, and shadows."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import pytest

from mlref.artifact import Artifact
from mlref.serving import create_app
from mlref.serving.exchange import Request
from mlref.serving.routing import Shadow, ShadowResult, Weighted
from mlref.serving.settings import Settings

ANYBODY = Request("POST", "/v1/predict", ())
DRAWS = 20_000


def user(name: str) -> Request:
    """A request of somebody."""
    return Request("POST", "/v1/predict", ((b"accept", b"*/*"), (b"x-user", name.encode())))


def _within(count: int, share: float, draws: int = DRAWS) -> bool:
    """Whether a count lies within five standard deviations of the binomial distribution."""
    return abs(count - share * draws) <= 5 * math.sqrt(draws * share * (1 - share)) + 1e-9


WEIGHTS: list[dict[str, float]] = [
    {"a": 9, "b": 1},
    {"a": 0.5, "b": 0.25, "c": 0.25},
    {"a": 0, "b": 3, "c": 0},
    {"only": 0.001},
    {"a": 1e-9, "b": 1e9},
]


@pytest.mark.parametrize("sticky", [None, "X-User"])
@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_each_version_gets_its_share(weights: dict[str, float], sticky: str | None) -> None:
    """Drawn with a seed, or told by 20,000 different users: the shares are those of the weights."""
    router = Weighted(weights, sticky_header=sticky, seed=7)
    asked = (ANYBODY if sticky is None else user(f"u{place}") for place in range(DRAWS))
    counts = Counter(router(request) for request in asked)
    total = sum(weights.values())
    for version, weight in weights.items():
        assert _within(counts[version], weight / total), counts


def test_a_seed_draws_the_same_again() -> None:
    """Two routers of one seed agree, of another do not."""

    def drawn(seed: int) -> list[str]:
        router = Weighted({"a": 1, "b": 1}, seed=seed)
        return [router(ANYBODY) for _ in range(100)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_a_user_stays_with_a_version() -> None:
    """The same value of the header, the same version, in any router and whatever comes between."""
    one = Weighted({"a": 1, "b": 1}, sticky_header="x-user")
    other = Weighted({"a": 1, "b": 1}, sticky_header="X-USER", seed=5)
    first = {name: one(user(name)) for name in ("ann", "bob", "Jörg", "", "x" * 5000)}
    for _ in range(50):
        one(ANYBODY)
    assert {name: one(user(name)) for name in first} == first
    assert {name: other(user(name)) for name in first} == first


def test_users_who_have_the_new_version_keep_it_as_its_share_grows() -> None:
    """From 10 % to 30 %, nobody goes back to the old version."""
    few = Weighted({"old": 9, "new": 1}, sticky_header="x-user")
    more = Weighted({"old": 7, "new": 3}, sticky_header="x-user")
    early = [place for place in range(2000) if few(user(f"u{place}")) == "new"]
    assert early
    assert {more(user(f"u{place}")) for place in early} == {"new"}


def test_without_the_header_a_request_is_drawn() -> None:
    """Who has no value gets each version now and then."""
    router = Weighted({"a": 1, "b": 1}, sticky_header="x-user")
    assert {router(ANYBODY) for _ in range(100)} == {"a", "b"}


@pytest.mark.parametrize(
    "weights",
    [{}, {"a": 0}, {"a": -1, "b": 2}, {"a": math.nan}, {"a": 1, "b": math.nan}, {"a": math.inf}],
    ids=str,
)
def test_weights_that_are_no_shares_are_refused(weights: dict[str, float]) -> None:
    """The message tells what was got."""
    with pytest.raises(ValueError, match=r"weights must map versions to numbers .* got \{"):
        Weighted(weights)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_a_shadow_takes_its_share(share: float) -> None:
    """All, none, or as many as the binomial distribution lets expect."""
    shadow = Shadow("2.0.0", lambda _: None, share=share)
    assert _within(sum(shadow.takes() for _ in range(DRAWS)), share)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_that_is_none_is_refused(share: Any) -> None:
    """A share of more than all, or of less than nothing, is a slip."""
    with pytest.raises(ValueError, match="share"):
        Shadow("2.0.0", lambda _: None, share=share)


PREDICT = "/v1/predict"
ROW = {"colour": "red", "count": 3, "extra": 0.5}


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


def shadowed(colours: Artifact, graph: Any, observe: Any, **limits: Any) -> Any:
    """An application with a second version in the shadow of the first."""
    app = create_app(
        version(colours, graph, "0.2.0"),
        version(colours, colours.graph),
        settings=Settings(**limits),
    )
    app.engine.repository.route("colours", shadow=Shadow("0.2.0", observe))
    return app


@pytest.mark.parametrize("error", [None, ValueError("no such row")])
def test_the_observer_of_a_shadow_hears_both_answers(
    colours: Artifact, error: Exception | None
) -> None:
    """The client gets the first; what goes wrong in the shadow is told to the observer alone."""
    told: list[ShadowResult] = []
    graph = _Held(colours.graph, plus=1)
    app = shadowed(colours, graph, told.append)
    graph.error = error

    async def main() -> httpx.Response:
        async with client_of(app) as client:
            reply = await client.post(PREDICT, content=body())
            await until(lambda: bool(told))
            named = await client.post(f"{PREDICT}?version=0.2.0", content=body())
            assert named.status_code == (200 if error is None else 500)
            return reply

    assert run(main()).json()["predictions"] == [3.5]
    (result,) = told  # nobody stands in the shadow of himself
    assert (result.model, result.version, result.shadow) == ("colours", "0.1.0", "0.2.0")
    assert result.predictions.tolist() == [3.5]
    if error is None:
        assert result.shadow_predictions is not None
        assert result.shadow_predictions.tolist() == [4.5]
    assert result.error is error


def test_an_observer_that_breaks_harms_nobody(
    colours: Artifact, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; the client never knows."""

    def broken(_result: ShadowResult) -> None:
        raise RuntimeError("no room for results")

    app = shadowed(colours, colours.graph, broken)

    async def main() -> int:
        async with client_of(app) as client:
            reply = await client.post(PREDICT, content=body())
            await until(lambda: "no room" in caplog.text)
            return reply.status_code

    assert run(main()) == 200
    assert app.engine.in_flight == 0


@pytest.mark.parametrize("large", [False, True], ids=["small body", "large body"])
def test_a_shadow_that_hangs_delays_no_client(colours: Artifact, large: bool) -> None:  # noqa: FBT001
    """While it works in its thread, the client's version answers, and reads large bodies."""
    graph = _Held(colours.graph)
    app = shadowed(colours, graph, lambda _: None, inline_bytes=1000)
    slow: Any = app.engine.repository.find("colours", "0.2.0").batcher
    slow._expected_s = [1.0] * len(slow._expected_s)  # as if it had been slow before
    graph.hold()
    content = body() + b" " * (2000 if large else 0)

    async def main() -> list[int]:
        async with client_of(app) as client:
            await client.post(PREDICT, content=body())
            assert await asyncio.to_thread(graph.started.wait, 10)
            try:
                async with asyncio.timeout(2):
                    return [
                        (await client.post(PREDICT, content=content)).status_code for _ in range(3)
                    ]
            finally:
                graph.go_on.set()

    assert run(main()) == [200] * 3


def test_a_slow_shadow_does_not_pile_up_what_it_missed(colours: Artifact) -> None:
    """What waits for it is bounded: it gets a part of the requests, and no more memory."""
    graph = _Held(colours.graph)
    app = shadowed(colours, graph, lambda _: None, max_batch_rows=16, max_in_flight=32)
    slow: Any = app.engine.repository.find("colours", "0.2.0").batcher
    slow._expected_s = [1.0] * len(slow._expected_s)  # as if it had been slow before
    graph.hold()

    async def main() -> int:
        async with client_of(app) as client:
            for _ in range(300):
                await client.post(PREDICT, content=body())
            waiting: int = slow.queued_rows
            graph.go_on.set()
            return waiting

    assert run(main()) <= 128
