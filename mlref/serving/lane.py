"""Predictions that are answered before they become ASGI messages, on connections that keep time.

A request usually becomes a scope, a task, two queues of messages and a response object before a
line of ours runs. `Lane` is uvicorn's own HTTP protocol with a shorter way for the routes of the
engine: when the parser has the last byte of the body, the engine has the request; when the engine
has the reply, its bytes go to the transport. Every other request takes uvicorn's way.

What it must not break, and how it does not:

- Replies come in the order of the requests. Only a connection on which nothing else is under way
  takes the short way; a request that is pipelined behind one waits in uvicorn's own queue.
- A client that does not read its replies is not served more of them: while the transport is full,
  requests go uvicorn's way, which waits.
- A body beyond the limit is refused as soon as it is announced, or has come so far, and the rest of
  it is read and thrown away, so that the client sees the refusal and not a broken connection.

It also keeps time, which uvicorn does not: `Lane.expire` cuts off who sends half a request.

It stands on internals of uvicorn: `TESTED` holds the versions with which its tests pass, and
`why_not` tells whether the installed one is among them.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mlref.runtime.lazy import extra, version_of
from mlref.serving.engine import Engine
from mlref.serving.exchange import Reply, Request
from mlref.serving.hot import announces_more, too_large
from mlref.serving.routes import Route

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as _Protocol
else:
    _Protocol = object

__all__ = ["INTERNALS", "TESTED", "Lane", "lane_for", "why_not"]

TESTED = ("0.54.",)
"""The beginnings of the versions of uvicorn whose internals are known."""

INTERNALS = (
    "client", "config", "connection_lost", "connection_made", "connections", "cycle",
    "data_received", "expect_100_continue", "flow", "headers", "loop", "on_body",
    "on_headers_complete", "on_message_begin", "on_message_complete", "on_response_complete",
    "parser", "pipeline", "server_state", "shutdown", "timeout_keep_alive_task", "transport", "url",
)  # fmt: skip
"""The names of uvicorn's protocol that are used here; a test checks what each of them does."""

_STATUS = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
_MOST_HEADER_BYTES = 2**16
_FRAMING = 4  # bytes on the line for a byte of the body, at most: chunks have frames
_IDLE, _HEAD, _BODY, _BUSY, _REST = range(5)


def why_not() -> str | None:
    """None if the lane can be used here; otherwise one line that says why not."""
    version = version_of("uvicorn") or "none"
    if not version.startswith(TESTED):
        tested = ", ".join(f"{each}x" for each in TESTED)
        return f"uvicorn {version} is not one of those that the lane is tested with ({tested})"
    return None if version_of("httptools") else "httptools is not installed"


def lane_for(engine: Engine) -> type[Lane]:
    """The protocol class for `uvicorn.Config(http=...)`, bound to an engine.

    Raises:
        MissingExtraError: uvicorn or httptools is not installed.
    """
    with extra("serve"):
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    return type("Lane", (Lane, HttpToolsProtocol), {"engine": engine})


