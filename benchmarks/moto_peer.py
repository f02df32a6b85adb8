"""moto's own server, the peer of the local AWS: state of many services, and canned invocations."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["moto"]

_WAIT_S = 30.0


@contextmanager
def moto() -> Iterator[str]:
    """The address of moto's own server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("moto_server")), "-p", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as server:
        try:
            end = time.monotonic() + _WAIT_S
            while not _answers(port):
                if time.monotonic() > end or server.poll() is not None:
                    raise RuntimeError("moto's server does not answer")
                threading.Event().wait(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
