"""Images that the tests of this folder share."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlref import artifact, containers
from mlref.containers import engine


@pytest.fixture(scope="session")
def docker_client() -> Any:
    """A client of the daemon; without one the test is skipped, or fails where CI requires it."""
    reason = containers.available()
    if reason is not None:
        required = "docker" in os.environ.get("MLREF_REQUIRE", "").split(",")
        (pytest.fail if required else pytest.skip)(f"docker: {reason}")
    return engine.connect()


@pytest.fixture(scope="session")
def base(docker_client: Any) -> str:
    """An image with Python and a shell."""
    assert docker_client
    return containers.base_image(tell=None)


@pytest.fixture(scope="session")
def service(base: str, colours: artifact.Artifact) -> containers.Image:
    """The image that serves the price of colours."""
    return containers.build(colours, base=base)


@pytest.fixture(scope="session")
def minimal(base: str, colours: artifact.Artifact) -> containers.Image:
    """The same from scratch."""
    return containers.build(colours, base=base, flavour="minimal")


@pytest.fixture
def built(base: str, docker_client: Any, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A function that builds an image from lines that follow FROM base, deleted after the test."""
    digests: list[str] = []

    def build(lines: str) -> str:
        (tmp_path / "Dockerfile").write_text(f"FROM {base}\nLABEL {engine.LABEL}=mlref\n{lines}\n")
        command = [*engine.build_command(), "--quiet", str(tmp_path)]
        environment = engine.build_environment()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        digests.append(done.stdout.strip())
        return digests[-1]

    yield build
    for digest in digests:
        docker_client.images.remove(digest, force=True)


@pytest.fixture
def planted(docker_client: Any) -> Iterator[Callable[..., str]]:
    """A function that makes an image of a few files, without a base; deleted after the test.

    It takes path -> content, mode and owner. A path that ends with "/" is a folder, and content
    "-> x" a link to x. More arguments are instructions, for instance "USER 0".
    """
    digests: list[str] = []

    def plant(files: Mapping[str, tuple[str, int, int]], *instructions: str) -> str:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path, (content, mode, owner) in files.items():
                entry = tarfile.TarInfo(path.strip("/"))
                entry.mode, entry.uid, entry.gid = mode, owner, owner
                data = content.encode()
                if path.endswith("/"):
                    entry.type = tarfile.DIRTYPE
                elif content.startswith("-> "):
                    entry.type, entry.linkname = tarfile.SYMTYPE, content.removeprefix("-> ")
                else:
                    entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        changes = [f"LABEL {engine.LABEL}=mlref", *instructions]
        repository = f"mlref-test-planted-{os.getpid()}"
        docker_client.api.import_image_from_data(
            buffer.getvalue(), repository=repository, tag=str(len(digests)), changes=changes
        )
        digests.append(docker_client.images.get(f"{repository}:{len(digests)}").id)
        return digests[-1]

    yield plant
    for digest in digests:
        docker_client.images.remove(digest, force=True)
