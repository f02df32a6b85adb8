"""The root of the tree."""

from __future__ import annotations

__all__ = [
    "MlrefError",
]


class MlrefError(Exception):
    """The root of the tree: every error that mlref raises on purpose."""
