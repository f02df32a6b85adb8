"""The workers of a serverless variant: none while nobody asks, and one for each request at a time.

A request takes a worker that is free. If there is none and the limit allows it, one is started, and
the request waits for it: that is a cold start, and it is measured. Beyond the limit the request is
refused. Who has not been asked for a while is stopped. There are no instances to be counted: what
can be changed is the limit, and how many workers are always there.

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
from mlref.aws.local.hosting.fleet import DRAIN_S, Fleet, Slot
from mlref.aws.local.hosting.workers import Worker, WorkerError
from mlref.runtime.clock import Clock

__all__ = ["IDLE_S", "Elastic"]

logger = logging.getLogger(__name__)

IDLE_S = 600.0
"""Seconds without a request after which a worker is stopped; AWS does not tell its own number."""

_MICROSECONDS = 1_000_000
_PAYLOAD = 4 * 2**20  # bytes
_MOST = 200  # of MaxConcurrency, by the model of the service
_AT_ONCE = 4  # workers that start at the same time before anybody asks


class Elastic(Fleet):
    """The workers of a serverless variant.

    Args:
        name: what the log calls it.
        launch: gives a worker that is ready, or raises a `WorkerError`.
        most: MaxConcurrency: requests that may be answered at a time.
        warm: ProvisionedConcurrency: workers that are always there.
        clock: tells how long a worker was idle.
        setup: called with the duration of each cold start, in microseconds.
        on_end: called with a worker before it is stopped.
        drain_s: seconds in which a worker that is let go answers what it has begun.
        hurry: once it is set, no worker gets that time any more.

    Attributes:
        payload_limit: bytes that a request and an answer may have.
    """

    payload_limit = _PAYLOAD

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
        drain_s: float = DRAIN_S,
        hurry: threading.Event | None = None,
    ) -> None:
        super().__init__(name, launch, warm, on_end=on_end, drain_s=drain_s, hurry=hurry)
        self.most = most
        self._clock = clock
        self._setup = setup
        self._free: list[Slot] = []  # the one used last is taken first, so others become idle
        self._used_s: dict[int, float] = {}
        self._count = 0
        self._warming = 0  # of them: those that start, and have no request
        self._counting = threading.Lock()
        self._pool = ThreadPoolExecutor(_MOST, thread_name_prefix="cold-start")
        self._warmers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="warm-start")

    async def take(self) -> Slot:
        """A worker of one's own, started if need be; see `Fleet.take`.

        Raises:
            AwsError: there are as many requests as are allowed, or it did not get ready.
        """
        with self._counting:
            if self._stopped:
                raise self._nobody()
            if self._count - len(self._free) - self._warming >= self.most:
                raise throttled(
                    f"Rate exceeded: {self.most} requests are being answered, which is this "
                    f"endpoint's MaxConcurrency; try again, or allow more"
                )
            while self._free:
                slot = self._free.pop()
                if not slot.gone and slot.worker.alive:
                    slot.in_flight = 1
                    return slot
                self._drop(slot)
            self._count += 1
            began = time.perf_counter()
            coming = asyncio.get_running_loop().run_in_executor(self._pool, self._started)
        try:
            slot = await coming
        except WorkerError as error:
            text = f"the container {error}; see the endpoint's log group"
            raise AwsError("ModelNotReadyException", text, status=429) from error
        self._setup((time.perf_counter() - began) * _MICROSECONDS)
        return slot

    def give(self, slot: Slot) -> None:
        """Let a worker answer others; see `Fleet.give`."""
        with self._counting:
            self._rest(slot)

    def try_out(self) -> None:
        """Start the workers that are always there; or one, to see that it gets ready, and end it.

        Raises:
            WorkerError: one did not get ready.
        """
        if self.desired:
            self.allow(self.most, self.desired)
        else:
            self._end([Slot(self._launch())])

    def allow(self, most: int, warm: int) -> None:
        """Have another limit, and so many workers that are always there.

        Those beyond that number end when nobody has asked them for a while. While those that are
        missing start, requests are answered by others.

        Args:
            most: MaxConcurrency from now on.
            warm: ProvisionedConcurrency from now on, or 0.

        Raises:
            WorkerError: one did not get ready; those that did stay.
        """
        with self._counting:
            self.most, self.desired = most, warm
            missing = 0 if self._stopped else max(warm - self._count, 0)
            self._count += missing
            self._warming += missing
            coming = [self._warmers.submit(self._warm) for _ in range(missing)]
        failures = [error for each in coming if (error := each.exception()) is not None]
        if failures:
            raise failures[-1]

    def resize(self, desired: int) -> None:
        """Nothing but an error: there are no instances.

        Args:
            desired: any.

        Raises:
            WorkerError: always.
        """
        raise WorkerError(f"{self.name} is serverless and has no instances, not {desired} of them")

    def reap(self) -> None:
        """Stop the workers that nobody has asked for a while."""
        now_s = self._clock.monotonic()
        with self._counting:
            idle = [slot for slot in self._free if now_s - self._used_s[id(slot)] >= IDLE_S]
            idle = idle[: max(self._count - self.desired, 0)]
            for slot in idle:
                self._free.remove(slot)
                self._drop(slot)
        self._end(idle)

    def settle(self) -> None:
        """Nothing: who is missing is started when somebody asks."""

    def lost(self) -> bool:
        """False: who is missing is started when somebody asks."""
        return False

    def stop(self, *, drain: bool = False) -> None:
        """End all workers; see `Fleet.stop`.

        Args:
            drain: whether they answer first what they have begun.
        """
        with self._counting:
            self._stopped = True
        self._pool.shutdown(wait=True)  # who is being started has a request
        self._warmers.shutdown(wait=True)
        with self._counting:
            slots, self._free = self._out(self.slots), []
        self._end(slots, drain=drain)

    def _warm(self) -> None:
        """Start a worker that has no request; it is counted already.

        Raises:
            WorkerError: it did not get ready, and is not counted any more.
        """
        try:
            slot = None if self._stopped else Slot(self._launch())
        except BaseException:
            with self._counting:
                self._count -= 1
                self._warming -= 1
            raise
        with self._counting:
            self._warming -= 1
            if slot is None:
                self._count -= 1
            else:
                self.slots = (*self.slots, slot)
                self._rest(slot)

    def _rest(self, slot: Slot) -> None:
        """Have a worker wait for a request; whoever calls it holds the lock."""
        slot.in_flight = 0
        if slot.gone or not slot.worker.alive:
            self._drop(slot)
        else:
            self._used_s[id(slot)] = self._clock.monotonic()
            self._free.append(slot)

    def _started(self) -> Slot:
        """A new worker, which has a request from its first moment on; it is counted already.

        Raises:
            WorkerError: it did not get ready, and is not counted any more.
        """
        try:
            slot = Slot(self._launch())
        except BaseException:
            with self._counting:
                self._count -= 1
            raise
        slot.in_flight = 1
        with self._counting:
            self.slots = (*self.slots, slot)
        return slot

    def _drop(self, slot: Slot) -> None:
        """Forget a worker; whoever calls it holds the lock."""
        slot.gone = True
        self._count -= 1
        self._used_s.pop(id(slot), None)
        self.slots = tuple(each for each in self.slots if each is not slot)
