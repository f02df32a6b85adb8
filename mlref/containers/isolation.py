"""What a container may do: by default hardly more than answer.

    Isolation()                                  # what `run` does unless told otherwise
    Isolation(memory_bytes=128 * 2**20)          # less memory, the rest as before
    OPEN                                         # Docker's own defaults, to see the difference

The defaults are those of the profile "Restricted" of the Kubernetes Pod Security Standards, and a
read-only root beside limits on memory, CPU and processes, which that profile leaves open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["DEFAULT_ISOLATION", "OPEN", "Isolation"]

_LEAST_MEMORY_BYTES = 6 * 2**20  # Docker refuses less


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
        cpus: CPU time per second; a container that wants more waits. None for no limit.
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
            ValueError: a limit that is not positive, or less memory than Docker allows.
        """
        if self.memory_bytes is not None and self.memory_bytes < _LEAST_MEMORY_BYTES:
            least = f"{_LEAST_MEMORY_BYTES} (6 MiB)"
            raise ValueError(f"memory_bytes must be at least {least}, got {self.memory_bytes}")
        for name in ("cpus", "processes", "temporary_bytes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be a positive number, got {value}")

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
            found["nano_cpus"] = round(self.cpus * 1e9)
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
