"""Learning that a file was saved, whatever way an editor saves it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlref.errors import LearnerError
from mlref.runtime.lazy import extra

__all__ = ["ChangeSource", "saved_files"]

ChangeSource = Callable[[Callable[[], None], Callable[[Exception], None]], Any]
"""Gives a context in which one function is called after a save, another one if that ends."""

_LOOK_MS = 1000  # so often one looks oneself: some file systems announce nothing
_QUIET_MS = 50  # a save is over when nothing has changed for so long
_LONGEST_MS = 500


def saved_files(folder: Path, paths: Sequence[Path]) -> ChangeSource:
    """Tells when one of some files has changed, appeared, gone, or been replaced.

    Args:
        folder: an existing folder above them all, which stays when theirs is replaced.
        paths: the files; they need not be there.
    """

    @contextmanager
    def changes(deliver: Callable[[], None], failed: Callable[[Exception], None]) -> Iterator[None]:
        with extra("study"):
            import watchfiles
        stop = threading.Event()
        seen = [_stamp(path) for path in paths]

        def look() -> None:
            nonlocal seen
            try:
                for _ in watchfiles.watch(
                    folder,
                    watch_filter=lambda _change, path: Path(path).name in names,
                    debounce=_LONGEST_MS,
                    step=_QUIET_MS,
                    rust_timeout=_LOOK_MS,
                    yield_on_timeout=True,
                    stop_event=stop,
                    raise_interrupt=False,
                ):
                    now = [_stamp(path) for path in paths]
                    if now != seen:
                        seen = now
                        deliver()
            except (OSError, RuntimeError) as error:
                if not stop.is_set():
                    failed(_unwatched(folder, error))

        names = {path.name for path in paths}
        thread = threading.Thread(target=look, name="changes", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    return changes


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells one state of a file from another; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _unwatched(folder: Path, error: Exception) -> LearnerError:
    return LearnerError(
        f"{folder} cannot be watched ({error}); set WATCHFILES_FORCE_POLLING=1 and try again, or "
        f"grade by hand with `mlref labs check`"
    )
