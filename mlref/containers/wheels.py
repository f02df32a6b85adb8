"""What goes into an image: the libraries that a server needs, in the versions that answer here.

    versions = runtime_versions()                    # {"numpy": "2.4.6", "uvicorn": "0.54.0", ...}
    folder = fetch_wheels(versions)                  # a folder of wheels, kept for the next build
    pinned(folder)                                   # lines for pip, each with its SHA-256

Nothing is resolved anew: the versions are those of this environment, so what was tested in a
process is what runs in the image.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from mlref.errors import ContainerError, MissingExtraError
from mlref.runtime.files import cache_folder

__all__ = ["EXTRAS", "fetch_wheels", "pinned", "runtime_versions"]

EXTRAS = ("serve", "simd", "redis", "lambda")
"""The extras of mlref whose libraries an image brings."""

_NOT_IN_A_SERVER = ("httpx", "rich", "typer")  # of the client and of the command line
_GLIBC = ("2_28", "2_27", "2_26", "2_24", "2_17")  # of manylinux wheels that a base can load
_DOWNLOAD_TIMEOUT_S = 900.0


def runtime_versions(extras: Iterable[str] = EXTRAS) -> dict[str, str]:
    """Name -> version of every library that a server needs, and of all that those need.

    Args:
        extras: extras of mlref.

    Raises:
        MissingExtraError: one of the libraries is not installed here.
    """
    found: dict[str, str] = {}
    waiting = [need for need in _needs("mlref", extras) if need.name not in _NOT_IN_A_SERVER]
    while waiting:
        need = waiting.pop()
        name = canonicalize_name(need.name)
        if name in found and not need.extras:
            continue
        found[name] = _version(need.name)
        waiting += _needs(need.name, need.extras)
    return dict(sorted(found.items()))


def fetch_wheels(versions: Mapping[str, str], folder: Path | None = None) -> Path:
    """A folder with the wheel of each library for Linux and this Python, and with pip's own.

    Args:
        versions: name -> version.
        folder: where to keep them; None means a folder of `cache_folder`, one for each set.

    Raises:
        ContainerError: a wheel is neither there nor to be had, or the folder cannot be written.
    """
    wanted = {**versions, "pip": _version("pip")}
    target = folder or cache_folder() / "wheels" / _set_name(wanted)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        text = f"{target} cannot be written ({error.strerror})"
        raise ContainerError(f"{text}: set MLREF_CACHE to a folder that can") from error
    there = {
        (name, str(version)) for name, version, *_ in map(parse_wheel_filename, _names(target))
    }
    missing = [f"{name}=={wanted[name]}" for name in wanted if (name, wanted[name]) not in there]
    if missing:
        _download(missing, target)
    return target


def pinned(folder: Path) -> str:
    """A requirements file that takes exactly the wheels of a folder: `name==version --hash=...`.

    pip's own wheel is left out: it installs the others, and is not installed.

    Args:
        folder: as `fetch_wheels` returns it.
    """
    lines = []
    for file in sorted(_names(folder)):
        name, version, *_ = parse_wheel_filename(file)
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        if name != "pip":
            lines.append(f"{name}=={version} --hash=sha256:{digest}")
    return "\n".join(lines) + "\n"


def _needs(distribution: str, extras: Iterable[str]) -> list[Requirement]:
    """What an installed library requires on Linux."""
    try:
        lines = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return []
    linux = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    environments = [{**linux, "extra": extra} for extra in ("", *extras)]
    needs = map(Requirement, lines)
    return [
        need
        for need in needs
        if need.marker is None or any(need.marker.evaluate(each) for each in environments)
    ]


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        advice = (
            "python -m ensurepip"
            if distribution == "pip"
            else 'pip install "mlref[serve,simd,redis,lambda]"'
        )
        text = f"{distribution} is not installed, and an image gets what is installed: {advice}"
        raise MissingExtraError(text, name=distribution) from None


def _set_name(versions: Mapping[str, str]) -> str:
    text = "\n".join(
        [platform.machine(), _tag(), *(f"{n}=={v}" for n, v in sorted(versions.items()))]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*.whl")]


def _download(requirements: list[str], folder: Path) -> None:
    """Fetch wheels into a folder, where each appears when it is whole, and not before."""
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as place:
        _ask_pip(requirements, Path(place))
        for file in _names(Path(place)):
            Path(place, file).replace(folder / file)


def _ask_pip(requirements: list[str], folder: Path) -> None:
    machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    platforms = [f"--platform=manylinux_{glibc}_{machine}" for glibc in _GLIBC]
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary=:all:", "--implementation=cp", f"--python-version={_tag()}",
        *platforms, f"--platform=manylinux2014_{machine}", f"--dest={folder}", *requirements,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        text = f"pip had not fetched the wheels after {_DOWNLOAD_TIMEOUT_S:.0f} s"
        raise ContainerError(f"{text}; look at the network, and build again") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = lines[-1] if lines else done.stderr.strip()[-500:]
        text = f"pip could not fetch the wheels for the image: {reason}"
        raise ContainerError(f"{text}; look at the network and at PIP_INDEX_URL, and build again")


def _tag() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
