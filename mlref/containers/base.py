"""An image with Python to build on, with or without a registry.

`base_image` uses what is there, pulls what it can, and otherwise makes one: the interpreter that
runs here, relocated to /usr/local, and the shared objects that it and a manylinux wheel load. That
takes two seconds and no network. Either way pip is not asked for: the builder brings it.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlref.containers import engine, rootfs
from mlref.errors import ContainerError

__all__ = ["BASE_IMAGE", "base_image", "python_tag"]

BASE_IMAGE = "MLREF_BASE_IMAGE"
"""The environment variable that names another base."""

_REPOSITORY = "mlref-base"
_KEY = "mlref.base"
_PULL_TIMEOUT_S = 120.0
_SHELL = "/bin/sh"
_ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
)


def python_tag() -> str:
    """The official image of this Python's version, for instance "python:3.11-slim"."""
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


def base_image(
    name: str | None = None,
    *,
    pull: bool = True,
    tell: Callable[[str], object] | None = print,
) -> str:
    """The name of an image with this Python's version, of which the local daemon has the files.

    Args:
        name: the image that it shall be; None means MLREF_BASE_IMAGE, else `python_tag()`.
        pull: whether a registry may be asked for an image that is not there.
        tell: called with a line that says what was done; None for nobody.

    Raises:
        DockerUnavailableError: there is no daemon.
        ContainerError: the image that was asked for cannot be had, or none can be made here.
    """
    say = tell or (lambda _: None)
    client = engine.connect()
    wanted = name or os.environ.get(BASE_IMAGE) or python_tag()
    if _has(client, wanted):
        say(f"base image: {wanted}, which is here")
        return wanted
    made = f"{_REPOSITORY}:{_made_tag()}"
    chosen = wanted != python_tag()
    if not chosen and _has(client, made):
        say(f"base image: {made}, made from this Python earlier")
        return made
    problem = _pull(wanted) if pull else "it may not be pulled"
    if problem is None:
        say(f"base image: {wanted}, pulled")
        return wanted
    if chosen:
        text = f"there is no image {wanted}: {problem}"
        raise ContainerError(f"{text}; name one that can be had, or none for {python_tag()}")
    say(f"base image: {wanted} cannot be had ({problem}); making {made} from this Python")
    _make(client, made)
    return made


def _has(client: Any, name: str) -> bool:
    import docker

    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        return False
    except docker.errors.APIError as error:
        raise ContainerError(f"{name!r} is no name of an image: {error.explanation}") from error
    return True


def _pull(name: str) -> str | None:
    """Ask the registry; why it did not work, in a few words, or None."""
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


def _make(client: Any, name: str) -> None:
    """Make the base from the interpreter that runs here."""
    with tempfile.TemporaryDirectory(prefix="mlref-base-") as folder:
        root = Path(folder) / "root"
        try:
            rootfs.python(root, extra=[_SHELL])
        except RuntimeError as error:
            text = f"no base image can be made from this Python: {error}"
            raise ContainerError(f"{text}; pull {python_tag()} where there is a network") from error
        _add_certificates(root)
        _strip(root)
        archive = _archive(root)
    repository, _, tag = name.partition(":")
    changes = [f"ENV {each}" for each in _ENVIRONMENT]
    changes += [f"LABEL {key}={value}" for key, value in engine.labels({_KEY: tag}).items()]
    client.api.import_image_from_data(archive, repository=repository, tag=tag, changes=changes)


def _made_tag() -> str:
    """Names what a made base depends on: the interpreter, the C library, and how it is made."""
    recipe = Path(__file__).read_bytes() + Path(rootfs.__file__).read_bytes()
    parts = [sys.version, sys.base_prefix, *platform.libc_ver(), platform.machine()]
    digest = hashlib.sha256("\n".join(parts).encode() + recipe).hexdigest()
    return f"python{sys.version_info.major}.{sys.version_info.minor}-{digest[:12]}"


def _add_certificates(root: Path) -> None:
    """Mozilla's authorities, as Debian names the file; none if no package here brings them."""
    try:
        import certifi
    except ModuleNotFoundError:
        return
    target = root / "etc/ssl/certs/ca-certificates.crt"
    target.parent.mkdir(parents=True)
    shutil.copyfile(certifi.where(), target)


def _strip(root: Path) -> None:
    """Leave out debugging symbols, where there is a program that can."""
    strip = shutil.which("strip")
    if strip is None:
        return
    for path in [*root.rglob("*.so*"), *root.glob("usr/local/bin/python3.*")]:
        if path.is_file() and not path.is_symlink():
            subprocess.run([strip, "--strip-unneeded", str(path)], capture_output=True, check=False)


def _archive(root: Path) -> bytes:
    """The tree as a tar, the same bytes whenever it is made: root's files, at the epoch."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = "root"
        return entry

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(root.rglob("*")):
            archive.add(path, arcname=str(path.relative_to(root)), recursive=False, filter=plain)
    return buffer.getvalue()
