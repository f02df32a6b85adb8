"""A learner's folder: made by `mlref init`, brought up to date, and put back to its start.

What the learner has changed is never overwritten. A file counts as unchanged while its bytes are
those that `init` wrote, which the progress remembers as `shipped`; only such a file is replaced
when a newer mlref ships another one.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlref
from mlref import resources
from mlref.errors import FileWriteError, LearnerError
from mlref.runtime import files
from mlref.runtime.clock import Clock
from mlref.study.labs.lab import Lab
from mlref.study.learner.cells import with_start
from mlref.study.learner.shipped import digest, lab_files, shipped_files
from mlref.study.learner.state import Store, find_folder, open_store, stamp

__all__ = ["MadeFolder", "ResetLab", "find_folder", "make_folder", "open_store", "reset"]


@dataclass(frozen=True)
class MadeFolder:
    """What `make_folder` did; the files as paths relative to the folder.

    Attributes:
        folder: the learner's folder.
        written: files that were not there.
        kept: files that differ from what is shipped, and stay as they are.
        updated: files that nobody had changed, replaced by what is shipped now.
        notices: messages for the learner.
    """

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    updated: tuple[str, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResetLab:
    """What `reset` did.

    Attributes:
        files: the files that were put back, relative to the learner's folder.
        backup: the folder that holds what stood in them before; None if nothing was changed.
    """

    files: tuple[str, ...]
    backup: Path | None


def make_folder(
    target: Path, *, clock: Clock | None = None, shipped: Mapping[str, bytes] | None = None
) -> MadeFolder:
    """A learner's folder with the notebooks and exercises in it; an old one is brought up to date.

    Args:
        target: the folder; it and those above it are made where they are absent.
        clock: tells the moments that are written into the progress.
        shipped: relative path -> content of each file; None means what mlref ships.

    Raises:
        LearnerError: the target is a file, a part of mlref itself, or in a learner's folder.
        LearnerStateError: a newer mlref wrote the progress in it.
        FileWriteError: something could not be saved; running it again goes on from there.
        ResourceNotFoundError: mlref's notebooks or labs are not where they belong.
    """
    folder = Path(os.path.abspath(Path(target).expanduser()))  # noqa: PTH100 - keeps links
    _refuse(folder)
    content = shipped_files() if shipped is None else shipped
    _make(folder)
    store = Store(folder, clock=clock)
    done: dict[str, list[str]] = {"written": [], "kept": [], "updated": [], "same": []}
    with store.update() as state:
        for name, new in content.items():
            outcome = _placed(folder / name, new, was=state.shipped.get(name))
            done[outcome].append(name)
            if outcome != "kept":
                state.shipped[name] = digest(new)
    files.write_text(store.private / ".gitignore", "*\n")
    return MadeFolder(
        folder,
        written=tuple(done["written"]),
        kept=tuple(done["kept"]),
        updated=tuple(done["updated"]),
        notices=tuple(store.notices),
    )


def _refuse(folder: Path) -> None:
    """Refuse a place where a learner's files do not belong."""
    if folder.exists() and not folder.is_dir():
        raise LearnerError(f"{folder} is a file; name a folder, or a new name: mlref init DIR")
    real, root = folder.resolve(), resources.checkout()
    own = [Path(mlref.__file__).resolve().parent]
    if root is not None:
        own += [root / "notebooks", root / "labs"]
    if real == root or any(real.is_relative_to(each) for each in own):
        raise LearnerError(
            f"{folder} is part of mlref itself, which an update replaces; name a folder of your "
            f"own, for instance: mlref init ~/mlref-study"
        )
    outer = next((each for each in folder.parents if Store(each).path.exists()), None)
    if outer is not None and not Store(folder).path.exists():
        raise LearnerError(
            f"{folder} lies in your folder {outer}; to bring that one up to date: "
            f"mlref init {shlex.quote(str(outer))}; for another one, name a folder outside it"
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileWriteError(
            error.errno,
            f"this folder cannot be made ({error.strerror}); move what is in its way, or choose a "
            f"place where you may write",
            str(folder),
        ) from error


def _placed(path: Path, new: bytes, *, was: str | None) -> str:
    """Put a file in its place, unless the learner has changed it; what became of it."""
    old = _content(path)
    if old == new:
        return "same"
    if old is None:
        _make(path.parent)
        files.write_bytes(path, new)
        return "written"
    if was is None or digest(old) != was:
        return "kept"
    files.write_bytes(path, new)
    return "updated"


def _content(path: Path) -> bytes | None:
    """The bytes of a file; None if nothing is there, and none if they cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # a folder, or no permission: the learner's, in any case
        return b""


def reset(store: Store, lab: Lab, exercise: str | None = None) -> ResetLab:
    """Put a lab back to its start, or one exercise of it; what was there is kept as a backup.

    The progress stays: what was solved once is not forgotten.

    Args:
        store: the progress of the learner's folder.
        lab: the lab.
        exercise: the exercise to put back, in the notebook and in the Python file; None means
            both files whole.

    Raises:
        LabError: the lab has no such exercise, or a file cannot be read as what it should be.
        LearnerError: the progress cannot be read.
        FileWriteError: something could not be saved; running it again goes on from there.
    """
    starts = lab_files(lab)
    wanted = dict(starts)
    if exercise is not None:
        lab.exercise(exercise)
        for name, start in starts.items():
            old = _content(store.folder / name)
            if old is not None:
                wanted[name] = with_start(
                    Path(name), old=old, start=start, lab=lab, exercise=exercise
                )
    with store.update() as state:
        changed = {
            name: new for name, new in wanted.items() if _content(store.folder / name) != new
        }
        backup = _backed_up(store, list(changed))
        for name, new in changed.items():
            _make((store.folder / name).parent)
            files.write_bytes(store.folder / name, new)
        for name, start in starts.items():
            if wanted[name] == start:
                state.shipped[name] = digest(start)
    return ResetLab(tuple(changed), backup)


def _backed_up(store: Store, names: list[str]) -> Path | None:
    """The folder with copies of those files that are there; None if none is."""
    there = [name for name in names if (store.folder / name).is_file()]
    if not there:
        return None
    backup = stamp(store.private / "backups", "", store.clock)
    for name in there:
        try:
            content = (store.folder / name).read_bytes()
        except OSError as error:
            raise LearnerError(
                f"{store.folder / name} cannot be read ({error.strerror}), so there would be no "
                f"backup of it; nothing was put back. Give yourself the right to read it"
            ) from error
        _make((backup / name).parent)
        files.write_bytes(backup / name, content)
    return backup
