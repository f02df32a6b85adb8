"""The queue before a model: what goes through it together, in which order, and where."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from mlref.artifact import Artifact
from mlref.serving.batching import Batcher, NotFinitePredictionsError
from mlref.serving.exchange import Block, block_of
from mlref.serving.settings import Settings


class _Watched:
    """The graph of an artefact, which notes its calls and does what a test tells it to."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self.sizes: list[int] = []
        self.threads: list[str] = []
        self.before: Callable[[], Any] = lambda: None
        self.after: Callable[[Any, np.ndarray], np.ndarray] = lambda _, predictions: predictions

    def run(self, arrays: Any, n_rows: int) -> np.ndarray:
        self.sizes.append(n_rows)
        self.threads.append(threading.current_thread().name)
        self.before()
        return self.after(arrays, self._graph.run(arrays, n_rows))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)


class _Asked:
    """Somebody who waits for predictions."""

    def __init__(self, block: Block, seen: list[Any] | None = None) -> None:
        self.block: Any = block
        self.cancelled = False
        self.future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()
        self._seen = [] if seen is None else seen

    def answered(self, predictions: np.ndarray) -> None:
        self._seen.append(self)
        self.future.set_result(predictions)

    def failed(self, error: Exception) -> None:
        self.future.set_exception(error)


class _Rude(_Asked):
    """Somebody whose connection breaks as the predictions come."""

    def answered(self, predictions: np.ndarray) -> None:
        self.future.set_result(predictions)
        raise OSError("gone")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """The thread beside the loop."""
    with ThreadPoolExecutor(1, thread_name_prefix="beside") as found:
        yield found


@pytest.fixture
def graph(colours: Artifact) -> _Watched:
    """The hand-written graph, watched."""
    return _Watched(colours.graph)


@pytest.fixture
def make(
    colours: Artifact, graph: _Watched, executor: ThreadPoolExecutor
) -> Callable[..., Batcher]:
    """A function that makes the queue before the hand-written graph."""

    def made(observe: Any = lambda *_: None, **limits: Any) -> Batcher:
        artifact = dataclasses.replace(colours, graph=graph)  # type: ignore[arg-type]
        return Batcher(artifact, executor, Settings(**limits), observe)

    return made


@pytest.fixture
def slow(make: Callable[..., Batcher], graph: _Watched) -> Batcher:
    """A queue whose batches all run in the thread."""
    batcher = make(inline_ms=0)
    batcher.warm_up()
    graph.sizes.clear()
    graph.threads.clear()
    return batcher


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns, unless it takes far too long."""

    async def limited() -> Any:
        async with asyncio.timeout(8):
            return await main

    return asyncio.run(limited())


async def turn() -> None:
    """Wait for the next turn of the loop."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, None)
    await future


def counted(artifact: Artifact, *counts: int) -> Block:
    """A block of red things, so many in each row: their price is that number."""
    rows = {"colour": ["red"] * len(counts), "count": counts, "extra": [None] * len(counts)}
    return block_of(artifact.inputs.decode(rows), artifact.inputs)


async def submitted(batcher: Batcher, artifact: Artifact, *sizes: int) -> list[_Asked]:
    """Jobs of so many rows each, in one turn of the loop."""
    jobs = [_Asked(counted(artifact, *[place] * size)) for place, size in enumerate(sizes)]
    for job in jobs:
        batcher.submit(job)
    return jobs


@pytest.mark.parametrize(
    ("sizes", "cap", "calls"),
    [
        ((1, 2, 3), 256, [6]),
        ((1,), 256, [1]),
        ((3, 2, 2, 1), 4, [3, 4, 1]),
        ((1, 10, 1), 4, [1, 10, 1]),
        ((10,), 4, [10]),
        ((2, 2, 2, 2), 4, [4, 4]),
    ],
    ids=str,
)
def test_what_arrives_in_one_turn_goes_together_up_to_the_cap(
    make: Callable[..., Batcher], colours: Artifact, sizes: Any, cap: int, calls: list[int]
) -> None:
    """As few calls as the cap allows, in order; a block beyond the cap runs whole and alone."""
    told: list[tuple[int, int]] = []
    batcher = make(lambda rows, requests, _: told.append((rows, requests)), max_batch_rows=cap)

    async def main() -> None:
        jobs = await submitted(batcher, colours, *sizes)
        assert batcher.queued_rows == sum(sizes)
        for place, (job, size) in enumerate(zip(jobs, sizes, strict=True)):
            assert (await job.future).tolist() == [place] * size
        assert batcher.queued_rows == 0

    run(main())
    assert [rows for rows, _ in told] == calls
    assert sum(requests for _, requests in told) == len(sizes)


