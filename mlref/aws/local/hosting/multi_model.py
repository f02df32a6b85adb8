"""The platform's side of multi-model endpoints: models are loaded when somebody asks for them.

A request names its model by TargetModel, a key below the prefix of the container's ModelDataUrl.
If no worker has the model, its archive is fetched and unpacked, and a worker is asked to load it.
A worker that answers 507 has no room: the model that nobody has used for longest is unloaded, and
the worker is asked again. A loaded model stays what it is, even when another object is put under
its key: so AWS advises to give each new model a new key. It is fetched again after it was unloaded
(AWS may still have it on disk then, and may keep the old one for longer).

Source: the Amazon SageMaker Developer Guide, "Multi-model endpoints", "Custom Containers Contract
for Multi-Model Endpoints" and "CloudWatch Metrics for Multi-Model Endpoint Deployments".
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.fleet import Fleet, Slot
from mlref.aws.local.hosting.forwarding import Forwarder, Reply, model_error
from mlref.aws.local.hosting.meter import Meter
from mlref.aws.local.hosting.model_data import ModelDataError
from mlref.aws.local.world import Metrics, split_uri

__all__ = ["TARGET_MODEL", "Lease", "MultiModel", "Place", "check_target"]

logger = logging.getLogger(__name__)

TARGET_MODEL = "x-amzn-sagemaker-target-model"
"""The header with a request's TargetModel."""

_INSTANCES = "/aws/sagemaker/Endpoints"  # the namespace of what instances tell
_BUSY = 4  # requests of a worker from which on a second one loads the model, too; our own choice
_LOAD_S = 240.0  # that a container has to load a model
_DIGITS = 32  # of the digest that names a model
_OK, _CONFLICT, _NO_ROOM = 200, 409, 507
_MICROSECONDS = 1_000_000


class _Shelf:
    """What one worker has loaded."""

    def __init__(self) -> None:
        self.loaded: OrderedDict[str, str] = OrderedDict()  # target -> name; used last is last
        self.coming: dict[str, asyncio.Task[None]] = {}
        self.busy: Counter[str] = Counter()
        self.changing = asyncio.Lock()  # one change of what is loaded at a time
        self.freed = asyncio.Event()


class Lease(Slot):
    """A worker that has loaded the model of a request.

    Attributes:
        slot: of the fleet.
        target: the model's TargetModel.
    """

    __slots__ = ("slot", "target")

    def __init__(self, slot: Slot, target: str, name: str) -> None:
        super().__init__(slot.worker)
        self.slot = slot
        self.target = target
        self.path = f"/models/{name}/invoke"


