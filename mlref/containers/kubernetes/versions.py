"""Which version of Kubernetes knows which API."""

from __future__ import annotations

import re

from mlref.errors import ManifestError

__all__ = ["CHECKED", "DEFAULT", "OLDEST", "at_least", "require_api"]

OLDEST = "1.20"
"""The oldest version that objects can be rendered for."""

DEFAULT = "1.33"
"""What objects are rendered for unless told otherwise."""

CHECKED = ("1.31", "1.34", "1.37")
"""The versions whose schemas the objects are checked against."""


def at_least(version: str, least: str) -> bool:
    """Whether a version of Kubernetes is that one or a newer one.

    >>> at_least("1.9", "1.20")
    False
    """
    return _numbers(version) >= _numbers(least)


def require_api(version: str) -> str:
    """That version, if objects can be rendered for it.

    Raises:
        ManifestError: it is no version, or too old.
    """
    if re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,3}", version) and at_least(version, OLDEST):
        return version
    allowed = f'a version of Kubernetes like "{DEFAULT}", "{OLDEST}" or newer'
    raise ManifestError(f"api must be {allowed}, got {version!r}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
