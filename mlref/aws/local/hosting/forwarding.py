"""What is sent to a worker, and what comes back: the container's contract, seen from the platform.

Source: the Amazon SageMaker Developer Guide, "Use your own inference code with hosting services".
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.fleet import Slot
from mlref.aws.local.world import ACCOUNT, arn
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    import aiohttp

__all__ = [
    "ATTRIBUTES",
    "INFERENCE_ID",
    "MOST_AT_ONCE",
    "Forwarder",
    "Reply",
    "long_answer",
    "model_error",
    "no_answer",
]

ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
"""The header with a caller's or a container's own words."""

INFERENCE_ID = "x-amzn-sagemaker-inference-id"
"""The header with a caller's name for a request."""

MOST_AT_ONCE = 100
"""Requests that one worker has at a time; more of them wait here until one is answered."""

_KEPT_S = 2.0  # that an idle connection to a worker is kept; less than the worker keeps it
_AT_ONCE = 2**20  # bytes; a larger body would hold up the event loop, and goes out in parts
_QUOTED = 1024  # characters of a container's error that a ModelError's own message quotes
_MOST = 2048  # characters of OriginalMessage, by the model of the service
_SERVER_ERROR = 500
_FORWARDED = {
    "content-type": "Content-Type",
    "accept": "Accept",
    ATTRIBUTES: "X-Amzn-SageMaker-Custom-Attributes",
    INFERENCE_ID: "X-Amzn-SageMaker-Inference-Id",
    "x-amzn-sagemaker-target-model": "X-Amzn-SageMaker-Target-Model",
}


@dataclass(slots=True)
class Reply:
    """What a container answered.

    Attributes:
        status: of HTTP.
        content_type: as it came.
        body: as it came.
        attributes: the container's own custom attributes, or "".
    """

    status: int
    content_type: str
    body: bytes
    attributes: str = ""


class Forwarder:
    """The connections to workers."""

    def __init__(self) -> None:
        self._client: aiohttp.ClientSession | None = None

    async def send(
        self,
        slot: Slot,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_s: float,
        method: str = "POST",
    ) -> Reply:
        """What a worker answers.

        Args:
            slot: the worker.
            path: as in "/invocations".
            headers: of the caller, names in lower case.
            body: of the caller.
            timeout_s: seconds until all of the answer must be there, waiting for a turn included.
            method: of HTTP.

        Raises:
            ConnectionRefusedError: nothing was sent: the worker does not listen.
            ConnectionError: the worker ended, or broke the line, before it had answered.
            TimeoutError: it took too long.
        """
        sent = headers, body
        async with self.open(slot, path, *sent, timeout_s=timeout_s, method=method) as reply:
            content = await reply.read()
            kind = reply.headers.get("Content-Type", "")
            return Reply(reply.status, kind, content, reply.headers.get(ATTRIBUTES, ""))

    @asynccontextmanager
    async def open(
        self,
        slot: Slot,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_s: float,
        method: str = "POST",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A worker's answer while it comes; see `send`."""
        with extra("aws"):
            import aiohttp
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, limit_per_host=MOST_AT_ONCE, keepalive_timeout=_KEPT_S
                ),
                auto_decompress=False,
            )
        data = body if len(body) <= _AT_ONCE else io.BytesIO(body)
        url = f"http://127.0.0.1:{slot.port}{path}"
        sent = {told: headers[name] for name, told in _FORWARDED.items() if name in headers}
        limit = aiohttp.ClientTimeout(total=timeout_s)
        sent.setdefault("Content-Type", "application/octet-stream")
        try:
            asked = self._client.request(method, url, data=data, headers=sent, timeout=limit)
            async with asked as reply:
                yield reply
        except aiohttp.ClientConnectorError as error:
            raise ConnectionRefusedError(str(error)) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise ConnectionResetError(str(error)) from error

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.close()


def model_error(endpoint: str, variant: str, reply: Reply) -> AwsError:
    """424 with what the container said.

    Args:
        endpoint: its name.
        variant: that answered.
        reply: with a status other than 200.

    Source: the API reference of InvokeEndpoint, "ModelError".
    """
    said = reply.body[: 4 * _MOST].decode("utf-8", "replace")[:_MOST]
    kind = "server" if reply.status >= _SERVER_ERROR else "client"
    text = f'Received {kind} error ({reply.status}) from primary with message "{said[:_QUOTED]}".'
    return _error(endpoint, variant, text, said, reply.status)


def long_answer(endpoint: str, variant: str, reply: Reply, most_bytes: int) -> AwsError:
    """424, as the container answered with too much.

    Args:
        endpoint: its name.
        variant: that answered.
        reply: with a body that is too large.
        most_bytes: that it may have.
    """
    text = (
        f"Received an answer of {len(reply.body)} bytes from primary, allowed are {most_bytes}; "
        f"send fewer rows at a time."
    )
    return _error(endpoint, variant, text, "", reply.status)


def no_answer(endpoint: str, variant: str, timeout_s: float) -> AwsError:
    """424, as the container took too long.

    Args:
        endpoint: its name.
        variant: that did not answer.
        timeout_s: that it had, in seconds.
    """
    text = f"Received server error (0) from primary: it did not answer within {timeout_s:g} s."
    return _error(endpoint, variant, text, "", 0)


def _error(endpoint: str, variant: str, text: str, said: str, status: int) -> AwsError:
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    return AwsError(
        "ModelError",
        f"{text} See the log group {group} in account {ACCOUNT} for more information.",
        status=424,
        OriginalMessage=said,
        OriginalStatusCode=status,
        LogStreamArn=arn("logs", f"log-group:{group}:log-stream:{variant}"),
    )
