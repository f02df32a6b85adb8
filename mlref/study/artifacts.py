"""Artefact folders on the disk: which there are, and why a path is none.

Nothing is loaded or verified here; that is what `mlref.artifact.load` does.
"""

from __future__ import annotations

from pathlib import Path

from mlref.errors import ArtifactMissingFileError, ResourceNotFoundError

__all__ = ["below", "refuse_others", "to_serve"]

_MANIFEST = "manifest.json"
_FAVOURITE = "champion"  # some others are there to show what is refused


def below(folder: Path) -> list[Path]:
    """The artefacts one or two levels below a folder, in order; hidden ones do not count."""
    found = {path.parent for depth in ("*", "*/*") for path in folder.glob(f"{depth}/{_MANIFEST}")}
    return sorted(
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def to_serve(folder: Path) -> Path | None:
    """One artefact below a folder, to try out: a champion where there is one; None if none is."""
    return min(below(folder), key=lambda path: (path.name != _FAVOURITE, path), default=None)


def refuse_others(path: Path) -> None:
    """Return if a path may be an artefact; the message for any other says what it is instead.

    Raises:
        ResourceNotFoundError: there is nothing.
        ArtifactMissingFileError: it is a file, or a folder with artefacts in it.
    """
    if not path.exists():
        raise ResourceNotFoundError(
            f"{path}: no such folder; mlref run 01 packs models, its last line names one"
        )
    if not path.is_dir():
        raise ArtifactMissingFileError(
            f"{path}: that is a file, an artefact is a folder", file=_MANIFEST
        )
    if not (path / _MANIFEST).is_file() and (inside := below(path)):
        names = ", ".join(str(each.relative_to(path)) for each in inside)
        raise ArtifactMissingFileError(
            f"{path}: no artefact itself; the artefacts below it are {names}", file=_MANIFEST
        )
