"""Names of images."""

from __future__ import annotations

import pytest

from mlref.containers.kubernetes.references import Reference, image_problem, parse_reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("flights", Reference("flights", None, None)),
        ("h.example:5000/a/flights:1.0.0", Reference("h.example:5000/a/flights", "1.0.0", None)),
        (f"a/b@{DIGEST}", Reference("a/b", None, DIGEST)),
        (f"a/b:1@{DIGEST}", Reference("a/b", "1", DIGEST)),
    ],
)  # fmt: skip
def test_a_name_has_its_parts(image: str, parts: Reference) -> None:
    """A port of the registry is no tag."""
    assert parse_reference(image) == parts


@pytest.mark.parametrize(
    "image", ["", "Flights:1", "a b:1", "a:", "a@sha256:00", "http://a/b:1", ":1"]
)
def test_what_is_no_name_is_a_problem(image: str) -> None:
    """The problem shows what a name looks like."""
    assert "NAME@sha256" in str(image_problem(image))


@pytest.mark.parametrize("image", ["flights", "flights:latest", "host.example:5000/flights"])
def test_a_name_that_moves_is_a_problem(image: str) -> None:
    """No tag means latest."""
    assert "any push changes what runs" in str(image_problem(image))


@pytest.mark.parametrize(
    "image", ["flights:1.0.0", f"flights@{DIGEST}", f"flights:latest@{DIGEST}"]
)
def test_a_version_or_a_digest_is_clear(image: str) -> None:
    """Beside a digest, the tag counts for nothing."""
    assert image_problem(image) is None