def test_alone_a_request_is_answered_in_the_next_turn(
    make: Callable[..., Batcher], colours: Artifact
) -> None:
    """Nobody waits for company."""
    batcher = make()

    async def main() -> bool:
        (job,) = await submitted(batcher, colours, 1)
        await turn()
        return job.future.done()

    assert run(main())


def test_who_does_not_wait_any_more_costs_nothing(
    make: Callable[..., Batcher], graph: _Watched, colours: Artifact
) -> None:
    """The rows of a cancelled request do not reach the model; the others' do."""
    batcher = make()

    async def main() -> None:
        first, second, third = await submitted(batcher, colours, 1, 20, 1)
        second.cancelled = True
        assert (await first.future).tolist() == [0]
        assert (await third.future).tolist() == [2]
        assert not second.future.done()
        (alone,) = await submitted(batcher, colours, 5)
        alone.cancelled = True
        await turn()

    run(main())
    assert graph.sizes == [2]


@pytest.mark.parametrize("inline_ms", [1e6, 0], ids=["in the loop", "in the thread"])
def test_an_error_of_the_model_reaches_everybody_and_ends_there(
    make: Callable[..., Batcher], graph: _Watched, colours: Artifact, inline_ms: float
) -> None:
    """All requests of the batch fail with it; the next batch is answered."""
    batcher = make(inline_ms=inline_ms)
    batcher.warm_up()

    def broken() -> None:
        raise ValueError("no such row")

    async def main() -> None:
        graph.before = broken
        for job in await submitted(batcher, colours, 1, 2):
            with pytest.raises(ValueError, match="no such row"):
                await job.future
        graph.before = lambda: None
        (job,) = await submitted(batcher, colours, 1)
        assert (await job.future).tolist() == [0]

    run(main())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_finite_prediction_fails_one_request_alone(
    make: Callable[..., Batcher], graph: _Watched, colours: Artifact, bad: float
) -> None:
    """The request that the row belongs to is told which of its rows it is."""
    batcher = make()
    graph.after = lambda arrays, found: np.where(arrays["count"] == 13, np.float32(bad), found)

    async def main() -> None:
        jobs = [_Asked(counted(colours, *counts)) for counts in ((1, 2), (3, 13, 4), (5,))]
        for job in jobs:
            batcher.submit(job)
        assert (await jobs[0].future).tolist() == [1, 2]
        assert (await jobs[2].future).tolist() == [5]
        with pytest.raises(NotFinitePredictionsError, match="row 1") as caught:
            await jobs[1].future
        assert caught.value.row == 1

    run(main())
    assert graph.sizes == [6]


def test_the_loop_goes_on_while_a_slow_batch_runs_in_the_thread(
    slow: Batcher, graph: _Watched, colours: Artifact
) -> None:
    """What arrives meanwhile waits, goes together in its order, and is answered in it."""
    go_on, started = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        assert go_on.wait(10), "the loop stood still while the model worked"

    graph.before = hold
    seen: list[_Asked] = []

    async def main() -> list[_Asked]:
        jobs = [_Asked(counted(colours, 0), seen)]
        slow.submit(jobs[0])
        assert await asyncio.to_thread(started.wait, 10)
        for place in (1, 2, 3):  # each in a turn of its own
            jobs.append(_Asked(counted(colours, place), seen))
            slow.submit(jobs[-1])
            await turn()
        assert slow.queued_rows == 3
        go_on.set()
        for place, job in enumerate(jobs):
            assert (await job.future).tolist() == [place]
        return jobs

    assert run(main()) == seen
    assert graph.sizes == [1, 3]
    assert all(name.startswith("beside") for name in graph.threads)


