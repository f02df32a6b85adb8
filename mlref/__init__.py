"""An executable handbook of machine-learning deployment.

    import mlref

    frame = mlref.flights.load(months=[4])

A part is imported when it is first used, and its libraries when they are first needed.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PARTS = (
    "artifact",
    "containers",
    "errors",
    "evidence",
    "flights",
    "models",
    "plotting",
    "resources",
    "runtime",
    "schema",
    "serialization",
    "serving",
    "study",
    "tables",
    "targets",
)

__all__ = ["__version__", *_PARTS]  # noqa: PLE0604 - each part is a name


def __getattr__(name: str) -> Any:
    """A part of mlref, imported on first use."""
    if name in _PARTS:
        return importlib.import_module(f"mlref.{name}")
    raise AttributeError(f"mlref has no {name!r}; its parts are {', '.join(_PARTS)}")


def __dir__() -> list[str]:
    """The names that there are, for completion."""
    return sorted(__all__)
