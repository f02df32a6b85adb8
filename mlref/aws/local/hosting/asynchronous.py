"""Asynchronous endpoints: the request lies in S3, and so will the answer.

InvokeEndpointAsync queues a request and says at once where its answer will be. Each instance works
on a few at a time; when there is none (an endpoint may be scaled to zero), requests wait. What
becomes of a request is told to a topic of SNS.

Source: the Amazon SageMaker Developer Guide, "Asynchronous inference", and the API reference of
InvokeEndpointAsync.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.live import Group, Live, Variant
from mlref.aws.local.hosting.meter import NAMESPACE
from mlref.aws.local.hosting.runtime import Incoming, Outgoing, Runtime
from mlref.aws.local.world import REGION, World

__all__ = ["Asynchronous", "Publish"]

logger = logging.getLogger(__name__)

Publish = Callable[[str, str, str], object]
"""Sends a message: topic, subject, text."""

_PREFIX = "x-amzn-sagemaker-"
_AT_ONCE = 4  # requests of an instance, unless the configuration says more; our own choice
_TTL_S = 6 * 3600.0
_TIMEOUT_S = 900.0
_LOOK_S = 0.1  # seconds between two looks for a new instance
_ACCEPTED = 202
_MICROSECONDS = 1_000_000


@dataclass(slots=True)
class _Job:
    """A request in the queue."""

    id: str
    endpoint: str
    headers: dict[str, str]
    source: str
    body: bytes | None
    output: str
    failure: str
    received: datetime
    expires_s: float
    timeout_s: float
    config: Mapping[str, Any]
    queued_s: float


class Asynchronous:
    """What answers InvokeEndpointAsync, and works on what is queued.

    Args:
        runtime: asks the workers.
        world: holds S3 and the time.
        publish: sends a message to a topic of SNS.
    """

    def __init__(self, runtime: Runtime, world: World, publish: Publish) -> None:
        self._runtime = runtime
        self._world = world
        self._publish = publish
        self._queues: dict[str, deque[_Job]] = {}
        self._running: dict[str, int] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._pumps: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def invoke(self, incoming: Incoming) -> Outgoing:
        """What InvokeEndpointAsync answers.

        Raises:
            AwsError: the endpoint is no asynchronous one, or the request says too little.
        """
        live = self._runtime.found(incoming.endpoint)
        config = live.groups[0].asynchronous
        if config is None:
            text = f"Endpoint {live.endpoint} has no AsyncInferenceConfig: use InvokeEndpoint"
            raise AwsError("ValidationError", text)
        job = self._job(live, config, incoming)
        self._queues.setdefault(live.endpoint, deque()).append(job)
        self._pump(live.endpoint)
        headers = [
            ("Content-Type", "application/json"),
            ("X-Amzn-SageMaker-OutputLocation", job.output),
        ]
        if job.failure:
            headers.append(("X-Amzn-SageMaker-FailureLocation", job.failure))
        return Outgoing(_ACCEPTED, headers, json.dumps({"InferenceId": job.id}).encode())

    def measure(self) -> None:
        """Tell CloudWatch how much waits."""
        for name, queue in list(self._queues.items()):
            waiting = len(queue) + self._running.get(name, 0)
            try:
                count = sum(
                    len(each.fleet) for each in self._runtime.found(name).groups[0].variants
                )
            except AwsError:
                continue
            put, dimensions = self._world.metrics.put, {"EndpointName": name}
            put(NAMESPACE, "ApproximateBacklogSize", dimensions, {float(waiting): 1}, unit="Count")
            idle = 1.0 if waiting and not count else 0.0
            put(NAMESPACE, "HasBacklogWithoutCapacity", dimensions, {idle: 1}, unit="Count")
            if count:
                each = {waiting / count: 1.0}
                name_ = "ApproximateBacklogSizePerInstance"
                put(NAMESPACE, name_, dimensions, each, unit="Count")

    def _job(self, live: Live, config: Mapping[str, Any], incoming: Incoming) -> _Job:
        told = incoming.headers
        source = told.get(f"{_PREFIX}inputlocation", "")
        if not source and not incoming.body:
            raise AwsError("ValidationError", "give InputLocation, the request's address in S3")
        output = config["OutputConfig"]
        number = str(uuid.uuid4())
        extension = told.get(f"{_PREFIX}s3outputpathextension", "").strip("/")
        name = told.get(f"{_PREFIX}filename") or f"{number}.out"
        folder = str(output.get("S3OutputPath", "")).rstrip("/")
        if extension:
            folder = f"{folder}/{extension}"
        failure = str(output.get("S3FailurePath", "")).rstrip("/")
        headers = {"content-type": told.get(f"{_PREFIX}content-type", "application/octet-stream")}
        if accept := told.get(f"{_PREFIX}accept"):
            headers["accept"] = accept
        for each in ("custom-attributes", "inference-id"):
            if value := told.get(f"{_PREFIX}{each}"):
                headers[f"{_PREFIX}{each}"] = value
        now_s = self._world.clock.monotonic()
        return _Job(
            id=told.get(f"{_PREFIX}inference-id") or number,
            endpoint=live.endpoint,
            headers=headers,
            source=source,
            body=None if source else incoming.body,
            output=f"{folder}/{name}",
            failure=f"{failure}/{number}-error.out" if failure else "",
            received=self._world.clock.now(),
            expires_s=now_s + float(told.get(f"{_PREFIX}requestttlseconds", _TTL_S)),
            timeout_s=float(told.get(f"{_PREFIX}invocationtimeoutseconds", _TIMEOUT_S)),
            config=output,
            queued_s=time.perf_counter(),
        )

    def _pump(self, endpoint: str) -> None:
        """See that somebody works on an endpoint's queue."""
        task = self._pumps.get(endpoint)
        if task is None or task.done():
            loop = asyncio.get_running_loop()
            self._pumps[endpoint] = loop.create_task(self._work(endpoint))

    async def _work(self, endpoint: str) -> None:
        queue = self._queues[endpoint]
        while queue:
            try:
                group = self._runtime.found(endpoint).groups[0]
            except AwsError:  # deleted: what waits is lost with it
                queue.clear()
                return
            client = (group.asynchronous or {}).get("ClientConfig", {})
            limit = client.get("MaxConcurrentInvocationsPerInstance", _AT_ONCE)
            count = sum(len(each.fleet) for each in group.variants)
            running = self._running.get(endpoint, 0)
            if running >= limit * count:
                ended = self._ended.setdefault(endpoint, asyncio.Event())
                ended.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _LOOK_S)
                continue
            job = queue.popleft()
            self._running[endpoint] = running + 1
            task = asyncio.get_running_loop().create_task(self._one(group, job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _one(self, group: Group, job: _Job) -> None:
        """Work on one request; whatever happens, somebody is told."""
        try:
            variant = group.variants[0]
            content = await self._answer(group, variant, job)
            await self._save(job.output, content)
            self._told(job, "Completed", job.output)
        except AwsError as error:
            text = error.message
            if job.failure:
                try:
                    await self._save(job.failure, text.encode())
                except AwsError as lost:
                    logger.warning("%s: the failure could not be saved: %s", job.endpoint, lost)
            self._told(job, "Failed", job.failure, reason=text)
        except Exception:
            logger.exception("the asynchronous request %s failed", job.id)
        finally:
            self._running[job.endpoint] -= 1
            if job.endpoint in self._ended:
                self._ended[job.endpoint].set()

    async def _answer(self, group: Group, variant: Variant, job: _Job) -> bytes:
        if self._world.clock.monotonic() > job.expires_s:
            raise AwsError("ValidationError", "the request waited longer than RequestTTLSeconds")
        metrics, dimensions = self._world.metrics, {"EndpointName": job.endpoint}
        waited = (time.perf_counter() - job.queued_s) * _MICROSECONDS
        metrics.put(NAMESPACE, "TimeInBacklog", dimensions, {waited: 1}, unit="Microseconds")
        body = job.body
        if body is None:
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(None, self._world.objects.get, job.source)
        incoming = Incoming(job.endpoint, job.headers, body)
        reply = await self._runtime.answered(
            group, variant, incoming, began=time.perf_counter(), timeout_s=job.timeout_s
        )
        return reply.body

    async def _save(self, uri: str, content: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._world.objects.put, uri, content)

    def _told(self, job: _Job, status: str, place: str, *, reason: str = "") -> None:
        """Send the message that SageMaker sends."""
        config = job.config.get("NotificationConfig", {})
        topic = config.get("SuccessTopic" if status == "Completed" else "ErrorTopic")
        if not topic:
            return
        kind = job.headers["content-type"]
        told: dict[str, Any] = {
            "awsRegion": REGION,
            "eventTime": _iso(self._world.clock.now()),
            "receivedTime": _iso(job.received),
            "invocationStatus": status,
            "requestParameters": {
                "contentType": kind,
                "endpointName": job.endpoint,
                "inputLocation": job.source,
            },
            "inferenceId": job.id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        if status == "Completed":
            told["responseParameters"] = {
                "contentType": job.headers.get("accept", kind),
                "outputLocation": place,
            }
        else:
            told["failureReason"] = reason
            if place:
                told["responseParameters"] = {"failureLocation": place}
        try:
            self._publish(topic, f"InferenceResult {status}", json.dumps(told))
        except AwsError as error:
            logger.warning("%s: nobody was told: %s", job.endpoint, error)


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
