"""Requests that arrive as ASGI messages, and their replies: the portable way to the engine.

`answer` stands in front of FastAPI: a prediction needs none of what a framework does for it. Any
ASGI server will do.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeAlias

from mlref.serving import tracing
from mlref.serving.engine import Engine
from mlref.serving.exchange import Headers, Reply, Request
from mlref.serving.routes import Route

__all__ = [
    "Receive",
    "Scope",
    "Send",
    "announces_more",
    "answer",
    "beside",
    "route_of",
    "too_large",
]

_ADVICE = "GET / lists what there is"
_MOST_DIGITS = 18  # of a length; nobody has so many bytes

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def route_of(engine: Engine, scope: Scope) -> Route | None:
    """Where a request goes, or None if it is not one for the engine."""
    if scope["type"] != "http":
        return None
    target = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string")
    return engine.routes.find(target + b"?" + query if query else target)


async def answer(engine: Engine, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    headers = scope["headers"]
    client = scope["client"][0] if scope.get("client") else None
    query = scope.get("query_string", b"")
    request = Request(scope["method"], scope["path"], headers, b"", query, client)
    if request.method != "POST":
        text = f"{request.method} {request.path}: only POST is allowed here; {_ADVICE}"
        await _send(engine, send, engine.refuse(route, request, 405, text, (b"allow", b"POST")))
        return
    body = await _body(engine, headers, receive)
    if not isinstance(body, bytes):
        if body is not None:
            status, text = body
            engine.metrics.refused({408: "timeout", 413: "body"}[status])
            await _send(engine, send, engine.refuse(route, request, status, text))
        return
    request.body = body
    future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def reply_to(reply: Reply) -> None:
        if not future.done():
            future.set_result(reply)

    exchange = engine.handle(request, route, reply_to)
    try:
        reply = await future
    except asyncio.CancelledError:
        exchange.cancel()
        raise
    await _send(engine, send, reply)


async def beside(engine: Engine, app: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Let FastAPI answer a request that is none of the engine's; it is counted and logged alike."""
    began, trace, told = perf_counter(), tracing.begin(scope.get("headers", ())), _Told()
    limit_s = engine.settings.body_timeout_s

    async def received() -> MutableMapping[str, Any]:
        if not told.more_body:
            return await receive()
        try:
            async with asyncio.timeout(limit_s):
                message = await receive()
        except TimeoutError:
            told.late = True
            return {"type": "http.disconnect"}
        told.more_body = bool(message.get("more_body"))
        return message

    async def observed(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            if told.late:  # the body, not the application, is to blame
                message["status"] = 408
            told.status = message["status"]
            close = ((b"connection", b"close"),) if engine.closing or told.late else ()
            more = (*tracing.reply_headers(trace), *close)
            message["headers"] = [*message.get("headers", ()), *more]
        told.size += len(message.get("body", b""))
        await send(message)

    try:
        await app(scope, received, observed)
    except Exception:
        if not told.late:
            raise
    finally:
        if scope["type"] == "http":
            _count(engine, scope, trace, told, perf_counter() - began)


def _count(engine: Engine, scope: Scope, trace: tracing.Trace, told: _Told, seconds: float) -> None:
    """Count and log a reply of FastAPI's."""
    template = getattr(scope.get("route"), "path", "other")
    engine.metrics.request(template, told.status, seconds, "", "")
    if engine.access is not None:
        engine.access.write(
            method=scope["method"],
            path=scope["path"],
            status=told.status,
            seconds=seconds,
            bytes_in=0,
            bytes_out=told.size,
            trace=trace,
            client=scope["client"][0] if scope.get("client") else None,
        )


@dataclass
class _Told:
    """What a reply was: 500 until it has begun."""

    status: int = 500
    size: int = 0
    more_body: bool = True
    late: bool = False


async def _body(engine: Engine, headers: Any, receive: Receive) -> bytes | tuple[int, str] | None:
    """All of a body; a status and a reason if it is too large or too slow; None if it ended."""
    limit = engine.settings.max_body_bytes
    if announces_more(headers, limit):
        if _closes(headers):
            await _throw_away(engine, receive)
        return too_large(limit)
    first: Any = receive()
    try:
        waits_for = first.send(None)
    except StopIteration as there:  # no need to wait, nor to watch the time
        message = there.value
        if message["type"] == "http.request" and not message.get("more_body"):
            body: bytes = message.get("body", b"")
            return body if len(body) <= limit else too_large(limit)
        first = None
    try:
        async with asyncio.timeout(engine.settings.body_timeout_s):
            if first is not None:
                message = await _begun(first, waits_for)
            return await _rest(message, receive, limit, to_the_end=_closes(headers))
    except TimeoutError:
        return 408, f"the body did not arrive within {engine.settings.body_timeout_s:g} s"


def _closes(headers: Headers) -> bool:
    """Whether the connection ends with this request, whose body is on its way."""
    given = dict(headers)
    return given.get(b"connection", b"").lower() == b"close" and b"expect" not in given


async def _throw_away(engine: Engine, receive: Receive) -> None:
    """Let the rest of a body come: closing on what was not read would reset the reply away."""
    with suppress(TimeoutError):
        async with asyncio.timeout(engine.settings.body_timeout_s):
            message: MutableMapping[str, Any] = {"more_body": True}
            while message.get("more_body"):
                message = await receive()


@types.coroutine
def _begun(coroutine: Any, waits_for: Any) -> Generator[Any, Any, Any]:
    """The result of a coroutine that waits already; it is awaited like the coroutine itself."""
    try:
        yield waits_for
    except BaseException as error:
        coroutine.throw(error)
        raise
    return (yield from coroutine)


async def _rest(
    message: MutableMapping[str, Any], receive: Receive, limit: int, *, to_the_end: bool
) -> bytes | tuple[int, str] | None:
    """The whole of a body that comes in pieces."""
    parts, size = [], 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            while to_the_end and message.get("more_body"):
                message = await receive()
            return too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    return None


def announces_more(headers: Headers, limit: int) -> bool:
    """Whether a request's Content-Length is beyond a limit, in bytes."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return len(value) > _MOST_DIGITS or int(value) > limit
    return False


def too_large(limit: int) -> tuple[int, str]:
    """Status and reason for a body beyond the limit, in bytes."""
    return 413, f"the body has more than the {limit} bytes that are allowed; send fewer rows"


async def _send(engine: Engine, send: Send, reply: Reply) -> None:
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", b"%d" % len(reply.body)),
        *reply.headers,
    ]
    if engine.closing:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
