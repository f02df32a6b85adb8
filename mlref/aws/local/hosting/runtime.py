"""The data plane: what InvokeEndpoint does, from the request to the model and back.

Every request costs what is written here, on top of what the model costs; so nothing is looked up
that can be known before, and all that can wait (captures, metrics) is only noted down.

Source: the API reference of InvokeEndpoint, and the Amazon SageMaker Developer Guide, "Use your own
inference code with hosting services".
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.capture import Exchange
from mlref.aws.local.hosting.fleet import Slot
from mlref.aws.local.hosting.live import Group, Live, Variant
from mlref.aws.models import operation_model
from mlref.runtime.clock import Clock
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Incoming", "Outgoing", "Runtime"]

_TIMEOUT_S = 60.0  # that a container has for an answer
_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_VARIANT = "x-amzn-sagemaker-target-variant"
_INFERENCE_ID = "x-amzn-sagemaker-inference-id"
_INVOKED = "x-amzn-invoked-production-variant"
_CONTAINER_BODY = 500  # characters of a container's error that a ModelError quotes


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
    """A response of the data plane."""

    status: int
    headers: Iterable[tuple[str, str]]
    body: bytes


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
        self._client: aiohttp.ClientSession | None = None
        shape = operation_model("sagemaker-runtime", "InvokeEndpoint").input_shape
        self.most_bytes = int(shape.members["Body"].metadata["max"])
        pattern = shape.members["EndpointName"].metadata["pattern"]
        self._name = re.compile(pattern).fullmatch

    async def close(self) -> None:
        """Let go of the connections to workers."""
        if self._client is not None:
            await self._client.close()

    async def invoke(self, incoming: Incoming) -> Outgoing:
        """What InvokeEndpoint answers.

        Raises:
            AwsError: it cannot be answered.
        """
        began = time.perf_counter()
        live = self._found(incoming.endpoint)
        if len(incoming.body) > self.most_bytes:
            text = f"the body has {len(incoming.body)} bytes, allowed are {self.most_bytes}"
            raise AwsError("ValidationError", text, status=413)
        headers = incoming.headers
        group, variant = live.choose(headers.get(_VARIANT), self._chance)
        model_s, reply, error = 0.0, None, None
        try:
            sent = time.perf_counter()
            reply = await self._asked(variant, incoming)
            model_s = time.perf_counter() - sent
            if reply.status != 200:  # noqa: PLR2004 - HTTP's OK
                raise _model_error(live.endpoint, variant.name, reply)
        except AwsError as found:
            error = found
        overhead_s = time.perf_counter() - began - model_s
        variant.meter.count(
            200 if error is None else error.status,
            model_s,
            overhead_s,
            instances=len(variant.fleet) or 1,
            model_status=None if reply is None else reply.status,
        )
        if error is not None or reply is None:
            raise error or AwsError("InternalFailure", "no answer", status=500)
        self._captured(group, variant, incoming, reply)
        return _answer(reply, variant.name)

    def _found(self, name: str) -> Live:
        live = self._live(name)
        if live is None:
            if not self._name(name):
                text = f"endpoint names are letters, digits and hyphens, got {name!r}"
                raise AwsError("ValidationError", text)
            text = f"Endpoint {name} of account 123456789012 not found."
            raise AwsError("ValidationError", text)
        return live

    async def _asked(self, variant: Variant, incoming: Incoming) -> _Reply:
        """What a worker answers; another one is asked where a connection cannot be made."""
        refused = 0
        while (slot := variant.fleet.pick()) is not None:
            slot.in_flight += 1
            try:
                return await self._send(slot, incoming)
            except ConnectionRefusedError:  # nothing was sent: another may be asked
                slot.gone = True
                refused += 1
                self._lost(variant)
            except ConnectionError as error:
                self._lost(variant)
                text = f"a worker of {variant.name} ended while it answered; try again"
                raise AwsError("ServiceUnavailable", text, status=503) from error
            except TimeoutError as error:
                raise _no_answer(incoming.endpoint, variant.name) from error
            finally:
                slot.in_flight -= 1
        text = f"no worker of {variant.name} answers at the moment; try again"
        raise AwsError("ServiceUnavailable", text, status=503)

    async def _send(self, slot: Slot, incoming: Incoming) -> _Reply:
        with extra("aws"):
            import aiohttp
        if self._client is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2.0)
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
            self._client = aiohttp.ClientSession(
                connector=connector, timeout=timeout, auto_decompress=False
            )
        url = f"http://127.0.0.1:{slot.port}/invocations"
        try:
            async with self._client.post(
                url, data=incoming.body, headers=_forwarded(incoming.headers)
            ) as reply:
                body = await reply.read()
                kind = reply.headers.get("Content-Type", "")
                return _Reply(reply.status, kind, body, reply.headers.get(_ATTRIBUTES, ""))
        except aiohttp.ClientConnectorError as error:
            raise ConnectionRefusedError(str(error)) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise ConnectionResetError(str(error)) from error

    def _captured(self, group: Group, variant: Variant, incoming: Incoming, reply: _Reply) -> None:
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
                headers.get(_INFERENCE_ID, ""),
                headers.get(_ATTRIBUTES, ""),
            )
        )


@dataclass(slots=True)
class _Reply:
    """What a container answered."""

    status: int
    content_type: str
    body: bytes
    attributes: str


_FORWARDED = {
    "content-type": "Content-Type",
    "accept": "Accept",
    _ATTRIBUTES: "X-Amzn-SageMaker-Custom-Attributes",
    _INFERENCE_ID: "X-Amzn-SageMaker-Inference-Id",
    "x-amzn-sagemaker-target-model": "X-Amzn-SageMaker-Target-Model",
    "x-amzn-sagemaker-session-id": "X-Amzn-SageMaker-Session-Id",
}


def _forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    found = {told: headers[name] for name, told in _FORWARDED.items() if name in headers}
    found.setdefault("Content-Type", "application/octet-stream")
    return found


def _answer(reply: _Reply, variant: str) -> Outgoing:
    headers = [("Content-Type", reply.content_type), (_INVOKED, variant)]
    if reply.attributes:
        headers.append(("X-Amzn-SageMaker-Custom-Attributes", reply.attributes))
    return Outgoing(200, headers, reply.body)


def _model_error(endpoint: str, variant: str, reply: _Reply) -> AwsError:
    """424 with what the container said.

    Source: the API reference of InvokeEndpoint, "ModelError".
    """
    said = reply.body[:_CONTAINER_BODY].decode("utf-8", "replace")
    kind = "client" if reply.status < 500 else "server"  # noqa: PLR2004 - HTTP's
    text = (
        f'Received {kind} error ({reply.status}) from primary with message "{said}". See the log '
        f"group /aws/sagemaker/Endpoints/{endpoint} in account 123456789012 for more information."
    )
    return AwsError(
        "ModelError",
        text,
        status=424,
        OriginalMessage=said,
        OriginalStatusCode=reply.status,
        LogStreamArn=_log(endpoint, variant),
    )


def _no_answer(endpoint: str, variant: str) -> AwsError:
    text = (
        f"Received server error (0) from primary: no answer within {_TIMEOUT_S:g} s. See the log "
        f"group /aws/sagemaker/Endpoints/{endpoint} in account 123456789012 for more information."
    )
    return AwsError(
        "ModelError",
        text,
        status=424,
        OriginalMessage="",
        OriginalStatusCode=0,
        LogStreamArn=_log(endpoint, variant),
    )


def _log(endpoint: str, variant: str) -> str:
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    return f"arn:aws:logs:us-east-1:123456789012:log-group:{group}:log-stream:{variant}"
