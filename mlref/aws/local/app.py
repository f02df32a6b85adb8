"""The local AWS as an ASGI application: invocations in the event loop, all other calls in threads.

Both planes share one port, so one address (AWS_ENDPOINT_URL) is all that a client needs. A path
that begins with /endpoints/ is the data plane's, as no other service of ours has such paths.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
)
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from mlref.aws.local.control import ControlPlane, refusal
from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.asynchronous import Asynchronous
from mlref.aws.local.hosting.runtime import Incoming, Outgoing, Runtime
from mlref.aws.local.iam.gate import Gate
from mlref.aws.local.routing import Call

__all__ = ["Admin", "App"]

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Admin = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Answers calls that are no calls of AWS: to move the clock, or to tell how things are."""

_DATA_PLANE = "/endpoints/"
_ADMIN = "/_mlref/"
_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")
_THREADS = 16
_MOST_BYTES = 5 * 2**30  # of an object that is put in one go


class App:
    """The application.

    Args:
        control: answers all calls but invocations.
        runtime: answers invocations.
        asynchronous: answers those whose answer goes to S3.
        admin: answers what is below /_mlref/.
        gate: lets through who may invoke an endpoint.
    """

    def __init__(
        self,
        control: ControlPlane,
        runtime: Runtime,
        asynchronous: Asynchronous,
        admin: Admin,
        gate: Gate,
    ) -> None:
        self._control = control
        self._planes = {
            "invocations": runtime.invoke,
            "async-invocations": asynchronous.invoke,
            "invocations-response-stream": runtime.stream,
        }
        self._admin = admin
        self._gate = gate
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="control")

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await _body(receive)
        path: str = scope["path"]
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if not _from_here(headers):
            kind, told = [("Content-Type", "text/plain")], b"only programs of this machine may ask"
            await _respond(send, 403, kind, told)
            return
        if path.startswith(_DATA_PLANE) and "/s3/aws4_request" not in headers.get(
            "authorization", ""
        ):
            await self._invoke(path, headers, body, send)
            return
        if path.startswith(_ADMIN):
            work = functools.partial(self._administer, path, body)
        else:
            raw = scope.get("raw_path") or path.encode()
            query = scope["query_string"]
            target = (raw + b"?" + query if query else raw).decode("latin-1")
            work = functools.partial(self._control.answer, scope["method"], target, headers, body)
        loop = asyncio.get_running_loop()
        status, answered, content = await loop.run_in_executor(self._pool, work)
        await _respond(send, status, answered.items(), content, head=scope["method"] == "HEAD")

    async def _invoke(self, path: str, headers: Mapping[str, str], body: bytes, send: Send) -> None:
        endpoint, _, what = path.removeprefix(_DATA_PLANE).rpartition("/")
        try:
            if not headers.get("authorization", "").startswith("AWS4-"):
                text = "the request is not signed; give the client any credentials"
                raise AwsError("MissingAuthenticationTokenException", text, status=403)
            answer = self._planes.get(what)
            if answer is None:
                raise AwsError("UnknownOperationException", f"there is no {path}", status=404)
            name = unquote(endpoint)
            if self._gate.concerns(headers):
                work = functools.partial(self._gate.check, headers, name, what)
                await asyncio.get_running_loop().run_in_executor(self._pool, work)
            found = await answer(Incoming(name, headers, body))
        except AwsError as error:
            found = Outgoing(*_refused(error))
        except Exception:
            logger.exception("the data plane failed to answer %s", path)
            text = "the local AWS has a fault; its log tells more"
            found = Outgoing(*_refused(AwsError("InternalFailure", text, status=500)))
        if isinstance(found.body, bytes):
            await _respond(send, found.status, found.headers, found.body)
        else:
            await _stream(send, found.status, found.headers, found.body)

    def _administer(self, path: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        kind = {"Content-Type": "application/json"}
        try:
            given = json.loads(body or b"{}")
            told = self._admin(path.removeprefix(_ADMIN), given)
        except (AwsError, ValueError) as error:
            return 400, kind, json.dumps({"error": str(error)}).encode()
        return 200, kind, json.dumps(told).encode()


def _from_here(headers: Mapping[str, str]) -> bool:
    """Whether a program of this machine asks, and no page that a browser shows.

    Whoever may ask may start processes. A page of any web site could send requests to loopback, or
    give its own name that address; a browser tells the first in Origin and the second in Host.
    """
    if "origin" in headers or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return False
    host = headers.get("host", "localhost")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return (
        name.strip("[]") in {"localhost", "::1"}
        or name.endswith(".localhost")
        or bool(_LOOPBACK.fullmatch(name))
    )


def _refused(error: AwsError) -> tuple[int, list[tuple[str, str]], bytes]:
    status, headers, content = refusal(error, Call("sagemaker-runtime", "InvokeEndpoint", ""))
    return status, list(headers.items()), content


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if not message.get("more_body", False):
        return bytes(message.get("body", b""))
    parts = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


async def _respond(
    send: Send, status: int, headers: Any, content: bytes, *, head: bool = False
) -> None:
    told = {name.lower(): value for name, value in headers}
    if not head or "content-length" not in told:  # of a HEAD, it is the object's
        told["content-length"] = str(len(content))
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if head else content})


async def _stream(
    send: Send, status: int, headers: Iterable[tuple[str, str]], parts: AsyncIterator[bytes]
) -> None:
    """A response whose length nobody knows before its end."""
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    async for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
