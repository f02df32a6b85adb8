"""What became of a container, in the daemon's words and in ours."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["State"]

_SIGNALLED = 128  # a shell's way to say which signal ended a program, which Docker follows
_MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class State:
    """What the daemon says of a container.

    Attributes:
        status: "created", "running", "exited", "removed" ...
        exit_code: None while it runs.
        out_of_memory: whether the kernel killed it at its memory limit.
        health: what its health check says: "starting", "healthy", "unhealthy"; "" without one.
        health_log: what the last check printed.
    """

    status: str
    exit_code: int | None = None
    out_of_memory: bool = False
    health: str = ""
    health_log: str = ""

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.status in {"created", "running", "restarting", "paused"}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> State:
        """The state as `docker inspect` tells it.

        Args:
            told: the value of "State".
        """
        health = told.get("Health") or {}
        checks = health.get("Log") or [{}]
        running = told["Running"] or told["Status"] == "created"
        return cls(
            status=told["Status"],
            exit_code=None if running else told["ExitCode"],
            out_of_memory=told["OOMKilled"],
            health=health.get("Status", ""),
            health_log=str(checks[-1].get("Output", "")).strip(),
        )

    def told(self, memory_bytes: int | None = None) -> str:
        """What became of it, in a sentence that says what to do.

        Args:
            memory_bytes: its memory limit.
        """
        if self.status == "removed":
            return "it is deleted"
        if self.running:
            said = f"; its health check says {self.health}" if self.health else ""
            return f"it runs{said}" + (f": {self.health_log}" if self.health_log else "")
        if self.out_of_memory:
            limit = (
                f"its limit of {memory_bytes / _MIB:g} MiB" if memory_bytes else "the memory limit"
            )
            return f"it was killed because it needed more memory than {limit}; allow it more"
        name = ""
        if self.exit_code is not None and self.exit_code > _SIGNALLED:
            with suppress(ValueError):
                name = f", {signal.Signals(self.exit_code - _SIGNALLED).name}"
        return f"it ended with exit status {self.exit_code}{name}"
