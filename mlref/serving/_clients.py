"""The clients of a load: each a protocol of asyncio, which costs less than its streams do."""

from __future__ import annotations

import asyncio
import errno
import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, cast

from mlref.serving.raw_http import AnswerReader, RawAnswer, header_of

__all__ = ["Clients"]

_NOBODY = (ConnectionError, TimeoutError)
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH)  # a container that is gone
_AGAIN_S = 0.1  # between two attempts to connect
_UNAVAILABLE = 503
_SWEEPS = 8  # looks for time-outs within one `timeout_s`


class Clients:
    """All clients of a load, what they send and what they count. Belongs to one event loop."""

    def __init__(
        self,
        host: str,
        port: int,
        messages: Iterator[bytes],
        *,
        concurrency: int,
        seconds: float,
        requests: int | None,
        think_s: float,
        honour_retry_after: bool,
        timeout_s: float,
    ) -> None:
        self.host, self.port, self.messages = host, port, messages
        self.concurrency, self.seconds, self.timeout_s = concurrency, seconds, timeout_s
        self.most = math.inf if requests is None else requests
        self.think_s, self.honour_retry_after = think_s, honour_retry_after
        self.sent = self.answered = self.lost = self.timed_out = self.refused = 0
        self.told_to_wait = 0
        self.latencies_ms: dict[int, list[float]] = defaultdict(list)
        self.seconds_taken = 0.0
        self.ending = False
        self._awaited = math.inf
        self._reached = threading.Event()
        self._over = False

    async def run(self) -> None:
        """Press until the end, and until every client has gone."""
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(self._failed)
        self._gone: asyncio.Future[None] = self.loop.create_future()
        started = time.perf_counter()
        self._clients = [_Client(self) for _ in range(self.concurrency)]
        self._left = self.concurrency
        for client in self._clients:
            client.open()
        self.loop.call_later(self.seconds, self.end)
        self._sweep()
        try:
            await self._gone
        finally:
            self.seconds_taken = time.perf_counter() - started
            for client in self._clients:
                client.abort()

    def end(self) -> None:
        """Send nothing more; clients that wait for an answer may wait on."""
        if self.ending:
            return
        self.ending = True
        for client in getattr(self, "_clients", ()):
            client.leave_if_idle()

    def may_send(self) -> bool:
        """Whether another request is within the bounds."""
        return not self.ending and self.sent < self.most

    def count_answer(self) -> None:
        """One more was answered."""
        self.answered += 1
        if self.answered >= self._awaited:
            self._reached.set()

    def wait_answered(self, count: int, timeout_s: float) -> bool:
        """Whether so many are answered in that time; called in another thread."""
        self._awaited = count
        self._reached.clear()
        if self.answered < count and not self._over:
            self._reached.wait(timeout_s)
        return self.answered >= count

    def wake(self) -> None:
        """Whoever waits for answers learns that no more come."""
        self._over = True
        self._reached.set()

    def gone(self) -> None:
        """One client less."""
        self._left -= 1
        if self._left == 0 and not self._gone.done():
            self._gone.set_result(None)

    def fail(self, error: Exception) -> None:
        """The run makes no sense any more."""
        if not self._gone.done():
            self._gone.set_exception(error)

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.fail(error if isinstance(error, Exception) else RuntimeError(context["message"]))

    def _sweep(self) -> None:
        limit = time.perf_counter() - self.timeout_s
        for client in self._clients:
            client.give_up_before(limit)
        self.loop.call_later(self.timeout_s / _SWEEPS, self._sweep)


class _Client(asyncio.Protocol):
    """One client, with one connection at a time."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._reader = AnswerReader()
        self._transport: asyncio.Transport | None = None
        self._sent_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._pause_s = 0.0

    def open(self) -> None:
        """Connect, and send the first request."""
        self._timer = None
        if self._clients.may_send():
            self._opening = self._clients.loop.create_task(self._open())
        else:
            self._clients.gone()

    async def _open(self) -> None:
        clients = self._clients
        try:
            async with asyncio.timeout(clients.timeout_s):
                await clients.loop.create_connection(lambda: self, clients.host, clients.port)
        except OSError as error:
            if isinstance(error, _NOBODY) or error.errno in _NO_WAY:
                clients.refused += 1
                self._open_after(_AGAIN_S)
            else:  # no more descriptors, or ports, on this side
                clients.fail(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._reader = AnswerReader()
        self.send()

    def send(self) -> None:
        """Send the next request, or leave if there is none."""
        self._timer = None
        if self._transport is None:
            return
        if not self._clients.may_send():
            self._transport.close()
            return
        self._clients.sent += 1
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._clients.messages))

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        try:
            for raw in self._reader.feed(data):
                self._answered(raw, now)
        except ValueError as error:
            self._clients.fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._sent_at is not None:
            last = self._reader.end() if exc is None else None
            if last is not None:
                self._count(last, time.perf_counter())
            else:
                self._sent_at = None
                self._clients.lost += 1
                self._pause_s = _AGAIN_S
        pause_s, self._pause_s = self._pause_s, 0.0
        self._open_after(pause_s)

    def leave_if_idle(self) -> None:
        """Go, unless an answer or a connection is waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            if self._transport is None:
                self._clients.gone()
            else:
                self._transport.close()

    def give_up_before(self, limit: float) -> None:
        """Wait no longer for the answer to a request that was sent before that time."""
        if self._sent_at is not None and self._sent_at < limit and self._transport is not None:
            self._sent_at = None
            self._clients.timed_out += 1
            self._transport.abort()

    def abort(self) -> None:
        """Let go of the connection, if there still is one."""
        if self._transport is not None:
            self._transport.abort()

    def _open_after(self, pause_s: float) -> None:
        if pause_s and self._clients.may_send():
            self._timer = self._clients.loop.call_later(pause_s, self.open)
        else:
            self.open()

    def _answered(self, raw: RawAnswer, now: float) -> None:
        if self._sent_at is None or self._transport is None:
            return  # what was not asked for, such as a 408 before the connection is closed
        pause_s = self._count(raw, now)
        if header_of(raw[1], b"connection") == b"close":
            self._pause_s = pause_s
            self._transport.close()
        elif pause_s and self._clients.may_send():
            self._timer = self._clients.loop.call_later(pause_s, self.send)
        else:
            self.send()

    def _count(self, raw: RawAnswer, now: float) -> float:
        """Count an answer; the seconds until this client's next request."""
        clients, status = self._clients, raw[0]
        if self._sent_at is not None:
            clients.latencies_ms[status].append((now - self._sent_at) * 1e3)
        self._sent_at = None
        clients.count_answer()
        if status != _UNAVAILABLE:
            return clients.think_s
        told = header_of(raw[1], b"retry-after")
        clients.told_to_wait += told is not None
        seconds = int(told) if told is not None and told.isdigit() else 0
        return max(clients.think_s, seconds if clients.honour_retry_after else 0)
