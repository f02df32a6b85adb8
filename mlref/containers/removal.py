"""Deleting containers, also while others delete them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mlref.containers import engine
from mlref.errors import ContainerError

__all__ = ["labelled", "remove_containers", "remove_quietly"]

_NOT_FOUND, _BUSY = 404, "already in progress"  # others have deleted it, or are about to


def remove_containers(label: str = engine.LABEL) -> int:
    """Delete every container with a label, running or not; returns how many it deleted.

    What others delete at the same time is left to them, and does not count.

    Args:
        label: "name" or "name=value"; by default all that mlref started, also for others who use
            mlref with the same daemon.

    Raises:
        DockerUnavailableError: there is no daemon.
        ContainerError: the daemon keeps some; all others are deleted.
    """
    import docker

    removed, kept = 0, []
    for container in labelled(engine.connect(), label):
        try:
            container.remove(force=True, v=True)
            removed += 1
        except docker.errors.APIError as error:
            if error.status_code != _NOT_FOUND and _BUSY not in str(error.explanation):
                kept.append(f"{container.id[:12]}: {error.explanation}")
    if kept:
        text = f"{removed} containers were deleted, and {len(kept)} not: {'; '.join(kept)}"
        raise ContainerError(f"{text}; look at them with `docker inspect`, and try again")
    return removed


def remove_quietly(*containers: Any) -> None:
    """Delete containers, as far as the daemon lets them go.

    Args:
        containers: the SDK's objects.
    """
    import docker

    for container in containers:
        with suppress(docker.errors.APIError):
            container.remove(force=True, v=True)


def labelled(client: Any, label: str) -> list[Any]:
    """Every container with a label, while others delete some.

    Args:
        client: as `engine.connect` gives it.
        label: "name" or "name=value".
    """
    found = client.containers.list(all=True, ignore_removed=True, filters={"label": label})
    return list(found)