@pytest.mark.parametrize("state", ["idle", "queued", "working"])
def test_a_second_loop_is_served_after_the_first_was_closed(
    slow: Batcher, graph: _Watched, colours: Artifact, state: str, executor: ThreadPoolExecutor
) -> None:
    """Whatever the queue was doing when its loop ended, the next loop's requests are answered."""
    go_on, started = threading.Event(), threading.Event()

    async def first() -> None:
        (job,) = await submitted(slow, colours, 1)
        if state == "idle":
            await job.future
        elif state == "working":
            graph.before = lambda: (started.set(), go_on.wait(10))
            assert await asyncio.to_thread(started.wait, 10)
        job.cancelled = True  # as whoever asks does when its loop ends

    async def second() -> list[float]:
        (job,) = await submitted(slow, colours, 1)
        return list(await job.future)

    run(first())
    go_on.set()
    executor.submit(lambda: None).result(10)  # what was in the thread has ended
    graph.before = lambda: None
    assert run(second()) == [0]


def burn(seconds: float) -> None:
    """Use the processor for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_what_a_batch_costs_is_learnt(
    make: Callable[..., Batcher], graph: _Watched, colours: Artifact
) -> None:
    """Nothing is known at first; then slow batches of that size and of larger ones use the thread.

    While only one size is known, larger batches are expected to take in proportion longer.
    """
    batcher = make(inline_ms=2)
    assert [batcher.expected_s(rows) for rows in (1, 7, 1000)] == [0, 0, 0]
    graph.before = lambda: burn(0.005)

    async def main() -> None:
        for _ in range(3):
            (job,) = await submitted(batcher, colours, 1)
            await job.future

    run(main())
    assert [name.startswith("beside") for name in graph.threads] == [False, True, True]
    assert 0.005 <= batcher.expected_s(1) < 0.05
    expected = [batcher.expected_s(rows) for rows in range(1, 2000)]
    assert expected == sorted(expected)
    assert batcher.expected_s(1024) == pytest.approx(1024 * batcher.expected_s(1))


def test_a_model_that_became_quick_returns_from_the_thread(
    make: Callable[..., Batcher], graph: _Watched, colours: Artifact
) -> None:
    """One slow start is forgotten after some batches."""
    batcher = make(inline_ms=2)
    graph.before = lambda: burn(0.005)

    async def main() -> None:
        for _ in range(30):
            (job,) = await submitted(batcher, colours, 1)
            await job.future
            graph.before = lambda: None

    run(main())
    assert not graph.threads[0].startswith("beside")
    assert graph.threads[1].startswith("beside")
    assert not graph.threads[-1].startswith("beside")


def test_warming_up_tries_growing_batches_of_golden_rows(
    make: Callable[..., Batcher], graph: _Watched
) -> None:
    """From 1 row to the cap, so that the first requests find what they cost."""
    batcher = make(max_batch_rows=64)
    batcher.warm_up()
    assert graph.sizes == [1, 1, 4, 4, 16, 16, 64, 64]
    assert all(batcher.expected_s(rows) > 0 for rows in (1, 5, 64, 500))
    graph.before = lambda: burn(0.03)
    batcher.warm_up()
    assert graph.sizes[8:] == [1, 1]  # slow enough to know


def test_who_fails_to_take_an_answer_costs_nobody_else_his(
    make: Callable[..., Batcher], colours: Artifact
) -> None:
    """A reply that cannot be sent loses no other request, in its batch or behind it."""
    batcher = make(max_batch_rows=2)

    async def main() -> list[bool]:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        jobs = [kind(counted(colours, 1)) for kind in (_Rude, _Asked, _Asked, _Asked)]
        for job in jobs:
            batcher.submit(job)
        for _ in range(4):
            await turn()
        return [job.future.done() for job in jobs]

    assert run(main()) == [True] * 4


def test_the_loop_turns_between_the_batches_of_a_long_queue(
    make: Callable[..., Batcher], graph: _Watched, colours: Artifact
) -> None:
    """Batches that are short each do not add up to one long stop: health comes between them."""
    batcher = make(max_batch_rows=1, inline_ms=1e6)
    health: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        graph.before = lambda: burn(0.004)
        jobs = await submitted(batcher, colours, *[1] * 20)
        loop.call_soon(lambda: loop.call_soon(lambda: health.append(len(graph.sizes))))
        await asyncio.gather(*[job.future for job in jobs])

    run(main())
    assert health[0] < len(graph.sizes) == 20
