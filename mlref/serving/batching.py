"""Requests that arrive together go through the model together, and none waits for company.

The first request of a turn of the event loop asks the loop to call `_flush` after everything that
is ready now; whatever arrived in the same turn is then in the queue, and one call of the model
answers all. There is no timer: alone, a request is answered at once, and the batches grow with the
load by themselves.

A batch that should take longer than `Settings.inline_ms` runs in one thread beside the loop, so
that health checks never wait for it. While the thread works, the queue grows: the next batch is
larger. What a batch should take is learnt from those before it, in the processor's time and not the
clock's: on a busy machine a small batch may wait long, and a thread would only make it worse.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from time import perf_counter, thread_time
from typing import Any, Protocol

import numpy as np

from mlref.artifact import Artifact
from mlref.schema import Column
from mlref.serving.exchange import Block
from mlref.serving.settings import Settings

__all__ = ["Batcher", "Job", "NotFinitePredictionsError"]

logger = logging.getLogger(__name__)

_LEARNING_RATE = 0.2
_SIZES = 40  # one estimate for each power of two
_WARM_UP_S = 0.02  # a larger batch is not tried when one has taken that long


class Job(Protocol):
    """Somebody who waits for predictions."""

    block: Any
    """The rows, a `Block`."""
    cancelled: bool
    """Whether nobody waits any more."""

    def answered(self, predictions: np.ndarray) -> None:
        """Take the predictions, shape (block.n_rows, *output.shape)."""
        ...

    def failed(self, error: Exception) -> None:
        """Take what went wrong."""
        ...


class Batcher:
    """The queue before one model. All methods belong to the event loop's thread.

    Args:
        artifact: the model.
        executor: where slow batches run; it must have one thread.
        settings: how many rows go together, and what is slow.
        observe: called after each batch with its rows, its requests and its seconds.
    """

    def __init__(
        self,
        artifact: Artifact,
        executor: Executor,
        settings: Settings,
        observe: Callable[[int, int, float], None],
    ) -> None:
        self._artifact = artifact
        self._has_numbers = any(c.dtype == "float32" and not c.shape for c in artifact.inputs)
        self._executor = executor
        self._max_rows = settings.max_batch_rows
        self._inline_s = settings.inline_ms / 1e3
        self._observe = observe
        self._queue: list[Job] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False
        self._expected_s = [0.0] * _SIZES

    @property
    def queued_rows(self) -> int:
        """How many rows wait."""
        return sum(job.block.n_rows for job in self._queue)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    def warm_up(self) -> None:
        """Learn what batches cost, from golden rows. Any thread may call it before the start."""
        schema, golden = self._artifact.inputs, self._artifact.golden.columns
        n_golden = len(self._artifact.golden.instances)
        size = 1
        while size <= self._max_rows:
            places = [row % n_golden for row in range(size)]
            rows = {name: [values[place] for place in places] for name, values in golden.items()}
            arrays = schema.decode(rows).arrays
            for _ in range(2):
                began = thread_time()
                self._artifact.predict_arrays(arrays, size)
                seconds = thread_time() - began
            self._expected_s[size.bit_length()] = seconds
            if seconds > _WARM_UP_S:
                return
            size *= 4

    def submit(self, job: Job) -> None:
        """Put a request into the queue; it is told of the outcome in a later turn of the loop."""
        if self._loop is None or self._loop.is_closed():
            self._loop, self._queue, self._busy = asyncio.get_running_loop(), [], False
        if not self._queue and not self._busy:
            self._loop.call_soon(self._flush)
        self._queue.append(job)

    def expected_s(self, rows: int) -> float:
        """What a batch of so many rows should take, in seconds; 0 if nothing is known."""
        size = min(rows.bit_length(), _SIZES - 1)
        for known in range(size, 0, -1):
            if self._expected_s[known]:
                return self._expected_s[known] * float(1 << (size - known))
        return 0.0

    def _flush(self) -> None:
        """Answer the first of the queue; the loop takes a turn before the next."""
        if self._busy:
            return
        queue, stop, rows = self._queue, 0, 0
        while stop < len(queue):
            more = queue[stop].block.n_rows
            if rows and rows + more > self._max_rows:
                break
            rows += more
            stop += 1
        self._queue = queue[stop:]
        jobs = [job for job in queue[:stop] if not job.cancelled]
        if jobs:
            self._start(jobs, rows)
        if self._queue and not self._busy:
            asyncio.get_running_loop().call_soon(self._flush)

    def _start(self, jobs: list[Job], rows: int) -> None:
        if self.expected_s(rows) <= self._inline_s:
            self._finish(jobs, self._run(jobs))
            return
        loop = asyncio.get_running_loop()
        self._busy = True

        def work() -> None:
            outcome = self._run(jobs)
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(self._finish_slow, jobs, outcome)

        self._executor.submit(work)

    def _run(self, jobs: Sequence[Job]) -> _Outcome:
        """The predictions, or the error."""
        began, began_cpu = perf_counter(), thread_time()
        predictions, error = None, None
        try:
            blocks = [job.block for job in jobs]
            rows = sum([block.n_rows for block in blocks])
            predictions = self._artifact.predict_arrays(self._merged(blocks), rows)
        except Exception as raised:  # noqa: BLE001 - each of them waits for an answer
            error = raised
        return _Outcome(predictions, error, perf_counter() - began, thread_time() - began_cpu)

    def _merged(self, blocks: Sequence[Block]) -> dict[str, np.ndarray]:
        """The rows of all blocks, one array for each column."""
        schema = self._artifact.inputs
        if len(blocks) == 1:
            return blocks[0].arrays(schema)
        if self._has_numbers and any(block.numbers is None for block in blocks):
            each = [block.arrays(schema) for block in blocks]
            return {name: np.concatenate([one[name] for one in each]) for name in schema.names}
        numbers = iter(_beside(blocks) if self._has_numbers else ())
        together = zip(*[block.columns for block in blocks], strict=True)
        return {
            column.name: next(numbers) if parts[0] is None else _joined(column, parts)
            for column, parts in zip(schema, together, strict=True)
        }

    def _finish_slow(self, jobs: Sequence[Job], outcome: _Outcome) -> None:
        self._busy = False
        if self._queue:
            asyncio.get_running_loop().call_soon(self._flush)
        self._finish(jobs, outcome)

    def _finish(self, jobs: Sequence[Job], outcome: _Outcome) -> None:
        """Tell everybody."""
        predictions = outcome.predictions
        if predictions is None:
            for job in jobs:
                _tell(job.failed, outcome.error or RuntimeError("no predictions"))
            return
        rows = len(predictions)
        size = min(rows.bit_length(), _SIZES - 1)
        before = self._expected_s[size] or outcome.cpu_s
        self._expected_s[size] = before + _LEARNING_RATE * (outcome.cpu_s - before)
        self._observe(rows, len(jobs), outcome.seconds)
        finite = bool(np.isfinite(predictions).all())
        start = 0
        for job in jobs:
            stop = start + job.block.n_rows
            part = predictions[start:stop]
            if finite or np.isfinite(part).all():
                _tell(job.answered, part)
            else:
                _tell(job.failed, NotFinitePredictionsError(part))
            start = stop


def _tell(who: Callable[[Any], None], what: Any) -> None:
    """Hand something over; who fails to take it costs nobody else theirs."""
    try:
        who(what)
    except Exception:
        logger.exception("an answer could not be handed over")


def _beside(blocks: Sequence[Block]) -> np.ndarray:
    """The numbers of all blocks, shape (columns, rows)."""
    if all(type(block.numbers) is bytes and block.n_rows == 1 for block in blocks):
        joined = np.frombuffer(b"".join([block.numbers for block in blocks]), np.float32)
        return np.ascontiguousarray(joined.reshape(len(blocks), -1).T)
    parts = [np.frombuffer(block.numbers, np.float32).reshape(-1, block.n_rows) for block in blocks]
    return np.concatenate(parts, axis=1)


def _joined(column: Column, parts: Sequence[Any]) -> np.ndarray:
    """The values of one column in all blocks."""
    kinds = set(map(type, parts))
    if kinds == {list}:
        dtype = object if column.dtype == "string" else column.dtype
        return np.array([*chain.from_iterable(parts)], dtype=dtype)
    if kinds == {bytes}:
        return np.frombuffer(b"".join(parts), np.float32).reshape(-1, *column.shape)
    return np.concatenate([_array(column, part) for part in parts])


def _array(column: Column, part: Any) -> np.ndarray:
    """The values of one column in one block."""
    if isinstance(part, bytes):
        return np.frombuffer(part, np.float32).reshape(-1, *column.shape)
    return np.asarray(part, dtype=object if column.dtype == "string" else column.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    """What a batch came to."""

    predictions: np.ndarray | None
    error: Exception | None
    seconds: float
    cpu_s: float


class NotFinitePredictionsError(Exception):
    """The model gave NaN or infinity. `predictions` are what it gave."""

    def __init__(self, predictions: np.ndarray) -> None:
        flags = ~np.isfinite(predictions.reshape(len(predictions), -1)).all(axis=1)
        self.row = int(np.flatnonzero(flags)[0])
        super().__init__(f"the model gave no finite number for row {self.row}")
