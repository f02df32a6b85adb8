"""Bringing a stack up, and what is left when that fails or ends."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlref import containers, errors
from mlref.containers import compose, keeper
from mlref.containers.stack import Stack
from mlref.serving.load import LoadReport, start_load

_BODIES = [
    json.dumps({"columns": {"colour": ["red"], "count": [count], "extra": [0.5]}}).encode()
    for count in range(500)
]


@pytest.fixture
def composing(
    docker_client: Any,
    require: Callable[[str, bool, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A client of the daemon, where there is Compose; after the test, nothing of it may be left."""
    reason = compose.available()
    require("compose", reason is None, str(reason))
    mine = f"test-{os.getpid()}-{secrets.token_hex(4)}"  # others may bring stacks up, too
    monkeypatch.setattr(secrets, "token_hex", lambda _: mine)
    yield docker_client
    assert f"mlref-{mine}" not in _projects(docker_client)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """A function that makes a shell script the only program of its name; the PATH is forgotten."""

    def write(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    compose.compose_command.cache_clear()
    yield write
    compose.compose_command.cache_clear()


def _projects(client: Any) -> set[str]:
    """The projects of which a container or a network is there."""
    label = {"label": keeper.PROJECT_LABEL}
    found = client.containers.list(all=True, filters=label, ignore_removed=True)
    labels = [each.labels for each in found]
    labels += [each.attrs["Labels"] for each in client.networks.list(filters=label)]
    return {each[keeper.PROJECT_LABEL] for each in labels}


def test_the_plugin_is_used_where_it_is(programs: Callable[..., None]) -> None:
    """It is preferred to the older program."""
    programs("docker", "echo 2.26.1")
    programs("docker-compose", "echo 1.29.2")
    assert compose.compose_command() == ("docker", "compose")


def test_the_older_program_is_used_where_there_is_no_plugin(
    programs: Callable[..., None],
) -> None:
    """A docker without the plugin refuses; Debian's package brings a program of its own."""
    programs("docker", "echo 'unknown command' >&2; exit 1")
    programs("docker-compose", "echo 1.29.2")
    assert compose.compose_command() == ("docker-compose",)


def test_a_version_that_is_too_old_is_told(programs: Callable[..., None]) -> None:
    """It would not understand the file."""
    programs("docker-compose", "echo 1.25.0")
    match = "docker-compose is version 1.25, and 1.27 is the oldest that will do; install it"
    with pytest.raises(errors.DockerUnavailableError, match=match):
        compose.compose_command()


def test_without_compose_it_is_told_how_to_get_it(programs: Callable[..., None]) -> None:
    """One line, with the command for Debian."""
    assert programs
    with pytest.raises(errors.DockerUnavailableError, match="apt install docker-compose"):
        compose.compose_command()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicas": 0}, "replicas must be at least 1"),
        ({"images": {"mysql": "mysql:9"}}, "images for nginx, prometheus, redis; .*mysql"),
        ({"port": 99999}, "port must be a whole number from 0 to 65535, got 99999"),
        ({"prometheus_port": -1}, "prometheus_port must be .*, got -1"),
    ],
)
def test_what_makes_no_stack_is_refused(options: dict[str, Any], message: str) -> None:
    """Before anything is built or started."""
    with pytest.raises(ValueError, match=message):
        compose.up("image", **options)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("mlref-none:1", "there is no image mlref-none:1 here; .*; pass an artefact, and its"),
        ("build/runs/none", "there is no image build/runs/none here; .*; pass an artefact"),
        ("/", r"'/' is a path; pass artifact.load\('/'\), or an image"),
    ],
)
def test_a_model_that_is_no_image_is_told(composing: Any, model: str, message: str) -> None:
    """Before a network is made or a registry is asked."""
    assert composing
    with pytest.raises(errors.ContainerError, match=message):
        compose.up(model)


