"""The grader: one answer, run in a process of its own, and what its checks said.

Everybody who grades comes here: `check()` in a notebook, `mlref labs check`, `mlref watch` and the
proofs that CI runs. An answer runs under limits of time and memory (RSS, its children included), in
an empty folder that is deleted afterwards, and reaches no other address than this machine's own.
That is a guard against accidents, not a sandbox: an answer is the learner's own code.

    result = grade(find_lab("01"), "refuse_tampering", code)
    result.passed, result.message

Needs a POSIX system and the extra "study".
"""

from __future__ import annotations

import functools
import json
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlref.errors import ProcessError, ProcessNotReadyError
from mlref.runtime import files
from mlref.runtime.process import Limits, ManagedProcess, start
from mlref.study._family import Family
from mlref.study.extras import require
from mlref.study.labs.results import CheckOutcome, ExerciseResult, LabResult, Status

if TYPE_CHECKING:
    from mlref.study.labs.lab import Lab

__all__ = [
    "CheckOutcome",
    "ExerciseResult",
    "LabResult",
    "Status",
    "grade",
    "grade_lab",
    "missing",
]

_LOOK_S = 0.05  # seconds between two looks at the child's memory
_LOG_LINES = 15  # lines of the answer's own output that a result keeps
_LOG_CHARACTERS = 300  # of each of them
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_LIMITS = Limits(drain_timeout_s=0.2, log_tail_lines=_LOG_LINES)
_VARIABLES = {"MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


def grade_lab(
    lab: Lab,
    answers: Mapping[str, str],
    *,
    only: str | None = None,
    watcher: Callable[[ExerciseResult], None] | None = None,
) -> LabResult:
    """The results of a lab's exercises, one after the other.

    Args:
        lab: the lab.
        answers: exercise -> code of its cell; one that is not there is "missing".
        only: an exercise, to grade no other.
        watcher: is given each result as it comes.

    Raises:
        LabError: the lab has no exercise `only`, or its source cannot be read.
        MissingExtraError: the extra "study" is not installed.
    """
    chosen = lab.exercises if only is None else (lab.exercise(only),)
    results = []
    for each in chosen:
        code = answers.get(each.name)
        result = missing(lab, each.name) if code is None else grade(lab, each.name, code)
        results.append(result)
        if watcher is not None:
            watcher(result)
    return LabResult(lab.name, lab.title, tuple(results))


def missing(lab: Lab, exercise: str) -> ExerciseResult:
    """The result of an exercise to which there is no answer."""
    message = f"there is no cell that begins with `# answer: {exercise}`"
    why = "in a notebook, run that cell first; if you deleted it, `mlref labs reset` brings it back"
    return ExerciseResult(lab.name, exercise, "missing", message=message, why=why)


def grade(lab: Lab, exercise: str, code: str) -> ExerciseResult:
    """What the checks of an exercise say to an answer.

    Args:
        lab: the lab.
        exercise: the exercise's name.
        code: the answer's cell.

    Raises:
        LabError: the lab has no such exercise, or its source cannot be read.
        MissingExtraError: the extra "study" is not installed.
    """
    from mlref.study.labs.cutting import given_code

    given = given_code(lab, exercise)
    _require((*lab.extras, "study"))
    began = time.monotonic()
    token = secrets.token_hex()
    with tempfile.TemporaryDirectory(prefix="mlref-grade-", ignore_cleanup_errors=True) as folder:
        work, temporary, job = (Path(folder, name) for name in ("work", "tmp", "job.json"))
        work.mkdir()
        temporary.mkdir()
        checks = str(lab.folder.resolve() / "checks.py")
        values = {"exercise": exercise, "code": code, "given": given, "checks": checks}
        files.write_text(job, json.dumps({**values, "token": token}))
        command = [sys.executable, "-m", "mlref.study._grade_child", str(job)]
        variables = {**_VARIABLES, "TMPDIR": str(temporary)}
        with (
            start(command, name="grader", env=variables, cwd=work, limits=_LIMITS) as child,
            Family(child.pid) as family,
        ):
            found = _watched(child, family, lab, token)
        if found is None:
            found = _unreported(child)
        printed = child.log_tail()
    seconds = time.monotonic() - began
    return _result(lab, exercise, found, printed=printed, seconds=seconds)


@functools.cache
def _require(extras: tuple[str, ...]) -> None:
    """Return if some extras are installed; looked at once, until one is missing."""
    require(extras)


def _result(
    lab: Lab, exercise: str, found: Mapping[str, Any], *, printed: str, seconds: float
) -> ExerciseResult:
    checks = tuple(CheckOutcome(each["label"], each["passed"]) for each in found.get("checks", ()))
    return ExerciseResult(
        lab=lab.name,
        exercise=exercise,
        status=found["status"],
        checks=checks,
        message=found.get("message", ""),
        why=found.get("why", ""),
        output=_readable(printed),
        seconds=round(seconds, 3),
    )


def _readable(printed: str) -> str:
    """What an answer printed, without colours and other control codes, and with short lines."""
    lines = _CONTROL.sub("", printed).splitlines()
    return "\n".join(
        line if len(line) <= _LOG_CHARACTERS else f"{line[:_LOG_CHARACTERS]} ..." for line in lines
    )


def _watched(child: ManagedProcess, family: Family, lab: Lab, token: str) -> dict[str, Any] | None:
    """What the child reported, or the limit that it overran; None if it ended without a word."""
    deadline = time.monotonic() + lab.time_limit_s
    while True:
        try:
            found = child.next_report(_LOOK_S)
        except ProcessNotReadyError:
            pass
        except ProcessError:  # the answer wrote to the pipe on which results come
            return None
        else:
            genuine = found is not None and found.get("token") == token
            return found if genuine else None
        if time.monotonic() > deadline:
            return {
                "status": "timeout",
                "message": f"it did not end within {lab.time_limit_s:g} seconds",
                "why": "a loop that never ends, or a wait for what does not come; a deployment "
                "step without a time limit blocks everything behind it",
            }
        used = family.rss_bytes()
        if used > lab.memory_limit_bytes:
            return {
                "status": "memory",
                "message": f"it took {used / 2**20:,.0f} MB of memory, "
                f"{lab.memory_limit_bytes / 2**20:,.0f} are allowed",
                "why": "a container with such a limit would have been killed; hold less at a time",
            }


def _unreported(child: ManagedProcess) -> dict[str, Any]:
    """What to say of a child that ended without a result."""
    code = child.returncode
    ending = "was killed" if code is not None and code < 0 else f"ended with status {code}"
    return {
        "status": "error",
        "message": f"the Python process {ending} before your answer could be checked",
        "why": "leave out os._exit(), signals and writing to foreign file descriptors",
    }
