"""A folder at /opt/ml, for one process and its children alone, without a container.

Linux lets a process have mounts of its own (a mount namespace), and lets ordinary users do so
inside a namespace in which they may mount (a user namespace). The folder is bound to /opt/ml there;
nobody else sees it, and nothing of it is left when the process has ended. As only root may make the
folder /opt/ml itself, an /opt is put together first: what the real one holds, and "ml".

Source: the Linux manual, mount_namespaces(7) and user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from pathlib import Path

__all__ = ["OPT_ML", "mount"]

OPT_ML = "/opt/ml"
"""Where a container of SageMaker has its folders."""

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2


def mount(folder: Path) -> bool:
    """Whether the folder is at /opt/ml from now on, for this process and those that it starts.

    Call it before there are threads: Linux demands that.

    Args:
        folder: with what /opt/ml is to hold.
    """
    opt = Path(OPT_ML).parent
    if sys.platform != "linux" or not opt.is_dir() or opt.is_symlink():
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        _enter(libc)
        _mount(libc, None, "/", _MS_REC | _MS_PRIVATE)
        if Path(OPT_ML).is_dir():
            _mount(libc, str(folder), OPT_ML, _MS_BIND)
        else:
            other = _other_opt(libc, opt, folder)
            _mount(libc, str(other), str(opt), _MS_BIND | _MS_REC)
            _checked(libc.umount2(str(other).encode(), _MNT_DETACH))
            other.rmdir()
    except OSError:
        return False
    return Path(OPT_ML).is_dir() and Path(OPT_ML).samefile(folder)


def _enter(libc: ctypes.CDLL) -> None:
    """Go into a mount namespace; as an ordinary user, into a user namespace as well."""
    user, group = os.geteuid(), os.getegid()
    if user == 0 and libc.unshare(_CLONE_NEWNS) == 0:
        return
    _checked(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _other_opt(libc: ctypes.CDLL, opt: Path, folder: Path) -> Path:
    """What /opt holds, and the folder as "ml", on a file system in memory."""
    made = Path(tempfile.mkdtemp(dir=folder.parent))
    _mount(libc, "tmpfs", str(made), 0, kind="tmpfs")
    for each in opt.iterdir():
        target = made / each.name
        if each.is_symlink():
            target.symlink_to(each.readlink())
            continue
        if each.is_dir():
            target.mkdir()
        else:
            target.touch()
        _mount(libc, str(each), str(target), _MS_BIND | _MS_REC)
    (made / Path(OPT_ML).name).mkdir()
    _mount(libc, str(folder), str(made / Path(OPT_ML).name), _MS_BIND)
    return made


def _mount(
    libc: ctypes.CDLL, source: str | None, target: str, flags: int, *, kind: str | None = None
) -> None:
    words = [word if word is None else word.encode() for word in (source, target, kind)]
    _checked(libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), None))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
