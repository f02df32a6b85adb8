"""One run of a script: its process, what it prints, and how it ends.

    execution = Execution(world.timers, plan, on_line=print)
    ended = execution.run()                 # in the job's thread: until the script has ended
    execution.stop("asked")                 # from any other: SIGTERM, and SIGKILL 120 s later

The limit on its time, and the 120 seconds, pass by the clock of the local AWS. Where that clock is
moved on past both, the script still has some seconds of real time to save what it has. The process
ends with the local AWS, also if that is killed.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mlref.aws.local.timers import Timer, Timers
from mlref.aws.local.world import REGION
from mlref.errors import ProcessError
from mlref.runtime import process

__all__ = [
    "ASKED",
    "GRACE_S",
    "TIME_IS_UP",
    "Ended",
    "Execution",
    "Plan",
    "client_variables",
    "environment_of",
]

GRACE_S = 120.0
"""Seconds between SIGTERM and SIGKILL."""

ASKED = "asked"
"""The script was stopped because somebody asked for it."""

TIME_IS_UP = "time is up"
"""The script was stopped because it had run for as long as it may."""

_REAL_GRACE_S = 5.0  # of the machine's clock, however far the other one is moved on
_TERMINATED = 128 + signal.SIGTERM
_HIDDEN = ("AWS_", "MLREF_", "SAGEMAKER_", "SM_", "AIP_")
"""What variables of this machine begin with that a container would not have."""

_WITHOUT_MOUNTS = (
    "mlref: this machine gives a process no /opt/ml of its own, so the job's folder is {folder}. "
    "Arguments and variables that name /opt/ml point there; a path inside the script does not. Use "
    "SM_* variables or arguments."
)


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes:
        name: what errors call it.
        command: the program and its arguments, with paths under /opt/ml.
        folder: what /opt/ml holds.
        environment: all variables of the script.
        cwd: where it begins, under /opt/ml.
        limit_s: seconds after which it is stopped; infinite is never.
        mounts: whether it gets an /opt/ml of its own, where the machine allows it.
    """

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/opt/ml"
    limit_s: float = math.inf
    mounts: bool = True


@dataclass(frozen=True)
class Ended:
    """How a script ended.

    Attributes:
        code: its exit status; 128 and more is a signal, as shells tell it.
        stopped: "" if it ended by itself, otherwise why it was stopped.
    """

    code: int
    stopped: str


class Execution:
    """A run of a script, before, while and after it runs.

    Args:
        timers: the time.
        plan: what is to be run.
        on_line: called with each line that the script prints, in the thread of `run`.
    """

    def __init__(self, timers: Timers, plan: Plan, *, on_line: Callable[[str], object]) -> None:
        self._timers = timers
        self._plan = plan
        self._on_line = on_line
        self._stopped = ""
        self._child: process.ManagedProcess | None = None
        self._started = False
        self._timers_set: list[Timer] = []
        self._asked_s = 0.0
        self._over = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> Ended:
        """Start the script and return when it has ended, and all that it started."""
        job = self._plan.folder.parent / "job.json"
        job.write_text(json.dumps(self._described()), encoding="utf-8")
        with self._lock:
            if self._stopped:
                return Ended(_TERMINATED, self._stopped)
            command = [sys.executable, "-m", __package__ + "._child", str(job)]
            child = process.start(command, name=self._plan.name, cwd=self._plan.folder.parent)
            self._child = child
            if math.isfinite(self._plan.limit_s):
                self._set_timer(self._plan.limit_s, lambda: self.stop(TIME_IS_UP))
        try:
            return Ended(self._followed(child), self._stopped)
        finally:
            self._over.set()
            with self._lock:
                self._child = None
                for timer in self._timers_set:
                    timer.cancel()
            child.stop(0)

    def stop(self, reason: str) -> None:
        """Ask the script to end; if it has not 120 seconds later, kill it.

        Args:
            reason: `ASKED` or `TIME_IS_UP`; the first one counts.
        """
        with self._lock:
            if self._stopped:
                return
            self._stopped = reason
            self._asked_s = time.monotonic()
            if self._child is not None:
                self._set_timer(GRACE_S, self._overdue)
                if self._started:
                    self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the script at once."""
        with self._lock:
            self._stopped = self._stopped or ASKED
            self._signal(signal.SIGUSR1 if self._started else signal.SIGKILL)

    def _overdue(self) -> None:
        """Kill the script, but not before it has had its real seconds."""
        self._over.wait(max(self._asked_s + _REAL_GRACE_S - time.monotonic(), 0.0))
        self.kill()

    def _followed(self, child: process.ManagedProcess) -> int:
        """The exit status, after all that was printed is passed on."""
        try:
            for told in child.reports(math.inf):
                if "line" in told:
                    self._on_line(told["line"])
                elif "exit" in told:
                    return int(told["exit"])
                elif "started" in told:
                    self._begun()
                elif not told["mounted"]:
                    self._on_line(_WITHOUT_MOUNTS.format(folder=self._plan.folder))
            code = child.wait(math.inf)
        except ProcessError as error:
            self._on_line(f"mlref: {error}")
            return 1
        for line in child.log_tail().splitlines():
            self._on_line(line)
        return 128 - code if code < 0 else code

    def _begun(self) -> None:
        """From now on signals reach the script; one that came before does so now."""
        with self._lock:
            self._started = True
            if self._stopped:
                self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.running:
            with suppress(ProcessLookupError):
                os.kill(self._child.pid, number)

    def _set_timer(self, delay_s: float, call: Callable[[], object]) -> None:
        self._timers_set.append(self._timers.after(delay_s, call))

    def _described(self) -> dict[str, object]:
        plan = self._plan
        return {
            "command": list(plan.command),
            "environment": dict(plan.environment),
            "folder": str(plan.folder),
            "cwd": plan.cwd,
            "mounts": plan.mounts,
        }


def environment_of(folder: Path, *given: Mapping[str, str]) -> dict[str, str]:
    """The variables of a script: this machine's, as far as a container has such, and given ones.

    "python" is the one that the local AWS runs with, and temporary files go to the job's folder.

    Args:
        folder: what /opt/ml holds; beside it there is "tmp".
        *given: later ones replace earlier ones.
    """
    found = {name: value for name, value in os.environ.items() if not name.startswith(_HIDDEN)}
    programs = str(Path(sys.executable).parent)
    found["PATH"] = os.pathsep.join([programs, found.get("PATH", os.defpath)])
    found["PYTHONUNBUFFERED"] = "1"
    found["TMPDIR"] = str(folder.parent / "tmp")
    for each in given:
        found.update(each)
    return found


def client_variables(url: str) -> dict[str, str]:
    """Variables with which boto3, in a script, speaks to the local AWS and to nothing else.

    Args:
        url: of the local AWS.
    """
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