@pytest.fixture(scope="module")
def ended(
    docker_client: Any, service: containers.Image, require: Callable[[str, bool, str], None]
) -> tuple[Stack, int, LoadReport]:
    """A stack without retries of which a replica was killed under load, and that is closed now.

    With it, how many replicas it had, and what became of the load.
    """
    reason = compose.available()
    require("compose", reason is None, str(reason))
    with compose.up(service, retries=False, replicas=3) as stack:
        assert stack.project in _projects(docker_client)
        replicas = stack.replicas()
        with start_load(stack.url, "/v1/predict", _BODIES, concurrency=8) as load:
            load.wait_answered(300)
            stack.kill(replicas[0])
            load.wait_answered(load.answered + 300)
        return stack, len(replicas), load.stop()


def test_there_are_as_many_replicas_as_asked_for(ended: tuple[Stack, int, LoadReport]) -> None:
    """The number in the file is only what is used by hand."""
    assert ended[1] == 3


def test_without_retries_a_replica_that_is_killed_costs_requests(
    ended: tuple[Stack, int, LoadReport],
) -> None:
    """So the retries are what saves them, and the tests with retries can fail."""
    statuses = ended[2].statuses
    assert statuses.get(502, 0) + statuses.get(504, 0) > 0


def test_after_the_block_nothing_is_left(
    ended: tuple[Stack, int, LoadReport], docker_client: Any
) -> None:
    """Neither containers nor networks; closing again does nothing, and asking is refused."""
    stack = ended[0]
    stack.close()
    assert stack.closed
    assert stack.project not in _projects(docker_client)
    with pytest.raises(errors.ContainerError, match="no nginx that runs: it is deleted"):
        assert stack.url


def test_an_image_that_cannot_start_is_told(composing: Any, base: str) -> None:
    """Compose's own words are part of the error, and nothing is left."""
    assert composing
    with pytest.raises(errors.ProcessExitedError, match=r"(?s)exit status 1\).*serve"):
        compose.up(base)


def test_a_model_that_is_never_healthy_shows_its_last_lines(
    composing: Any, built: Callable[[str], str]
) -> None:
    """The stack does not come up; the error says which part is at fault, and what it printed."""
    assert composing
    image = built(
        "STOPSIGNAL SIGKILL\n"
        'ENTRYPOINT ["python3", "-uc", "import signal; print(\'no model here\'); signal.pause()"]\n'
        'HEALTHCHECK --retries=1 CMD ["python3", "-c", "raise SystemExit(1)"]'
    )
    with pytest.raises(errors.ProcessExitedError) as raised:
        compose.up(image)
    assert "model_1: it runs; its health check says unhealthy" in _plain(raised.value.log_tail)
    assert "no model here" in raised.value.log_tail


def test_a_stack_that_takes_too_long_is_told(composing: Any, service: containers.Image) -> None:
    """Compose, which is still at work, is ended, and what it had made is deleted."""
    assert composing
    with pytest.raises(errors.ProcessNotReadyError, match=r"not ready within 0\.5 s"):
        compose.up(service, timeout_s=0.5)
    event = threading.Event()
    assert not event.wait(2)  # whatever was about to be made would be there; the fixture looks


def test_the_limit_is_for_all_steps_together(
    composing: Any, service: containers.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Compose has taken is no longer left to the answers."""
    assert composing
    left: list[float] = []

    def give_up(_: Stack, timeout_s: float) -> None:
        left.append(timeout_s)
        raise errors.ProcessNotReadyError("not ready")

    monkeypatch.setattr(Stack, "wait_ready", give_up)
    begin = time.monotonic()
    with pytest.raises(errors.ProcessNotReadyError):
        compose.up(service, timeout_s=100)
    assert 100 - (time.monotonic() - begin) < left[0] < 99  # starting takes more than a second


def _plain(text: str) -> str:
    """Names of containers as version 1 writes them."""
    return text.replace("-model-", "_model_")
