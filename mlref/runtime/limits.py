"""The tunables of a child process."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The tunables of one child process.

    >>> Limits(drain_timeout_s=2).ready_timeout_s
    30.0
    """

    ready_timeout_s: float = 30.0  # seconds for the first report, and for wait_ready
    drain_timeout_s: float = 10.0  # seconds between SIGTERM and SIGKILL
    kill_timeout_s: float = 5.0  # seconds within which the system must end what SIGKILL hit
    poll_interval_s: float = 0.02  # seconds between two looks at a condition
    report_line_bytes: int = 16 * 2**20  # bytes of the longest line that a child may report
    log_tail_lines: int = 20  # lines of the log that an error shows
    log_tail_bytes: int = 65536  # bytes of the log that are kept after the end


DEFAULT_LIMITS = Limits()
