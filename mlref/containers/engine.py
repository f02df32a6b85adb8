"""The Docker engine: whether there is one, how to reach it, and what of it is ours.

Everything that mlref makes carries the label `mlref.owner`, and only what carries it is ever
deleted: names may be shared with others, labels of ours are not.

Two programs are needed. The daemon is reached through the Docker SDK (extra "cluster"). Images are
built by the `docker` command, because the SDK knows only the old builder, which has no bind mounts:
a wheel that is copied into a layer stays in the image although a later layer deletes it.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlref.errors import ContainerError, DockerUnavailableError
from mlref.runtime.lazy import extra, installed

if TYPE_CHECKING:
    import docker

__all__ = [
    "LABEL",
    "available",
    "build_command",
    "build_environment",
    "connect",
    "find_image",
    "labels",
    "needs_published_ports",
]

LABEL = "mlref.owner"
"""The label on every image, container, network and volume that mlref makes."""

_TIMEOUT_S = 10.0
_ANSWER_S = 60
_SOCKET = "/var/run/docker.sock"
_LAST_WITH_BUILDKIT = 23  # since this version, the command needs the plugin buildx for BuildKit
_INSTALL = "install Docker (https://docs.docker.com/engine/install/; Debian: apt install docker.io)"


def available() -> str | None:
    """None if containers can be built and run here; otherwise one line: why not, and what to do."""
    if not installed("docker"):
        return 'docker (the Python package) is not installed: pip install "mlref[cluster]"'
    try:
        connect()
        build_command()
    except DockerUnavailableError as error:
        return str(error)
    return None


def connect() -> docker.DockerClient:
    """A client of the daemon that DOCKER_HOST names, or the `docker` command's current context.

    Raises:
        DockerUnavailableError: no daemon answers, or this user may not talk to it.
        MissingExtraError: the extra "cluster" is not installed.
    """
    with extra("cluster"):
        import docker
        import requests
    host = _host()
    try:
        _knock(host)
        client = docker.from_env(environment={**os.environ, "DOCKER_HOST": host}, timeout=_ANSWER_S)
        client.ping()
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise DockerUnavailableError(_advice(error)) from error
    return client


def find_image(client: docker.DockerClient, name: str) -> Any:
    """The SDK's object for an image that the daemon has.

    Args:
        client: as `connect` gives it.
        name: repository and tag, or a digest.

    Raises:
        ContainerError: it has none of that name.
    """
    import docker

    try:
        return client.images.get(name)
    except docker.errors.ImageNotFound as error:
        text = f"there is no image {name} here"
        raise ContainerError(f"{text}; {_others(client, name)}") from error
    except (docker.errors.APIError, ValueError) as error:  # ValueError: the name is empty
        explanation = getattr(error, "explanation", None) or str(error)
        raise ContainerError(f"{name!r} is no name of an image: {explanation}") from error


@functools.lru_cache(maxsize=1)
def build_command() -> tuple[str, ...]:
    """The command that builds with BuildKit, for instance ("/usr/bin/docker", "build").

    Several versions of the command may lie on the PATH, and not each can: before version 23 it
    knows BuildKit itself, since then it needs a plugin.

    Raises:
        DockerUnavailableError: none can.
    """
    found = _on_path("docker")
    for path in found:
        version = _run(path, "--version")
        number = re.search(r"version (\d+)\.", version or "")
        if _run(path, "buildx", "version") is not None:
            return (path, "buildx", "build", "--load")
        if number is not None and int(number[1]) < _LAST_WITH_BUILDKIT:
            return (path, "build")
    if not found:
        raise DockerUnavailableError(f"there is no command docker; {_INSTALL}")
    text = f"{', '.join(found)} cannot build with BuildKit"
    raise DockerUnavailableError(f"{text}; install its plugin (Debian: apt install docker-buildx)")


def build_environment() -> dict[str, str]:
    """The variables that `build_command` needs."""
    return {**os.environ, "DOCKER_BUILDKIT": "1"}


def labels(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The labels of something of ours.

    >>> labels()
    {'mlref.owner': 'mlref'}
    """
    return {LABEL: "mlref", **(more or {})}


def needs_published_ports(client: docker.DockerClient) -> bool:
    """Whether containers are reached through ports of 127.0.0.1 only, and not by their address.

    So it is where the daemon runs in a virtual machine, on another machine, or without root.

    Args:
        client: as `connect` gives it.
    """
    if sys.platform != "linux" or not str(client.api.base_url).startswith("http+docker"):
        return True
    told = client.info()
    rootless = any("rootless" in option for option in told.get("SecurityOptions") or [])
    return rootless or "Desktop" in told.get("OperatingSystem", "")


def _others(client: docker.DockerClient, name: str) -> str:
    """What to ask for instead of an image that is not there."""
    alike = client.api.images(name.partition(":")[0])
    tags = sorted(tag for each in alike for tag in each["RepoTags"] or [])
    return f"there is {', '.join(tags)}" if tags else "`docker images` lists those that are"


def _host() -> str:
    """Where the daemon listens, for instance "unix:///var/run/docker.sock"."""
    named = os.environ.get("DOCKER_HOST")
    if named or Path(_SOCKET).exists():
        return named or f"unix://{_SOCKET}"
    found = _run("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    return (found or "").strip() or f"unix://{_SOCKET}"


def _knock(host: str) -> None:
    """Raise what the system says of a socket on which nobody listens; the SDK would leak it."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(host.removeprefix("unix://"))


def _on_path(name: str) -> list[str]:
    """Every program of that name, in the order of the PATH."""
    folders = os.get_exec_path()
    paths = [shutil.which(name, path=folder) for folder in folders]
    real: dict[str, str] = {}
    for path in paths:
        if path is not None:
            real.setdefault(os.path.realpath(path), path)
    return list(real.values())


def _run(*command: str) -> str | None:
    """What a command prints, or None if it fails."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        if done.returncode == 0:
            return done.stdout
    return None


def _advice(error: Any) -> str:
    """Why the daemon does not answer, and what to do."""
    if isinstance(error, PermissionError) or "Permission denied" in str(error):
        return (
            "this user may not talk to the Docker daemon; "
            "add it to the group (sudo usermod -aG docker $USER) and log in again"
        )
    if shutil.which("docker") is None:
        return f"there is no Docker here; {_INSTALL}"
    named = os.environ.get("DOCKER_HOST")
    if named:
        reason = " ".join(str(error).split())
        text = f"no Docker daemon answers at {named}, which DOCKER_HOST names ({reason})"
        return f"{text}; start it there, or set or unset DOCKER_HOST"
    return "the Docker daemon does not answer; start it (sudo systemctl start docker)"
