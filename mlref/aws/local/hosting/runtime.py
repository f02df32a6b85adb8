"""The data plane: what InvokeEndpoint does, from the request to the model and back.

Every request costs what is written here, on top of what the model costs; so nothing is looked up
that can be known before, and all that can wait (captures, metrics, shadows) is only noted down.

Source: the API reference of InvokeEndpoint.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.capture import Exchange
from mlref.aws.local.hosting.checks import Checks, too_large
from mlref.aws.local.hosting.components import COMPONENT, asked_component
from mlref.aws.local.hosting.elastic import Elastic
from mlref.aws.local.hosting.forwarding import (
    ATTRIBUTES,
    INFERENCE_ID,
    Forwarder,
    Reply,
    long_answer,
    model_error,
    no_answer,
)
from mlref.aws.local.hosting.live import Group, Live, Variant
from mlref.aws.local.hosting.multi_model import TARGET_MODEL, Place, check_target
from mlref.aws.local.hosting.streaming import Streams
from mlref.aws.local.world import ACCOUNT
from mlref.aws.models import operation_model
from mlref.runtime.clock import Clock

__all__ = ["Incoming", "Outgoing", "Runtime"]

logger = logging.getLogger(__name__)

_TIMEOUT_S = 60.0  # that a container has for an answer
_OK = 200
_LOST = 503  # no worker answers, or it has ended
_INVOKED = "x-amzn-invoked-production-variant"
_VARIANT = "x-amzn-sagemaker-target-variant"


@dataclass(slots=True)
class Incoming:
    """A request of the data plane.

    Attributes:
        endpoint: that it is for.
        headers: names in lower case.
        body: as it came.
    """

    endpoint: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Outgoing:
    """A response of the data plane.

    Attributes:
        status: of HTTP.
        headers: as they go out.
        body: all of it, or its parts as they come.
    """

    status: int
    headers: Iterable[tuple[str, str]]
    body: bytes | AsyncIterator[bytes]


class Runtime:
    """What answers invocations.

    Args:
        live: gives an endpoint that answers, by its name; None if there is none.
        clock: tells when.
        chance: decides between variants.
        lost: called with a variant one of whose workers does not answer any more.
    """

    def __init__(
        self,
        live: Callable[[str], Live | None],
        clock: Clock,
        *,
        chance: random.Random | None = None,
        lost: Callable[[Variant], object] = lambda _: None,
    ) -> None:
        self._live = live
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 - which variant is no secret
        self._lost = lost
        self._forwarder = Forwarder()
        self._streams = Streams(self._forwarder, lost)
        self._shadows: set[asyncio.Task[None]] = set()
        self._whole = Checks("InvokeEndpoint")
        self._parted = Checks("InvokeEndpointWithResponseStream")
        shape = operation_model("sagemaker-runtime", "InvokeEndpoint").input_shape
        self._name = re.compile(shape.members["EndpointName"].metadata["pattern"]).fullmatch

    async def close(self) -> None:
        """Let go of the connections to workers."""
        for task in self._shadows:
            task.cancel()
        await self._forwarder.close()

    async def invoke(self, incoming: Incoming) -> Outgoing:
        """What InvokeEndpoint answers.

        Raises:
            AwsError: it cannot be answered.
        """
        began = time.perf_counter()
        live = self.found(incoming.endpoint)
        self._whole.check(incoming.headers, incoming.body)
        if live.groups[0].asynchronous is not None:
            text = f"Endpoint {live.endpoint} is asynchronous: use InvokeEndpointAsync"
            raise AwsError("ValidationError", text)
        group, variant = live.choose(incoming.headers.get(_VARIANT), self._chance)
        if variant.models is not None or TARGET_MODEL in incoming.headers:
            check_target(live.endpoint, variant.models, incoming.headers)
        if variant.components is not None or COMPONENT in incoming.headers:
            variant = asked_component(live.endpoint, group, variant, incoming.headers)
        most_bytes = variant.fleet.payload_limit
        if most_bytes is None:
            most_bytes = self._whole.most_bytes
        elif len(incoming.body) > most_bytes:
            raise too_large(len(incoming.body), most_bytes)
        if group.shadow is not None and self._chance.random() < group.shadow_share:
            self._shadowed(group, group.shadow, incoming)
        reply = await self.answered(group, variant, incoming, began=began, most_bytes=most_bytes)
        headers = [("Content-Type", reply.content_type), (_INVOKED, variant.name)]
        if reply.attributes:
            headers.append(("X-Amzn-SageMaker-Custom-Attributes", reply.attributes))
        return Outgoing(_OK, headers, reply.body)

    async def stream(self, incoming: Incoming) -> Outgoing:
        """What InvokeEndpointWithResponseStream answers: the container's answer, as it comes.

        Raises:
            AwsError: it cannot be answered, or the container's status is not 200.
        """
        live = self.found(incoming.endpoint)
        self._parted.check(incoming.headers, incoming.body)
        given = dict(incoming.headers)
        if accept := given.pop("x-amzn-sagemaker-accept", None):
            given["accept"] = accept
        group, variant = live.choose(given.get(_VARIANT), self._chance)
        if variant.components is not None or COMPONENT in given:
            variant = asked_component(live.endpoint, group, variant, given)
        several = variant.models is not None
        if several or isinstance(variant.fleet, Elastic) or group.asynchronous is not None:
            kinds = "serverless, asynchronous or multi-model"
            text = f"Endpoint {live.endpoint} cannot stream: it is {kinds}"
            raise AwsError("ValidationError", text)
        headers, parts = await self._streams.begun(live.endpoint, variant, given, incoming.body)
        return Outgoing(_OK, [*headers, (_INVOKED, variant.name)], parts)

    def found(self, name: str) -> Live:
        """An endpoint that answers.

        Raises:
            AwsError: there is none of that name.
        """
        live = self._live(name)
        if live is None:
            if not self._name(name):
                text = f"endpoint names are letters, digits and hyphens, got {name!r}"
                raise AwsError("ValidationError", text)
            raise AwsError("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")
        return live

    async def answered(
        self,
        group: Group,
        variant: Variant,
        incoming: Incoming,
        *,
        began: float,
        timeout_s: float = _TIMEOUT_S,
        most_bytes: float = math.inf,
        queued: bool = False,
    ) -> Reply:
        """What a variant answers, measured and captured.

        Args:
            group: that the variant belongs to.
            variant: is asked.
            incoming: what.
            began: when the request came, as `time.perf_counter` tells.
            timeout_s: seconds that the container has.
            most_bytes: that its answer may have.
            queued: whether the request has waited in a queue, of which other things are measured.
                One that finds no worker, or loses it, is not counted: it may be tried again.

        Raises:
            AwsError: it did not answer, or not with 200, or with too much.
        """
        model_s, reply, status = 0.0, None, 500
        try:
            model_s, reply = await self._asked(variant, incoming, timeout_s)
            if reply.status != _OK:
                raise model_error(incoming.endpoint, variant.name, reply)
            if len(reply.body) > most_bytes:
                raise long_answer(incoming.endpoint, variant.name, reply, int(most_bytes))
            status = _OK
        except AwsError as error:
            status = error.status
            raise
        finally:
            if not queued or status != _LOST:
                variant.meter.count(
                    status,
                    model_s,
                    time.perf_counter() - began - model_s,
                    instances=len(variant.fleet) or 1,
                    model_status=None if reply is None else reply.status,
                    queued=queued,
                )
        self._captured(group, variant, incoming, reply)
        return reply

    async def _asked(
        self, variant: Variant, incoming: Incoming, timeout_s: float
    ) -> tuple[float, Reply]:
        """What a worker answers, and in how many seconds."""
        fleet = variant.fleet if variant.models is None else self._place(variant, incoming)
        while True:
            slot = await fleet.take()
            sent = time.perf_counter()
            try:
                reply = await self._forwarder.send(
                    slot, slot.path, incoming.headers, incoming.body, timeout_s=timeout_s
                )
                return time.perf_counter() - sent, reply
            except ConnectionRefusedError:  # nothing was sent: another may be asked
                slot.gone = True
                self._lost(variant)
            except ConnectionError as error:
                slot.gone = not slot.worker.alive
                self._lost(variant)
                text = f"a worker of {variant.name} ended while it answered; try again"
                raise AwsError("ServiceUnavailable", text, status=503) from error
            except TimeoutError as error:
                raise no_answer(incoming.endpoint, variant.name, timeout_s) from error
            finally:
                fleet.give(slot)

    def _place(self, variant: Variant, incoming: Incoming) -> Place:
        """The workers of a multi-model variant, for a request."""
        if variant.models is None:
            raise TypeError(f"{variant.name} always has the same model")
        return Place(
            variant.models,
            variant.fleet,
            incoming.headers[TARGET_MODEL],
            self._forwarder,
            lost=lambda: self._lost(variant),
            timeout_s=_TIMEOUT_S,
        )

    def _shadowed(self, group: Group, shadow: Variant, incoming: Incoming) -> None:
        """Let a shadow answer, too; the caller neither waits for it nor sees it."""

        async def work() -> None:
            try:
                await self.answered(group, shadow, incoming, began=time.perf_counter())
            except AwsError as error:
                logger.info("the shadow %s: %s", shadow.name, error)

        task = asyncio.get_running_loop().create_task(work())
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    def _captured(self, group: Group, variant: Variant, incoming: Incoming, reply: Reply) -> None:
        capture = group.capture
        if capture is None or not capture.wants():
            return
        headers = incoming.headers
        capture.keep(
            Exchange(
                self._clock.now(),
                variant.name,
                incoming.body,
                headers.get("content-type", "application/octet-stream"),
                reply.body,
                reply.content_type,
                headers.get(INFERENCE_ID, ""),
                headers.get(ATTRIBUTES, ""),
                variant.role,
            )
        )
