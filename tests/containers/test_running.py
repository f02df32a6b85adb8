"""Containers that run, die, and are deleted."""

from __future__ import annotations

import gc
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from mlref import artifact, containers, errors
from mlref.containers import OPEN, Isolation, engine, running
from mlref.serving import Client

_ROWS = {"colour": ["red"], "count": [3], "extra": [0.5]}
_BODY = b'{"columns": {"colour": ["red"], "count": [3], "extra": [0.5]}}'
_WAIT = ["python3", "-c", "import signal; signal.pause()"]
_OWNER = """
import signal, sys
from mlref import containers
container = containers.run(sys.argv[1], ["python3", "-c", "import signal; signal.pause()"])
print(container.id, flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def served(service: containers.Image) -> Any:
    """A container that answers, shared by the tests that leave it as it is."""
    with containers.run(service) as container:
        container.wait_ready()
        yield container


def _python(container: containers.Container, code: str) -> tuple[int, str]:
    return container.execute("python3", "-c", code)


def _status(container: containers.Container, name: str) -> str:
    """A line of the first process's status, as the kernel tells it."""
    _, text = _python(container, "print(open('/proc/1/status').read())")
    return next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:"))


def _begin(container: containers.Container) -> http.client.HTTPConnection:
    """A request of which the server has half of the body."""
    parts = urlsplit(container.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    connection.putrequest("POST", "/v1/predict")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(_BODY)))
    connection.endheaders(_BODY[:20])
    return connection


def _finish(connection: http.client.HTTPConnection) -> int:
    """The status of the answer, once the rest of the body is sent."""
    try:
        connection.send(_BODY[20:])
        return connection.getresponse().status
    finally:
        connection.close()


def _wait_until_refused(container: containers.Container) -> None:
    """Return once the server takes no new connection."""
    parts, end = urlsplit(container.url), time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection((str(parts.hostname), parts.port or 80), timeout=1).close()
        except ConnectionRefusedError:
            return
        threading.Event().wait(0.02)
    raise AssertionError("it still takes connections")


def _there(client: Any, identifier: str) -> bool:
    return identifier in {
        container.id for container in client.containers.list(all=True, ignore_removed=True)
    }


def _gone(client: Any, identifier: str, timeout_s: float = 20) -> bool:
    """Whether a container is deleted within the limit."""
    end = time.monotonic() + timeout_s
    while _there(client, identifier):
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.05)
    return True


def test_it_answers_as_the_artefact_does(served: Any, colours: artifact.Artifact) -> None:
    """The same numbers come out of the container as out of this process."""
    with Client(served.url) as client:
        golden = colours.golden.columns
        assert np.array_equal(client.predict(golden).predictions, colours.predict(golden))


def test_its_root_cannot_be_written(served: Any) -> None:
    """A file anywhere but in /tmp is refused by the file system, whoever asks."""
    status, said = _python(served, "open('/opt/mlref/x', 'w')")
    assert (status, "Read-only file system" in said) == (1, True)


def test_temporary_files_can_be_written_but_not_run(served: Any) -> None:
    """Uploads have a place, and nothing that was put there is executed."""
    code = (
        "import os, subprocess; open('/tmp/x', 'w').write('#!/usr/local/bin/python3\\n'); "
        "os.chmod('/tmp/x', 0o755); subprocess.run(['/tmp/x'])"
    )
    status, said = _python(served, code)
    assert (status, "PermissionError" in said) == (1, True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("CapEff", "0" * 16), ("CapBnd", "0" * 16), ("NoNewPrivs", "1"), ("Uid", "10001")],
)
def test_it_has_no_privileges_and_gains_none(served: Any, name: str, expected: str) -> None:
    """Neither now nor by a setuid bit: what the kernel says of the first process."""
    assert _status(served, name) == expected


def test_open_is_another_matter(built: Callable[[str], str]) -> None:
    """With Docker's defaults the same attempts succeed, so the tests above can fail."""
    with containers.run(built(""), _WAIT, isolation=OPEN, drain_timeout_s=0) as container:
        assert _python(container, "open('/usr/x', 'w')")[0] == 0
        assert int(_status(container, "CapBnd"), 16) > 0
        assert _status(container, "NoNewPrivs") == "0"


def test_it_cannot_start_processes_without_end(base: str) -> None:
    """At the limit the kernel refuses another process."""
    code = "import os, time; [os.fork() or time.sleep(9) for _ in range(50)]"
    limited = Isolation(processes=20)
    with containers.run(base, ["python3", "-c", code], isolation=limited) as container:
        assert container.wait(20).exit_code == 1
        assert "Resource temporarily unavailable" in container.log_tail()


