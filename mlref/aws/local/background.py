"""A local AWS that goes on after its program has ended, and is found again from any terminal.

    begun = begin(port=5620)
    Cloud(begun.url).status()
    found = find()                                  # in another program
    end(found)

There is at most one for each user. It holds a lock for as long as it lives, and the system releases
the locks of what has ended, in whatever way. So what it has written of itself is never believed
after its end, and no other program is ever stopped because it has got the same number.

Its state and its log are in the folder "cloud" of `mlref.runtime.files.cache_folder`.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from mlref.errors import CloudError, ProcessExitedError, ProcessNotReadyError
from mlref.runtime import files
from mlref.runtime.child import PARENT_FD, REPORT_FD
from mlref.runtime.clock import SystemClock

__all__ = [
    "PORT",
    "Background",
    "alone",
    "begin",
    "crashed",
    "end",
    "find",
    "log_file",
    "this_process",
]

PORT = 5620
"""Where it listens unless another port is asked for."""

_READY_S = 60.0
_DRAIN_S = 60.0
_KILL_S = 10.0
_POLL_S = 0.02
_LOCK_S = 2.0  # that somebody may only be looking whether the lock is free
_CHUNK_BYTES = 4096
_TAIL_LINES = 20
_DETACHED = '"$@" &'
"""A shell starts it and ends at once, so that it is nobody's child, and nobody's to wait for."""


@dataclass(frozen=True, kw_only=True)
class Background:
    """A local AWS that can be found.

    Attributes:
        url: its address.
        pid: its process.
        started: when it began to answer, in ISO 8601.
        seed: of what decides between variants, or None.
        workers: what its workers are: "processes", "containers", or "containers of" an image.
    """

    url: str
    pid: int
    started: str
    seed: int | None = None
    workers: str = "processes"

    @property
    def began(self) -> datetime:
        """When it began to answer."""
        return datetime.fromisoformat(self.started)


def find() -> Background | None:
    """The local AWS that runs, or None.

    Raises:
        CloudError: one is starting or ending, and does not get done with it.
    """
    until = time.monotonic() + _READY_S
    while not _is_free():
        found = _read()
        if found is not None:
            return found
        if time.monotonic() >= until:
            text = "a local AWS is starting or ending, and does not get done"
            raise CloudError(f"{text}; its log: {log_file()}")
        threading.Event().wait(_POLL_S)
    return None


def crashed() -> Background | None:
    """One that ended without a word, as after `kill -9`; it is told once, and then forgotten."""
    if not _is_free():
        return None
    found = _read()
    with suppress(OSError):
        _state().unlink()
    return found


def begin(
    *, port: int = PORT, seed: int | None = None, docker: bool = False, image: str | None = None
) -> Background:
    """A local AWS in the background, once it answers.

    Args:
        port: on loopback; 0 takes any that is free.
        seed: of what decides between variants; None takes another each time.
        docker: whether workers are containers of the images that models name.
        image: of which all workers are containers, whatever the models name.

    Raises:
        CloudError: one runs already, or this one cannot; says why.
        ProcessNotReadyError: it does not answer in time; carries its log.
        ProcessExitedError: it ended before it answered; carries its log.
    """
    found = find()
    if found is not None:
        raise CloudError(
            f"a local AWS runs already at {found.url}; `mlref cloud stop` ends it, `mlref cloud "
            "status` tells how others find it"
        )
    words = [sys.executable, "-m", "mlref.aws.local", "--alone", "--port", str(port)]
    words += [] if seed is None else ["--seed", str(seed)]
    words += ["--docker"] if docker else []
    words += [] if image is None else ["--docker-image", image]
    _folder().mkdir(parents=True, exist_ok=True)
    ours, theirs = os.pipe()
    environment = {name: value for name, value in os.environ.items() if name != PARENT_FD}
    environment |= {REPORT_FD: str(theirs), "PYTHONUNBUFFERED": "1"}
    try:
        with log_file().open("wb") as log:
            subprocess.run(
                ["/bin/sh", "-c", _DETACHED, "sh", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=(theirs,),
                start_new_session=True,
                check=True,
            )
    finally:
        os.close(theirs)
    try:
        _wait_report(ours)
    finally:
        os.close(ours)
    begun = find()
    if begun is None:
        raise ProcessExitedError("the local AWS ended at once", log_tail=_tail())
    return begun


def end(found: Background) -> bool:
    """Stop it, and all that runs in it; whether it took leave by itself, or had to be killed.

    Args:
        found: as `find` gives it.

    Raises:
        CloudError: it belongs to another user, or does not end.
    """
    for number, limit_s in ((signal.SIGTERM, _DRAIN_S), (signal.SIGKILL, _KILL_S)):
        if _is_free():
            return number == signal.SIGTERM
        try:
            os.kill(found.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError as error:
            text = f"process {found.pid} is another user's, who alone can stop it"
            raise CloudError(text) from error
        until = time.monotonic() + limit_s
        while not _is_free() and time.monotonic() < until:
            threading.Event().wait(_POLL_S)
        if _is_free():
            return number == signal.SIGTERM
    raise CloudError(f"process {found.pid} does not end; its log: {log_file()}")


@contextmanager
def alone() -> Iterator[Callable[[Background], None]]:
    """A block in which this process is the user's one local AWS; it gets a function that tells so.

    Raises:
        CloudError: there is one already.
    """
    _folder().mkdir(parents=True, exist_ok=True)
    with _lock_file().open("a") as lock:
        until = time.monotonic() + _LOCK_S
        while not _locked(lock.fileno()):
            if time.monotonic() >= until:
                found = _read()
                where = f" at {found.url}" if found else ""
                text = f"a local AWS runs already{where}"
                raise CloudError(f"{text}; `mlref cloud stop` ends it")
            threading.Event().wait(_POLL_S)
        _state().unlink(missing_ok=True)
        try:
            yield lambda told: files.write_json(_state(), dataclasses.asdict(told))
        finally:
            _state().unlink(missing_ok=True)


def log_file() -> Path:
    """What the one in the background has printed, or the last one."""
    return _folder() / "log.txt"


def this_process(url: str, *, seed: int | None = None, workers: str = "processes") -> Background:
    """This process as a local AWS that answers from now on.

    Args:
        url: its address.
        seed: as `begin` takes it.
        workers: as in `Background`.
    """
    started = SystemClock().now().isoformat(timespec="seconds")
    return Background(url=url, pid=os.getpid(), started=started, seed=seed, workers=workers)


def _wait_report(pipe: int) -> None:
    """Return when it reports that it answers.

    Raises:
        CloudError: it said why it cannot.
        ProcessNotReadyError: it said nothing in time.
        ProcessExitedError: it ended before.
    """
    until, got = time.monotonic() + _READY_S, b""
    with DefaultSelector() as selector:
        selector.register(pipe, EVENT_READ)
        while b"\n" not in got:
            if not selector.select(max(until - time.monotonic(), 0.0)):
                text = f"the local AWS does not answer within {_READY_S:g} s"
                raise ProcessNotReadyError(text, log_tail=_tail())
            chunk = os.read(pipe, _CHUNK_BYTES)
            if not chunk:
                tail = _tail()
                said = tail.rpartition("\n")[2]
                if said.startswith("error: "):
                    raise CloudError(said.removeprefix("error: "))
                raise ProcessExitedError("the local AWS ended before it answered", log_tail=tail)
            got += chunk


def _tail() -> str:
    """The last lines of its log."""
    text = log_file().read_text(encoding="utf-8", errors="replace").rstrip()
    return "\n".join(text.splitlines()[-_TAIL_LINES:])


def _read() -> Background | None:
    """What was written of one, or None if that is nothing that can be read."""
    try:
        return Background(**json.loads(_state().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _is_free() -> bool:
    """Whether none runs."""
    try:
        with _lock_file().open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


def _locked(lock: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _folder() -> Path:
    return files.cache_folder() / "cloud"


def _lock_file() -> Path:
    return _folder() / "lock"


def _state() -> Path:
    return _folder() / "state.json"
