"""tar.gz files of folders: the same bytes for the same files, and unpacked without harm."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path

__all__ = ["ArchiveError", "packed", "unpack"]

_CHUNK = 2**20


class ArchiveError(Exception):
    """It is no tar.gz file, or something in it leads out of its folder."""


def packed(folder: Path) -> bytes:
    """A tar.gz of what a folder holds; who made the files and when does not change it.

    Args:
        folder: may be empty; one that is not there counts as empty.
    """
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for path in sorted(folder.rglob("*")):
            archive.add(path, str(path.relative_to(folder)), recursive=False, filter=_anonymous)
    return buffer.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Put what a tar.gz holds into a folder.

    Raises:
        ArchiveError: it is none, or damaged, or something in it leads out of the folder.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as zipped:
            with tarfile.open(fileobj=zipped, mode="r:") as archive:
                archive.extractall(folder, filter="data")
            while zipped.read(_CHUNK):  # to the end, where the checksum is
                pass
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise ArchiveError(str(error)) from error


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """A member without what differs from machine to machine; None for pipes and devices."""
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return None
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member
