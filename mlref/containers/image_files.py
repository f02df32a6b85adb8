"""The files of an image, read without running it: that works for one without a shell, too.

    with open_image("mlref-flights:1.0.0-minimal") as files:
        files.members["/usr/local/bin/python3.11"].mode
        files.read("/etc/passwd")

A container is created, its files are exported as one archive, and it is deleted; it never starts.
So the files are those that a process would see: what a later layer hides is not among them.
"""

from __future__ import annotations

import posixpath
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlref.containers import engine
from mlref.containers.images import Image, reference_of
from mlref.errors import ContainerError

__all__ = ["ImageFiles", "open_image"]

_UNKNOWN = "1970-01-01T00:00:00Z"
_MOST_LINKS = 40  # as many as the kernel follows


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageFiles:
    """All files of an image, as long as the block of `open_image` lasts.

    Attributes:
        name: as it was asked for.
        digest: of the image.
        created: when it was built, as the daemon tells it.
        config: user, variables, labels ... as `docker inspect` tells them.
        history: the instruction of each of its steps, the last first.
        members: path from the root -> file, folder or link, with permissions and owner.
        archive: holds their content.
    """

    name: str
    digest: str
    created: str
    config: Mapping[str, Any]
    history: tuple[str, ...]
    members: Mapping[str, tarfile.TarInfo]
    archive: tarfile.TarFile

    def resolve(self, path: str) -> str | None:
        """The path of what a path leads to, links followed; None if to nothing.

        Args:
            path: from the root.
        """
        waiting, done, links = path.strip("/").split("/"), "/", 0
        while waiting:
            here = _path(posixpath.join(done, waiting.pop(0)))
            member = self.members.get(here)
            if member is None or not member.issym():
                done = here
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            waiting = [*member.linkname.strip("/").split("/"), *waiting]
            done = "/" if member.linkname.startswith("/") else done
        return done if done in self.members else None

    def read(self, path: str) -> bytes:
        """The content of a file, links followed.

        Args:
            path: from the root.

        Raises:
            ContainerError: there is no such file.
        """
        found = self.resolve(path)
        content = None if found is None else self.archive.extractfile(self.members[found])
        if content is None:
            raise ContainerError(f"{self.name} has no file {path}; its files are in `members`")
        with content:
            return content.read()


@contextmanager
def open_image(image: Image | str) -> Iterator[ImageFiles]:
    """The files of an image, in a temporary file that is deleted at the end of the block.

    Args:
        image: its name, its digest, or the result of `build`.

    Raises:
        DockerUnavailableError: there is no daemon.
        ContainerError: it has no such image.
    """
    wanted = reference_of(image)
    name = image if isinstance(image, str) else image.name
    client = engine.connect()
    found = engine.find_image(client, wanted)
    with tempfile.TemporaryFile(prefix="mlref-image-") as file:
        _export(client, found.id, file)
        with tarfile.open(fileobj=file, mode="r:") as archive:
            yield ImageFiles(
                name=name,
                digest=found.id,
                created=found.attrs.get("Created") or _UNKNOWN,
                config=found.attrs["Config"],
                history=tuple(each["CreatedBy"] for each in found.history()),
                members={_path(each.name): each for each in archive},
                archive=archive,
            )


def _export(client: Any, digest: str, target: Any) -> None:
    """Write all files of an image into one archive."""
    never_run = ["never-run"]  # an image without a command needs one to be created
    container = client.containers.create(digest, never_run, labels=engine.labels())
    try:
        for chunk in container.export():
            target.write(chunk)
    finally:
        container.remove(v=True)
    target.seek(0)


def _path(name: str) -> str:
    return posixpath.normpath("/" + name.lstrip("/"))
