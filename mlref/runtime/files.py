"""Files that are saved whole or not at all.

What is written goes to a temporary file beside the target, is flushed to the disk, and then takes
the target's place in one step. Whoever reads the target sees the old content or the new, never a
half; when saving fails, the old content stays and no temporary file is left.

`write_bytes`, `write_text` and `write_json` are for content at hand. `replacing` is for a library
that wants a path to write to:

    with replacing(folder / "model.onnx") as path:
        onnx.save(model, path)
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlref.errors import FileWriteError, MlrefError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cache_folder", "replacing", "write_bytes", "write_json", "write_text"]

_ADVICE = {
    errno.ENOSPC: "free some space on its disk and save again",
    errno.EDQUOT: "free some space within the quota and save again",
    errno.EFBIG: "raise the limit on file size (ulimit -f) or save less",
    errno.EIO: "the disk reports a fault; save to another one",
    errno.EROFS: "the disk is read-only; save to another one",
    errno.EACCES: "get permission to write in its folder or choose another folder",
    errno.EPERM: "get permission to write in its folder or choose another folder",
    errno.ENOENT: "create its folder first",
    errno.ENOTDIR: "choose a folder that is one: part of the path is a file",
    errno.EISDIR: "choose another name: a folder has this one",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_STORAGE_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


def cache_folder() -> Path:
    """Where mlref keeps things: MLREF_CACHE, else XDG_CACHE_HOME/mlref, else ~/.cache/mlref."""
    home = os.environ.get("MLREF_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(home) if home else Path(base or Path.home() / ".cache") / "mlref"


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Save bytes, whole or not at all.

    Args:
        path: the file to create or replace. Its folder must exist.
        data: the whole content.

    Raises:
        FileWriteError: the file could not be saved; what was there before is untouched.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    r"""Save text as UTF-8, whole or not at all; line ends stay as they are (`\n`) on any system.

    Args:
        path: the file to create or replace. Its folder must exist.
        text: the whole content.

    Raises:
        FileWriteError: the file could not be saved; what was there before is untouched.
        UnicodeEncodeError: `text` holds a lone surrogate; nothing was written.
    """
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], obj: Any) -> None:
    """Save JSON in one canonical form: equal objects give equal bytes.

    Keys are sorted, the indent is 2, text is UTF-8 and not escaped, and a newline ends the file.

    Args:
        path: the file to create or replace. Its folder must exist.
        obj: what `json.dumps` accepts, with finite numbers only.

    Raises:
        FileWriteError: the file could not be saved; what was there before is untouched.
        ValueError: `obj` holds NaN or an infinity, which JSON has not; nothing was written.
        TypeError: `obj` holds what JSON cannot; nothing was written.
    """
    text = json.dumps(obj, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, f"{text}\n")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path that takes the place of `path` when the block ends without an error.

    The temporary file exists already, is empty, lies in the same folder and has the same suffixes,
    since some libraries choose the format by them. Its permissions are those of any new file.
    A symbolic link at `path` is replaced itself; the file that it points to stays as it is.
    A device, a pipe or a socket is refused: a file in the place of `/dev/null` breaks a machine.

    Args:
        path: the file to create or replace. Its folder must exist.

    Yields:
        The temporary path, for the block to write to.

    Raises:
        FileWriteError: the file could not be saved; what was there before is untouched. An
            OSError of the block that is about something else (another file, a connection) passes
            through unchanged.
    """
    target = Path(path)
    _refuse_device(target)
    # The end of the name keeps its suffixes; 60 characters of 4 bytes each stay below 255 bytes.
    temporary = target.parent / f".{secrets.token_hex(6)}-{target.name[-60:]}"
    try:
        with _reported_for(target):
            temporary.touch(exist_ok=False)
        try:
            yield temporary
        except OSError as error:
            if _is_about(error, temporary):
                raise _write_error(error, target) from error
            raise
        with _reported_for(target):
            _flush(temporary)
            temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    with suppress(OSError):  # the file is saved; some file systems cannot flush a folder
        _flush(target.parent)


def _refuse_device(target: Path) -> None:
    """Refuse to put a file in the place of what is neither a file nor a folder."""
    try:
        mode = target.stat().st_mode
    except OSError:  # nothing is there yet, or saving will tell what is wrong
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise FileWriteError(
            errno.EINVAL,
            "not saved (a device, a pipe or a socket): choose the name of a file; "
            "what was there before is untouched",
            str(target),
        )


@contextmanager
def _reported_for(target: Path) -> Iterator[None]:
    """A block in which each failure of the system is a failure to save the target."""
    try:
        yield
    except OSError as error:
        raise _write_error(error, target) from error


def _flush(path: Path) -> None:
    """Have the system bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_about(error: OSError, temporary: Path) -> bool:
    """Whether it is the saving that failed, not something else that the block did."""
    if isinstance(error, MlrefError):
        return False
    if isinstance(error.filename, str | bytes):
        return Path(os.fsdecode(error.filename)).name == temporary.name
    return error.errno in _STORAGE_FAULTS


def _write_error(error: OSError, target: Path) -> FileWriteError:
    """The same failure, told in terms of the file that the caller named."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    advice = _ADVICE.get(error.errno or 0, "choose another place")
    return FileWriteError(
        error.errno,
        f"not saved ({reason}): {advice}; what was there before is untouched",
        str(target),
    )
