"""All jobs of one kind, by their names. A name is used once, until its job is deleted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from mlref.aws.local.errors import AwsError, conflict, validation

__all__ = ["Book", "Closable", "one_instance"]


class Closable(Protocol):
    """A job."""

    @property
    def arn(self) -> str:
        """Of the job."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def settle(self) -> None:
        """Wait until nothing of it runs."""
        ...

    def close(self) -> None:
        """End it."""
        ...


Job = TypeVar("Job", bound=Closable)


class Book(Generic[Job]):
    """The jobs of a kind.

    Args:
        missing: what AWS says of a job that is not there; "{name}" in it becomes the name.
    """

    def __init__(self, missing: str) -> None:
        self._missing = missing
        self._jobs: dict[str, Job] = {}
        self._closed = False
        self._lock = threading.Lock()

    def begin(self, name: str, make: Callable[[], Job]) -> Job:
        """A new job that has begun.

        Args:
            name: of the job.
            make: makes it; called if the name is free.

        Raises:
            AwsError: there was a job of that name.
        """
        with self._lock:
            if self._closed:
                raise AwsError("ServiceUnavailable", "the local AWS is closing", status=503)
            found = self._jobs.get(name.lower())
            if found is not None:
                raise conflict(
                    f"Job name must be unique within an AWS account and region, and a job with "
                    f"this name already exists ({found.arn})"
                )
            job = self._jobs[name.lower()] = make()
        job.start()
        return job

    def found(self, name: str) -> Job:
        """A job.

        Raises:
            AwsError: there is none of that name.
        """
        found = self._jobs.get(name.lower())
        if found is None:
            raise validation(self._missing.format(name=name))
        return found

    def drop(self, name: str) -> None:
        """Forget a job that has ended."""
        with self._lock:
            self._jobs.pop(name.lower(), None)

    def all(self) -> list[Job]:
        """All jobs, in the order in which they were made."""
        with self._lock:
            return list(self._jobs.values())

    def settle(self) -> None:
        """Wait until no job runs."""
        for job in self.all():
            job.settle()

    def close(self) -> None:
        """End all jobs, and take no more."""
        with self._lock:
            self._closed = True
        for job in self.all():
            job.close()


def one_instance(count: int, kind: str, use: str) -> None:
    """Return if a job wants one instance; there are no more.

    Args:
        count: that it wants.
        kind: of the instances, as in "ml.m5.large".
        use: as in "training".

    Raises:
        AwsError: it wants another number.
    """
    if count != 1:
        raise AwsError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{kind} for {use} job usage' is 1 Instances, and the "
            f"job asks for {count}: the local AWS runs a job on one",
        )
