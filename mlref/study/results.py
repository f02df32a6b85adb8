"""What came out of a run of notebooks: plain data, ready to be shown or saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

__all__ = ["CheckResult", "Failure", "NotebookResult", "RunResult", "Status"]

Status = Literal["passed", "failed", "crashed", "timeout", "stopped"]
"""failed: a cell raised. crashed: the kernel died. stopped: the user broke the run off."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a notebook did not pass."""

    cell: int | None  # which of the code cells, counted from 1; None if none had started
    source: str  # the code of that cell
    ename: str  # the exception's class, or what stands for it
    evalue: str  # the exception's message
    traceback: tuple[str, ...] = ()  # its last lines, without colours
    log_tail: str = ""  # the last lines of the process's log, if it crashed


@dataclass(frozen=True, kw_only=True)
class NotebookResult:
    """One notebook's run."""

    name: str  # the file's stem
    status: Status
    seconds: float  # wall-clock time
    cpu_seconds: float | None  # of the kernel and its children; None if it could not be measured
    cells_done: int  # code cells that ended
    cells_total: int  # code cells with anything in them
    failure: Failure | None = None

    @property
    def passed(self) -> bool:
        """Whether every cell ran."""
        return self.status == "passed"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What a check that follows the notebooks found."""

    name: str
    seconds: float
    problems: tuple[str, ...] = ()  # one sentence each; none means that it passed
    noun: str = ""  # what it looked at, in the singular: "claim"
    total: int = 0  # how many of them; each has one problem at most
    details: dict[str, Any] = field(default_factory=dict)  # for summary.json


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A whole run: the notebooks in their order, then the checks."""

    started: datetime
    seconds: float
    out: Path
    notebooks: tuple[NotebookResult, ...]
    checks: tuple[CheckResult, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every notebook and every check passed."""
        return all(one.passed for one in self.notebooks) and not any(
            check.problems for check in self.checks
        )

    @property
    def interrupted(self) -> bool:
        """Whether the user broke it off."""
        return any(one.status == "stopped" for one in self.notebooks)
