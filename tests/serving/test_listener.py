"""A listening socket that turns new clients away before it is closed."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from mlref.serving.listener import hush, waiting

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that listens and accepts nobody by itself."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_who_waits_is_counted(listener: socket.socket) -> None:
    """Connections that are made and not accepted are counted, as the system does."""
    assert waiting(listener) == 0
    clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    assert waiting(listener) == 3
    listener.accept()[0].close()
    assert waiting(listener) == 2
    for client in clients:
        client.close()


def test_after_the_hush_nobody_new_comes_and_who_is_there_is_served(
    listener: socket.socket,
) -> None:
    """Open and waiting connections go on, new ones are refused at once."""
    with socket.create_connection(listener.getsockname()) as early:
        accepted, _ = listener.accept()
        with socket.create_connection(listener.getsockname()) as queued:
            assert hush(listener)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(listener.getsockname(), timeout=0.3)
            early.sendall(b"early")
            queued.sendall(b"queued")
            second, _ = listener.accept()
            assert (accepted.recv(9), second.recv(9)) == (b"early", b"queued")
            second.sendall(b"answer")
            assert queued.recv(9) == b"answer"
            second.close()
        accepted.close()
    assert waiting(listener) == 0


def test_what_is_no_tcp_socket_is_left_alone() -> None:
    """A Unix socket tells no queue, and nothing is raised."""
    with socket.socket(socket.AF_UNIX) as other:
        assert waiting(other) == 0
