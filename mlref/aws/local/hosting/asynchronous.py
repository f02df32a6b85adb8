"""Asynchronous endpoints: the request lies in S3, and so will the answer.

InvokeEndpointAsync queues a request and says at once where its answer will be. Each instance works
on a few at a time; when there is none (an endpoint may be scaled to zero), requests wait. While an
update shifts traffic, old and new instances work on the same queue, each for its share. One that
has waited for its RequestTTLSeconds expires; one that loses its worker waits again, before the
others, and fails when it has lost a few. What becomes of a request is told to a topic of SNS.

Source: the Amazon SageMaker Developer Guide, "Asynchronous inference", and the API reference of
InvokeEndpointAsync.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.backlog import Backlog, Job, job_of
from mlref.aws.local.hosting.checks import Checks
from mlref.aws.local.hosting.fleet import Fleet
from mlref.aws.local.hosting.live import Group, Variant
from mlref.aws.local.hosting.meter import NAMESPACE
from mlref.aws.local.hosting.results import Publish, Results
from mlref.aws.local.hosting.runtime import Incoming, Outgoing, Runtime
from mlref.aws.local.world import World

__all__ = ["Asynchronous", "Publish"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_AT_ONCE = 4  # requests of an instance, unless the configuration says more; our own choice
_LOOK_S = 0.1  # seconds between two looks for a new instance
_LOST = "ServiceUnavailable"  # the code of the error when a worker has ended, or there is none
_MOST_LOST = 3  # workers that may end while they work on one request; our own choice
_ACCEPTED = 202
_MICROSECONDS, _MILLISECONDS = 1_000_000, 1000


class Asynchronous:
    """What answers InvokeEndpointAsync, and works on what is queued.

    Args:
        runtime: asks the workers.
        world: holds S3, the roles and the time.
        publish: sends a message to a topic of SNS.
        chance: decides who works on a request while an update shifts traffic.
    """

    def __init__(
        self, runtime: Runtime, world: World, publish: Publish, *, chance: random.Random
    ) -> None:
        self._runtime = runtime
        self._chance = chance
        self._world = world
        self._results = Results(world, publish)
        self._checks = Checks("InvokeEndpointAsync")
        self._backlogs: dict[str, Backlog] = {}
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
        given = incoming.headers, incoming.body
        self._checks.check(*given)
        job = job_of(live.endpoint, config["OutputConfig"], given, self._world.clock)
        self._backlogs.setdefault(live.endpoint, Backlog()).add(job)
        expire = functools.partial(self._expire, job.endpoint, job.number)
        self._world.timers.after(job.ttl_s, expire)
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
        for name, backlog in list(self._backlogs.items()):
            try:
                groups = self._runtime.found(name).groups
            except AwsError:
                continue
            size, count = float(len(backlog)), sum(len(_fleet(each)) for each in groups)
            oldest_s = backlog.oldest_s()
            age_s = 0.0 if oldest_s is None else self._world.clock.monotonic() - oldest_s
            put = functools.partial(self._put, name)
            put("ApproximateBacklogSize", size, "Count")
            put("ApproximateAgeOfOldestRequest", age_s, "Seconds")
            put("HasBacklogWithoutCapacity", 1.0 if size and not count else 0.0, "Count")
            if count:
                put("ApproximateBacklogSizePerInstance", size / count, "Count")

    def _put(self, endpoint: str, name: str, value: float, unit: str) -> None:
        dimensions = {"EndpointName": endpoint}
        self._world.metrics.put(NAMESPACE, name, dimensions, {value: 1}, unit=unit)

    def _pump(self, endpoint: str) -> None:
        """See that somebody works on an endpoint's queue."""
        task = self._pumps.get(endpoint)
        if task is None or task.done():
            loop = asyncio.get_running_loop()
            self._pumps[endpoint] = loop.create_task(self._work(endpoint))

    async def _work(self, endpoint: str) -> None:
        backlog = self._backlogs[endpoint]
        while backlog.waiting:
            try:
                groups = self._runtime.found(endpoint).groups
            except AwsError:  # deleted: what waits is lost with it
                backlog.clear()
                return
            group = self._next(groups, backlog)
            if group is None:
                ended = self._ended.setdefault(endpoint, asyncio.Event())
                ended.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _LOOK_S)
                continue
            job = backlog.begin(_fleet(group))
            if job is not None:  # nor has expired just now
                task = asyncio.get_running_loop().create_task(self._one(group, backlog, job))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _next(self, groups: Sequence[Group], backlog: Backlog) -> Group | None:
        """Who works on the next request, by their shares: one that has room, or nobody."""
        free = [
            each
            for each in groups
            if backlog.running(_fleet(each)) - _fleet(each).leaving() < _capacity(each)
        ]
        if len(free) <= 1:
            return free[0] if free else None
        return self._chance.choices(free, [each.share for each in free])[0]

    async def _one(self, group: Group, backlog: Backlog, job: Job) -> None:
        """Work on one request; whatever happens, somebody is told."""
        variant, again = group.variants[0], False
        try:
            again = await self._again(group, variant, job)
        except Exception:
            logger.exception("the asynchronous request %s failed", job.id)
        finally:
            backlog.end(job, again=again)
            if job.endpoint in self._ended:
                self._ended[job.endpoint].set()
        if again:
            if job.expired(self._world.clock.monotonic()):  # its timer found it at work
                await _in_thread(functools.partial(self._expire, job.endpoint, job.number))
            self._pump(job.endpoint)
        if not self._serves(job.endpoint, group):  # nobody else saves what was counted so late
            await _in_thread(variant.meter.flush)

    def _serves(self, endpoint: str, group: Group) -> bool:
        """Whether variants still belong to an endpoint."""
        with suppress(AwsError):
            groups = self._runtime.found(endpoint).groups
            return any(each.variants[0].meter is group.variants[0].meter for each in groups)
        return False

    async def _again(self, group: Group, variant: Variant, job: Job) -> bool:
        """Work on one request; whether it must be tried again, as its worker has ended."""
        if job.expired(self._world.clock.monotonic()):
            await _in_thread(functools.partial(self._expired, variant, job))
            return False
        meter, results = variant.meter, self._results
        if not job.begun:
            job.begun = True
            meter.tally("TimeInBacklog", self._since(job) * _MICROSECONDS, "Microseconds")
        try:
            body = await _in_thread(functools.partial(results.fetched, variant, job))
            reply = await self._runtime.answered(
                group,
                variant,
                Incoming(job.endpoint, job.headers, body),
                began=time.perf_counter(),
                timeout_s=job.timeout_s,
                queued=True,
            )
            await _in_thread(functools.partial(results.completed, variant, job, reply))
        except AwsError as error:
            job.lost += isinstance(error.__cause__, ConnectionError)  # or there was none to ask
            if error.code == _LOST:
                if job.lost < _MOST_LOST:
                    return True
                meter.count(error.status, 0.0, 0.0, instances=1, queued=True)
            meter.tally("InvocationFailures", 1.0, "Count")
            await _in_thread(functools.partial(results.failed, variant, job, error))
        meter.tally("InvocationsProcessed", 1.0, "Count")
        meter.tally("TotalProcessingTime", self._since(job) * _MILLISECONDS, "Milliseconds")
        return False

    def _since(self, job: Job) -> float:
        """Seconds since a request came."""
        return self._world.clock.monotonic() - job.received_s

    def _expire(self, endpoint: str, number: str) -> None:
        """Drop a request that still waits when its time is up; in the thread of the timers."""
        job = self._backlogs[endpoint].drop(number)
        with suppress(AwsError):  # the endpoint is deleted, and what waited is lost with it
            if job is not None:
                self._expired(self._runtime.found(endpoint).groups[0].variants[0], job)

    def _expired(self, variant: Variant, job: Job) -> None:
        variant.meter.tally("ExpiredRequests", 1.0, "Count")
        text = f"the request waited longer than its RequestTTLSeconds, which are {job.ttl_s:g}"
        self._results.failed(variant, job, AwsError("ValidationError", text))


def _fleet(group: Group) -> Fleet:
    """The workers of an asynchronous endpoint's group, which has one variant."""
    return group.variants[0].fleet


def _capacity(group: Group) -> int:
    """How many requests the workers of a group's variant have at most at a time."""
    client = (group.asynchronous or {}).get("ClientConfig", {})
    limit = int(client.get("MaxConcurrentInvocationsPerInstance", _AT_ONCE))
    return limit * sum(not slot.gone for slot in _fleet(group).slots)


async def _in_thread(work: Callable[[], T]) -> T:
    """What something that blocks gives."""
    return await asyncio.get_running_loop().run_in_executor(None, work)
