"""What the server looks at while it serves: is the loop late, who is silent, is it time to end?

All of it hangs on one timer of the event loop. The *lag* is how late that timer fires: everything
that is ready now waits as long. At the end, `drain` goes through these steps:

1. /health/ready says 503; everything else goes on for `drain_delay_s`, so that a load balancer has
   time to hear of it.
2. New clients are turned away, those who wait already are accepted, and then the server stops
   listening (see `listener`). Each reply closes its connection (`connection: close`).
3. A connection that has been silent for `idle_grace_s` is closed.
4. When no connection is left, or after `drain_timeout_s`, the server ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from socket import socket
from typing import Any

from mlref.serving.engine import Engine
from mlref.serving.listener import hush, waiting

__all__ = ["Watch"]

logger = logging.getLogger(__name__)

_TICK_S = 0.05
_SWEEP_S = 0.25


class Watch:
    """The timer of one server.

    Args:
        engine: is told of the lag, and of the end.
        connections: the open connections, as uvicorn keeps them.
        listener: the socket that it listens on.
        stop_listening: called when nobody waits any more to be accepted.
        end: called when the server shall end.
    """

    def __init__(
        self,
        engine: Engine,
        connections: Collection[Any],
        listener: socket,
        *,
        stop_listening: Callable[[], None],
        end: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._settings = engine.settings
        self._connections = connections
        self._listener = listener
        self._listening = True
        self._stop_listening = stop_listening
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._swept_s = self._loop.time()
        self._drain_s: float | None = None
        self._ended = False
        self._expected_s = 0.0
        self._schedule()

    def drain(self) -> None:
        """Begin to end. Must be called in the loop's thread."""
        if self._drain_s is None:
            self._drain_s = self._loop.time()
            self._engine.draining = True
            logger.info("draining %d connections", len(self._connections))

    def _schedule(self) -> None:
        self._expected_s = self._loop.time() + _TICK_S
        self._loop.call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        now_s = self._loop.time()
        self._engine.lag_s = max(0.0, now_s - self._expected_s)
        if now_s - self._swept_s >= _SWEEP_S:
            self._swept_s = now_s
            for connection in tuple(self._connections):
                expire = getattr(connection, "expire", None)
                if expire is not None:
                    try:
                        expire(now_s)
                    except Exception:
                        logger.exception("a connection could not be looked at")
        if self._drain_s is not None and not self._ended:
            self._drain(now_s, now_s - self._drain_s - self._settings.drain_delay_s)
        if not self._ended:
            self._schedule()

    def _drain(self, now_s: float, drained_s: float) -> None:
        """One look at what is left, so many seconds after the delay."""
        if drained_s < 0:
            return
        if not self._engine.closing:
            hush(self._listener)
            self._engine.closing = True
        elif self._listening and not waiting(self._listener):
            self._listening = False
            self._stop_listening()
        if drained_s >= self._settings.idle_grace_s:
            for connection in tuple(self._connections):
                since_s = getattr(connection, "silent_since_s", self._drain_s)
                if since_s is not None and now_s - since_s >= self._settings.idle_grace_s:
                    connection.shutdown()
        if (
            not (self._connections or self._listening)
            or drained_s >= self._settings.drain_timeout_s
        ):
            self._ended = True
            self._end()
