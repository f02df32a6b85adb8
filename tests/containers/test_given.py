"""Arguments of another type are refused in our words, before Docker is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlref import artifact, containers
from mlref.containers import compose


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 70000}, "port must be a whole number from 1 to 65535, got 70000"),
        ({"port": 70000, "published": False}, "port must be .*, got 70000"),
        ({"port": "8080"}, "port must be a whole number from 1 to 65535, got '8080'"),
        ({"command": "serve --x"}, r"command must be a list of words, .*\['serve', '--x'\]"),
        ({"entrypoint": "python3 -V"}, "entrypoint must be a list of words, got the text"),
        ({"isolation": {"cpus": 1}}, r"isolation must be like Isolation\(.*, got dict"),
        ({"environment": ["A=1"]}, r"environment must be a dictionary like .*, got \['A=1'\]"),
        ({"drain_timeout_s": -1}, "drain_timeout_s must be 0 or more seconds, got -1"),
    ],
)
def test_what_no_container_can_be_told_is_refused(options: dict[str, Any], message: str) -> None:
    """The message says what was got and what is allowed."""
    with pytest.raises((TypeError, ValueError), match=message):
        containers.run("mlref-none:1", **options)


@pytest.mark.parametrize(
    "ask",
    [
        containers.run,
        containers.scan,
        lambda model: containers.compare([model], model),
        lambda model: containers.compare({"one": model}, model),
    ],
)
def test_an_artefact_is_no_image(ask: Callable[[Any], Any], colours: artifact.Artifact) -> None:
    """Its digest would be taken for an image's."""
    with pytest.raises(TypeError, match=r"got the artefact .*; build it first: containers.build"):
        ask(colours)


@pytest.mark.parametrize("ask", [containers.run, containers.scan, compose.up])
def test_nothing_is_no_image(ask: Callable[[Any], Any]) -> None:
    """None is what a forgotten `return` gives."""
    with pytest.raises(TypeError, match="an image is needed, got NoneType"):
        ask(None)


@pytest.mark.parametrize("folder", ["folder", Path("folder")])
def test_a_folder_is_no_artefact_yet(folder: Any) -> None:
    """The message has the call that loads it."""
    with pytest.raises(TypeError, match=r"got a path; load it: artifact\.load\('folder'\)"):
        containers.build(folder)
    with pytest.raises(TypeError, match="load it: "):
        containers.compare(["image"], folder)


def test_no_artefact_and_no_name_are_refused(colours: artifact.Artifact) -> None:
    """An empty name would be taken for none."""
    with pytest.raises(TypeError, match="an artefact is needed, got NoneType"):
        containers.build(None)  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"name must be like mlref-flights:1\.0\.0, or None, got ''"
    ):
        containers.build(colours, name="")


def test_a_single_image_is_no_comparison(colours: artifact.Artifact) -> None:
    """A text would be taken for a list of letters."""
    with pytest.raises(TypeError, match=r"got one image; write \[image\]"):
        containers.compare("name", colours)
