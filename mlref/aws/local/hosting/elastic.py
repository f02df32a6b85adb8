"""The workers of a serverless variant: none while nobody asks, and one for each request at a time.

A request takes a worker that is free. If there is none and the limit allows it, one is started, and
the request waits for it: that is a cold start, and it is measured. Beyond the limit the request is
refused. Who has not been asked for a while is stopped.

Source: the Amazon SageMaker Developer Guide, "Deploy models with Amazon SageMaker Serverless
Inference".
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mlref.aws.local.errors import AwsError, throttled
from mlref.aws.local.hosting.fleet import Fleet, Slot
from mlref.aws.local.hosting.workers import Worker, WorkerError
from mlref.runtime.clock import Clock

__all__ = ["IDLE_S", "Elastic"]

logger = logging.getLogger(__name__)

IDLE_S = 600.0
"""Seconds without a request after which a worker is stopped; AWS does not tell its own number."""

_MICROSECONDS = 1_000_000


class Elastic(Fleet):
    """The workers of a serverless variant.

    Args:
        name: what the log calls it.
        launch: gives a worker that is ready, or raises a `WorkerError`.
        most: MaxConcurrency: workers that there may be at a time.
        warm: ProvisionedConcurrency: workers that are always there.
        clock: tells how long a worker was idle.
        setup: called with the duration of each cold start, in microseconds.
        on_end: called with a worker before it is stopped.
    """

    def __init__(
        self,
        name: str,
        launch: Callable[[], Worker],
        *,
        most: int,
        warm: int,
        clock: Clock,
        setup: Callable[[float], object],
        on_end: Callable[[Worker], object] = lambda _: None,
    ) -> None:
        super().__init__(name, launch, warm, on_end=on_end)
        self.most = most
        self._clock = clock
        self._setup = setup
        self._free: list[Slot] = []  # the one used last is taken first, so others become idle
        self._used_s: dict[int, float] = {}
        self._count = 0
        self._counting = threading.Lock()
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="cold-start")

    async def take(self) -> Slot:
        """A worker of one's own, started if need be; see `Fleet.take`.

        Raises:
            AwsError: there are as many requests as are allowed, or it did not get ready.
        """
        with self._counting:
            while self._free:
                slot = self._free.pop()
                if not slot.gone and slot.worker.alive:
                    slot.in_flight = 1
                    return slot
                self._drop(slot)
            if self._count >= self.most:
                raise throttled(
                    f"Rate exceeded: {self.most} requests are being answered, which is this "
                    f"endpoint's MaxConcurrency; try again, or allow more"
                )
            self._count += 1
        began = time.perf_counter()
        try:
            worker = await asyncio.get_running_loop().run_in_executor(self._pool, self._launch)
        except WorkerError as error:
            with self._counting:
                self._count -= 1
            text = f"the container {error}; see the endpoint's log group"
            raise AwsError("ModelNotReadyException", text, status=429) from error
        self._setup((time.perf_counter() - began) * _MICROSECONDS)
        slot = Slot(worker)
        slot.in_flight = 1
        with self._counting:
            self.slots = (*self.slots, slot)
        return slot

    def give(self, slot: Slot) -> None:
        """Let a worker answer others; see `Fleet.give`."""
        with self._counting:
            slot.in_flight = 0
            if slot.gone or not slot.worker.alive:
                self._drop(slot)
            else:
                self._used_s[id(slot)] = self._clock.monotonic()
                self._free.append(slot)

    def try_out(self) -> None:
        """Start the workers that are always there; or one, to see that it gets ready, and end it.

        Raises:
            WorkerError: one did not get ready.
        """
        for _ in range(max(self.desired, 1)):
            slot = Slot(self._launch())
            if self.desired:
                with self._counting:
                    self._count += 1
                    self.slots = (*self.slots, slot)
                    self._free.append(slot)
                    self._used_s[id(slot)] = self._clock.monotonic()
            else:
                self._end(slot)

    def reap(self) -> None:
        """Stop the workers that nobody has asked for a while."""
        now_s = self._clock.monotonic()
        with self._counting:
            idle = [slot for slot in self._free if now_s - self._used_s[id(slot)] >= IDLE_S]
            idle = idle[: max(self._count - self.desired, 0)]
            for slot in idle:
                self._free.remove(slot)
                self._drop(slot)
        for slot in idle:
            self._end(slot)

    def settle(self) -> None:
        """Nothing: who is missing is started when somebody asks."""

    def lost(self) -> bool:
        """False: who is missing is started when somebody asks."""
        return False

    def stop(self) -> None:
        """End all workers."""
        self._pool.shutdown(wait=True)
        with self._counting:
            slots, self.slots, self._free = self.slots, (), []
            self._count = self.most  # so that nobody starts another
        for slot in slots:
            self._end(slot)

    def _drop(self, slot: Slot) -> None:
        """Forget a worker; whoever calls it holds the lock."""
        slot.gone = True
        self._count -= 1
        self._used_s.pop(id(slot), None)
        self.slots = tuple(each for each in self.slots if each is not slot)
