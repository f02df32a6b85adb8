"""What the processes of a container may do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mlref import containers, errors
from mlref.containers.processes import process_findings, running_as_root

_WAIT = ["-c", "import threading; print('up', flush=True); threading.Event().wait()"]


@pytest.fixture
def waiting(base: str) -> Iterator[Callable[[containers.Isolation], containers.Container]]:
    """A function that starts a container that only waits; deleted after the test."""
    started: list[containers.Container] = []

    def start(isolation: containers.Isolation) -> containers.Container:
        started.append(
            containers.run(
                base, _WAIT, entrypoint=["python3"], isolation=isolation, drain_timeout_s=0
            )
        )
        started[-1].wait_ready(check=lambda: "up" in started[-1].log_tail())
        return started[-1]

    yield start
    for container in started:
        container.close()


def test_what_we_start_may_do_nothing(
    waiting: Callable[[containers.Isolation], containers.Container],
) -> None:
    """No root, no capabilities, none to be had, filtered system calls: nothing is found."""
    found = running_as_root(waiting(containers.Isolation(user="10001:10001")))
    (process,) = found
    assert process.uid == 10001
    assert process.command.startswith("python3 -c")
    assert (process.capabilities, process.obtainable) == ((), ())
    assert process.new_privileges is False
    assert process_findings(found) == ()


def test_root_with_dockers_defaults_is_found(
    waiting: Callable[[containers.Isolation], containers.Container], docker_client: Any
) -> None:
    """The kernel's answer, whatever the image says: root and Docker's fourteen capabilities."""
    container = waiting(containers.OPEN)
    found = running_as_root(container.id[:12])
    assert [finding.rule for finding in process_findings(found)][:3] == [
        "running-root", "capabilities", "new-privileges",
    ]  # fmt: skip
    (process,) = found
    assert docker_client
    assert process.capabilities is not None
    assert {"CHOWN", "SETUID", "NET_BIND_SERVICE"} <= set(process.capabilities)
    assert "SYS_ADMIN" not in process.capabilities


def test_one_capability_is_named(
    waiting: Callable[[containers.Isolation], containers.Container],
) -> None:
    """Bits of the kernel's mask become names."""
    allowed = dataclasses.replace(containers.Isolation(), capabilities=("NET_BIND_SERVICE",))
    (process,) = running_as_root(waiting(allowed))
    assert process.capabilities == ("NET_BIND_SERVICE",)


def test_a_container_that_is_not_there_is_told(docker_client: Any) -> None:
    """In one line, with what to do."""
    assert docker_client
    with pytest.raises(errors.ContainerError, match="of mlref-none cannot be listed: No such"):
        running_as_root("mlref-none")
