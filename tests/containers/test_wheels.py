"""The libraries of an image are those that are installed here."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from mlref import errors
from mlref.containers import wheels


def test_the_versions_are_those_that_are_installed() -> None:
    """Every library has exactly the version that answers in this process."""
    versions = wheels.runtime_versions()
    assert {"numpy", "onnxruntime", "fastapi", "uvicorn", "starlette"} <= set(versions)
    assert versions == {name: metadata.version(name) for name in versions}


def test_nothing_is_brought_that_a_server_does_not_need() -> None:
    """No training library, no command line, no client, no builder."""
    unwanted = {"pandas", "scikit-learn", "torch", "rich", "typer", "httpx", "pip", "docker"}
    assert not unwanted & set(wheels.runtime_versions())


def test_a_library_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be put into an image is named with the command that brings it."""

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(errors.MissingExtraError, match=r"is not installed.*mlref\[serve") as raised:
        wheels.runtime_versions()
    assert raised.value.name in str(raised.value)


def test_a_requirements_file_names_the_bytes_of_each_wheel(tmp_path: Path) -> None:
    """Each line holds a SHA-256, so pip installs these files or nothing; pip has no line."""
    (tmp_path / "demo_lib-1.0-py3-none-any.whl").write_bytes(b"demo")
    (tmp_path / "pip-23.0-py3-none-any.whl").write_bytes(b"pip")
    digest = hashlib.sha256(b"demo").hexdigest()
    assert wheels.pinned(tmp_path) == f"demo-lib==1.0 --hash=sha256:{digest}\n"


def test_wheels_that_are_there_are_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the files at hand, no index is asked: none could be reached."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("demo-1.0", f"pip-{metadata.version('pip')}"):
        (tmp_path / f"{name}-py3-none-any.whl").write_bytes(b"wheel")
    assert wheels.fetch_wheels({"demo": "1.0"}, tmp_path) == tmp_path


def test_wheels_that_cannot_be_had_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what pip says."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(errors.ContainerError, match=r"could not fetch the wheels.*demo"):
        wheels.fetch_wheels({"demo": "1.0"}, tmp_path)


def test_a_wheel_of_which_half_came_is_never_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pip writes in place, what is broken off leaves nothing that a later build would use."""

    def broken_off(command: list[str], **_: Any) -> None:
        (place,) = (word.partition("=")[2] for word in command if word.startswith("--dest="))
        Path(place, "demo-1.0-py3-none-any.whl").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", broken_off)
    with pytest.raises(KeyboardInterrupt):
        wheels.fetch_wheels({"demo": "1.0"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_that_came_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index in a folder is asked once."""
    index, cache = tmp_path / "index", tmp_path / "cache"
    index.mkdir()
    for name, version in (("demo", "1.0"), ("pip", metadata.version("pip"))):
        with zipfile.ZipFile(index / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            wheel.writestr(f"{name}-{version}.dist-info/METADATA", about)
            wheel.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    for _ in range(2):
        wheels.fetch_wheels({"demo": "1.0"}, cache)
        assert sorted(path.name for path in cache.iterdir()) == sorted(
            f"{name}-py3-none-any.whl" for name in ("demo-1.0", f"pip-{metadata.version('pip')}")
        )
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The message names the variable that chooses another."""
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.ContainerError, match=r"cannot be written .*set MLREF_CACHE"):
        wheels.fetch_wheels({"demo": "1.0"}, tmp_path / "file/cache")
