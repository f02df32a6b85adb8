"""What callers give, refused before it would fail elsewhere in another library's words."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from mlref.artifact import Artifact
from mlref.containers.isolation import Isolation

__all__ = ["check_artifact", "check_port", "check_run"]

_HIGHEST_PORT = 65535


def check_artifact(given: object) -> None:
    """Return if it is an artefact.

    Args:
        given: what was given instead, perhaps.

    Raises:
        TypeError: it is none; says how to get one.
    """
    if isinstance(given, Artifact):
        return
    if isinstance(given, str | os.PathLike):
        path = os.fspath(given)
        raise TypeError(f"an artefact is needed, got a path; load it: artifact.load({path!r})")
    got = type(given).__name__
    raise TypeError(f"an artefact is needed, got {got}; load one: artifact.load(FOLDER)")


def check_port(name: str, port: object, *, least: int = 1) -> None:
    """Return if it is the number of a port.

    Args:
        name: of the argument.
        port: its value.
        least: 0 where any free one may be asked for.

    Raises:
        ValueError: it is none.
    """
    if type(port) is not int or not least <= port <= _HIGHEST_PORT:
        text = f"{name} must be a whole number from {least} to {_HIGHEST_PORT}"
        raise ValueError(f"{text}, got {port!r}")


def check_run(
    *,
    command: object,
    entrypoint: object,
    isolation: object,
    environment: object,
    drain_timeout_s: float,
) -> None:
    """Return if a container can be told all this.

    Args:
        command: as `run` takes it.
        entrypoint: as `run` takes it.
        isolation: as `run` takes it.
        environment: as `run` takes it.
        drain_timeout_s: as `run` takes it.

    Raises:
        TypeError: a line instead of words, or something else than limits or variables.
        ValueError: a time below 0.
    """
    for name, given in (("command", command), ("entrypoint", entrypoint)):
        if isinstance(given, str):
            text = f"{name} must be a list of words, got the text {given!r}"
            raise TypeError(f"{text}; write {given.split()!r}")
    if not isinstance(isolation, Isolation):
        text = "isolation must be like Isolation(memory_bytes=256 * 2**20)"
        raise TypeError(f"{text}, got {type(isolation).__name__}")
    if environment is not None and not isinstance(environment, Mapping):
        text = 'environment must be a dictionary like {"NAME": "value"}'
        raise TypeError(f"{text}, got {environment!r}")
    if not 0 <= drain_timeout_s < math.inf:
        raise ValueError(f"drain_timeout_s must be 0 or more seconds, got {drain_timeout_s!r}")