def test_a_container_that_needs_too_much_memory_is_killed_and_told(base: str) -> None:
    """The error names the limit, and what to do."""
    code = "x = bytearray(300 * 2**20); print(len(x))"
    limited = Isolation(memory_bytes=64 * 2**20)
    with containers.run(base, ["python3", "-c", code], isolation=limited) as container:
        state = container.wait(20)
        assert (state.exit_code, state.out_of_memory) == (137, True)
        with pytest.raises(errors.ProcessExitedError) as raised:
            container.wait_ready(5)
    assert "needed more memory than its limit of 64 MiB; allow it more" in str(raised.value)


def test_a_container_that_ends_at_once_shows_why(base: str) -> None:
    """Exit status and last lines are part of the error."""
    command = ["python3", "-c", "raise SystemExit('no model here')"]
    raising = pytest.raises(errors.ProcessExitedError, match="exit status 1")
    with containers.run(base, command) as container, raising as raised:
        container.wait_ready(20)
    assert raised.value.log_tail == "no model here"


def test_a_health_check_that_fails_shows_what_it_said(built: Callable[[str], str]) -> None:
    """It runs and is not well: the error has the check's words and the container's last lines."""
    image = built(
        "HEALTHCHECK --interval=100ms --retries=1 CMD "
        '["python3", "-c", "raise SystemExit(\'no answer\')"]'
    )
    command = ["python3", "-uc", "import signal; print('listening elsewhere'); signal.pause()"]
    raising = pytest.raises(errors.ProcessNotReadyError, match="unhealthy: no answer")
    with containers.run(image, command, drain_timeout_s=0) as container, raising as raised:
        container.wait_ready(20)
    assert raised.value.log_tail == "listening elsewhere"


def test_a_container_that_takes_too_long_is_told(base: str) -> None:
    """At the limit the error says that it still runs."""
    raising = pytest.raises(errors.ProcessNotReadyError, match=r"ready within 0.1 s: it runs")
    with containers.run(base, _WAIT, drain_timeout_s=0) as container, raising:
        container.wait_ready(0.1)


def test_a_request_that_has_begun_is_answered_before_the_end(service: containers.Image) -> None:
    """SIGTERM reaches the server itself: it drains, answers, and ends with 0."""
    with containers.run(service) as container:
        container.wait_ready()
        begun = [_begin(container) for _ in range(3)]
        container.kill("SIGTERM")
        _wait_until_refused(container)
        assert [_finish(connection) for connection in begun] == [200, 200, 200]
        state = container.wait(20)
    assert (state.exit_code, state.out_of_memory) == (0, False)


def test_a_server_that_is_killed_loses_what_it_has_begun(service: containers.Image) -> None:
    """The same with SIGKILL, so the test above can fail."""
    with containers.run(service) as container:
        container.wait_ready()
        begun = _begin(container)
        container.kill()
        assert container.wait(10).exit_code == 137
        with pytest.raises((OSError, http.client.HTTPException)):
            _finish(begun)


def test_it_may_be_reached_through_a_port_of_this_machine(service: containers.Image) -> None:
    """Where a container's address is not reachable, a port of loopback is, and of nobody else."""
    with containers.run(service, published=True) as container:
        container.wait_ready()
        assert container.url.startswith("http://127.0.0.1:")
        with Client(container.url) as client:
            assert client.predict(_ROWS).predictions.tolist() == [3.5]


def test_folders_are_mounted_read_only(base: str, tmp_path: Any) -> None:
    """A model may lie outside the image; the container reads it and cannot change it."""
    (tmp_path / "file").write_text("content")
    tmp_path.chmod(0o777)
    code = "print(open('/data/file').read(), flush=True); open('/data/new', 'w')"
    command = ["python3", "-c", code]
    with containers.run(base, command, mounts={tmp_path: "/data"}) as container:
        assert container.wait(20).exit_code == 1
        assert "content" in container.log_tail()
        assert "Read-only file system" in container.log_tail()


def test_nothing_is_mounted_that_is_not_there(base: str, tmp_path: Any) -> None:
    """A mistyped path is told; Docker itself would make an empty folder of it, which is root's."""
    absent = tmp_path / "absent"
    with pytest.raises(errors.ContainerError, match=r"absent is not there; name a file or"):
        containers.run(base, _WAIT, mounts={absent: "/data"})
    assert not absent.exists()


def test_more_processors_than_the_machine_has_are_no_limit(base: str) -> None:
    """Default limits hold on a machine with a single processor, too."""
    command, plenty = ["python3", "--version"], Isolation(cpus=4096)
    with containers.run(base, command, isolation=plenty) as container:
        assert container.wait(20).exit_code == 0


def test_variables_are_given(base: str) -> None:
    """An environment variable reaches the program."""
    command = ["python3", "-c", "import os; print(os.environ['COLOUR'])"]
    with containers.run(base, command, environment={"COLOUR": "red"}) as container:
        container.wait(20)
        assert container.log_tail() == "red"


