"""An endpoint without processes: its containers are servers of the test, which answer as told.

with data_plane(asynchronous=config) as plane:
    plane.workers(2)
    plane.answer = lambda body: (200, {"Content-Type": "text/plain"}, b"ok")
    plane.ask("invoke", b"1,2")
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from support.aws import world

from mlref.aws.local.hosting.asynchronous import Asynchronous
from mlref.aws.local.hosting.fleet import Fleet, Slot
from mlref.aws.local.hosting.live import Group, Live, Variant
from mlref.aws.local.hosting.meter import Meter
from mlref.aws.local.hosting.runtime import Incoming, Outgoing, Runtime

__all__ = ["DataPlane", "Limited", "data_plane"]

Answer = tuple[int, Mapping[str, str], bytes]
T = TypeVar("T")


class Limited:
    """Roles that may do some things only; see `mlref.aws.local.world.Roles`."""

    def __init__(self, *allowed: tuple[str, str]) -> None:
        self.allowed = set(allowed)

    def trusts(self, role: str, service: str, *, source: str) -> None:
        """Every role trusts everybody."""

    def allows(self, role: str, action: str, resource: str) -> bool:  # noqa: ARG002 - all alike
        """Whether it is one of those, by action and the beginning of the resource."""
        return any(action == one and resource.startswith(begin) for one, begin in self.allowed)


class _Worker:
    """A worker that answers on a port."""

    def __init__(self, port: int) -> None:
        self.name = f"i-{port}"
        self.port = port
        self.alive = True

    def log(self) -> str:
        """Nothing."""
        return ""

    def stop(self) -> None:
        """End."""
        self.alive = False


class _Handler(BaseHTTPRequestHandler):
    """Answers as the data plane of the test says."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        """What `DataPlane.answer` says; None breaks the line."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = self.server.plane.answer(body)
        if found is None:
            self.close_connection = True
            return
        status, headers, content = found
        self.send_response(status)
        for header in ({"Content-Length": str(len(content))} | dict(headers)).items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(content)
        if "Content-Length" in headers:  # which is longer than the content: it breaks off
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    plane: DataPlane

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that is gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class DataPlane:
    """The endpoint "e" with the variant "A".

    Attributes:
        answer: what its containers answer to a body; None breaks the line.
        world: has the bucket "b", and a clock that stands still.
        told: what was published: topic, subject, text.
        publish: what SNS does with that.
        lost: the variants of which a worker was found dead.
    """

    def __init__(self, server: _Server, *, role: str | None, roles: Any, **group: Any) -> None:
        self.answer: Callable[[bytes], Answer | None] = lambda body: (200, {}, body)
        self.world = world("b", **({} if roles is None else {"roles": roles}))
        self.told: list[tuple[str, str, str]] = []
        self.publish: Callable[[str, str, str], object] = lambda *what: self.told.append(what)
        self.lost: list[Variant] = []
        self.fleet = Fleet("e/A", self._worker, 0)
        meter = Meter(self.world.metrics, "e", "A")
        self.variant = Variant("A", 1.0, self.fleet, meter, role=role)
        self.before: tuple[Group, ...] = ()
        self.group = Group("c", (self.variant,), **group)
        self._port = server.server_address[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.runtime = Runtime(self._found, self.world.clock, lost=self.lost.append)
        self.asynchronous = Asynchronous(
            self.runtime,
            self.world,
            lambda *what: self.publish(*what),  # noqa: PLW0108 - may change
            chance=random.Random(1),  # noqa: S311 - the same in each run
        )

    def workers(self, count: int) -> None:
        """Have so many."""
        self.fleet.resize(count)

    def dead_worker(self) -> Slot:
        """One more, where nobody listens, that is asked first."""
        worker: Any = _Worker(1)
        slot = Slot(worker)
        self.fleet.slots = (slot, *self.fleet.slots)
        return slot

    def update(self, share: float = 1.0) -> Variant:
        """Have another variant of the same name, without workers; the one that was, as it is.

        Args:
            share: of the requests, for the new one; the other keeps the rest.
        """
        old, self.fleet = self.variant, Fleet("e/A", self._worker, 0)
        meter = Meter(self.world.metrics, "e", "A")
        self.variant = replace(old, fleet=self.fleet, meter=meter)
        self.before = (replace(self.group, share=1.0 - share),) if share < 1.0 else ()
        self.group = replace(self.group, variants=(self.variant,), share=share)
        return old

    def ask(self, way: str, body: bytes = b"", **headers: str) -> Outgoing:
        """What an operation answers; headers as in `content_type="text/csv"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        ways = {
            "invoke": self.runtime.invoke,
            "stream": self.runtime.stream,
            "later": self.asynchronous.invoke,
        }
        return self.run(ways[way](Incoming("e", named, body)))

    def parts(self, answer: Outgoing) -> bytes:
        """All parts of an answer, together."""

        async def joined(parts: AsyncIterator[bytes]) -> bytes:
            return b"".join([part async for part in parts])

        assert not isinstance(answer.body, bytes)
        return self.run(joined(answer.body))

    def run(self, work: Awaitable[T]) -> T:
        """Do something in the event loop."""

        async def whole() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(whole(), self._loop).result(30)

    def metrics(self) -> dict[str, dict[float, int]]:
        """What CloudWatch was told of the variant and the endpoint: name -> values."""
        self.variant.meter.flush()
        metrics: Any = self.world.metrics
        found: dict[str, dict[float, int]] = {}
        for each in metrics.puts:
            found.setdefault(each["name"], {}).update(each["values"])
        return found

    def close(self) -> None:
        """End the loop."""
        self.run(self.runtime.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _found(self, name: str) -> Live | None:
        return Live("e", (*self.before, self.group)) if name == "e" else None

    def _worker(self) -> Any:
        return _Worker(self._port)


@contextmanager
def data_plane(*, role: str | None = None, roles: Any = None, **group: Any) -> Iterator[DataPlane]:
    """The endpoint, and its container in a thread.

    Args:
        role: of its model.
        roles: who may do what; None is everybody everything.
        group: more of its group, for instance `asynchronous`.
    """
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        plane = server.plane = DataPlane(server, role=role, roles=roles, **group)
        try:
            yield plane
        finally:
            plane.close()
            server.shutdown()
            thread.join()
