"""The child process that runs one answer and its checks, and reports what they said.

It takes one argument, the path of a JSON file with the exercise, the answer's code, the given code
before it, the paths of its checks, and a token that shows that the report comes from here and not
from the answer. It deletes the file, reports one object, and waits to be ended:

    {"status": "failed", "checks": [{"label": "...", "passed": true}, ...],
     "message": "what is wrong", "why": "why that matters", "token": "..."}

What an answer must not reach is put out of its way: other machines, the user's credentials, the
permission to spend, a full disk. That guards against accidents and is no sandbox; programs that an
answer starts are not held back from the network.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import linecache
import os
import re
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from mlref.runtime.child import REPORT_FD, die_with_parent
from mlref.study.labs import todo
from mlref.study.labs.checks import Answer, LeftOut, Rejected, exercise_of, label_of

__all__ = ["main"]

_MESSAGE_CHARACTERS = 600
_NOT_WRITTEN = "not written yet: "  # how todo() begins
_LINE_CHARACTERS = 80
_LARGEST_FILE_BYTES = 256 * 2**20  # also of what is printed, which is kept in a file
_SECRET = re.compile(
    r"(AWS|AZURE|GOOGLE)_.*|MLREF_ALLOW_AWS|SSH_AUTH_SOCK|KUBECONFIG"
    r"|.*(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|API_?KEY).*|.*_KEY|.*_PROXY",
    re.IGNORECASE,
)
_PR_SET_CHILD_SUBREAPER = 36  # of <sys/prctl.h>
_LOCAL = "localhost,127.0.0.1,::1"
_REQUIRED = "MLREF_REQUIRE"  # parts that must be here, separated by commas: CI's


def main() -> None:
    """Run the job that the first argument names, report, and wait for the end, threads or not."""
    reports = _reports()
    die_with_parent()
    path = Path(sys.argv.pop())
    job = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    token, own = job.pop("token"), os.getpid()
    _keep_orphans()
    _guard()
    try:
        found = _graded(job)
    except BaseException as error:  # noqa: BLE001 - the lab itself is broken: that is a result, too
        found = {"status": "error", "message": f"the lab is broken: {_told(error)}", "why": ""}
    if os.getpid() != own:  # a fork that the answer made, and let run on
        os._exit(0)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # whatever the answer has put there, or a full file
            stream.flush()
    with reports:
        reports.write(json.dumps({**found, "token": token}).encode() + b"\n")
    while True:  # the parent takes our children first, which it would lose sight of after us
        signal.pause()


def _reports() -> BinaryIO:
    """The pipe to the parent, for us alone: an answer that calls report() has no parent."""
    descriptor = int(os.environ.pop(REPORT_FD))
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - its own signature
    return os.fdopen(descriptor, "wb")


def _keep_orphans() -> None:
    """On Linux, have processes whose parent ends become ours, so that they are seen and ended."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _guard() -> None:
    """Put out of the answer's way what it must not reach."""
    for name in [name for name in os.environ if _SECRET.fullmatch(name)]:
        del os.environ[name]
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        os.environ[name] = os.devnull
    os.environ.update(AWS_EC2_METADATA_DISABLED="true", no_proxy=_LOCAL, NO_PROXY=_LOCAL)
    for limit, most in (
        (resource.RLIMIT_FSIZE, _LARGEST_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (lower, hard))
    sys.addaudithook(_refuse_other_machines)


def _refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: labs talk to this machine only."""
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        asking, address = arguments[0], arguments[1]
        if asking.family not in {socket.AF_INET, socket.AF_INET6} or not address:
            return
        host = address[0]
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        host = arguments[0]
    else:
        return
    if host is not None and not _is_here(host):
        raise PermissionError(
            f"the grader refuses {host!r}: labs use no other address than this machine's own, "
            f"127.0.0.1 or localhost"
        )


def _is_here(host: Any) -> bool:
    """Whether a host is this machine; 0.0.0.0 is, too, as the address of a server or a client."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name.rstrip(".").lower() in {"localhost", "localhost.localdomain", "ip6-localhost", ""}:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _graded(job: dict[str, Any]) -> dict[str, Any]:
    """The result of a job."""
    names = _module("__main__")
    names["display"] = _display
    for title, code in job["given"]:
        exec(_compiled(code, f"<{title}>"), names)  # noqa: S102 - the lab's own code
    place = f"<answer {job['exercise']}>"
    try:
        exec(_compiled(job["code"], place), names)  # noqa: S102 - to run it is what we are for
    except BaseException as error:  # noqa: BLE001 - also SystemExit: whatever it raises is its result
        return _failure(error, place)
    finally:
        sys.settrace(None)  # a debugger that was left in it must not look at the checks
    checks = [each for path in job["checks"] for each in _checks(Path(path), job["exercise"])]
    return _checked(checks, Answer(names, job["code"]), place)


def _display(*values: object, **_options: object) -> None:
    """What a notebook shows, which it can without an import, is printed here."""
    print(*values)  # noqa: T201 - to print is what it is for


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
    left_out: dict[str, str] = {}
    for check, outcome in zip(checks, outcomes, strict=True):
        try:
            check(answer)
        except LeftOut as absent:
            left_out = {"message": str(absent), "why": absent.how}
            if absent.part not in os.environ.get(_REQUIRED, "").split(","):
                continue
            outcome["passed"] = False
            return {"status": "failed", **left_out, "checks": outcomes}
        except BaseException as error:  # noqa: BLE001 - whatever it raises is its result
            outcome["passed"] = False
            return {**_failure(error, place), "checks": outcomes}
        outcome["passed"] = True
    return {"status": "passed", **left_out, "checks": outcomes}


def _failure(error: BaseException, place: str) -> dict[str, Any]:
    """What an exception means; of a group, such as a TaskGroup raises, the first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, Rejected):
        return {"status": "failed", "message": str(error), "why": error.why}
    line = _line_of(error, place)
    if isinstance(error, NotImplementedError) and _is_todo(error, place):
        return {"status": "todo", "message": _text_of(error) or "not written yet", "why": ""}
    unread = "" if isinstance(error, SyntaxError) else "while your answer was checked: "
    where = f"{line} " if line else unread
    return {"status": "error", "message": f"{where}{_told(error)}", "why": _advice(error)}


def _is_todo(error: BaseException, place: str) -> bool:
    """Whether an answer says itself that something is not written, not a library that it calls."""
    if _text_of(error).startswith(_NOT_WRITTEN):  # also from a process that the answer started
        return True
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and (frames[-1].filename == place or frames[-1].name == todo.__name__)


def _line_of(error: BaseException, place: str) -> str:
    """The line of the answer that raised, with its number."""
    if isinstance(error, SyntaxError) and error.filename == place and error.lineno:
        number, text = error.lineno, linecache.getline(place, error.lineno)
    else:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == place]
        if not frames:
            return ""
        number, text = frames[-1].lineno or 0, frames[-1].line or ""
    shown = text.strip()[:_LINE_CHARACTERS]
    return f"line {number} of your cell{f' (`{shown}`)' if shown else ''}:"


def _told(error: BaseException) -> str:
    """An exception's class and text."""
    text = str(error.msg) if isinstance(error, SyntaxError) else _text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:_MESSAGE_CHARACTERS]
    except Exception:  # noqa: BLE001 - the answer's own exception, whose text raises
        return ""


