"""An image with Python to build on, with or without a registry.

`base_image` uses what is there, pulls what it can, and otherwise makes one: the interpreter that
runs here, relocated to /usr/local, and the shared objects that it and a manylinux wheel load. That
takes two seconds and no network. Either way pip is not asked for: the builder brings it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlref.containers import engine, rootfs
from mlref.containers.local_images import import_tree, is_there
from mlref.containers.local_images import pull as fetch
from mlref.errors import ContainerError

__all__ = ["BASE_IMAGE", "base_image", "python_tag"]

BASE_IMAGE = "MLREF_BASE_IMAGE"
"""The environment variable that names another base."""

_REPOSITORY = "mlref-base"
_KEY = "mlref.base"
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
    if is_there(client, wanted):
        say(f"base image: {wanted}, which is here")
        return wanted
    made = f"{_REPOSITORY}:{_made_tag()}"
    chosen = wanted != python_tag()
    if not chosen and is_there(client, made):
        say(f"base image: {made}, made from this Python earlier")
        return made
    problem = fetch(wanted) if pull else "it may not be pulled"
    if problem is None:
        say(f"base image: {wanted}, pulled")
        return wanted
    if chosen:
        text = f"there is no image {wanted}: {problem}"
        raise ContainerError(f"{text}; name one that can be had, or none for {python_tag()}")
    say(f"base image: {wanted} cannot be had ({problem}); making {made} from this Python")
    _make(client, made)
    return made


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
        labels = {_KEY: name.rpartition(":")[2]}
        import_tree(client, root, name, environment=_ENVIRONMENT, labels=labels)


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
