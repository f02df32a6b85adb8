"""The timer of a server: lag, silent connections, and the steps of the end."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from mlref.serving.engine import Engine
from mlref.serving.settings import Settings
from mlref.serving.watch import Watch


class _Lane:
    """A connection as the lane keeps it: silent since a moment, or not at all."""

    def __init__(self, connections: set[Any], since_s: float | None) -> None:
        self.silent_since_s = since_s
        self.expired: list[float] = []
        self._connections = connections
        connections.add(self)

    def expire(self, now_s: float) -> None:
        self.expired.append(now_s)

    def shutdown(self) -> None:
        self._connections.discard(self)


class _Plain:
    """A connection as uvicorn keeps it; it closes when it is asked to, or never."""

    def __init__(self, connections: set[Any], *, closes: bool = True) -> None:
        self._connections, self._closes, self.asked = connections, closes, 0
        connections.add(self)

    def shutdown(self) -> None:
        self.asked += 1
        if self._closes:
            self._connections.discard(self)


class _Broken(_Lane):
    """A connection that fails when it is looked at."""

    def expire(self, now_s: float) -> None:
        super().expire(now_s)
        raise RuntimeError("no transport")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket on which somebody may wait to be accepted."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


def start(
    engine: Engine,
    connections: set[Any],
    listener: socket.socket,
    end: Callable[[], Any] = lambda: None,
    stop: Callable[[], Any] = lambda: None,
) -> Watch:
    """A watch over some connections."""
    return Watch(engine, connections, listener, stop_listening=stop, end=end)


def run(main: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine, unless it takes far too long."""

    async def limited() -> None:
        async with asyncio.timeout(5):
            await main

    asyncio.run(limited())


async def wait(seconds: float) -> None:
    """Let the loop turn for so long."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await over.wait()


async def until(condition: Callable[[], bool]) -> float:
    """The loop's time when a condition first holds."""
    while not condition():
        await wait(0.005)
    return asyncio.get_running_loop().time()


def burn(seconds: float) -> None:
    """Keep the loop for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_lag_is_how_late_the_loop_is(listener: socket.socket) -> None:
    """Seen after the loop was kept busy, and forgotten when it is free again."""
    engine = Engine()

    async def main() -> None:
        start(engine, set(), listener)
        await wait(0.12)
        asyncio.get_running_loop().call_soon(burn, 0.4)
        await until(lambda: engine.lag_s > 0.2)
        assert engine.lag_s < 0.4 + 0.2
        await until(lambda: engine.lag_s < 0.1)

    run(main())


def test_connections_are_looked_at_now_and_then(listener: socket.socket) -> None:
    """With the loop's time, several times a second; those that keep no time are let be."""
    connections: set[Any] = set()

    async def main() -> None:
        lane, plain = _Lane(connections, None), _Plain(connections)
        start(Engine(), connections, listener)
        now_s = await until(lambda: len(lane.expired) == 3)
        assert lane.expired == sorted(lane.expired)
        assert 0 <= now_s - lane.expired[-1] < 1
        assert lane.expired[-1] - lane.expired[0] > 0.4
        assert plain.asked == 0

    run(main())


def test_one_connection_that_breaks_does_not_stop_the_watch(listener: socket.socket) -> None:
    """The others are still looked at, and the server can still be ended."""
    connections: set[Any] = set()
    ended = asyncio.Event()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        broken, lane = _Broken(connections, None), _Lane(connections, None)
        watch = start(Engine(), connections, listener, ended.set)
        await until(lambda: len(broken.expired) > 0)
        before = len(lane.expired)
        await until(lambda: len(lane.expired) > before)
        connections.clear()
        watch.drain()
        await ended.wait()

    run(main())