def _advice(error: BaseException) -> str:
    """What to do about an exception that learners meet often; empty for any other."""
    if type(error) is SyntaxError:  # not its subclass about indentation
        return _NOT_PLAIN if _NOTEBOOK_ONLY.search(f"{error.text}\n{error.msg}") else ""
    for kind, advice in _ADVICE.items():
        if isinstance(error, kind):
            return advice
    too_large = isinstance(error, OSError) and error.errno == errno.EFBIG
    return "print and write less: a file may grow to 256 MB here" if too_large else ""


_NOTEBOOK_ONLY = re.compile(r"^\s*[%!]|=\s*[%!]|\bawait\b", re.MULTILINE)
_NOT_PLAIN = (
    "an answer is plain Python, without % or ! commands, and without await outside a function"
)
_ADVICE: dict[type[BaseException], str] = {
    NameError: "an answer may use the given cells above it and what it defines itself; move "
    "helpers of your own into the answer's cell",
    IndentationError: "indent a block by four spaces, and nothing else",
    MemoryError: "a container with a memory limit would have been killed; hold less at a time",
    SystemExit: "leave out exit(): the process is needed to check your answer",
    EOFError: "leave out input(): nobody is there to type when an answer is graded",
    ModuleNotFoundError: "a module of your own is not found here; move what you need from it into "
    "the answer's cell",
    FileNotFoundError: "an answer is graded in an empty folder; write the file in the answer's "
    "cell, too",
}


if __name__ == "__main__":
    main()
