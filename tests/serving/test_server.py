"""The server as a process: what it reports, how it ends, and how it refuses to start."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from mlref.artifact import Artifact
from mlref.runtime import process
from mlref.serving import Client, serve

COMMAND = [sys.executable, "-W", "error", "-m", "mlref.serving"]


@pytest.fixture
def server(colours: Artifact) -> Iterator[process.ManagedProcess]:
    """A server of the hand-written graph."""
    with process.start([*COMMAND, str(colours.folder)], name="server") as started:
        yield started


def test_it_reports_its_port_once_it_answers_and_ends_in_order(
    server: process.ManagedProcess,
) -> None:
    """The first request after the report is answered; SIGTERM gives exit status 0."""
    told = server.wait_report()
    assert told == {"port": told["port"], "pid": server.pid}
    url = f"http://127.0.0.1:{told['port']}"
    with Client(url) as client:
        assert client.health()["status"] == "ok"
        assert server.stop() == 0  # the client still holds its connection
    assert server.log_tail() == f"serving on {url}"


def _refused(arguments: list[str]) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_a_port_in_use_is_told_in_one_line(colours: Artifact) -> None:
    """An explicit port that is taken: exit status 1, one line, no traceback."""
    with process.bind("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        line = _refused([str(colours.folder), "--port", str(port)])
    assert line.startswith(f"error: port {port} on 127.0.0.1 is in use; choose another port")


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--host", "192.0.2.1"]], ids=str)
def test_an_impossible_address_is_told_in_one_line(colours: Artifact, arguments: list[str]) -> None:
    """A port beyond 65535 and an address of another machine: exit status 1, one line."""
    assert _refused([str(colours.folder), *arguments]).startswith("error: ")


def test_a_damaged_artefact_is_told_in_one_line(damaged: Path) -> None:
    """A model that is not what was packed is not served."""
    assert "model.onnx was changed after it was packed" in _refused([str(damaged)])


def test_another_artefact_than_asked_for_is_told_in_one_line(colours: Artifact) -> None:
    """With --digest only that artefact is served."""
    assert "this is another artefact" in _refused([str(colours.folder), "--digest", "0" * 64])


def test_small_answers_are_sent_at_once(colours: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port is taken with TCP_NODELAY: no answer waits for the client's delayed ACK."""
    seen = []

    def run(_server: object, sockets: list[socket.socket]) -> None:
        seen.extend(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in sockets)

    monkeypatch.setattr(uvicorn.Server, "run", run)
    before = signal.getsignal(signal.SIGTERM)
    serve(colours.folder, port=0)
    assert seen
    assert all(seen)
    assert signal.getsignal(signal.SIGTERM) is before


def test_importing_the_server_loads_none_of_its_libraries() -> None:
    """`import mlref.serving` and `mlref.targets` define names; FastAPI and httpx come later."""
    code = (
        "import sys, mlref.serving, mlref.targets;"
        "print({'anyio', 'fastapi', 'httpx', 'onnxruntime', 'pandas', 'pydantic', 'sklearn',"
        " 'starlette', 'torch', 'uvicorn'} & set(sys.modules))"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"set()\n"
