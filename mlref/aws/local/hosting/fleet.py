"""The workers of one variant: as many as are desired, and a new one for each that dies.

Whoever sends requests reads `slots`, a tuple that is replaced as a whole, and never waits for a
lock. Starting and stopping take seconds and happen in threads.

A worker that is let go gets nothing more to do, and ends when it has answered what it has begun.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.workers import Worker, WorkerError

__all__ = ["DRAIN_S", "Fleet", "Slot"]

logger = logging.getLogger(__name__)

DRAIN_S = 480.0
"""Seconds in which a worker that is let go answers what it has begun: as many as a streamed answer
may take. All other requests end before, by limits of their own."""

_AT_ONCE = 4  # workers that start at the same time
_LOOK_S = 0.02  # between two looks whether a worker has answered all


class Slot:
    """A worker, and how many requests it has.

    Attributes:
        worker: answers.
        port: where it listens, on loopback.
        path: where it takes requests.
        in_flight: requests that were sent to it and are not answered; the event loop's alone.
        gone: that nothing more is to be sent to it.
    """

    __slots__ = ("gone", "in_flight", "path", "port", "worker")

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.port = worker.port
        self.path = "/invocations"
        self.in_flight = 0
        self.gone = False


class Fleet:
    """The workers of a variant.

    Args:
        name: what the log calls it.
        launch: gives a worker that is ready, or raises a `WorkerError`.
        desired: how many workers there are to be.
        on_end: called with a worker before it is stopped, or after it was found dead.
        drain_s: seconds in which a worker that is let go answers what it has begun.
        hurry: once it is set, no worker gets that time any more.

    Attributes:
        payload_limit: bytes that a request and an answer may have, if that is less than what
            InvokeEndpoint takes of all endpoints; or None.
    """

    payload_limit: int | None = None

    def __init__(
        self,
        name: str,
        launch: Callable[[], Worker],
        desired: int,
        *,
        on_end: Callable[[Worker], object] = lambda _: None,
        drain_s: float = DRAIN_S,
        hurry: threading.Event | None = None,
    ) -> None:
        self.name = name
        self.desired = desired
        self.slots: tuple[Slot, ...] = ()
        self._launch = launch
        self._on_end = on_end
        self._drain_s = drain_s
        self._hurry = hurry or threading.Event()
        self._lock = threading.RLock()  # one change at a time
        self._stopped = False
        self._busy = self._peak = 0  # requests at a time, now and at most; the event loop's alone

    def __len__(self) -> int:
        return len(self.slots)

    def pick(self) -> Slot | None:
        """The worker that has least to do, or None if there is none."""
        best = None
        for slot in self.slots:
            if not slot.gone and (best is None or slot.in_flight < best.in_flight):
                best = slot
        return best

    async def take(self) -> Slot:
        """The worker that answers a request, to be given back with `give`.

        Raises:
            AwsError: there is none at the moment.
        """
        slot = self.pick()
        if slot is None:
            raise self._nobody()
        self.begin(slot)
        return slot

    def begin(self, slot: Slot) -> None:
        """Tell that a worker gets a request."""
        slot.in_flight += 1
        self._busy += 1
        self._peak = max(self._peak, self._busy)

    def end(self, slot: Slot) -> None:
        """Tell that a worker is done with a request."""
        slot.in_flight -= 1
        self._busy -= 1

    def give(self, slot: Slot) -> None:
        """Tell that a worker has answered, or will not."""
        self.end(slot)

    def leaving(self) -> int:
        """How many requests are with workers that get nothing more."""
        return self._busy - sum(slot.in_flight for slot in self.slots if not slot.gone)

    def peak(self) -> float:
        """The most requests at a time since the last call, for each worker; waiting ones count."""
        most, self._peak = self._peak, self._busy
        return most / max(len(self.slots), 1)

    def resize(self, desired: int) -> None:
        """Start or stop workers until there are as many as desired.

        Those that go answer what they have begun, and this waits for them.

        Raises:
            WorkerError: one did not get ready; those that did stay.
        """
        with self._lock:
            self.desired = desired
        self.settle()

    def settle(self) -> None:
        """Start workers for those that are missing, and let go of those that have ended.

        Raises:
            WorkerError: one did not get ready.
        """
        with self._lock:
            self._end(self._out([slot for slot in self.slots if not slot.worker.alive]))
            spare = self._out(self.slots[self.desired :])
            if not self._stopped:
                self._start(self.desired - len(self.slots))
        self._end(spare, drain=True)  # without the lock: meanwhile others may be replaced

    def lost(self) -> bool:
        """Whether a worker has ended that should not have."""
        return any(not slot.worker.alive for slot in self.slots)

    def stop(self, *, drain: bool = False) -> None:
        """End all workers.

        Args:
            drain: whether they answer first what they have begun, however long it takes; if not,
                they have the few seconds in which a worker must end.
        """
        with self._lock:
            self._stopped = True
            self.desired = 0
            slots = self._out(self.slots)
        self._end(slots, drain=drain)

    def _nobody(self) -> AwsError:
        text = f"no worker of {self.name} answers at the moment; try again"
        return AwsError("ServiceUnavailable", text, status=503)

    def _start(self, count: int) -> None:
        if count <= 0:
            return
        failure: WorkerError | None = None
        with ThreadPoolExecutor(min(count, _AT_ONCE)) as pool:
            for future in [pool.submit(self._launch) for _ in range(count)]:
                try:
                    self.slots = (*self.slots, Slot(future.result()))
                except WorkerError as error:
                    failure = error
        if failure is not None:
            raise failure

    def _out(self, slots: Collection[Slot]) -> Collection[Slot]:
        """Let workers get nothing more; whoever calls it holds the lock, and then ends them."""
        for slot in slots:
            slot.gone = True
        self.slots = tuple(slot for slot in self.slots if slot not in slots)
        return slots

    def _end(self, slots: Collection[Slot], *, drain: bool = False) -> None:
        """End workers that get nothing more."""

        def end(slot: Slot) -> None:
            if drain:
                self._drained(slot)
            with suppress(Exception):  # whatever becomes of its log, it is stopped
                self._on_end(slot.worker)
            slot.worker.stop()

        if slots:
            with ThreadPoolExecutor(len(slots)) as pool:
                list(pool.map(end, slots))

    def _drained(self, slot: Slot) -> None:
        """Return when a worker has answered what it has begun, or has had its time for it."""
        deadline_s = time.monotonic() + self._drain_s
        # The first look is a moment late: a request may just have been given to it.
        while not self._hurry.wait(_LOOK_S):
            if slot.in_flight <= 0 or time.monotonic() > deadline_s:
                return
