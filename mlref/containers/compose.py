"""A model that stays up: replicas behind nginx with a cache and Prometheus, by Compose.

    with up(artifact.load("flights-1.0.0")) as stack:
        Client(stack.url).predict(rows)                    # nginx asks one of two replicas
        stack.kill(stack.replicas()[0])                    # nobody notices
        stack.query("sum by (instance) (mlref_requests_total)")

What runs is `deploy/compose.yaml`, which people may also use by hand. Each stack is a project with
a name and ports of its own, so that several can run side by side. All of it is deleted at the end
of the block, when this program ends, and also when this program is killed (see `keeper`).
"""

from __future__ import annotations

import functools
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from mlref import resources
from mlref.artifact import Artifact
from mlref.containers import engine, keeper
from mlref.containers.given import check_port
from mlref.containers.images import Image, build, reference_of
from mlref.containers.programs import PROGRAMS, program_image
from mlref.containers.stack import Stack
from mlref.errors import (
    ContainerError,
    DockerUnavailableError,
    ProcessExitedError,
    ProcessNotReadyError,
)
from mlref.runtime import process

__all__ = ["available", "compose_command", "compose_file", "up"]

_OLDEST = (1, 27)  # the first that reads a file without a version
_ANSWER_S = 30.0
_INSTALL = (
    "install it (https://docs.docker.com/compose/install/; Debian: apt install docker-compose)"
)


def available() -> str | None:
    """None if a stack can be brought up here; otherwise one line: why not, and what to do."""
    reason = engine.available()
    if reason is not None:
        return reason
    try:
        compose_command()
    except DockerUnavailableError as error:
        return str(error)
    return None


@functools.lru_cache(maxsize=1)
def compose_command() -> tuple[str, ...]:
    """The command: ("docker", "compose"), or ("docker-compose",), the older program.

    Raises:
        DockerUnavailableError: there is none, or it is too old.
    """
    problem = "there is no Docker Compose"
    for command in (("docker", "compose"), ("docker-compose",)):
        version = _version(command)
        if version is not None and version >= _OLDEST:
            return command
        if version is not None:
            found, oldest = (".".join(map(str, each)) for each in (version, _OLDEST))
            problem = (
                f"{' '.join(command)} is version {found}, and {oldest} is the oldest that will do"
            )
    raise DockerUnavailableError(f"{problem}; {_INSTALL}")


def compose_file() -> Path:
    """What runs: `deploy/compose.yaml`.

    Raises:
        ResourceNotFoundError: the deploy files are not installed.
    """
    return resources.folder("deploy") / "compose.yaml"


def up(
    model: Artifact | Image | str,
    *,
    replicas: int = 2,
    retries: bool = True,
    images: Mapping[str, str] | None = None,
    pull: bool = True,
    port: int = 0,
    prometheus_port: int = 0,
    timeout_s: float = 120.0,
    tell: Callable[[str], object] | None = None,
) -> Stack:
    """A stack that answers; use it in a `with` block.

    Args:
        model: an artefact, of which an image is built; or its image.
        replicas: how many containers serve it, at least 1.
        retries: whether nginx asks another replica when one fails.
        images: program -> the image that it shall be, for some of `PROGRAMS`.
        pull: whether a registry may be asked for images that are not there.
        port: of 127.0.0.1, where nginx listens; 0 for any free one.
        prometheus_port: of 127.0.0.1, where nginx passes on to Prometheus; 0 for any free one.
        timeout_s: seconds that all containers together may take to be ready, builds apart.
        tell: called with lines that say what is done; None for nobody.

    Raises:
        DockerUnavailableError: there is no daemon, no builder, or no Compose.
        ImageBuildError: the model's image could not be built.
        ContainerError: an image cannot be had.
        ProcessExitedError: a part ended, or could not start; carries the last lines of its log.
        ProcessNotReadyError: it did not answer in time, or a health check failed.
        TypeError: neither an artefact nor an image.
        ValueError: no replicas, no such port, or a program that is not part of it.
    """
    chosen = dict(images or {})
    unknown = sorted(set(chosen) - set(PROGRAMS))
    if unknown or replicas < 1:
        known = ", ".join(PROGRAMS)
        raise ValueError(
            f"replicas must be at least 1 and images for {known}; got {replicas} and {unknown}"
        )
    for argument, value in (("port", port), ("prometheus_port", prometheus_port)):
        check_port(argument, value, least=0)
    compose_command()
    variables = {
        "MODEL_IMAGE": _model_image(model, tell),
        "PORT": str(port),
        "PROMETHEUS_PORT": str(prometheus_port),
        "RETRIES": "on" if retries else "off",
    }
    for name in PROGRAMS:
        found = program_image(name, image=chosen.get(name), pull=pull, tell=tell)
        variables[f"{name.upper()}_IMAGE"] = found
    return _started(variables, replicas, timeout_s)


def _model_image(model: Artifact | Image | str, tell: Callable[[str], object] | None) -> str:
    if isinstance(model, Artifact):
        return build(model, tell=tell).name
    wanted = reference_of(model)
    if isinstance(model, str) and (model.startswith((".", "/", "~")) or Path(model).is_dir()):
        raise ContainerError(f"{model!r} is a path; pass artifact.load({model!r}), or an image")
    try:
        engine.find_image(engine.connect(), wanted)
    except ContainerError as error:
        raise ContainerError(f"{error}; pass an artefact, and its image is built") from error
    return model if isinstance(model, str) else model.name


def _started(variables: Mapping[str, str], replicas: int, timeout_s: float) -> Stack:
    project = f"mlref-{secrets.token_hex(6)}"
    command = [*compose_command(), "--project-name", project, "--file", str(compose_file())]
    start = [*command, "up", "--detach", "--no-build", "--scale", f"model={replicas}"]
    docker, begin = engine.build_command()[0], time.monotonic()
    watcher = process.start(
        [sys.executable, "-I", "-S", keeper.__file__, project, docker, *start],
        name="Compose",
        env=variables,
    )
    stack = Stack(project, [*command, "down", "--volumes"], variables, watcher)
    try:
        status = watcher.wait_report(timeout_s)["status"]
        if status != 0:
            text = f"Compose could not start the stack (exit status {status})"
            tail = _joined(watcher.log_tail(), stack.troubles())
            raise ProcessExitedError(text, log_tail=tail)
        stack.wait_ready(max(begin + timeout_s - time.monotonic(), 0))
    except BaseException as error:  # also when Ctrl-C breaks it off
        troubles = stack.troubles()
        watcher.stop()  # and with it Compose, which may still be at work
        stack.close(drain=False)
        if isinstance(error, ProcessNotReadyError):
            text = f"the stack was not ready within {timeout_s:g} s"
            tail = _joined(*{error.log_tail: 0, troubles: 0})  # each once
            raise ProcessNotReadyError(text, log_tail=tail) from error
        raise
    return stack


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _version(command: tuple[str, ...]) -> tuple[int, ...] | None:
    """Of a command; None if there is none."""
    if shutil.which(command[0]) is None:
        return None
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            [*command, "version", "--short"],
            capture_output=True,
            text=True,
            env=dict(os.environ),
            timeout=_ANSWER_S,
            check=False,
        )
        found = re.match(r"v?(\d+)\.(\d+)", done.stdout.strip())
        if done.returncode == 0 and found is not None:
            return int(found[1]), int(found[2])
    return None
