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
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
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
_TEXT_CHARACTERS = 2000  # of a message; an answer's own values may stand in it
_END_S = 2.0  # how long a child that closed its pipe may take to end
_CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # a window's title and the like
    r"|\x1b\[[0-9;?]*[ -/]*[@-~]"  # colours, and moves of the cursor
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_LIMITS = Limits(drain_timeout_s=0.2, log_tail_lines=_LOG_LINES)
_VARIABLES = {
    "MPLBACKEND": "Agg",
    "PYTHONBREAKPOINT": "0",  # nobody is there to debug
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONIOENCODING": "utf-8:backslashreplace",
}


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
    reset = f"`mlref labs reset {lab.number} {exercise}`"
    why = f"in a notebook, run that cell first; if you deleted it, {reset} brings it back"
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
        checks = [str(path.resolve()) for path in lab.check_files]
        values = {"exercise": exercise, "code": code, "given": given, "checks": checks}
        files.write_text(job, json.dumps({**values, "token": token}))
        python = os.path.abspath(sys.executable)  # noqa: PTH100 - resolve() would leave the environment
        command = [python, "-m", "mlref.study._grade_child", str(job)]
        variables = {**_VARIABLES, "TMPDIR": str(temporary)}
        with start(command, name="grader", env=variables, cwd=work, limits=_LIMITS) as child:
            with Family(child.pid) as family:  # ends first: orphans would be lost sight of
                found = _watched(child, family, lab, token)
                if found is None:
                    found = _unreported(child, started=not job.exists())
            if child.running:  # there is nothing to drain, whatever handler an answer has set
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
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
        message=_plain(found.get("message", "")),
        why=_plain(found.get("why", "")),
        output=_readable(printed),
        seconds=round(seconds, 3),
    )


def _plain(text: str) -> str:
    """A text that any terminal can show: no control codes, no half characters, not endless."""
    short = text if len(text) <= _TEXT_CHARACTERS else f"{text[:_TEXT_CHARACTERS]} ..."
    return _CONTROL.sub("", short).encode("utf-8", "backslashreplace").decode()


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
        except ProcessError:  # no JSON
            return _FOREIGN
        else:
            return found if found is None or found.get("token") == token else _FOREIGN
        if time.monotonic() > deadline:
            return {
                "status": "timeout",
                "message": f"it did not end within {lab.time_limit_s:g} seconds",
                "why": "a loop that never ends, or a wait for what does not come; a deployment "
                "step without a time limit blocks everything behind it",
            }
        used = family.rss_bytes()
        if used > lab.memory_limit_bytes:
            used = family.shared_once_bytes()
        if used > lab.memory_limit_bytes:
            return {
                "status": "memory",
                "message": f"it took {used / 2**20:,.0f} MB of memory, "
                f"{lab.memory_limit_bytes / 2**20:,.0f} are allowed",
                "why": "a container with such a limit would have been killed; hold less at a time",
            }


def _unreported(child: ManagedProcess, *, started: bool) -> dict[str, Any]:
    """What to say of a child that ended without a result."""
    with suppress(ProcessNotReadyError):
        child.wait(_END_S)
    code = child.returncode
    if not started:
        return {
            "status": "error",
            "message": f"the grader itself did not start: {child.log_tail(1) or 'no reason given'}",
            "why": "your answer was not looked at; `mlref doctor` looks for what is wrong here",
        }
    if code is None:
        ending = "cut the grader off"
    else:
        ending = f"ended with status {code}" if code >= 0 else _killed_by(-code)
    return {
        "status": "error",
        "message": f"the Python process {ending} before your answer could be checked",
        "why": _REASONS.get(-(code or 0), _OTHER_REASON),
    }


def _killed_by(number: int) -> str:
    try:
        return f"was ended by {signal.Signals(number).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {number}"


_FOREIGN = {
    "status": "error",
    "message": "something else than the grader wrote to the grader's own pipe",
    "why": "leave out writing to file descriptors that you did not open",
}
_OTHER_REASON = "leave out os._exit(), signals and writing to foreign file descriptors"
_REASONS: dict[int, str] = {
    signal.SIGSEGV: "a compiled library crashed, or a recursion went too deep",
    signal.SIGKILL: "this machine may have run out of memory; hold less at a time, and leave out "
    "signals",
}
