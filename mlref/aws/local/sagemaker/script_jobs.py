"""What training and processing jobs have in common: they are begun, found, stopped and ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from mlref.aws.local.errors import AwsError, conflict, not_found, validation
from mlref.aws.local.jobs.book import Book, Closable
from mlref.aws.local.services import Part
from mlref.aws.local.world import World, arn

__all__ = ["ScriptJobs", "Stoppable"]


class Stoppable(Closable, Protocol):
    """A job that can be stopped while it is in progress."""

    status: str

    def stop(self) -> None:
        """Ask it to end."""
        ...


Job = TypeVar("Job", bound=Stoppable)


class ScriptJobs(Part, Generic[Job]):
    """The jobs of a kind, each of which runs a program.

    Args:
        world: the time, S3, logs, metrics and roles.
        environment: variables that the program of each job has, for instance AWS_ENDPOINT_URL.
        mounts: whether programs get an /opt/ml of their own, where the machine allows it.

    Attributes:
        jobs: that there are.
    """

    kind = ""
    """As in "training"."""
    missing = ""
    """What AWS says of a job that is not there; "{name}" in it becomes the name."""

    def __init__(
        self,
        world: World,
        *,
        environment: Mapping[str, str] | None = None,
        mounts: bool = True,
    ) -> None:
        self.jobs: Book[Job] = Book(self.missing)
        self.world = world
        self._environment = environment or {}
        self._mounts = mounts

    def close(self) -> None:
        """End all jobs."""
        self.jobs.close()

    def arn_of(self, name: str) -> str:
        """The ARN of a job, whether it is there or not."""
        return arn("sagemaker", f"{self.kind}-job/{name.lower()}")

    def begin(self, make: Callable[..., Job], request: Mapping[str, Any], name: str) -> Job:
        """A job that has begun.

        Args:
            make: the class of the job.
            request: already checked.
            name: of the job.

        Raises:
            AwsError: there was a job of that name.
        """
        return self.jobs.begin(
            name,
            lambda: make(
                self.world,
                request,
                self.arn_of(name),
                environment=self._environment,
                mounts=self._mounts,
            ),
        )

    def stop(self, name: str) -> None:
        """Ask a job to end.

        Args:
            name: of the job.

        Raises:
            AwsError: there is none of that name, or it has ended.
        """
        job = self.jobs.found(name)
        if job.status not in {"InProgress", "Stopping"}:
            raise validation(
                f"The request was rejected because the {self.kind} job is in status {job.status}."
            )
        job.stop()

    def delete(self, name: str) -> None:
        """Forget a job that has ended; its name may be used again.

        Args:
            name: of the job.

        Raises:
            AwsError: there is none of that name, or it has not ended.
        """
        try:
            job = self.jobs.found(name)
        except AwsError as error:
            raise not_found(error.message) from error
        if job.status in {"InProgress", "Stopping"}:
            raise conflict(
                f"The {self.kind} job {name} is in status {job.status}: stop it, and wait until it "
                "has ended"
            )
        self.jobs.drop(name)
        self.world.tags.forget(job.arn)
