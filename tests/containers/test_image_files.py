"""The files of an image that never runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlref import containers, errors
from mlref.containers.image_files import open_image

_LINKED = {
    "/data/inner/": ("", 0o755, 0),
    "/data/inner/file": ("hello\n", 0o640, 7),
    "/data/relative": ("-> inner/file", 0o777, 0),
    "/data/absolute": ("-> /data/relative", 0o777, 0),
    "/data/folder": ("-> ../data/inner", 0o777, 0),
    "/data/one": ("-> two", 0o777, 0),
    "/data/two": ("-> one", 0o777, 0),
    "/data/dead": ("-> nowhere", 0o777, 0),
}


@pytest.mark.parametrize("path", ["inner/file", "relative", "absolute", "folder/file"])
def test_links_are_followed(planted: Callable[..., str], path: str) -> None:
    """Links to files and to folders, relative and absolute, lead to the same content."""
    with open_image(planted(_LINKED)) as files:
        assert files.read(f"/data/{path}") == b"hello\n"
        assert files.resolve(f"/data/{path}") == "/data/inner/file"


@pytest.mark.parametrize("path", ["one", "dead", "none", "inner"])
def test_what_is_no_file_is_told(planted: Callable[..., str], path: str) -> None:
    """A link to itself, to nothing, no name at all, and a folder have no content."""
    with open_image(planted(_LINKED)) as files, pytest.raises(errors.ContainerError, match=path):
        files.read(f"/data/{path}")


def test_permissions_and_owners_are_those_of_the_image(planted: Callable[..., str]) -> None:
    """Nothing of this machine's user comes in."""
    with open_image(planted(_LINKED)) as files:
        member = files.members["/data/inner/file"]
        assert (member.mode & 0o7777, member.uid, member.gid) == (0o640, 7, 7)


def test_what_a_later_layer_deletes_is_not_seen(built: Callable[[str], str]) -> None:
    """The files are those that a process would see."""
    steps = ["open('/gone', 'w')", "__import__('os').remove('/gone')", "open('/here', 'w')"]
    digest = built("\n".join(f'RUN ["python3", "-c", "{step}"]' for step in steps))
    with open_image(digest) as files:
        assert "/here" in files.members
        assert "/gone" not in files.members


def test_an_image_without_a_shell_is_read(minimal: containers.Image) -> None:
    """Nothing of it is run."""
    with open_image(minimal) as files:
        assert (files.name, files.digest) == (minimal.name, minimal.digest)
        assert files.read("/opt/ml/model/manifest.json").startswith(b"{")
        assert files.resolve("/bin/sh") is None


def test_no_container_is_left(planted: Callable[..., str], docker_client: Any) -> None:
    """The one that the files are copied from is deleted at once."""
    digest = planted(_LINKED)
    with open_image(digest):
        left = docker_client.containers.list(all=True, filters={"ancestor": digest})
    assert left == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mlref-none:1", "there is no image mlref-none:1 here; `docker images` lists"),
        ("Not A Name", "'Not A Name' is no name of an image"),
        ("", "'' is no name of an image"),
    ],
)
def test_an_image_that_is_not_there_is_told(docker_client: Any, name: str, message: str) -> None:
    """The message says what to do."""
    assert docker_client
    with pytest.raises(errors.ContainerError, match=message), open_image(name):
        pass


def test_other_tags_of_the_same_name_are_told(service: containers.Image) -> None:
    """Whoever forgot the tag sees which there are."""
    name = service.name.partition(":")[0]
    with pytest.raises(errors.ContainerError, match=f"there is .*{service.name}"), open_image(name):
        pass