def test_the_end_comes_in_steps(listener: socket.socket) -> None:
    """Not ready at once; then replies close connections; then the silent go; then the end."""
    connections: set[Any] = set()
    ended: list[float] = []
    engine = Engine(Settings(drain_delay_s=0.3, idle_grace_s=0.3, drain_timeout_s=30))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        busy, silent = _Lane(connections, None), _Lane(connections, loop.time())
        watch = start(engine, connections, listener, lambda: ended.append(loop.time()))
        await wait(0.12)
        assert (engine.draining, engine.closing) == (False, False)
        began_s = loop.time()
        watch.drain()
        assert (engine.draining, engine.closing) == (True, False)
        closing_s = await until(lambda: engine.closing)
        assert closing_s - began_s >= 0.29
        assert silent in connections
        silent_s = await until(lambda: silent not in connections)
        assert silent_s - closing_s >= 0.29 - 0.06  # seen up to a tick later
        await wait(0.3)
        assert busy in connections
        assert ended == []
        busy.silent_since_s = loop.time()  # it is answered
        await until(lambda: bool(ended))
        assert not connections
        await wait(0.2)
        assert len(ended) == 1

    run(main())


@pytest.mark.parametrize("since", ["just now", "long ago"])
def test_a_connection_is_silent_for_the_grace_before_it_is_closed(
    listener: socket.socket, since: str
) -> None:
    """Counted from its last request, but nobody goes before the grace of the drain is over."""
    connections: set[Any] = set()
    engine = Engine(Settings(idle_grace_s=0.4))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lane = _Lane(connections, loop.time() - 100)
        watch = start(engine, connections, listener)
        began_s = loop.time()
        watch.drain()
        await wait(0.3)
        assert lane in connections
        if since == "just now":
            lane.silent_since_s = began_s + 0.3
        gone_s = await until(lambda: lane not in connections)
        least_s = 0.7 if since == "just now" else 0.4
        assert least_s - 0.01 <= gone_s - began_s < least_s + 0.5

    run(main())


def test_who_never_ends_is_not_waited_for(listener: socket.socket) -> None:
    """After `drain_timeout_s` the server ends with connections open; uvicorn's are asked before."""
    connections: set[Any] = set()
    ended = asyncio.Event()

    async def main() -> None:
        stubborn = _Plain(connections, closes=False)
        _Lane(connections, None)
        settings = Settings(idle_grace_s=0.1, drain_timeout_s=0.5)
        watch = start(Engine(settings), connections, listener, ended.set)
        began_s = asyncio.get_running_loop().time()
        watch.drain()
        await ended.wait()
        assert 0.49 <= asyncio.get_running_loop().time() - began_s < 1.5
        assert stubborn.asked > 0
        assert len(connections) == 2

    run(main())


def test_a_server_without_connections_ends_soon(listener: socket.socket) -> None:
    """Nobody is waited for; a second call of `drain` changes nothing."""
    ended: list[bool] = []
    engine = Engine(Settings(drain_timeout_s=30, idle_grace_s=30))

    async def main() -> None:
        watch = start(engine, set(), listener, lambda: ended.append(True))
        watch.drain()
        watch.drain()
        await until(lambda: bool(ended))
        assert (engine.draining, engine.closing, engine.ready) == (True, True, False)

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell who waits")
def test_who_waits_to_be_accepted_is_waited_for(listener: socket.socket) -> None:
    """The server stops listening when nobody waits any more, not before, and only then ends."""
    told: list[str] = []

    async def main() -> None:
        watch = start(
            Engine(), set(), listener, lambda: told.append("end"), lambda: told.append("stop")
        )
        with socket.create_connection(listener.getsockname()):
            watch.drain()
            await wait(0.4)
            assert told == []
            listener.accept()[0].close()
            await until(lambda: "end" in told)
        assert told == ["stop", "end"]

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot turn clients away")
def test_who_comes_too_late_is_turned_away(listener: socket.socket) -> None:
    """While the server closes, no connection is made that nobody would accept."""
    connections: set[Any] = set()
    engine = Engine()

    async def main() -> None:
        _Lane(connections, None)
        watch = start(engine, connections, listener)
        socket.create_connection(listener.getsockname(), 0.2).close()
        watch.drain()
        await until(lambda: engine.closing)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(listener.getsockname(), 0.2)

    run(main())
