"""What is sent to a worker: no more at a time than it takes, and nothing is lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from mlref.aws.local.hosting.fleet import Slot
from mlref.aws.local.hosting.forwarding import MOST_AT_ONCE, Forwarder

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


@dataclass
class Crowded:
    """A server that answers only when as many ask as ever will."""

    full: int
    now: int = 0
    peak: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer all requests of a connection."""
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.now += 1
                self.peak = max(self.peak, self.now)
                if self.now >= self.full:
                    self.opened.set()
                await self.opened.wait()
                self.now -= 1
                writer.write(ANSWER)
        except asyncio.IncompleteReadError:
            writer.close()

    def __post_init__(self) -> None:
        self.opened = asyncio.Event()


@dataclass
class OnPort:
    """A worker that runs elsewhere."""

    port: int


async def asked(count: int) -> tuple[list[int], int]:
    """The statuses of so many requests at once, and how many were under way at a time."""
    crowded = Crowded(full=min(count, MOST_AT_ONCE))
    server = await asyncio.start_server(crowded.answer, "127.0.0.1", 0, backlog=count)
    worker: Any = OnPort(server.sockets[0].getsockname()[1])
    forwarder = Forwarder()
    try:
        found = await asyncio.gather(
            *(
                forwarder.send(Slot(worker), "/invocations", {}, b"", timeout_s=30)
                for _ in range(count)
            )
        )
    finally:
        await forwarder.close()
        server.close()
    return [reply.status for reply in found], crowded.peak


@pytest.mark.parametrize("count", [1, MOST_AT_ONCE, 3 * MOST_AT_ONCE])
def test_what_is_too_much_at_once_waits_and_is_answered(count: int) -> None:
    """As many as a worker takes are with it; the others wait, and none is refused."""
    statuses, peak = asyncio.run(asyncio.wait_for(asked(count), 60))
    assert statuses == [200] * count
    assert peak == min(count, MOST_AT_ONCE)