def test_its_memory_is_told(served: Any) -> None:
    """A Python with a model takes some tens of megabytes."""
    assert 20e6 < served.memory_bytes() < 500e6


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """What the next container is labelled with."""
    known = secrets.token_hex(8)
    monkeypatch.setattr(secrets, "token_hex", lambda _: known)
    return known


def test_an_image_that_is_not_there_is_told(docker_client: Any, token: str) -> None:
    """The error names the image, and nothing is left."""
    assert docker_client
    with pytest.raises(errors.ContainerError, match="mlref-no-such-image:1 could not be run"):
        containers.run("mlref-no-such-image:1")
    assert containers.remove_containers(f"{running.RUN_LABEL}={token}") == 0


def test_a_program_that_cannot_start_leaves_nothing(base: str, token: str) -> None:
    """The daemon's reason is told, and the container that it had created is deleted."""
    with pytest.raises(errors.ContainerError, match="no-such-program"):
        containers.run(base, ["no-such-program"])
    assert containers.remove_containers(f"{running.RUN_LABEL}={token}") == 0


def test_a_network_may_be_named_by_its_id(
    service: containers.Image, docker_client: Any, token: str
) -> None:
    """The address is found whatever the network is called, so nothing is left behind."""
    bridge = docker_client.networks.list(names=["bridge"])[0]
    with containers.run(service, network=bridge.id, drain_timeout_s=0) as container:
        container.wait_ready()
    assert containers.remove_containers(f"{running.RUN_LABEL}={token}") == 0


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda one: one.kill("SIGTERM"), "cannot be sent SIGTERM"),
        (lambda one: one.memory_bytes(), "tells no memory use"),
        (lambda one: one.execute("python3"), "cannot run a program"),
        (lambda one: one.stop(), "cannot be stopped"),
    ],
)
def test_what_a_container_cannot_do_any_more_is_told(
    base: str, ask: Callable[[containers.Container], Any], message: str
) -> None:
    """An error of ours that says what became of it, and no other library's."""
    with containers.run(base, _WAIT, drain_timeout_s=0) as container:
        pass
    with pytest.raises(errors.ContainerError, match=f"{message}: it is deleted"):
        ask(container)


def test_the_process_of_a_container_that_has_ended_is_none(base: str, docker_client: Any) -> None:
    """Its number may be another program's by now."""
    with containers.run(base, _WAIT, drain_timeout_s=0) as container:
        assert container.pid
        same = docker_client.containers.get(container.id)
        same.kill()
        same.wait()
        assert container.pid is None


def test_a_container_that_is_closed_is_deleted(base: str, docker_client: Any) -> None:
    """After the block the daemon does not know it; closing again does nothing."""
    with containers.run(base, _WAIT, drain_timeout_s=0) as container:
        assert _there(docker_client, container.id)
    container.close()
    assert not _there(docker_client, container.id)
    assert container.state().status == "removed"
    assert container.log_tail() == ""
    with pytest.raises(errors.ContainerError, match="it is deleted"):
        container.execute("python3", "--version")


def test_a_container_that_is_forgotten_is_deleted(base: str, docker_client: Any) -> None:
    """When nobody holds it any more, it goes."""
    container = containers.run(base, _WAIT, drain_timeout_s=0)
    identifier = container.id
    del container
    gc.collect()
    assert not _there(docker_client, identifier)


def test_a_container_that_others_deleted_is_closed_in_peace(base: str, docker_client: Any) -> None:
    """`docker rm -f` by somebody else is no error of ours."""
    with containers.run(base, _WAIT, drain_timeout_s=0) as container:
        docker_client.containers.get(container.id).remove(force=True)
        assert container.state().status == "removed"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_does_not_outlive_the_program_that_started_it(
    base: str, docker_client: Any, number: signal.Signals
) -> None:
    """A program that is killed leaves no container, although it belongs to the daemon."""
    command = [sys.executable, "-c", _OWNER, base]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        identifier = owner.stdout.readline().strip()
        assert _there(docker_client, identifier)
        os.kill(owner.pid, number)
    assert _gone(docker_client, identifier)


def test_containers_are_deleted_by_their_label_only(base: str, docker_client: Any) -> None:
    """What others started stays, whatever its name."""
    theirs = docker_client.containers.create(base, _WAIT, name=f"mlref-as-ours-{os.getpid()}")
    ours = docker_client.containers.create(
        base, _WAIT, labels={**engine.labels(), running.RUN_LABEL: "test-of-labels"}
    )
    try:
        assert containers.remove_containers(f"{running.RUN_LABEL}=test-of-labels") == 1
        assert _there(docker_client, theirs.id)
        assert not _there(docker_client, ours.id)
    finally:
        theirs.remove(force=True)
