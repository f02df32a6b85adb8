"""The folder that an image is built from: libraries, model, code, and nothing that lies about.

    context/
    ├── wheels/            the libraries, one file each
    ├── requirements.txt   their versions and SHA-256
    ├── model.tar          the artefact, at the path that it gets in the image
    ├── code.tar           the code that a server runs, and its byte code: no notebooks, no training
    └── rootfs.py          what the Dockerfile's steps do with files

A context that is made from the same things is the same, so a builder that has seen it before builds
nothing. Archives keep the times of folders, too; a builder gives folders that it copies its own.
And the context is always at one place: a builder asks only for the files that are new to it, and
tells contexts apart by their path.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import py_compile
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlref.artifact import Artifact
from mlref.containers import rootfs
from mlref.containers.local_images import archive
from mlref.containers.wheels import fetch_wheels, pinned, runtime_versions
from mlref.errors import ContainerError
from mlref.runtime.files import cache_folder

__all__ = ["context_folder", "inputs_digest", "make_context"]

_CODE = ("__init__.py", "artifact", "errors", "py.typed", "runtime", "schema", "serving")
_HOME, _BYTECODE = Path("/opt/mlref"), Path("/opt/bytecode")  # as in deploy/Dockerfile
_CACHED_SUFFIX = f".{sys.implementation.cache_tag}.pyc"
_SPAN_NS = 10**17  # three years
_PACKAGE = Path(__file__).resolve().parents[1]


def make_context(
    artifact: Artifact,
    folder: Path,
    *,
    versions: Mapping[str, str] | None = None,
    package: str | os.PathLike[str] | None = None,
) -> None:
    """Fill a folder with what the image of an artefact is built from.

    Args:
        artifact: what to serve.
        folder: an empty folder, or one that is not there.
        versions: name -> version of each library; None means those that are installed here.
        package: the folder `mlref` with the server's code; None means the one that runs.

    Raises:
        ContainerError: a wheel cannot be had, the folder cannot be made or is not empty, or the
            package is none of mlref.
        MissingExtraError: a library is not installed here.
    """
    wheels = fetch_wheels(runtime_versions() if versions is None else versions)
    try:
        (folder / "wheels").mkdir(parents=True)
    except OSError as error:
        text = f"{folder} cannot be filled ({error.strerror})"
        raise ContainerError(f"{text}; name an empty folder, or one that can be made") from error
    for wheel in sorted(wheels.glob("*.whl")):
        _link(wheel, folder / "wheels" / wheel.name)
    (folder / "requirements.txt").write_text(pinned(wheels))
    with tempfile.TemporaryDirectory(prefix="mlref-context-") as place:
        model, code = Path(place, "model"), Path(place, "code")
        shutil.copytree(artifact.folder, model / "opt/ml/model")
        _add_code(code, Path(package or _PACKAGE))
        for tree in (model, code):
            _normalize(tree)
            (folder / f"{tree.name}.tar").write_bytes(archive(tree))
    shutil.copyfile(rootfs.__file__, folder / "rootfs.py")
    _normalize(folder)


@contextmanager
def context_folder() -> Iterator[Path]:
    """The place of contexts, empty and for nobody else until the end of the block.

    Raises:
        ContainerError: the cache folder cannot be written.
    """
    folder = cache_folder() / "context"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_suffix(".lock").open("w")
    except OSError as error:
        text = f"{folder.parent} cannot be written ({error.strerror})"
        raise ContainerError(f"{text}: set MLREF_CACHE to a folder that can") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)
        yield folder


def inputs_digest(context: Path, dockerfile: Path, arguments: Mapping[str, str]) -> str:
    """SHA-256 of all that an image depends on: every file of its context, the recipe, arguments.

    Args:
        context: as `make_context` fills it.
        dockerfile: the recipe.
        arguments: what else decides: build arguments, the target.
    """
    digest = hashlib.sha256()
    for name, value in sorted(arguments.items()):
        digest.update(f"{name}={value}\0".encode())
    digest.update(dockerfile.read_bytes())
    for path in sorted(context.rglob("*")):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(context).as_posix()}\0{content}\0".encode())
    return digest.hexdigest()


def _add_code(root: Path, package: Path) -> None:
    """The server's code at the path that it has in the image, with its byte code.

    Compiled here, because a step of the builder's takes longer than the compiler.
    """
    absent = [name for name in _CODE if not (package / name).exists()]
    if absent:
        text = f"{package} has no {', '.join(absent)}, which the server needs"
        raise ContainerError(f"{text}; name a folder `mlref` with its code")
    home, compiled = root / _HOME.relative_to("/"), root / _BYTECODE.relative_to("/")
    for name in _CODE:
        source = package / name
        files = source.rglob("*") if source.is_dir() else [source]
        for file in sorted(file for file in files if file.suffix in {".py", ".typed"}):
            part = Path("mlref") / file.relative_to(package)
            (home / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, home / part)
            if file.suffix == ".py":
                target = compiled / _HOME.relative_to("/") / part.with_suffix(_CACHED_SUFFIX)
                py_compile.compile(
                    str(file),
                    cfile=str(target),
                    dfile=str(_HOME / part),
                    doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )


def _link(source: Path, target: Path) -> None:
    """The same bytes under another name, copied only if the two lie on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _normalize(folder: Path) -> None:
    """Permissions that do not depend on this user, and times that only the content decides.

    A builder fetches no file again whose path, size and time it knows. So another content has to
    have another time, and the same content the same.
    """
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        content = b"" if path.is_dir() else hashlib.sha256(path.read_bytes()).digest()
        time_ns = rootfs.EPOCH * 10**9 + int.from_bytes(content[:7]) % _SPAN_NS
        os.utime(path, ns=(time_ns, time_ns))