class MultiModel:
    """The models of one variant.

    Args:
        endpoint: its name.
        variant: its name.
        prefix: below which models lie, as in "s3://bucket/models/".
        fetch: unpacks an archive of S3, and gives its folder; called in a thread.
        meter: learns how long things take.
        cached: whether models stay loaded after they have answered.
    """

    def __init__(
        self,
        endpoint: str,
        variant: str,
        prefix: str,
        fetch: Callable[[str], Path],
        meter: Meter,
        *,
        cached: bool = True,
    ) -> None:
        self._endpoint = endpoint
        self._variant = variant
        self._prefix = prefix.rstrip("/")
        self._fetch = fetch
        self._meter = meter
        self._cached = cached
        self._shelves: dict[Slot, _Shelf] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def measure(self, metrics: Metrics) -> None:
        """Tell CloudWatch how many models each worker has loaded.

        Args:
            metrics: what CloudWatch keeps.
        """
        shelves = [shelf for slot, shelf in self._shelves.copy().items() if not slot.gone]
        counts = Counter(float(len(shelf.loaded)) for shelf in shelves)
        if counts:
            dimensions = {"EndpointName": self._endpoint, "VariantName": self._variant}
            metrics.put(_INSTANCES, "LoadedModelCount", dimensions, counts, unit="None")

    def pick(self, fleet: Fleet, target: str) -> Slot:
        """The worker that is to answer: one that has the model, unless it has much to do.

        Args:
            fleet: the variant's workers.
            target: TargetModel.

        Raises:
            AwsError: there is no worker at the moment.
        """
        slots = [slot for slot in fleet.slots if not slot.gone]
        if not slots:
            text = f"no worker of {fleet.name} answers at the moment; try again"
            raise AwsError("ServiceUnavailable", text, status=503)
        # A worker that is let go keeps its shelf while it answers: there, too, models need room.
        leaving = {slot: shelf for slot, shelf in self._shelves.items() if shelf.busy}
        present = {slot: self._shelves.get(slot) or _Shelf() for slot in slots}
        self._shelves = leaving | present
        for slot in slots:
            if target in self._shelves[slot].coming:
                return slot
        having = [slot for slot in slots if target in self._shelves[slot].loaded]
        spare = min(slots, key=lambda each: (each.in_flight, len(self._shelves[each].loaded)))
        if not having:
            return spare
        best = min(having, key=lambda each: each.in_flight)
        return spare if best.in_flight >= _BUSY and spare.in_flight == 0 else best

    async def ready(
        self, slot: Slot, target: str, forwarder: Forwarder, *, timeout_s: float
    ) -> str:
        """The name under which a worker has a model, loaded if need be.

        Args:
            slot: as `pick` gave it; until `done`, the model is not unloaded from it.
            target: TargetModel.
            forwarder: sends requests to workers.
            timeout_s: seconds that the caller waits.

        Raises:
            AwsError: there is no such model, it is none, or it takes too long.
            ConnectionError: the worker has ended.
        """
        shelf = self._shelves[slot]
        shelf.busy[target] += 1
        name = shelf.loaded.get(target)
        self._meter.tally("ModelCacheHit", 0.0 if name is None else 1.0, "None")
        if name is not None:
            shelf.loaded.move_to_end(target)
            return name
        began = time.perf_counter()
        task = shelf.coming.get(target)
        if task is None:
            work = self._load(slot, shelf, target, forwarder)
            task = shelf.coming[target] = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(lambda done: _ended(shelf, target, done))
        try:
            await asyncio.wait_for(asyncio.shield(task), timeout_s)
        except TimeoutError as error:
            text = f"the model {target} is still being loaded; try again"
            raise AwsError("ModelNotReadyException", text, status=429) from error
        finally:
            self._took("ModelLoadingWaitTime", began)
        return shelf.loaded[target]

    def done(self, slot: Slot, target: str, forwarder: Forwarder) -> None:
        """Tell that a request has been answered, or will not be.

        Args:
            slot: that `ready` was called with.
            target: TargetModel.
            forwarder: sends requests to workers.
        """
        shelf = self._shelves.get(slot)
        if shelf is None:
            return
        shelf.busy[target] -= 1
        if shelf.busy[target] > 0:
            return
        del shelf.busy[target]
        shelf.freed.set()
        if slot.gone:
            if not shelf.busy:
                del self._shelves[slot]
        elif not self._cached:
            work = self._dropped(slot, shelf, target, forwarder)
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _load(self, slot: Slot, shelf: _Shelf, target: str, forwarder: Forwarder) -> None:
        """Fetch a model, and let a worker load it."""
        uri = f"{self._prefix}/{target.lstrip('/')}"
        folder = await self._fetched(uri)
        name = hashlib.sha256(uri.encode()).hexdigest()[:_DIGITS]
        body = json.dumps({"model_name": name, "url": slot.worker.seen(folder)}).encode()
        headers = {"content-type": "application/json", TARGET_MODEL: target}
        async with shelf.changing:
            while True:
                began = time.perf_counter()
                reply = await forwarder.send(slot, "/models", headers, body, timeout_s=_LOAD_S)
                if reply.status in {_OK, _CONFLICT}:
                    self._took("ModelLoadingTime", began)
                    shelf.loaded[target] = name
                    return
                if reply.status != _NO_ROOM or not shelf.loaded:
                    raise model_error(self._endpoint, self._variant, reply)
                await self._make_room(slot, shelf, reply, forwarder)

    async def _fetched(self, uri: str) -> Path:
        """The folder of a model's archive.

        Raises:
            AwsError: there is no such object, or it is no archive.
        """
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        try:
            if uri.endswith("/"):
                raise ModelDataError("it names a prefix, not an object")
            folder = await loop.run_in_executor(None, self._fetch, uri)
        except ModelDataError as error:
            bucket, key = split_uri(uri)
            raise AwsError(
                "ValidationError",
                f"Failed to download model data (bucket: {bucket}, key: {key}). Please ensure that "
                f"there is an object located at the URL and that the role passed to CreateModel "
                f"has permissions to download the model. (Here: {error})",
            ) from error
        self._took("ModelDownloadingTime", began)
        return folder

    async def _make_room(
        self, slot: Slot, shelf: _Shelf, reply: Reply, forwarder: Forwarder
    ) -> None:
        """Unload the model that nobody has used for longest; or wait until one is free.

        Raises:
            AwsError: all of them are busy for too long.
        """
        idle = next((target for target in shelf.loaded if not shelf.busy[target]), None)
        if idle is not None:
            await self._unload(slot, shelf, idle, forwarder)
            return
        shelf.freed.clear()
        try:
            await asyncio.wait_for(shelf.freed.wait(), _LOAD_S)
        except TimeoutError as error:
            raise model_error(self._endpoint, self._variant, reply) from error

    async def _dropped(self, slot: Slot, shelf: _Shelf, target: str, forwarder: Forwarder) -> None:
        """Unload a model that is not to be kept, if nobody has asked for it again."""
        with suppress(ConnectionError, TimeoutError):
            async with shelf.changing:
                if target in shelf.loaded and not shelf.busy[target]:
                    await self._unload(slot, shelf, target, forwarder)

    async def _unload(self, slot: Slot, shelf: _Shelf, target: str, forwarder: Forwarder) -> None:
        name = shelf.loaded.pop(target)
        began = time.perf_counter()
        path = f"/models/{name}"
        headers = {TARGET_MODEL: target}
        await forwarder.send(slot, path, headers, b"", timeout_s=_LOAD_S, method="DELETE")
        self._took("ModelUnloadingTime", began)

    def _took(self, name: str, began: float) -> None:
        microseconds = float(round((time.perf_counter() - began) * _MICROSECONDS))
        self._meter.tally(name, microseconds, "Microseconds")