class Lane(_Protocol):
    """One connection; made by `lane_for`."""

    engine: Engine
    route: Route | None = None
    stage = _IDLE
    since_s = 0.0
    exchange: Any = None
    keep_alive = True
    size = 0
    begun = 0
    in_head = False
    parts: bytes | bytearray = b""

    def connection_made(self, transport: Any) -> None:
        """Note when it began."""
        super().connection_made(transport)
        self.since_s = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for the reply any more."""
        if self.exchange is not None:
            self.exchange.cancel()
            self.exchange = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client; headers without an end are cut off."""
        before, stage = self.begun, self.stage
        super().data_received(data)
        if self.stage == _HEAD and stage in {_IDLE, _HEAD} and self.begun - before <= 1:
            self.size += len(data)
            if self.size > _MOST_HEADER_BYTES and not self.transport.is_closing():
                self.engine.metrics.refused("headers")
                self._write(Reply(431, b"", b"text/plain"), close=True)
                self.transport.close()
        elif self.stage == _BODY and stage == _BODY:
            self.size += len(data)
            if self.size > _FRAMING * self.engine.settings.max_body_bytes + _MOST_HEADER_BYTES:
                self.transport.close()  # chunks of a byte, or trailers without end

    def on_message_begin(self) -> None:
        """The first byte of a request. What uvicorn prepares here is done when it is needed."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self.begun += 1
        self.size = 0
        self.in_head = True
        if self.stage == _IDLE:
            self.stage, self.since_s = _HEAD, self.loop.time()

    def on_headers_complete(self) -> None:
        """The end of a request's headers: which way shall it go?"""
        self.in_head = False
        route = self.engine.routes.find(self.url)
        if (
            route is None
            or self.exchange is not None
            or self.expect_100_continue
            or (self.cycle is not None and not self.cycle.response_complete)
            or self.flow.write_paused
            or self.parser.get_method() != b"POST"
            or self.parser.should_upgrade()
        ):
            self._go_on()
            return
        self.route, self.stage, self.parts, self.size = route, _BODY, b"", 0
        self.since_s = self.loop.time()
        limit = self.engine.settings.max_body_bytes
        if announces_more(self.headers, limit):
            self._refuse(*too_large(limit))

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        if self.stage == _BODY:
            if not self.parts:
                self.parts = body
            else:
                if type(self.parts) is bytes:
                    self.parts = bytearray(self.parts)
                self.parts += body
            if len(self.parts) > self.engine.settings.max_body_bytes:
                self._refuse(*too_large(self.engine.settings.max_body_bytes))
        elif self.stage != _REST:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        if self.stage == _REST:
            if self.parser.should_keep_alive() and not self.engine.closing:
                self._next()
            else:
                self.transport.close()
            return
        if self.stage != _BODY:
            super().on_message_complete()
            return
        self.stage = _BUSY
        self.keep_alive = self.parser.should_keep_alive()
        body, self.parts = bytes(self.parts), b""
        route = self.route
        assert route is not None  # noqa: S101 - for the type checker
        request = self._request(body)
        self.server_state.total_requests += 1
        exchange = self.engine.handle(request, route, self._reply)
        if self.stage == _BUSY:  # the reply may be out already
            self.exchange = exchange

    def expire(self, now_s: float) -> None:
        """Cut off who is silent for too long. The server calls it every now and then."""
        settings = self.engine.settings
        limits = {
            _IDLE: settings.keep_alive_s,
            _HEAD: settings.header_timeout_s,
            _BODY: settings.body_timeout_s,
            _REST: settings.body_timeout_s,
        }
        limit_s = limits.get(self.stage)
        if limit_s is None or now_s - self.since_s <= limit_s or self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            return  # uvicorn is answering something that came before
        if self.stage in {_HEAD, _BODY}:
            self.engine.metrics.refused("timeout")
            self._write(Reply(408, b"", b"text/plain"), close=True)
        self.transport.close()

    @property
    def silent_since_s(self) -> float | None:
        """Since when nothing has been under way, in the loop's time; None while something is."""
        busy = self.cycle is not None and not self.cycle.response_complete
        return None if self.stage != _IDLE or busy else self.since_s

    def shutdown(self) -> None:
        """Close the connection as soon as what is under way is answered; uvicorn asks for it."""
        if self.exchange is None:
            super().shutdown()
        else:
            self.keep_alive = False

    def _go_on(self) -> None:
        """Uvicorn's way, behind the reply that is under way."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        cycle = self.cycle
        if self.exchange is not None:
            self.cycle = _UNDER_WAY
        else:
            self.stage, self.since_s = _IDLE, self.loop.time()
        try:
            super().on_headers_complete()
        finally:
            if self.cycle is _UNDER_WAY:  # no request after all
                self.cycle = cycle

    def _request(self, body: bytes) -> Request:
        """The request that the parser has read."""
        path, _, query = self.url.partition(b"?")
        text = path.decode("latin-1")
        client = self.client[0] if self.client else None
        return Request(
            "POST", unquote(text) if "%" in text else text, self.headers, body, query, client
        )

    def _refuse(self, status: int, text: str) -> None:
        """Refuse a request before its end, and throw the rest of it away."""
        route = self.route
        assert route is not None  # noqa: S101 - for the type checker
        self.parts = b""
        self.stage = _REST
        self.engine.metrics.refused("body")
        self._write(self.engine.refuse(route, self._request(b""), status, text), close=False)

    def _reply(self, reply: Reply) -> None:
        """The engine has the reply."""
        self.exchange = None
        if self.transport.is_closing():
            return
        close = not self.keep_alive or self.engine.closing
        self._write(reply, close=close)
        if close:
            self.transport.close()
        else:
            self._next()

    def _next(self) -> None:
        """Be ready for the next request, or go on with one that waits already."""
        self.stage, self.since_s = _HEAD if self.in_head else _IDLE, self.loop.time()
        if self.pipeline:
            self.on_response_complete()

    def _write(self, reply: Reply, *, close: bool) -> None:
        parts = [_STATUS.get(reply.status) or b"HTTP/1.1 %d \r\n" % reply.status]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in reply.headers:
            parts += (name, b": ", value, b"\r\n")
        if close:
            parts.append(b"connection: close\r\n")
        body = reply.body
        parts.append(
            b"content-type: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (reply.content_type, len(body), body)
        )
        self.transport.write(b"".join(parts))


class _UnderWay:
    """Stands for a reply of the lane where uvicorn looks whether it may answer the next request."""

    response_complete = False
    disconnected = False


_UNDER_WAY: Any = _UnderWay()
