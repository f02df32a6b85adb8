"""Answers that come in parts: what InvokeEndpointWithResponseStream passes on of a container's.

What is streamed is not captured. Whether AWS captures it, its documentation does not tell.

Source: the API reference of InvokeEndpointWithResponseStream.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.event_stream import CONTENT_TYPE, event, exception
from mlref.aws.local.hosting.fleet import Slot
from mlref.aws.local.hosting.forwarding import (
    ATTRIBUTES,
    Forwarder,
    Reply,
    model_error,
    no_answer,
)
from mlref.aws.local.hosting.live import Variant

__all__ = ["Streams"]

_TIMEOUT_S = 480.0  # that a container has for an answer that it streams
_OK, _BROKEN = 200, 500


@dataclass(slots=True)
class _Stream:
    """A request, and what is known of its answer so far."""

    endpoint: str
    variant: Variant
    headers: Mapping[str, str]
    body: bytes
    told: list[tuple[str, str]] = field(default_factory=list)
    status: int = _BROKEN
    model_status: int | None = None


class Streams:
    """What asks workers for answers in parts.

    Args:
        forwarder: sends requests to workers.
        lost: called with a variant one of whose workers does not answer any more.
    """

    def __init__(self, forwarder: Forwarder, lost: Callable[[Variant], object]) -> None:
        self._forwarder = forwarder
        self._lost = lost

    async def begun(
        self, endpoint: str, variant: Variant, headers: Mapping[str, str], body: bytes
    ) -> tuple[list[tuple[str, str]], AsyncIterator[bytes]]:
        """The headers of an answer that has begun, and its parts as events.

        Args:
            endpoint: its name.
            variant: is asked.
            headers: of the request, names in lower case.
            body: of the request.

        Raises:
            AwsError: no worker answers, or not with 200.
        """
        stream = _Stream(endpoint, variant, headers, body)
        parts = self._parts(stream)
        await anext(parts)
        return stream.told, parts

    async def _parts(self, stream: _Stream) -> AsyncIterator[bytes]:
        """Nothing when the answer has begun and its headers are told, then its parts."""
        began, variant = time.perf_counter(), stream.variant
        try:
            while True:
                slot = await variant.fleet.take()
                try:
                    async with aclosing(self._from(slot, stream)) as parts:
                        async for part in parts:
                            yield part
                except ConnectionRefusedError:  # nothing was sent: another may be asked
                    slot.gone = True
                    self._lost(variant)
                else:
                    return
                finally:
                    variant.fleet.give(slot)
        except AwsError as error:
            stream.status = error.status
            raise
        finally:
            variant.meter.count(
                stream.status,
                time.perf_counter() - began,
                0.0,
                instances=len(variant.fleet) or 1,
                model_status=stream.model_status,
            )

    async def _from(self, slot: Slot, stream: _Stream) -> AsyncGenerator[bytes]:
        """The same, of one worker."""
        given = stream.headers, stream.body
        try:
            async with self._forwarder.open(slot, slot.path, *given, timeout_s=_TIMEOUT_S) as reply:
                stream.model_status = reply.status
                if reply.status != _OK:
                    found = Reply(reply.status, "", await reply.read())
                    raise model_error(stream.endpoint, stream.variant.name, found)
                stream.told = _headers(reply.headers)
                yield b""
                async for part in reply.content.iter_any():
                    yield event("PayloadPart", part)
            stream.status = _OK
        except ConnectionRefusedError:
            raise
        except (ConnectionError, TimeoutError) as error:
            if not isinstance(error, TimeoutError):
                self._lost(stream.variant)
            if not stream.told:
                raise _refusal(stream, error) from error
            text = f"the container ended before its answer did: {type(error).__name__}"
            told = {"Message": text, "ErrorCode": "StreamBroken"}
            yield exception("ModelStreamError", json.dumps(told).encode())


def _headers(told: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers that go out, by those of the container."""
    found = [
        ("Content-Type", CONTENT_TYPE),
        ("X-Amzn-SageMaker-Content-Type", told.get("Content-Type", "")),
    ]
    if attributes := told.get(ATTRIBUTES):
        found.append(("X-Amzn-SageMaker-Custom-Attributes", attributes))
    return found


def _refusal(stream: _Stream, error: Exception) -> AwsError:
    """What is told where nothing has been answered."""
    if isinstance(error, TimeoutError):
        return no_answer(stream.endpoint, stream.variant.name, _TIMEOUT_S)
    text = f"a worker of {stream.variant.name} ended before it answered; try again"
    return AwsError("ServiceUnavailable", text, status=503)
