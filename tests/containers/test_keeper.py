"""A stack does not outlive the program that asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from mlref.containers import Image, compose, keeper

_OWNER = """
import secrets, signal, sys
from mlref.containers import compose
secrets.token_hex = lambda count: sys.argv[2]
stack = compose.up(sys.argv[1])
print(stack.url, flush=True)
signal.pause()
"""


def _left(client: Any, project: str) -> int:
    """How many containers and networks a project has."""
    label = {"label": f"{keeper.PROJECT_LABEL}={project}"}
    containers = client.containers.list(all=True, filters=label, ignore_removed=True)
    return len(containers) + len(client.networks.list(filters=label))


def _wait_until(condition: Callable[[], bool], timeout_s: float = 30) -> None:
    end, event = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        assert time.monotonic() < end, "the condition did not hold in time"
        event.wait(0.05)


@pytest.mark.parametrize("when", ["starts", "answers"])
def test_a_program_that_is_killed_leaves_no_stack(
    docker_client: Any,
    service: Image,
    require: Callable[[str, bool, str], None],
    when: str,
) -> None:
    """Neither what runs, nor what Compose would have started next, nor a network."""
    reason = compose.available()
    require("compose", reason is None, str(reason))
    token = f"test-{os.getpid()}-{when}"
    command = [sys.executable, "-c", _OWNER, service.name, token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        if when == "answers":
            assert owner.stdout.readline().startswith("http://127.0.0.1:")
            assert _left(docker_client, f"mlref-{token}") == 7
        else:
            _wait_until(lambda: _left(docker_client, f"mlref-{token}") > 0)
        os.kill(owner.pid, signal.SIGKILL)
    _wait_until(lambda: _left(docker_client, f"mlref-{token}") == 0)
    event = threading.Event()
    assert not event.wait(3)  # longer than the keeper looks again
    assert _left(docker_client, f"mlref-{token}") == 0
