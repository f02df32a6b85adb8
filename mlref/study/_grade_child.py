"""The child process that runs one answer and its checks, and reports what they said.

It takes one argument, the path of a JSON file with the exercise, the answer's code, the given code
before it, and the path of checks.py. It reports one object:

    {"status": "failed", "checks": [{"label": "...", "passed": true}, ...],
     "message": "what is wrong", "why": "why that matters"}
"""

from __future__ import annotations

import ipaddress
import json
import linecache
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mlref.runtime.process import die_with_parent, report
from mlref.study.labs.checks import Answer, Rejected, exercise_of, label_of

__all__ = ["main"]

_MESSAGE_CHARACTERS = 600
_LINE_CHARACTERS = 80


def main() -> None:
    """Run the job that the first argument names, report, and end at once, threads or not."""
    die_with_parent()
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.addaudithook(_refuse_other_machines)
    try:
        found = _graded(job)
    except BaseException as error:  # noqa: BLE001 - the lab itself is broken: that is a result, too
        found = {"status": "error", "message": f"the lab is broken: {_told(error)}", "why": ""}
    sys.stdout.flush()
    sys.stderr.flush()
    report(**found)
    os._exit(0)


def _refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: labs talk to this machine only."""
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if host is not None and not _is_loopback(host):
        raise PermissionError(
            f"the grader refuses {host!r}: labs use no other address than this machine's own, "
            f"127.0.0.1 or localhost"
        )


def _is_loopback(host: Any) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _graded(job: dict[str, Any]) -> dict[str, Any]:
    """The result of a job."""
    names = _module("__main__")
    for title, code in job["given"]:
        exec(_compiled(code, f"<{title}>"), names)  # noqa: S102 - the lab's own code
    place = f"<answer {job['exercise']}>"
    try:
        exec(_compiled(job["code"], place), names)  # noqa: S102 - to run it is what we are for
    except BaseException as error:  # noqa: BLE001 - also SystemExit: whatever it raises is its result
        return _failure(error, place)
    checks = _checks(Path(job["checks"]), job["exercise"])
    return _checked(checks, Answer(names, job["code"]), place)


def _module(name: str) -> dict[str, Any]:
    """The names of a new module, which pickle and dataclasses find."""
    module = ModuleType(name)
    sys.modules[name] = module
    return vars(module)


def _compiled(code: str, place: str) -> Any:
    """The code, whose lines error messages can show."""
    linecache.cache[place] = (len(code), None, code.splitlines(keepends=True), place)
    return compile(code, place, "exec", dont_inherit=True)


def _checks(path: Path, exercise: str) -> list[Callable[[Answer], None]]:
    """The checks of an exercise, in the order in which they stand."""
    names: dict[str, Any] = {"__name__": "checks", "__file__": str(path)}
    exec(_compiled(path.read_text(encoding="utf-8"), str(path)), names)  # noqa: S102 - the lab's own
    return [each for each in names.values() if exercise_of(each) == exercise]


def _checked(checks: list[Callable[[Answer], None]], answer: Answer, place: str) -> dict[str, Any]:
    """What the checks say, up to the first that rejects."""
    outcomes: list[dict[str, Any]] = [{"label": label_of(c), "passed": None} for c in checks]
    if not checks:
        return {"status": "error", "message": "the lab has no check for this exercise", "why": ""}
    for check, outcome in zip(checks, outcomes, strict=True):
        try:
            check(answer)
        except BaseException as error:  # noqa: BLE001 - whatever it raises is its result
            outcome["passed"] = False
            return {**_failure(error, place), "checks": outcomes}
        outcome["passed"] = True
    return {"status": "passed", "checks": outcomes}


def _failure(error: BaseException, place: str) -> dict[str, Any]:
    """What an exception means."""
    if isinstance(error, Rejected):
        return {"status": "failed", "message": str(error), "why": error.why}
    line = _line_of(error, place)
    if isinstance(error, NotImplementedError):
        return {"status": "todo", "message": str(error) or "not written yet", "why": ""}
    where = f"{line} " if line else "while your answer was checked: "
    return {"status": "error", "message": f"{where}{_told(error)}", "why": _advice(error)}


def _line_of(error: BaseException, place: str) -> str:
    """The line of the answer that raised, with its number."""
    if isinstance(error, SyntaxError) and error.filename == place and error.lineno:
        number, text = error.lineno, error.text or ""
    else:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == place]
        if not frames:
            return ""
        number, text = frames[-1].lineno or 0, frames[-1].line or ""
    shown = text.strip()[:_LINE_CHARACTERS]
    return f"line {number} of your cell (`{shown}`):"


def _told(error: BaseException) -> str:
    text = str(error)[:_MESSAGE_CHARACTERS]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _advice(error: BaseException) -> str:
    """What to do about an exception that learners meet often; empty for any other."""
    if isinstance(error, NameError):
        return (
            "an answer may use the given cells above it and what it defines itself; "
            "move helpers of your own into the answer's cell"
        )
    if isinstance(error, SyntaxError):
        return "an answer is plain Python, without % or ! commands"
    if isinstance(error, SystemExit):
        return "leave out exit(): the process is needed to check your answer"
    return ""


if __name__ == "__main__":
    main()
