"""How far a learner is: one versioned file in the learner's folder.

Several programs write it: the kernel of a notebook, `mlref watch`, a drill in another terminal.
Each change is a `with` block, which holds a lock from reading to writing:

    store = Store(folder)
    with store.update() as state:
        state.read["01_deployment_steps"] = now

The file is replaced whole, and only when the block ends without an error. A file that cannot be
understood is set aside under another name, never deleted; one that a newer mlref has written is
left as it is.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlref.errors import FileWriteError, LearnerError, LearnerStateError, NoLearnerFolderError
from mlref.runtime import files
from mlref.runtime.clock import Clock, SystemClock
from mlref.study.learner import _fields
from mlref.study.learner.progress import FORMAT, CardProgress, ExerciseProgress, State

__all__ = [
    "FORMAT",
    "CardProgress",
    "ExerciseProgress",
    "State",
    "Store",
    "find_folder",
    "open_store",
    "stamp",
]

logger = logging.getLogger(__name__)

_FAMILY, _, _VERSION = FORMAT.partition("/")
_PRIVATE = ".mlref"
_LOCK_TRIES = 500
_LOCK_PAUSE_S = 0.02
_lock_pause = threading.Event()  # never set: somebody else's lock sends no event


class Store:
    """The progress in a learner's folder.

    Attributes:
        folder: the learner's folder.
        path: the file.
        clock: tells the moments that are written.
        notices: messages for the learner, for instance where a damaged file went.
    """

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self.folder = Path(folder)
        self.clock: Clock = clock or SystemClock()
        self.notices: list[str] = []

    @property
    def private(self) -> Path:
        """The folder of what is not the learner's to edit."""
        return self.folder / _PRIVATE

    @property
    def path(self) -> Path:
        """The file that holds the progress."""
        return self.private / "progress.json"

    def now(self) -> str:
        """The moment, as it is written into the file."""
        return self.clock.now().isoformat()

    def read(self) -> State:
        """The progress; that of a beginner when there is no file yet.

        A file that cannot be understood is set aside, and `notices` says where it is.

        Raises:
            LearnerStateError: a newer mlref wrote the file; it stays as it is.
            LearnerError: the file cannot be read, or the lock is not to be had.
            FileWriteError: a damaged file could not be set aside.
        """
        try:
            return self._load()
        except ValueError as error:
            if isinstance(error, LearnerStateError):
                raise
        with self._locked():
            return self._load_or_set_aside()

    @contextmanager
    def update(self) -> Iterator[State]:
        """The progress, to be changed in the block; it is saved when the block ends without error.

        Nobody else writes meanwhile, so a block must be short, and not stand inside another one.

        Raises:
            LearnerStateError: a newer mlref wrote the file; it stays as it is.
            LearnerError: the file cannot be read, or another program does not let go of it.
            FileWriteError: it could not be saved; what was there before is untouched.
            ValueError: the block put a value into the state that it cannot hold.
            TypeError: likewise, one that JSON has not.
        """
        with self._locked():
            state = self._load_or_set_aside()
            yield state
            # ASCII, since a terminal may give half a character, which UTF-8 cannot hold.
            content = json.dumps(state.to_dict(), sort_keys=True, indent=2, allow_nan=False)
            State.from_dict(json.loads(content))  # what could not be read again is not written
            files.write_text(self.path, f"{content}\n")

    def _load(self) -> State:
        """The progress; ValueError if the file is damaged."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return State()
        except OSError as error:
            raise LearnerError(
                f"{self.path} cannot be read ({error.strerror}); give yourself the right to "
                f"read it, or move it away to begin anew"
            ) from error
        try:
            values = _fields.record(json.loads(content), "the progress")
            json.dumps(values, allow_nan=False)  # NaN is read, but could never be written again
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        self._refuse_newer(values.get("format"))
        return State.from_dict(values)

    def _refuse_newer(self, written: Any) -> None:
        match = re.fullmatch(rf"{_FAMILY}/([0-9]{{1,9}})", str(written))
        if match and int(match[1]) > int(_VERSION):
            raise LearnerStateError(
                f"{self.path} is of the format {written}, written by a newer mlref; this one knows "
                f"{FORMAT} and leaves it as it is. Update with: pip install --upgrade mlref"
            )

    def _load_or_set_aside(self) -> State:
        try:
            return self._load()
        except ValueError as error:
            if isinstance(error, LearnerStateError):
                raise
            self._set_aside(error)
            return State()

    def _set_aside(self, problem: ValueError) -> None:
        """Give a damaged file another name."""
        aside = stamp(self.private, "progress.json.corrupt-", self.clock)
        try:
            self.path.rename(aside)
        except OSError as error:
            raise FileWriteError(
                error.errno,
                f"it is damaged ({problem}) and cannot be set aside; get permission to write in "
                f"its folder, or move it away",
                str(self.path),
            ) from error
        notice = (
            f"the progress could not be read ({problem}); it is kept as {aside}, and a new one is "
            f"begun. To go on with the old one, repair it and rename it to {self.path.name}"
        )
        logger.info("%s", notice)  # whoever runs a command is told by it, once
        self.notices.append(notice)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """A block in which no other process or thread writes."""
        import fcntl

        lock = self.private / "lock"
        try:
            self.private.mkdir(exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise FileWriteError(
                error.errno,
                f"progress is not saved ({error.strerror}): get permission to write in this "
                f"folder, free space on its disk, or make another folder with `mlref init DIR`",
                str(self.private),
            ) from error
        try:
            for _ in range(_LOCK_TRIES):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    _lock_pause.wait(_LOCK_PAUSE_S)
            else:
                raise LearnerError(
                    f"another program has held {lock} for {_LOCK_TRIES * _LOCK_PAUSE_S:.0f} s; "
                    f"end the mlref that hangs, and do this again"
                )
            yield
        finally:
            os.close(descriptor)  # which gives the lock back


def stamp(folder: Path, prefix: str, clock: Clock) -> Path:
    """A path of which nothing is there yet, named after the moment.

    Args:
        folder: where it is.
        prefix: what the name begins with.
        clock: tells the moment.
    """
    name = f"{prefix}{clock.now():%Y%m%dT%H%M%SZ}"
    path, number = folder / name, 1
    while os.path.lexists(path):
        number += 1
        path = folder / f"{name}-{number}"
    return path


def find_folder(start: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Path:
    """The learner's folder: MLREF_FOLDER if that is set, else the nearest one upward.

    Args:
        start: where the search begins; None means the current folder.
        environ: where MLREF_FOLDER is looked up; None means `os.environ`.

    Raises:
        NoLearnerFolderError: there is none; the message says how to make one.
    """
    named = (os.environ if environ is None else environ).get("MLREF_FOLDER")
    if named:
        folder = Path(named).expanduser().absolute()
        if (folder / _PRIVATE).is_dir():
            return folder
        raise NoLearnerFolderError(
            f"MLREF_FOLDER names {named}, which is no learner's folder; unset it, or make the "
            f"folder with: mlref init {named}"
        )
    try:
        first = Path.cwd() if start is None else Path(start).absolute()
    except FileNotFoundError as error:
        raise NoLearnerFolderError(
            "the folder that you are in was deleted; go to your own with cd, or name it in "
            "MLREF_FOLDER"
        ) from error
    for folder in (first, *first.parents):
        if (folder / _PRIVATE).is_dir():
            return folder
    raise NoLearnerFolderError(
        f"neither {first} nor a folder above it is a learner's folder; make one with "
        f"`mlref init DIR` and work in it, or name yours in MLREF_FOLDER"
    )


def open_store(start: Path | None = None) -> Store:
    """The progress of the folder that `find_folder` finds.

    Raises:
        NoLearnerFolderError: there is none; the message says how to make one.
    """
    return Store(find_folder(start))
