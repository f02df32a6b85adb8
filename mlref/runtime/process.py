"""Child processes that report, are watched, and never outlive their parent.

This is the only place in mlref where processes are supervised. Two pipes tie a child to its parent:

- On the *report pipe* the child writes lines of JSON: first, say, the port that the system gave it,
  later perhaps its progress. Nobody picks a free port and hopes that it is still free later.
- The *lifeline* is there to break. Only the parent holds its writing end, so the child reads
  end-of-file from it in the moment in which the parent closes it or is gone, even by `kill -9`.

What the child prints goes to an anonymous temporary file: it cannot fill up as a pipe would, it
leaves nothing on the disk, and its last lines are part of every error.

The order of calls, in the parent and in a child that is written in Python:

    with start([sys.executable, "-m", "server"], name="server") as server:
                                                    die_with_parent()
                                                    listener = bind("127.0.0.1", 0)
                                                    report(port=listener.getsockname()[1])
        port = server.wait_report()["port"]
        server.wait_ready(lambda: answers(port))
        ...                                         # serves
                                                    # SIGTERM: drains and ends

`stop()`, which the end of the block calls, works as a container does: SIGTERM to the child alone;
when the child has ended, or has overrun the drain limit, SIGKILL to all that is left of its process
group. The child leads a session of its own, so Ctrl-C in a terminal reaches the parent, which
drains it, and not the child.

A program that does not call `die_with_parent` (Redis, say) is stopped by `stop()` and told to end
when the parent's interpreter ends, but it survives a `kill -9` of the parent.

Needs a POSIX system.
"""

from __future__ import annotations

import io
import logging
import os
import selectors
import signal
import subprocess
import threading
import time
import weakref
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from mlref.errors import ProcessError, ProcessExitedError, ProcessNotReadyError
from mlref.runtime._lifeline import abandon, announce_sigterm, close_in_forks
from mlref.runtime._log import LogFile
from mlref.runtime._reports import ReportLines
from mlref.runtime.child import PARENT_FD, REPORT_FD, bind, die_with_parent, report
from mlref.runtime.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

__all__ = [
    "DEFAULT_LIMITS",
    "Limits",
    "ManagedProcess",
    "bind",
    "die_with_parent",
    "report",
    "start",
]

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 65536


def start(
    command: Sequence[str | os.PathLike[str]],
    *,
    name: str,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> ManagedProcess:
    r"""A running child process; use it in a `with` block, which stops it.

    Args:
        command: the program and its arguments; never a shell line.
        name: what errors call the child, for instance "model server".
        env: variables on top of the parent's environment. PYTHONUNBUFFERED is 1 unless set in
            either, so that the log is complete when a Python child is killed.
        cwd: the child's working directory; None means the parent's.
        limits: how long to wait for what.

    Raises:
        ProcessError: the program does not exist or could not be started.
        TypeError: `command` is one string.

    >>> command = "echo '{\"port\": 8080}' > /dev/fd/$MLREF_REPORT_FD"
    >>> with start(["sh", "-c", command], name="demo") as demo:
    ...     demo.wait_report()
    {'port': 8080}
    """
    if isinstance(command, str):
        raise TypeError(f"command must be a list of arguments, got the string {command!r}")
    report_end, child_report_end = os.pipe()
    child_lifeline, lifeline_end = os.pipe()
    descriptors = {REPORT_FD: str(child_report_end), PARENT_FD: str(child_lifeline)}
    with ExitStack() as ours:
        reports = ours.enter_context(io.FileIO(report_end, "rb"))
        lifeline = ours.enter_context(io.FileIO(lifeline_end, "wb"))
        close_in_forks(reports, lifeline)
        log = LogFile(limits.log_tail_bytes)
        ours.callback(log.close)
        try:
            popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log.file,
                stderr=subprocess.STDOUT,
                env={"PYTHONUNBUFFERED": "1"} | dict(os.environ) | dict(env or {}) | descriptors,
                cwd=cwd,
                pass_fds=(child_report_end, child_lifeline),
                start_new_session=True,
            )
        except OSError as error:
            words = " ".join(os.fspath(word) for word in command)
            raise ProcessError(
                f"{name} could not be started: {error}; check that the program is installed and "
                f"the folder exists; the command was: {words}"
            ) from error
        finally:
            os.close(child_report_end)
            os.close(child_lifeline)
        ours.pop_all()
    return ManagedProcess(
        popen, name=name, limits=limits, reports=reports, lifeline=lifeline, log=log
    )


