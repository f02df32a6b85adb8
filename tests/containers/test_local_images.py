"""Images of the local daemon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlref import errors
from mlref.containers import engine, local_images

_NAME = "mlref-test-local-images"
_NOWHERE = "127.0.0.1:9/mlref/none:1"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a file."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/file").write_text("content")
    return tmp_path


@pytest.fixture
def imported(docker_client: Any, tree: Path) -> Iterator[Any]:
    """The image of the folder, deleted after the test."""
    local_images.import_tree(
        docker_client, tree, f"{_NAME}:1", environment=["COLOUR=red"], labels={"more": "yes"}
    )
    yield docker_client.images.get(f"{_NAME}:1")
    docker_client.images.remove(f"{_NAME}:1", force=True)


def test_an_image_is_there_or_not(docker_client: Any, imported: Any) -> None:
    """By its name, and by its digest."""
    assert local_images.is_there(docker_client, f"{_NAME}:1")
    assert local_images.is_there(docker_client, imported.id)
    assert not local_images.is_there(docker_client, f"{_NAME}:none")


def test_a_name_that_no_image_can_have_is_told(docker_client: Any) -> None:
    """It is not merely absent."""
    with pytest.raises(errors.ContainerError, match="'An Image' is no name of an image"):
        local_images.is_there(docker_client, "An Image")


def test_what_cannot_be_pulled_says_why(docker_client: Any) -> None:
    """In a few words, without the name of the program that said it."""
    assert docker_client
    reason = local_images.pull(_NOWHERE)
    assert reason is not None
    assert "connection refused" in reason


def test_an_image_carries_our_label_and_its_variables(imported: Any) -> None:
    """So it is found by its label."""
    assert imported.labels == {**engine.labels(), "more": "yes"}
    assert imported.attrs["Config"]["Env"] == ["COLOUR=red"]


def test_an_image_that_the_daemon_does_not_take_is_told(docker_client: Any, tree: Path) -> None:
    """An error of ours, with the daemon's reason."""
    with pytest.raises(errors.ContainerError, match="does not take the image Wrong:1: invalid"):
        local_images.import_tree(docker_client, tree, "Wrong:1")


def test_the_same_files_are_the_same_layer(docker_client: Any, imported: Any, tree: Path) -> None:
    """Whenever they were written, and whoever owns them."""
    (tree / "etc/file").write_text("content")
    local_images.import_tree(docker_client, tree, f"{_NAME}:2")
    try:
        again = docker_client.images.get(f"{_NAME}:2")
        assert again.attrs["RootFS"] == imported.attrs["RootFS"]
    finally:
        docker_client.images.remove(f"{_NAME}:2", force=True)
