"""Images of the local daemon: whether one is there, can be pulled, or is made of a folder."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlref.containers import engine, rootfs
from mlref.errors import ContainerError

__all__ = ["archive", "import_tree", "is_there", "pull"]

_PULL_TIMEOUT_S = 120.0


def is_there(client: Any, name: str) -> bool:
    """Whether the daemon has an image of that name.

    Args:
        client: as `engine.connect` gives it.
        name: repository and tag, or a digest.

    Raises:
        ContainerError: the name is none that an image can have.
    """
    import docker

    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        return False
    except docker.errors.APIError as error:
        raise ContainerError(f"{name!r} is no name of an image: {error.explanation}") from error
    return True


def pull(name: str) -> str | None:
    """Ask the registry for an image; why it did not work, in a few words, or None if it did.

    The command is asked, and not the SDK, because it knows the user's credentials.

    Args:
        name: repository and tag.

    Raises:
        DockerUnavailableError: there is no command.
    """
    command = [engine.build_command()[0], "pull", "--quiet", name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PULL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer from its registry within {_PULL_TIMEOUT_S:.0f} s"
    if done.returncode == 0:
        return None
    line = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return line.removeprefix("Error response from daemon: ")


def import_tree(
    client: Any,
    root: Path,
    name: str,
    *,
    environment: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> None:
    """Make an image of one layer from a folder. The same files give the same layer.

    Args:
        client: as `engine.connect` gives it.
        root: the folder that becomes "/"; all in it will belong to root.
        name: repository and tag.
        environment: variables, as "NAME=value".
        labels: more labels than ours.

    Raises:
        ContainerError: the daemon does not take it.
    """
    import docker

    repository, _, tag = name.rpartition(":")
    changes = [f"ENV {each}" for each in environment]
    changes += [f"LABEL {key}={value}" for key, value in engine.labels(labels).items()]
    try:
        client.api.import_image_from_data(
            archive(root), repository=repository, tag=tag, changes=changes
        )
    except docker.errors.APIError as error:
        text = f"the daemon does not take the image {name}: {error.explanation}"
        raise ContainerError(f"{text}; look whether its disk is full (docker system df)") from error


def archive(root: Path) -> bytes:
    """A folder as a tar, the same bytes whenever it is made: root's files, one time, one order.

    Args:
        root: the folder that becomes "/".
    """

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.mtime = rootfs.EPOCH
        entry.uname = entry.gname = "root"
        return entry

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(root.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(root)), recursive=False, filter=plain)
    return buffer.getvalue()