class Place:
    """A variant's workers for one request, as `Fleet` gives them for a model that is always there.

    Args:
        models: of the variant.
        fleet: of the variant.
        target: the request's TargetModel.
        forwarder: sends requests to workers.
        lost: called when a worker was found dead.
        timeout_s: seconds that the caller waits for a model.
    """

    def __init__(
        self,
        models: MultiModel,
        fleet: Fleet,
        target: str,
        forwarder: Forwarder,
        *,
        lost: Callable[[], object],
        timeout_s: float,
    ) -> None:
        self._models = models
        self._fleet = fleet
        self._target = target
        self._forwarder = forwarder
        self._lost = lost
        self._timeout_s = timeout_s

    async def take(self) -> Lease:
        """A worker that has loaded the model, to be given back with `give`.

        Raises:
            AwsError: there is no worker, or no such model.
        """
        models, target = self._models, self._target
        while True:
            slot = models.pick(self._fleet, target)
            self._fleet.begin(slot)
            try:
                name = await models.ready(slot, target, self._forwarder, timeout_s=self._timeout_s)
            except BaseException as error:
                if isinstance(error, ConnectionError):
                    slot.gone = True
                self._end(slot)
                if not isinstance(error, ConnectionError):
                    raise
                self._lost()
            else:
                return Lease(slot, target, name)

    def give(self, lease: Slot) -> None:
        """Tell that a worker has answered, or will not.

        Args:
            lease: as `take` gave it.
        """
        if isinstance(lease, Lease):
            lease.slot.gone |= lease.gone
            self._end(lease.slot)

    def _end(self, slot: Slot) -> None:
        self._fleet.end(slot)
        self._models.done(slot, self._target, self._forwarder)


def check_target(endpoint: str, models: MultiModel | None, headers: Mapping[str, Any]) -> None:
    """Refuse a request that names no model where it must, or one where it must not.

    Args:
        endpoint: its name.
        models: of the variant that is to answer, or None if it has only one.
        headers: of the request, names in lower case.

    Raises:
        AwsError: with what is wrong.
    """
    if models is None and TARGET_MODEL in headers:
        raise AwsError(
            "ValidationError",
            f"Endpoint {endpoint} is not a multi-model endpoint and does not support target model "
            f"header.",
            ErrorCode="TARGET_MODEL_HEADER_NOT_SUPPORTED",
        )
    if models is not None and not headers.get(TARGET_MODEL):
        raise AwsError(
            "ValidationError",
            f"Request {uuid.uuid4()} is missing a target model header: endpoint {endpoint} has "
            f"several models; name one of them with TargetModel.",
        )


def _ended(shelf: _Shelf, target: str, task: asyncio.Task[None]) -> None:
    """Forget a task; whoever still waits for it learns how it ended."""
    shelf.coming.pop(target, None)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.info("the model %s was not loaded: %s", target, error)
