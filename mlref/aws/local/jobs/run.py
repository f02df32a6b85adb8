"""A job in a thread of its own, which can be stopped at any moment."""

from __future__ import annotations

import abc
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from mlref.aws.local.jobs.execution import ASKED, Ended, Execution, Plan
from mlref.aws.local.jobs.folder import job_folder
from mlref.aws.local.world import World

__all__ = ["Run", "StoppedError"]

logger = logging.getLogger(__name__)

REASON_CHARACTERS = 1024
"""The longest FailureReason and ExitMessage."""


class StoppedError(Exception):
    """The job was stopped before its script began."""


class Run(abc.ABC):
    """A job: what is done before, while and after its script runs.

    Args:
        world: the time, and what lies where.
        name: of the job.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self._lock = threading.RLock()
        self._execution: Execution | None = None
        self._stop_asked = False
        self._thread = threading.Thread(target=self._work, name=f"job {name}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the script to end, and kill it if it has not 120 seconds later."""
        with self._lock:
            self._stop_asked = True
            if self._execution is not None:
                self._execution.stop(ASKED)

    def settle(self) -> None:
        """Wait until nothing of the job runs."""
        self._thread.join()

    def close(self) -> None:
        """End it at once, and wait for that."""
        with self._lock:
            self._stop_asked = True
            if self._execution is not None:
                self._execution.kill()
        self.settle()

    @abc.abstractmethod
    def _attempt(self, folder: Path) -> None:
        """All of the job, from its inputs to its outputs.

        Args:
            folder: what /opt/ml holds; it is removed afterwards.
        """

    @abc.abstractmethod
    def _stopped_early(self) -> None:
        """Take down that the job ended before its script began."""

    @abc.abstractmethod
    def _failed(self, reason: str) -> None:
        """Take down that the job has failed."""

    def _go_on(self) -> None:
        """Return unless somebody has asked to stop.

        Raises:
            StoppedError: somebody has.
        """
        if self._stop_asked:
            raise StoppedError

    def _execute(self, plan: Plan, on_line: Callable[[str], object]) -> Ended:
        """Run the script to its end.

        Raises:
            StoppedError: somebody asked to stop before.
        """
        with self._lock:
            self._go_on()
            self._execution = Execution(self.world.timers, plan, on_line=on_line)
        try:
            return self._execution.run()
        finally:
            with self._lock:
                self._execution = None

    def _work(self) -> None:
        try:
            with job_folder() as folder:
                self._attempt(folder)
        except StoppedError:
            self._stopped_early()
        except Exception as error:
            logger.exception("job %s", self.name)
            self._failed(f"InternalServerError: {error}")
