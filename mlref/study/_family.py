"""A process and all that it started: how much memory they hold, and the end of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from mlref.runtime.lazy import extra

__all__ = ["Family"]

_CONTAINERS = Path(__file__).parents[1] / "containers"  # too heavy to be imported for two names
_GUARDS = frozenset({str(_CONTAINERS / "guard.py"), str(_CONTAINERS / "keeper.py")})


class Family:
    """The processes that a process started, also those that left its group; ended with the block.

    Those that delete containers when their program is gone are left to do so, and then end.

    Args:
        pid: the process; it is not ended itself.
    """

    def __init__(self, pid: int) -> None:
        with extra("study"):
            import psutil
        self._errors: type[Exception] = psutil.Error
        self._children: set[Any] = set()
        self._root: Any = None
        with suppress(psutil.Error):
            self._root = psutil.Process(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._look()
        for each in self._children:
            with suppress(self._errors):  # it has ended, or is not ours
                if not _guards_containers(each):
                    each.kill()

    def rss_bytes(self) -> int:
        """The memory of the process and all that it started and that still runs, in bytes (RSS).

        What forks share counts for each of them; `shared_once_bytes` is slower and counts it once.
        """
        self._look()
        return self._sum(lambda each: each.memory_info().rss)

    def shared_once_bytes(self) -> int:
        """Their memory in bytes, without counting twice what they share, where the system tells."""
        self._look()
        return self._sum(self._own_share)

    def _own_share(self, process: Any) -> int:
        """PSS on Linux, USS elsewhere, RSS where neither may be read."""
        with suppress(self._errors, AttributeError):
            info = process.memory_full_info()
            return int(getattr(info, "pss", info.uss))
        return int(process.memory_info().rss)

    def _sum(self, size: Callable[[Any], int]) -> int:
        """The sum of a size over all that run."""
        total = 0
        for each in [self._root, *self._children]:
            with suppress(self._errors, AttributeError):  # it has ended meanwhile, or long since
                total += size(each)
        return total

    def _look(self) -> None:
        """Take in who has been started since."""
        with suppress(self._errors, AttributeError):
            self._children.update(self._root.children(recursive=True))
        self._children = {each for each in self._children if each.is_running()}


def _guards_containers(process: Any) -> bool:
    """Whether a process is one that `mlref.containers` puts beside what the daemon runs."""
    return not _GUARDS.isdisjoint(process.cmdline())
