"""What waits at an asynchronous endpoint: requests, each with where its answer will be.

Source: the API reference of InvokeEndpointAsync.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.fleet import Fleet
from mlref.aws.local.jobs.inputs import in_s3
from mlref.runtime.clock import Clock

__all__ = ["Backlog", "Job", "job_of", "require_output"]

_PREFIX = "x-amzn-sagemaker-"
_TTL_S = 6 * 3600.0
_TIMEOUT_S = 900.0


@dataclass(slots=True, eq=False)
class Job:
    """A request in the queue.

    Attributes:
        id: that the caller gave it, or its number.
        number: that no other has.
        endpoint: that it is for.
        headers: that go to the container.
        source: InputLocation, or "" if it came with its body.
        body: of the request, if it came with it.
        output: where its answer goes.
        failure: where it is told what went wrong, or "".
        config: OutputConfig of the endpoint.
        received: when it came.
        received_s: the same, as the clock's `monotonic` tells.
        ttl_s: seconds after which it is not begun any more.
        timeout_s: seconds that the container has.
        lost: how many workers have ended while they worked on it.
        begun: whether its time in the backlog has been counted.
        fleet: whose workers work on it, or did last; None if none has yet.
    """

    id: str
    number: str
    endpoint: str
    headers: Mapping[str, str]
    source: str
    body: bytes | None
    output: str
    failure: str
    config: Mapping[str, Any]
    received: datetime
    received_s: float
    ttl_s: float
    timeout_s: float
    lost: int = 0
    begun: bool = False
    fleet: Fleet | None = None

    def expired(self, now_s: float) -> bool:
        """Whether it has waited for too long.

        Args:
            now_s: as the clock's `monotonic` tells.
        """
        return now_s >= self.received_s + self.ttl_s


def job_of(
    endpoint: str, output: Mapping[str, Any], given: tuple[Mapping[str, str], bytes], clock: Clock
) -> Job:
    """A request of InvokeEndpointAsync, for the queue.

    Args:
        endpoint: its name.
        output: OutputConfig of the endpoint.
        given: headers with names in lower case, and the body.
        clock: tells the time.

    Raises:
        AwsError: it has neither a body nor an address of one, or both, or the address is not in S3.
    """
    told, body = given
    source = told.get(f"{_PREFIX}inputlocation", "")
    if bool(source) == bool(body):
        text = f"Body and InputLocation are mutually exclusive: give exactly one, got {source!r}"
        raise AwsError("ValidationError", f"{text} and a body of {len(body)} bytes")
    if source:
        _require_in_s3(source)
    number = str(uuid.uuid4())
    folder = str(output["S3OutputPath"]).rstrip("/")
    if extension := told.get(f"{_PREFIX}s3outputpathextension", "").strip("/"):
        folder = f"{folder}/{extension}"
    failure = str(output.get("S3FailurePath", "")).rstrip("/")
    headers = {"content-type": told.get(f"{_PREFIX}content-type", "application/octet-stream")}
    if accept := told.get(f"{_PREFIX}accept"):
        headers["accept"] = accept
    for each in ("custom-attributes", "inference-id"):
        if value := told.get(f"{_PREFIX}{each}"):
            headers[f"{_PREFIX}{each}"] = value
    return Job(
        id=told.get(f"{_PREFIX}inference-id") or number,
        number=number,
        endpoint=endpoint,
        headers=headers,
        source=source,
        body=None if source else body,
        output=f"{folder}/{told.get(f'{_PREFIX}filename') or f'{number}.out'}",
        failure=f"{failure}/{number}-error.out" if failure else "",
        config=output,
        received=clock.now(),
        received_s=clock.monotonic(),
        ttl_s=float(told.get(f"{_PREFIX}requestttlseconds", _TTL_S)),
        timeout_s=float(told.get(f"{_PREFIX}invocationtimeoutseconds", _TIMEOUT_S)),
    )


def require_output(config: Mapping[str, Any] | None) -> None:
    """Refuse an AsyncInferenceConfig that does not say where answers go.

    Args:
        config: of an endpoint's configuration, or None.

    Raises:
        AwsError: S3OutputPath is missing; AWS does not tell where it puts the answers then.
    """
    if config is not None and not config["OutputConfig"].get("S3OutputPath"):
        text = "the local AWS needs S3OutputPath in OutputConfig of AsyncInferenceConfig"
        raise AwsError("UnsupportedOperation", f"{text}, for instance s3://bucket/answers")


class Backlog:
    """The requests of one endpoint that wait or are worked on; any thread may look."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._running: dict[str, Job] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running)

    @property
    def waiting(self) -> int:
        """How many nobody works on."""
        return len(self._waiting)

    def running(self, fleet: Fleet) -> int:
        """How many are worked on by the workers of a variant, or were begun for them."""
        with self._lock:
            return sum(each.fleet is fleet for each in self._running.values())

    def add(self, job: Job) -> None:
        """Let one wait."""
        with self._lock:
            self._waiting.append(job)

    def begin(self, fleet: Fleet) -> Job | None:
        """The one that has waited longest, which does not wait any more.

        Args:
            fleet: whose workers are to work on it.

        Returns:
            It, or None if none waits.
        """
        with self._lock:
            if not self._waiting:
                return None
            job = self._waiting.popleft()
            job.fleet = fleet
            self._running[job.number] = job
            return job

    def end(self, job: Job, *, again: bool = False) -> None:
        """Tell that nobody works on one any more.

        Args:
            job: as `begin` gave it.
            again: whether it is to wait once more, before the others.
        """
        with self._lock:
            self._running.pop(job.number, None)
            if again:
                self._waiting.appendleft(job)

    def drop(self, number: str) -> Job | None:
        """Take one out that waits.

        Args:
            number: of the job.

        Returns:
            It, or None if it does not wait any more.
        """
        with self._lock:
            found = next((each for each in self._waiting if each.number == number), None)
            if found is not None:
                self._waiting.remove(found)
            return found

    def clear(self) -> None:
        """Take all out that wait."""
        with self._lock:
            self._waiting.clear()

    def oldest_s(self) -> float | None:
        """When the oldest came, as the clock's `monotonic` tells; None if there is none."""
        with self._lock:
            found = [each.received_s for each in (*self._waiting, *self._running.values())]
        return min(found, default=None)


def _require_in_s3(source: str) -> None:
    try:
        in_s3(source)
    except AwsError as error:
        raise AwsError("ValidationError", f"InputLocation: {error.message}") from error
