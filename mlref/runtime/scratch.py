"""A temporary folder that is removed at the latest by the next process, also after `kill -9`.

    with Scratch("mlref-models-") as folder:
        (folder / "model").mkdir()

A process that is killed cannot clean up. So each folder holds a file that its process keeps locked
for as long as it lives, and whoever makes a folder of the same kind removes those that nobody
keeps any more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

__all__ = ["Scratch"]

_LOCK = ".lock"


class Scratch:
    """A temporary folder; see above.

    Args:
        prefix: of its name; folders with the same one are of the same kind.

    Attributes:
        path: of the folder.
    """

    def __init__(self, prefix: str) -> None:
        _sweep(Path(tempfile.gettempdir()), prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        making = self.path / f"{_LOCK}.making"
        self._descriptor: int | None = os.open(making, os.O_RDWR | os.O_CREAT, 0o600)
        _locked(self._descriptor)
        making.rename(self.path / _LOCK)  # from now on others may look at it

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the folder."""
        self.close()

    def close(self) -> None:
        """Remove the folder, with all that lies in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _sweep(parent: Path, prefix: str) -> None:
    """Remove the folders of a kind that no process keeps."""
    for lock in parent.glob(f"{prefix}*/{_LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:  # of somebody else, or just removed
            continue
        try:
            if _locked(descriptor):
                shutil.rmtree(lock.parent, ignore_errors=True)
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Whether a lock was got; where there are no locks, nothing is ever swept."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
