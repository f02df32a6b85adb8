"""A file made to attack, and what happened when it was loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["MARKER", "Attempt", "HostileFile"]

MARKER = "ran"
"""The name of the empty file that the code creates, in the folder of the hostile file."""


@dataclass(frozen=True)
class HostileFile:
    """A file made to attack, not tried yet.

    Attributes:
        what: what was done to it.
        folder: where it lies.
        loader: name of the function in `loaders.py` that shall load it.
        careless: whether that loader leaves out a precaution on purpose.
        called: whether the model is called after it has been loaded.
    """

    what: str
    folder: Path
    loader: str
    careless: bool = False
    called: bool = False

    @property
    def ran(self) -> bool:
        """Whether its code has run by now."""
        return (self.folder / MARKER).exists()

    def to_job(self) -> dict[str, Any]:
        """The file as the child process takes it."""
        return {"loader": self.loader, "folder": str(self.folder), "call": self.called}


@dataclass(frozen=True)
class Attempt:
    """A hostile file that was loaded.

    Attributes:
        label: name and model of the format.
        what: what was done to the file.
        careless: whether the loader left out a precaution on purpose.
        ran: whether the file's code ran.
        outcome: what the loader said, in one line.
    """

    label: str
    what: str
    careless: bool
    ran: bool
    outcome: str