class ManagedProcess:
    """A child process, as `start` returns it.

    Attributes:
        name: what errors call the child.
        limits: how long to wait for what.
        pid: the child's process id, which is also the id of its process group.
    """

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        *,
        name: str,
        limits: Limits,
        reports: io.FileIO,
        lifeline: io.FileIO,
        log: LogFile,
    ) -> None:
        self.name = name
        self.limits = limits
        self.pid = popen.pid
        self._popen = popen
        self._reports = reports
        self._lifeline = lifeline
        self._log = log
        self._lines = ReportLines(limits.report_line_bytes)
        self._owner = os.getpid()
        self._swept = False
        self._pump_lock = threading.RLock()
        self._stop_lock = threading.RLock()
        self._finalizer = weakref.finalize(self, abandon, self._owner, popen, reports, lifeline)

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"

    def __repr__(self) -> str:
        return f"<ManagedProcess {self.name!r} pid {self.pid}: {_ending(self.returncode)}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def returncode(self) -> int | None:
        """The exit status, minus the signal's number if a signal ended it, or None if it runs."""
        code = self._popen.poll()
        if code is not None and not self._swept:
            self._swept = True
            self._kill_group()  # its own children must not outlive it
        return code

    @property
    def running(self) -> bool:
        """Whether the child has not ended."""
        return self.returncode is None

    def next_report(self, timeout_s: float) -> dict[str, Any] | None:
        """The next object that the child reported, or None if no more can come.

        Args:
            timeout_s: seconds to wait; 0 takes only what is there, `math.inf` waits for the end.

        Raises:
            ProcessNotReadyError: nothing came within the limit.
            ProcessError: the child wrote a line that is not a JSON object, or is longer than
                `limits.report_line_bytes`; what comes after such a long one is lost.
        """
        if not self._wait_until(lambda: bool(self._lines.whole) or self._reports.closed, timeout_s):
            raise self._not_ready(f"sent no report within {timeout_s:g} s")
        with self._pump_lock:
            try:
                return self._lines.take()
            except ValueError as error:
                raise ProcessError(f"{self} {error}", log_tail=self.log_tail()) from error

    def reports(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        """All objects that the child reports, as they come, until it has ended.

        Args:
            timeout_s: the longest silence between two reports, in seconds.

        Raises:
            ProcessNotReadyError: the silence lasted longer.
            ProcessError: the child wrote a line that is not a JSON object.
        """
        while (values := self.next_report(timeout_s)) is not None:
            yield values

    def wait_report(self, timeout_s: float | None = None) -> dict[str, Any]:
        """The next object that the child reported; for a report that must come.

        Args:
            timeout_s: seconds to wait; None means `limits.ready_timeout_s`.

        Raises:
            ProcessExitedError: the child ended without that report; raised at once.
            ProcessNotReadyError: nothing came within the limit.
            ProcessError: the child wrote a line that is not a JSON object.
        """
        limit_s = self.limits.ready_timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit_s
        values = self.next_report(limit_s)
        if values is not None:
            return values
        if self._wait_until(lambda: not self.running, deadline - time.monotonic()):
            raise self._exited("before it reported")
        raise self._not_ready("closed its report pipe without a report")

    def wait_ready(self, check: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Return as soon as a condition holds.

        Args:
            check: tells whether the child is ready; called every `limits.poll_interval_s`. It must
                return soon, and what it raises passes through.
            timeout_s: seconds to wait; None means `limits.ready_timeout_s`.

        Raises:
            ProcessExitedError: the child has ended; raised at once.
            ProcessNotReadyError: the condition did not hold within the limit.
        """
        limit_s = self.limits.ready_timeout_s if timeout_s is None else timeout_s
        ready = self._wait_until(lambda: not self.running or check(), limit_s)
        if not self.running:
            raise self._exited("before it was ready")
        if not ready:
            raise self._not_ready(f"was not ready within {limit_s:g} s")

    def wait(self, timeout_s: float) -> int:
        """The exit status of a child that ends by itself.

        Args:
            timeout_s: seconds to wait; `math.inf` waits without a limit.

        Raises:
            ProcessNotReadyError: it still runs after that time.
        """
        if not self._wait_until(lambda: not self.running, timeout_s):
            raise self._not_ready(f"did not end within {timeout_s:g} s")
        return self._popen.returncode

    def log_tail(self, lines: int | None = None) -> str:
        """The last lines that the child printed to its output and error output.

        Args:
            lines: how many; None means `limits.log_tail_lines`.
        """
        count = self.limits.log_tail_lines if lines is None else lines
        return self._log.tail(count)

    def stop(self, drain_timeout_s: float | None = None) -> int:
        """The exit status, after the child and all of its process group have ended.

        Calling it again does nothing. The log's tail and reports that were sent until the end can
        still be read afterwards.

        Args:
            drain_timeout_s: seconds between SIGTERM and SIGKILL; None means
                `limits.drain_timeout_s`.

        Raises:
            ProcessError: the system did not end it within `limits.kill_timeout_s` after SIGKILL.
        """
        limit_s = self.limits.drain_timeout_s if drain_timeout_s is None else drain_timeout_s
        with self._stop_lock:
            try:
                if self.running:
                    announce_sigterm(self._lifeline)
                    self._popen.send_signal(signal.SIGTERM)
                if not self._wait_until(lambda: not self.running, limit_s):
                    logger.warning("%s did not drain within %g s: killed", self, limit_s)
            finally:  # also when Ctrl-C breaks the wait off
                if self.running:
                    self._kill_group()
            if not self._wait_until(lambda: not self.running, self.limits.kill_timeout_s):
                raise ProcessError(f"{self} did not end after SIGKILL", log_tail=self.log_tail())
            self._close()
        return self._popen.returncode

    def _close(self) -> None:
        """Keep what is worth keeping and give the descriptors back."""
        while not self._reports.closed:
            self._pump(0)
        self._lifeline.close()
        self._log.close()
        self._finalizer.detach()

    def _wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Whether a condition came true within the limit; takes in reports meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            left_s = deadline - time.monotonic()
            self._pump(min(max(left_s, 0.0), self.limits.poll_interval_s))
            if left_s <= 0:
                return condition()
        return True

    def _pump(self, wait_s: float) -> None:
        """Wait for a report or the child's end, and take in what was reported."""
        with self._pump_lock:
            # Asked before the pipe is looked at: what an ended child wrote is in the pipe by then.
            ended = not self.running
            if self._reports.closed:
                if not ended:
                    with suppress(subprocess.TimeoutExpired):
                        self._popen.wait(wait_s)
                return
            with selectors.PollSelector() as selector:
                selector.register(self._reports, selectors.EVENT_READ)
                readable = bool(selector.select(0 if ended else wait_s))
            chunk = self._reports.read(_CHUNK_BYTES) if readable else b""
            self._lines.add(chunk)
            if self._lines.endless or (not chunk and (readable or ended)):
                self._reports.close()

    def _kill_group(self) -> None:
        """SIGKILL to whatever is left of the child's process group."""
        if os.getpid() != self._owner:  # in a fork it is not ours to end
            return
        with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM if only zombies are left
            os.killpg(self.pid, signal.SIGKILL)

    def _exited(self, when: str) -> ProcessExitedError:
        """The error for a child that is gone."""
        message = f"{self} {_ending(self.returncode)} {when}"
        return ProcessExitedError(message, log_tail=self.log_tail())

    def _not_ready(self, what: str) -> ProcessNotReadyError:
        """The error for a child that takes too long."""
        message = f"{self} {what}; allow it more time or see why in its log"
        return ProcessNotReadyError(message, log_tail=self.log_tail())


def _ending(returncode: int | None) -> str:
    """The child's state in words."""
    if returncode is None:
        return "is running"
    if returncode >= 0:
        return f"ended with exit status {returncode}"
    try:
        return f"was ended by {signal.Signals(-returncode).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-returncode}"
