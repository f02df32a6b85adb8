"""The folder of a job: what its container would have at /opt/ml."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlref.aws.local.jobs._namespace import OPT_ML
from mlref.runtime.scratch import Scratch

__all__ = ["OPT_ML", "first_text", "job_folder", "real", "save_json"]


@contextmanager
def job_folder() -> Iterator[Path]:
    """A folder to hold what /opt/ml holds; it is gone afterwards, with all that lies in it."""
    scratch = Scratch("mlref-job-")
    root = scratch.path
    try:
        (root / "tmp").mkdir()
        folder = root / "ml"
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(root, onerror=_again)
        scratch.close()


def real(folder: Path, path: str) -> Path:
    """Where a path of the container lies on this machine.

    Args:
        folder: what /opt/ml holds.
        path: under /opt/ml.

    Raises:
        ValueError: it is not.

    >>> real(Path("/tmp/job/ml"), "/opt/ml/model/code").as_posix()
    '/tmp/job/ml/model/code'
    """
    inside = os.path.normpath(path)
    if inside != OPT_ML and not inside.startswith(f"{OPT_ML}/"):
        raise ValueError(f"must be a path under {OPT_ML}, got {path!r}")
    return folder / inside[len(OPT_ML) :].lstrip("/")


def save_json(path: Path, value: Any) -> None:
    """Write JSON, and make the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def first_text(path: Path, limit: int) -> str | None:
    """The first characters of a file that a script has left, or None if there is none.

    Args:
        path: of the file.
        limit: how many characters.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    if not path.is_file():
        return None
    return path.read_bytes().decode("utf-8")[:limit]


def _again(remove: Callable[[str], object], path: str, _error: object) -> None:
    """Remove what a script has protected from that."""
    if os.path.lexists(path):
        Path(path).parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path)
        else:
            remove(path)
