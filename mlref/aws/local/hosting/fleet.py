"""The workers of one variant: as many as are desired, and a new one for each that dies.

Whoever sends requests reads `slots`, a tuple that is replaced as a whole, and never waits for a
lock. Starting and stopping take seconds and happen in threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.workers import Worker, WorkerError

__all__ = ["Fleet", "Slot"]

logger = logging.getLogger(__name__)

_AT_ONCE = 4  # workers that start at the same time


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
    """

    def __init__(
        self,
        name: str,
        launch: Callable[[], Worker],
        desired: int,
        *,
        on_end: Callable[[Worker], object] = lambda _: None,
    ) -> None:
        self.name = name
        self.desired = desired
        self.slots: tuple[Slot, ...] = ()
        self._launch = launch
        self._on_end = on_end
        self._lock = threading.RLock()  # one change at a time
        self._stopped = False

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
            text = f"no worker of {self.name} answers at the moment; try again"
            raise AwsError("ServiceUnavailable", text, status=503)
        slot.in_flight += 1
        return slot

    def give(self, slot: Slot) -> None:
        """Tell that a worker has answered, or will not."""
        slot.in_flight -= 1

    def resize(self, desired: int) -> None:
        """Start or stop workers until there are as many as desired.

        Raises:
            WorkerError: one did not get ready; those that did stay.
        """
        with self._lock:
            self.desired = desired
            self._settle()

    def settle(self) -> None:
        """Start workers for those that are missing, and let go of those that have ended.

        Raises:
            WorkerError: one did not get ready.
        """
        with self._lock:
            self._settle()

    def lost(self) -> bool:
        """Whether a worker has ended that should not have."""
        return any(not slot.worker.alive for slot in self.slots)

    def stop(self) -> None:
        """End all workers: what they have begun is answered."""
        with self._lock:
            self._stopped = True
            self.desired = 0
            self._settle()

    def _settle(self) -> None:
        dead = [slot for slot in self.slots if not slot.worker.alive]
        self._let_go(dead)
        missing = self.desired - len(self.slots)
        if missing < 0:
            self._let_go(list(self.slots[self.desired :]))
        elif missing > 0 and not self._stopped:
            self._start(missing)

    def _start(self, count: int) -> None:
        failure: WorkerError | None = None
        with ThreadPoolExecutor(min(count, _AT_ONCE)) as pool:
            for future in [pool.submit(self._launch) for _ in range(count)]:
                try:
                    self.slots = (*self.slots, Slot(future.result()))
                except WorkerError as error:
                    failure = error
        if failure is not None:
            raise failure

    def _let_go(self, slots: list[Slot]) -> None:
        if not slots:
            return
        for slot in slots:
            slot.gone = True
        self.slots = tuple(slot for slot in self.slots if slot not in slots)
        with ThreadPoolExecutor(len(slots)) as pool:
            list(pool.map(self._end, slots))

    def _end(self, slot: Slot) -> None:
        with suppress(Exception):  # whatever becomes of its log, it is stopped
            self._on_end(slot.worker)
        slot.worker.stop()
