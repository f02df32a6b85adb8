"""Where a server's models come from, and how it reads them again while it serves.

A reload loads and verifies an artefact beside the one that answers, tries it, and then swaps the
reference: requests that have begun end with the old one, and none is lost. What cannot be loaded
changes nothing.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mlref import artifact, errors
from mlref.artifact import Artifact

if TYPE_CHECKING:
    from mlref.serving.engine import Engine

__all__ = ["Sources"]

logger = logging.getLogger(__name__)

_MANIFEST = "manifest.json"


class Sources:
    """The folders that a server reads its models from.

    Args:
        folders: artefacts, each a folder.
        repository: a folder whose subfolders are artefacts; it is looked through at each reload.
            What is not an artefact in it is passed over.
        digest: the digest that the artefact must have, if there is only one folder.

    Raises:
        ValueError: no folder at all, or a digest for several.
    """

    def __init__(
        self,
        folders: Iterable[str | os.PathLike[str]],
        *,
        repository: str | os.PathLike[str] | None = None,
        digest: str | None = None,
    ) -> None:
        self._folders = [Path(folder) for folder in folders]
        self._repository = None if repository is None else Path(repository)
        self._digest = digest
        self._lock = threading.Lock()
        if not self._folders and self._repository is None:
            raise ValueError("name at least one artefact's folder, or a repository of them")
        if digest is not None and (len(self._folders) != 1 or self._repository is not None):
            raise ValueError("a digest names one artefact; give one folder and no repository")

    def load(self) -> list[Artifact]:
        """All artefacts: the folders in their order, then the repository's, the oldest first.

        Raises:
            ArtifactError: one of them is not to be trusted.
            ArtifactMissingFileError: the repository is not there.
        """
        found = [artifact.load(folder, digest=self._digest) for folder in self._folders]
        if self._repository is None:
            return found
        if not self._repository.is_dir():
            text = f"{self._repository} is no folder; a repository is a folder of artefacts"
            raise errors.ArtifactMissingFileError(text, file=_MANIFEST)
        inside = sorted(path.parent for path in self._repository.glob(f"*/{_MANIFEST}"))
        kept = [artifact.load(folder) for folder in inside]
        return [*found, *sorted(kept, key=lambda each: each.manifest.created)]

    def reload(self, engine: Engine, name: str | None = None) -> list[str]:
        """Read the folders again, and serve what has changed; for a thread beside the loop.

        Versions that are gone from the folders are taken out of service.

        Args:
            engine: whose models these are.
            name: only this model; None is all.

        Returns:
            A line for each version that came or went.

        Raises:
            ArtifactError: a folder is not to be trusted; nothing has changed.
            UnknownModelError: no folder holds a model of that name.
        """
        with self._lock:
            found = [each for each in self.load() if name in {None, each.manifest.name}]
            if name is not None and not found:
                raise errors.UnknownModelError(f"no folder of this server holds a model {name!r}")
            served = {(each.name, each.version): each for each in engine.repository.served()}
            changes = []
            for each in found:
                key = (each.manifest.name, each.manifest.version)
                known = served.pop(key, None)
                if known is None or known.artifact.digest != each.digest:
                    engine.repository.add(each)
                    changes.append(f"{key[0]} {key[1]} loaded, sha256 {each.digest[:12]}")
            for key in served:
                if name in {None, key[0]}:
                    engine.repository.remove(*key)
                    changes.append(f"{key[0]} {key[1]} removed")
        for change in changes:
            logger.info("%s", change)
        return changes
