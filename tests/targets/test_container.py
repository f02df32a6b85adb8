"""The container behind an endpoint: how it dies, and what a person is told."""

from __future__ import annotations

import functools
import gc
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from mlref import artifact, containers, errors
from mlref.containers import Isolation, engine
from mlref.containers.running import RUN_LABEL
from mlref.targets import Container

_ROWS = {"colour": ["red"], "count": [3], "extra": [0.5]}
_OWNER = """
import signal, sys
from mlref import artifact, targets
endpoint = targets.Container().deploy(artifact.load(sys.argv[1]))
print(endpoint.container.id, flush=True)
signal.pause()
"""


@pytest.fixture(autouse=True)
def _docker(require: Any) -> None:
    reason = containers.available()
    require("docker", reason is None, str(reason))


def _there(identifier: str) -> bool:
    return identifier in {
        each.id for each in engine.connect().containers.list(all=True, ignore_removed=True)
    }


def test_the_minimal_image_keeps_the_contract_too(colours: artifact.Artifact) -> None:
    """Without a shell the golden rows are answered all the same."""
    golden = colours.golden
    with Container(flavour="minimal").deploy(colours) as endpoint:
        assert golden.matched(endpoint.predict(golden.columns)) == len(golden.instances)


def test_a_killed_container_is_unreachable_and_its_end_is_told(
    colours: artifact.Artifact,
) -> None:
    """After SIGKILL, predict says so, with the last lines of the log."""
    with Container().deploy(colours) as endpoint:
        assert endpoint.predict(_ROWS).tolist() == [3.5]
        endpoint.container.kill()
        for _ in range(2):
            with pytest.raises(errors.EndpointUnreachableError) as raised:
                endpoint.predict(_ROWS)
            assert "it ended with exit status 137, SIGKILL" in str(raised.value)
        assert "serving on http://0.0.0.0:8080" in str(raised.value)


def test_a_container_with_too_little_memory_is_told_the_limit(colours: artifact.Artifact) -> None:
    """A server that cannot even start within its limit: the error names the limit."""
    tight = Container(isolation=Isolation(memory_bytes=16 * 2**20))
    with pytest.raises(errors.ProcessExitedError, match="more memory than its limit of 16 MiB"):
        tight.deploy(colours)


def test_a_container_that_grows_beyond_its_limit_is_told_the_limit(
    colours: artifact.Artifact,
) -> None:
    """A request that needs more memory than there is kills the server; the caller learns why."""
    tight = Container(isolation=Isolation(memory_bytes=64 * 2**20))
    rows = {name: values * 300_000 for name, values in _ROWS.items()}
    raising = pytest.raises(errors.EndpointUnreachableError)
    with tight.deploy(colours) as endpoint, raising as raised:
        endpoint.predict(rows)
    assert "needed more memory than its limit of 64 MiB; allow it more" in str(raised.value)


def test_a_container_that_fails_to_serve_shows_its_log(
    colours: artifact.Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps the server from starting, here a variable, is in the error; nothing is left."""
    token = secrets.token_hex(8)
    monkeypatch.setattr(secrets, "token_hex", lambda _: token)
    run = functools.partial(containers.run, environment={"PORT": "http"})
    monkeypatch.setattr(containers, "run", run)
    with pytest.raises(errors.ProcessExitedError) as raised:
        Container().deploy(colours)
    assert "PORT must be a port" in raised.value.log_tail
    assert containers.remove_containers(f"{RUN_LABEL}={token}") == 0


def test_a_forgotten_endpoint_is_deleted(colours: artifact.Artifact) -> None:
    """When nobody holds the endpoint any more, its container goes."""
    endpoint = Container().deploy(colours)
    identifier = endpoint.container.id
    del endpoint
    gc.collect()
    assert not _there(identifier)


def test_a_killed_program_leaves_no_container(colours: artifact.Artifact) -> None:
    """`kill -9` of the program that deployed it deletes the container."""
    command = [sys.executable, "-c", _OWNER, str(colours.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        identifier = owner.stdout.readline().strip()
        assert _there(identifier)
        os.kill(owner.pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while _there(identifier):
        assert time.monotonic() < end, "the container is still there"
        threading.Event().wait(0.05)


def test_without_a_daemon_one_line_says_what_to_do(
    colours: artifact.Artifact, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """`available` tells the reason, and `deploy` raises it."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert "none.sock, which DOCKER_HOST names" in str(Container().available())
    with pytest.raises(errors.DockerUnavailableError, match=r"none\.sock, which DOCKER_HOST names"):
        Container().deploy(colours)
