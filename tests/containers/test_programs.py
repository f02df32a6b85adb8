"""Images of server programs, with and without a registry."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlref import containers, errors
from mlref.containers import programs
from mlref.containers.programs import PROGRAMS, Program, program_image

_NOWHERE = "127.0.0.1:9/mlref/none:1"


@pytest.fixture
def speaker(
    docker_client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[list[str]]:
    """What was said while an image of a program of this host was made; its name comes last.

    The program is `echo` under another name, in a folder that no system has.
    """
    shutil.copy(shutil.which("echo") or "", tmp_path / "mlref-speak")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program = Program(official=_NOWHERE, commands=("mlref-speak",), package="none")
    monkeypatch.setattr(programs, "PROGRAMS", {"speaker": program})
    said: list[str] = []
    name = program_image("speaker", tell=said.append)
    said.append(name)
    yield said
    docker_client.images.remove(name, force=True)


def test_without_a_registry_one_is_made_and_told(speaker: list[str]) -> None:
    """What is wanted cannot be pulled; the reason and what was made instead are told."""
    told, name = speaker
    assert f"speaker: {_NOWHERE} cannot be had (" in told
    assert f"; making {name} from /" in told


def test_what_was_made_is_used_again(speaker: list[str]) -> None:
    """The second time nothing is made, and no registry is asked."""
    said: list[str] = []
    assert program_image("speaker", tell=said.append) == speaker[-1]
    assert said == [f"speaker: {speaker[-1]}, made from this host's program earlier"]


def test_a_program_is_found_by_its_name(speaker: list[str]) -> None:
    """Also where it comes from a folder that is on no path of a container."""
    with containers.run(speaker[-1], ["mlref-speak", "hello"]) as container:
        assert container.wait(20).exit_code == 0
        assert container.log_tail() == "hello"


def test_another_program_makes_another_image(speaker: list[str], docker_client: Any) -> None:
    """A new version on this host is not hidden by the image of the old one."""
    with Path(str(shutil.which("mlref-speak"))).open("ab") as file:
        file.write(b"\0")
    name = program_image("speaker", tell=None)
    try:
        assert name != speaker[-1]
    finally:
        docker_client.images.remove(name, force=True)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("nginx", ["nginx", "-v"]),
        ("prometheus", ["prometheus", "--version"]),
        ("redis", ["redis-server", "--version"]),
    ],
)
def test_each_server_runs(docker_client: Any, require: Any, name: str, command: list[str]) -> None:
    """Without any right: the image has all that the program loads."""
    assert docker_client
    try:
        image = program_image(name, tell=None)
    except errors.ContainerError as error:
        require("compose", False, str(error))  # noqa: FBT003 - reads well
    with containers.run(image, entrypoint=command) as container:
        assert container.wait(20).exit_code == 0
        assert "version" in container.log_tail().lower() or "v=" in container.log_tail()


def test_an_image_that_is_chosen_and_there_is_used(base: str) -> None:
    """Whatever it is: people may have their own."""
    said: list[str] = []
    assert program_image("redis", image=base, tell=said.append) == base
    assert said == [f"redis: {base}, which is here"]


def test_an_image_that_is_chosen_and_not_there_is_told(docker_client: Any) -> None:
    """Nothing else is taken in its place."""
    assert docker_client
    match = f"no image {_NOWHERE} for redis: .*; name one that can be had"
    with pytest.raises(errors.ContainerError, match=match):
        program_image("redis", image=_NOWHERE, tell=None)


def test_a_program_that_is_not_installed_is_told(
    docker_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the package that brings it."""
    assert docker_client
    absent = dataclasses.replace(PROGRAMS["redis"], official=_NOWHERE, commands=("no-such-server",))
    monkeypatch.setattr(programs, "PROGRAMS", {"redis": absent})
    match = "it may not be pulled; .*apt install --no-install-recommends redis-server"
    with pytest.raises(errors.ContainerError, match=match):
        program_image("redis", pull=False, tell=None)


def test_a_program_that_is_none_is_refused() -> None:
    """The error names those that are known."""
    with pytest.raises(ValueError, match="one of nginx, prometheus, redis, got 'mysql'"):
        program_image("mysql")
