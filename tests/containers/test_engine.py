"""Whether there is a Docker engine here, and what a person is told if not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mlref import errors
from mlref.containers import engine


@pytest.fixture(autouse=True)
def _ask_again() -> None:
    """Each test finds the command anew."""
    engine.build_command.cache_clear()


def _command(folder: Path, version: str, *, buildx: bool) -> Path:
    """A command `docker` that tells a version, and has a plugin or not."""
    folder.mkdir()
    path = folder / "docker"
    plugin = "exit 0" if buildx else "exit 1"
    path.write_text(
        f'#!/bin/sh\ncase "$1" in --version) echo "Docker version {version}, build 1";; '
        f"buildx) {plugin};; esac\n"
    )
    path.chmod(0o755)
    return path


def test_an_old_command_builds_with_buildkit_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before version 23 no plugin is needed."""
    path = _command(tmp_path / "old", "20.10.24+dfsg1", buildx=False)
    monkeypatch.setenv("PATH", f"{path.parent}:/bin")
    assert engine.build_command() == (str(path), "build")


def test_a_command_that_cannot_build_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer command without its plugin comes first on the PATH; one that can is found behind."""
    new = _command(tmp_path / "new", "28.2.2", buildx=False)
    good = _command(tmp_path / "good", "28.2.2", buildx=True)
    monkeypatch.setenv("PATH", f"{new.parent}:{good.parent}:/bin")
    assert engine.build_command() == (str(good), "buildx", "build", "--load")


def test_no_command_that_can_build_is_told_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the command that cannot, and the package that helps."""
    path = _command(tmp_path / "new", "28.2.2", buildx=False)
    monkeypatch.setenv("PATH", str(path.parent))
    with pytest.raises(errors.DockerUnavailableError, match="apt install docker-buildx") as raised:
        engine.build_command()
    assert str(path) in str(raised.value)


def test_no_command_at_all_is_told_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no Docker, the message says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.DockerUnavailableError, match="there is no command docker; install"):
        engine.build_command()


def test_a_daemon_that_does_not_run_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`available` says in one line that the daemon does not answer, and how to start it."""
    path = _command(tmp_path / "good", "28.2.2", buildx=True)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "_host", lambda: f"unix://{tmp_path}/none.sock")
    reason = engine.available()
    assert reason is not None
    assert "does not answer; start it" in reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("unix:///nowhere.sock", "No such file"),
        ("tcp://127.0.0.1:1", "Connection refused"),
        ("nonsense", "Invalid bind address"),
    ],
)
def test_a_daemon_that_a_variable_names_is_named_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, reason: str
) -> None:
    """To start the one of this machine would not help; the message says whose address it is."""
    path = _command(tmp_path / "good", "28.2.2", buildx=True)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", host)
    told = str(engine.available())
    assert told.startswith(f"no Docker daemon answers at {host}, which DOCKER_HOST names (")
    assert reason in told
    assert "\n" not in told


def test_a_machine_without_docker_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither daemon nor command: the advice is to install it, not to start it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert "install Docker" in str(engine.available())


class _Client:
    """What `needs_published_ports` reads of a client."""

    def __init__(self, url: str, info: dict[str, Any]) -> None:
        self.api = type("Api", (), {"base_url": url})
        self.info = lambda: info


@pytest.mark.parametrize(
    ("url", "info", "platform", "expected"),
    [
        ("http+docker://localhost", {"OperatingSystem": "Debian"}, "linux", False),
        ("http+docker://localhost", {"OperatingSystem": "Docker Desktop"}, "linux", True),
        ("http+docker://localhost", {"SecurityOptions": ["name=rootless"]}, "linux", True),
        ("http+docker://localhost", {}, "darwin", True),
        ("http://10.0.0.1:2375", {}, "linux", True),
    ],
)
def test_containers_are_asked_directly_only_where_they_can_be_reached(
    monkeypatch: pytest.MonkeyPatch, url: str, info: Any, platform: str, expected: Any
) -> None:
    """A daemon elsewhere, in a virtual machine or without root gets published ports."""
    monkeypatch.setattr(sys, "platform", platform)
    assert engine.needs_published_ports(_Client(url, info)) is expected


def test_everything_of_ours_is_labelled() -> None:
    """Labels of ours stand beside those that were asked for."""
    assert engine.labels({"a": "b"}) == {"mlref.owner": "mlref", "a": "b"}
