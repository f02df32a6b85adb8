"""What a container may do: by default hardly more than answer.

    Isolation()                                  # what `run` does unless told otherwise
    Isolation(memory_bytes=128 * 2**20)          # less memory, the rest as before
    OPEN                                         # Docker's own defaults, to see the difference

The defaults are those of the profile "Restricted" of the Kubernetes Pod Security Standards, and a
read-only root beside limits on memory, CPU and processes, which that profile leaves open.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlref.errors import ContainerError

__all__ = ["DEFAULT_ISOLATION", "OPEN", "Isolation", "bind_mounts"]

_LEAST_MEMORY_BYTES = 6 * 2**20  # Docker refuses less
_PERIOD_US = 100_000  # in which a container gets its share, the kernel's default


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """The limits of one container.

    Attributes:
        read_only: the root file system cannot be written; /tmp can, in memory, but nothing there
            can be executed.
        temporary_bytes: the size of that /tmp.
        capabilities: what of root's power is left, for instance ("NET_BIND_SERVICE",); None leaves
            the fourteen that Docker gives.
        new_privileges: whether a program may gain privileges by setuid bits.
        memory_bytes: a container that needs more is killed; None for no limit. No swap is added.
        cpus: CPU time per second; a container that wants more waits. More than the machine has is
            no limit. None for no limit.
        processes: the largest number of processes and threads; None for no limit.
        user: "uid:gid"; None means the image's own.
    """

    read_only: bool = True
    temporary_bytes: int = 64 * 2**20
    capabilities: tuple[str, ...] | None = ()
    new_privileges: bool = False
    memory_bytes: int | None = 512 * 2**20
    cpus: float | None = 2.0
    processes: int | None = 128
    user: str | None = None

    def __post_init__(self) -> None:
        """Refuse limits that no container can keep.

        Raises:
            ValueError: a limit that is not positive, less memory than Docker allows, or
                capabilities as one text.
        """
        given: object = self.capabilities
        if isinstance(given, str):  # whose letters would be taken for names
            text = 'capabilities must be a tuple like ("NET_BIND_SERVICE",)'
            raise ValueError(f"{text}, got {given!r}")  # noqa: TRY004 - as for the others
        for name in ("cpus", "processes", "temporary_bytes", "memory_bytes"):
            value = getattr(self, name)
            if isinstance(value, str):
                text = f"{name} must be a number, such as 512 * 2**20 for 512 MiB"
                raise ValueError(f"{text}, got {value!r}")  # noqa: TRY004 - as for the others
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be a positive number, got {value}")
        if self.memory_bytes is not None and self.memory_bytes < _LEAST_MEMORY_BYTES:
            least = f"{_LEAST_MEMORY_BYTES} (6 MiB)"
            raise ValueError(f"memory_bytes must be at least {least}, got {self.memory_bytes}")

    def options(self) -> dict[str, Any]:
        """The same as arguments of the Docker SDK's `containers.create`."""
        found: dict[str, Any] = {"read_only": self.read_only}
        if self.read_only:
            found["tmpfs"] = {"/tmp": f"rw,noexec,nosuid,nodev,size={self.temporary_bytes}"}  # noqa: S108 - inside the container
        if self.capabilities is not None:
            found |= {"cap_drop": ["ALL"], "cap_add": list(self.capabilities)}
        if not self.new_privileges:
            found["security_opt"] = ["no-new-privileges"]
        if self.memory_bytes is not None:
            found |= {"mem_limit": self.memory_bytes, "memswap_limit": self.memory_bytes}
        if self.cpus is not None:
            # Not nano_cpus, of which the daemon refuses more than the machine has.
            found |= {"cpu_period": _PERIOD_US, "cpu_quota": round(self.cpus * _PERIOD_US)}
        if self.processes is not None:
            found["pids_limit"] = self.processes
        if self.user is not None:
            found["user"] = self.user
        return found


DEFAULT_ISOLATION = Isolation()

OPEN = Isolation(
    read_only=False,
    capabilities=None,
    new_privileges=True,
    memory_bytes=None,
    cpus=None,
    processes=None,
)
"""Docker's own defaults."""


def bind_mounts(mounts: Mapping[str | os.PathLike[str], str]) -> dict[str, dict[str, str]]:
    """Files and folders that a container may read, as the argument `volumes` of the Docker SDK.

    Args:
        mounts: path on this machine -> where it appears in the container.

    Raises:
        ContainerError: one is not there; the daemon would make an empty folder of it.
    """
    absent = [str(source) for source in mounts if not Path(source).exists()]
    if absent:
        text = f"nothing to mount: {', '.join(absent)} is not there"
        raise ContainerError(f"{text}; name a file or a folder of this machine")
    return {
        str(Path(source).resolve()): {"bind": target, "mode": "ro"}
        for source, target in mounts.items()
    }
