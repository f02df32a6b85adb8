"""A model server in the foreground of this process.

The order of things: tie this process to its parent, verify the artefact, take the port, answer,
tell the parent and the user, and at SIGTERM or Ctrl-C finish what has begun.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import IPPROTO_TCP, TCP_NODELAY, socket

from mlref import artifact
from mlref.runtime import process
from mlref.runtime.lazy import extra
from mlref.serving.app import create_app

__all__ = ["serve"]


def serve(
    artifact_folder: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    digest: str | None = None,
    announce: Callable[[str], None] | None = None,
    drain_timeout_s: int = 8,
    log_level: str = "warning",
) -> None:
    """Serve an artefact until SIGTERM or Ctrl-C; returns when every request begun is answered.

    A process that was started by `mlref.runtime.process.start` reports {"port", "pid"} to its
    parent once it listens, and ends when the parent is gone.

    Args:
        artifact_folder: as `mlref.artifact.pack` wrote it.
        host: the address to listen on; "127.0.0.1" unless others may connect.
        port: 0 takes any that is free.
        digest: the digest that the artefact must have, when you know it.
        announce: called with the server's URL once it listens.
        drain_timeout_s: seconds that requests in progress get at the end.
        log_level: least level of uvicorn's messages; they go to the loggers `uvicorn.*`.

    Raises:
        ArtifactError: the artefact is not to be trusted.
        PortInUseError: somebody else listens on that port.
        MissingExtraError: FastAPI or uvicorn is not installed.
        AddressError: the address is not one of this machine, or the port needs privileges.
    """
    process.die_with_parent()
    with extra("serve"):
        import uvicorn
    app = create_app(artifact.load(artifact_folder, digest=digest))

    class Server(uvicorn.Server):
        """Tells who waits for it as soon as it listens."""

        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                process.report(port=listener.getsockname()[1], pid=os.getpid())
                if announce is not None:
                    announce(_url(listener))

    config = uvicorn.Config(
        app,
        access_log=False,
        lifespan="off",
        log_config=None,
        log_level=log_level,
        timeout_graceful_shutdown=drain_timeout_s,
        ws="none",
    )
    with _sigterm_as_ctrl_c(), suppress(KeyboardInterrupt), process.bind(host, port) as listener:
        # Connections inherit it. asyncio sets it only for sockets made with an explicit protocol
        # number, which this is not, and each small answer would wait 40 ms for the client's ACK.
        listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        Server(config).run(sockets=[listener])


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does; uvicorn sends itself either one again at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _url(listener: socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
