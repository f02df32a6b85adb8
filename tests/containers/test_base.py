"""An image to start from, wherever one can be had."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Any

import pytest

from mlref import containers, errors
from mlref.containers import base as bases
from mlref.containers import engine

_NOWHERE = "127.0.0.1:9/mlref/none:1"


@pytest.fixture
def made(docker_client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was said while a base was made anew, under a name of its own; deleted afterwards."""
    monkeypatch.setattr(bases, "_REPOSITORY", "mlref-base-test")
    monkeypatch.setattr(bases, "python_tag", lambda: _NOWHERE)
    said: list[str] = []
    name = containers.base_image(tell=said.append)
    said.append(name)
    yield said
    docker_client.images.remove(name, force=True)


def test_without_a_registry_one_is_made_and_told(made: list[str]) -> None:
    """What is wanted cannot be pulled; the reason and what was made instead are told."""
    told, name = made
    assert f"{_NOWHERE} cannot be had (" in told
    assert told.endswith(f"making {name} from this Python")


def test_what_was_made_is_used_again(made: list[str]) -> None:
    """The second time nothing is made, and that is told."""
    said: list[str] = []
    assert containers.base_image(tell=said.append) == made[-1]
    assert said == [f"base image: {made[-1]}, made from this Python earlier"]


def test_the_python_that_was_made_is_this_python(made: list[str]) -> None:
    """It runs, has certificates of authorities, and imports what needs C libraries."""
    code = (
        "import platform, ssl, sqlite3, ctypes; "
        "context = ssl.create_default_context(); "
        "print(platform.python_version(), context.cert_store_stats()['x509'] > 50)"
    )
    with containers.run(made[-1], ["python3", "-c", code]) as container:
        assert container.wait(20).exit_code == 0
        version, has_certificates = container.log_tail().split()
    assert version == platform.python_version()
    assert has_certificates == "True"


def test_it_is_labelled_as_ours(made: list[str], docker_client: Any) -> None:
    """A base of ours is found by its label."""
    labels = docker_client.images.get(made[-1]).labels
    assert labels[engine.LABEL] == "mlref"
    assert labels["mlref.base"] in made[-1]


def test_an_image_that_is_here_is_used(base: str) -> None:
    """Who names an image that the daemon has gets it; nothing is pulled or made."""
    said: list[str] = []
    assert containers.base_image(base, pull=False, tell=said.append) == base
    assert said == [f"base image: {base}, which is here"]


def test_a_variable_names_the_base(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLREF_BASE_IMAGE decides for every build of this shell."""
    monkeypatch.setenv(bases.BASE_IMAGE, base)
    assert containers.base_image(tell=None) == base


@pytest.mark.parametrize("pull", [True, False])
def test_an_image_that_was_asked_for_is_not_replaced(docker_client: Any, pull: Any) -> None:
    """Another base than the one named would not be what was asked for: it is an error."""
    assert docker_client
    with pytest.raises(errors.ContainerError, match=f"there is no image {_NOWHERE}: "):
        containers.base_image(_NOWHERE, pull=pull, tell=None)


def test_what_is_no_name_is_told(docker_client: Any) -> None:
    """A name that no image can have is quoted."""
    assert docker_client
    with pytest.raises(errors.ContainerError, match="'No Name' is no name of an image"):
        containers.base_image("No Name", tell=None)
