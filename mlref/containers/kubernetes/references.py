"""Names of images, and whether such a name says which image it is.

A digest names exactly these bytes, whoever pushes what. A tag is a label that may be moved; it is
accepted where it is explicit, because the manifests of a first look have no registry's digest yet.
"latest", or no tag, which means the same, tells nobody what runs.

Source: the grammar of references in github.com/distribution/reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Reference", "image_problem", "parse_reference"]

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?"
_FORM = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class Reference:
    """The name of an image in its parts; tag and digest are None where it has none."""

    name: str
    tag: str | None
    digest: str | None


def parse_reference(image: str) -> Reference:
    """The parts of an image's name.

    Raises:
        ValueError: it is not the name of an image.

    >>> parse_reference("registry.example:5000/flights:1.0.0").tag
    '1.0.0'
    """
    found = _FORM.fullmatch(image)
    if found is None:
        raise ValueError(
            f"an image is named NAME:TAG or NAME@sha256:<64 hex digits>, got {image!r}"
        )
    return Reference(found["name"], found["tag"], found["digest"])


def image_problem(image: str) -> str | None:
    """Why nobody can tell which image this name means; None if it is clear.

    >>> image_problem("flights:latest") is None
    False
    """
    try:
        reference = parse_reference(image)
    except ValueError as error:
        return str(error)
    if reference.digest is not None:
        return None
    if reference.tag is None or reference.tag == "latest":
        what = "no tag, which means latest" if reference.tag is None else "the tag latest"
        return f"{image!r} has {what}: any push changes what runs; name a digest or a version"
    return None
