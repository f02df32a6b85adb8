"""Artefacts, evidence, files, and what is not installed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mlref.errors._root import MlrefError

__all__ = [
    "ArtifactError",
    "ArtifactExistsError",
    "ArtifactMissingFileError",
    "ArtifactParityError",
    "ArtifactSchemaError",
    "ArtifactStrayFileError",
    "ArtifactTamperedError",
    "EvidenceError",
    "FileWriteError",
    "MissingExtraError",
    "ResourceNotFoundError",
]


class ArtifactError(MlrefError, ValueError):
    """An artefact folder that cannot be used or made. `file` names what is at fault in it."""

    def __init__(self, message: str, *, file: str) -> None:
        super().__init__(message)
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., ArtifactError], tuple[Any, ...]]:
        """Survive the way from one process to another."""
        return functools.partial(type(self), file=self.file), self.args


class ArtifactMissingFileError(ArtifactError):
    """A file that the manifest names is absent."""


class ArtifactTamperedError(ArtifactError):
    """A file's bytes are not those that were packed."""


class ArtifactStrayFileError(ArtifactError):
    """A file lies in the folder that the manifest does not name."""


class ArtifactSchemaError(ArtifactError):
    """The manifest has another format, or describes other inputs than the model has."""


class ArtifactParityError(ArtifactError):
    """The model does not give the golden predictions."""


class ArtifactExistsError(ArtifactError, FileExistsError):
    """A folder is there already, and may not be replaced. `file` is its name."""


class EvidenceError(MlrefError, ValueError):
    """A figure is missing, of no known kind, or out of its bound."""


class FileWriteError(MlrefError, OSError):
    """A file could not be saved. What was there before is untouched."""


class MissingExtraError(MlrefError, ImportError):
    """An optional dependency is not installed; the message names the pip command."""


class ResourceNotFoundError(MlrefError, LookupError):
    """A notebook, lab, card or deploy file that is not there."""
