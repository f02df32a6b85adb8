"""Notebooks, executed each in a process of its own, watched, and never outliving the runner.

    with progress.shown(console, total=len(paths)) as watcher:
        results = run(paths, out=Path("build"), watcher=watcher)

For each notebook a child process (`mlref.study._execute`) runs papermill and reports each cell as
it begins. The runner keeps the time limit, goes on after a failure, and ends what is left of a
kernel when its child is gone, in whatever way. What is written lies below `out`, never beside the
notebook:

    notebooks/NN_topic.ipynb    the executed copy, with the parameters that it ran with
    notebooks/NN_topic.html     the same as a page, images inside
    runs/                       what the notebooks write, unless they are given another `out`
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mlref.errors import FileWriteError, ProcessNotReadyError
from mlref.runtime.lazy import extra, installed
from mlref.runtime.process import Limits, ManagedProcess, start
from mlref.study.results import Failure, NotebookResult, Status
from mlref.study.selection import check_parameters, parameters_of

__all__ = ["DEFAULT_TIMEOUT_S", "Watcher", "run"]

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 600.0
_KERNEL_TIMEOUT_S = 120  # a busy machine imports slowly
_TICK_S = 0.25
_LIMITS = Limits(drain_timeout_s=5.0)
_NEEDED = ("papermill", "nbconvert", "nbclient", "ipykernel")


class Watcher(Protocol):
    """Whoever wants to know how far the notebooks are. Called in the caller's thread."""

    def started(self, name: str) -> None:
        """A notebook's process has been started."""

    def cell(self, name: str, *, index: int, total: int, label: str) -> None:
        """A code cell begins.

        Args:
            name: the notebook.
            index: which code cell, counted from 1.
            total: how many code cells the notebook has.
            label: the cell's heading or first line.
        """

    def page(self, name: str) -> None:
        """The cells are done; the page is being written."""

    def finished(self, result: NotebookResult) -> None:
        """A notebook has ended."""

    def tick(self) -> None:
        """Nothing else has happened for a quarter of a second."""


class _Silence:
    """A watcher that shows nothing."""

    def started(self, name: str) -> None:
        pass

    def cell(self, name: str, *, index: int, total: int, label: str) -> None:
        pass

    def page(self, name: str) -> None:
        pass

    def finished(self, result: NotebookResult) -> None:
        pass

    def tick(self) -> None:
        pass


def run(
    notebooks: Sequence[Path],
    *,
    out: Path,
    parameters: Mapping[str, Any] | None = None,
    jobs: int = 1,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    pages: bool = True,
    watcher: Watcher | None = None,
) -> tuple[NotebookResult, ...]:
    """The result of each notebook, in the order given. Ctrl-C ends the run, not the program.

    Args:
        notebooks: .ipynb files, each run with its own folder as working directory.
        out: the folder for all that is written; created if needed. What an earlier run of the same
            notebooks left in `out/notebooks` is replaced.
        parameters: values for the notebooks' parameters. A notebook with a parameter `out` gets
            the absolute path of `out/runs`; one given here counts from the current directory.
        jobs: how many run at a time, at least 1.
        timeout_s: seconds that each notebook may take, start of the kernel included.
        pages: whether to write HTML, too.
        watcher: told what happens.

    Returns:
        One result each. After Ctrl-C, those that had not passed or failed are "stopped".

    Raises:
        MissingExtraError: papermill or another part of the extra "notebooks" is absent.
        NotebookError: a parameter that a notebook does not have, or a value that it cannot take;
            nothing has run then.
        FileWriteError: a folder for what is written cannot be made; nothing has run then.
        ValueError: `jobs` or `timeout_s` is out of range.
    """
    if jobs < 1 or timeout_s <= 0:
        raise ValueError(
            f"jobs must be at least 1 and timeout_s positive, got {jobs} and {timeout_s:g}"
        )
    given = dict(parameters or {})
    check_parameters(given, notebooks)
    with extra("notebooks"):
        for module in _NEEDED:
            if not installed(module):
                raise ModuleNotFoundError(name=module)
    given["out"] = str(Path(str(given.get("out", out / "runs"))).absolute())
    for folder in (out / "notebooks", Path(given["out"])):
        _make(folder)
    with tempfile.TemporaryDirectory(prefix="mlref-jupyter-") as runtime_folder:
        batch = _Batch(
            out=out.absolute(),
            parameters=given,
            timeout_s=timeout_s,
            pages=pages,
            environment={
                "PYTHONHASHSEED": "0",
                "JUPYTER_RUNTIME_DIR": runtime_folder,
                "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel, not the user's
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # silences a debugger that nobody uses
            },
        )
        return batch.run([path.absolute() for path in notebooks], jobs, watcher or _Silence())


def _make(folder: Path) -> None:
    """A folder, with those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileWriteError(
            error.errno,
            f"the folder cannot be made ({error.strerror}); choose another with --out",
            str(folder),
        ) from error


@dataclass
class _Progress:
    """What a child has reported so far."""

    kernel: int | None = None
    cell: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)

    def take(self, values: dict[str, Any]) -> None:
        match values.get("event"):
            case "kernel":
                self.kernel = values["pid"]
            case "cell":
                self.cell = values
            case "end":
                self.end = values


@dataclass
class _Batch:
    """One call of `run`: what its threads share."""

    out: Path
    parameters: dict[str, Any]
    timeout_s: float
    pages: bool
    environment: dict[str, str]
    events: queue.Queue[tuple[str, dict[str, Any] | NotebookResult]] = field(
        default_factory=queue.Queue
    )
    stopping: threading.Event = field(default_factory=threading.Event)
    running: set[ManagedProcess] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, paths: list[Path], jobs: int, watcher: Watcher) -> tuple[NotebookResult, ...]:
        """Execute all; the events are passed on in this thread, which Ctrl-C can interrupt."""
        results: dict[str, NotebookResult] = {}
        with ThreadPoolExecutor(jobs, thread_name_prefix="notebook") as pool:
            futures = [pool.submit(self._notebook, path) for path in paths]
            try:
                while len(results) < len(paths):
                    self._pass_on(watcher, results)
                for future in futures:
                    future.result()
            except BaseException as error:
                self._stop()
                if not isinstance(error, KeyboardInterrupt):
                    raise
        while not self.events.empty():
            self._pass_on(watcher, results)
        return tuple(results[path.stem] for path in paths)

    def _pass_on(self, watcher: Watcher, results: dict[str, NotebookResult]) -> None:
        """Tell the watcher one event."""
        try:
            name, event = self.events.get(timeout=_TICK_S)
        except queue.Empty:
            watcher.tick()
            return
        if isinstance(event, NotebookResult):
            results[name] = event
            watcher.finished(event)
        elif event["event"] == "started":
            watcher.started(name)
        elif event["event"] == "cell":
            watcher.cell(name, index=event["index"], total=event["total"], label=event["label"])
        elif event["event"] == "page":
            watcher.page(name)

    def _stop(self) -> None:
        """End all children; no new one will be started."""
        self.stopping.set()
        with self.lock:
            running = list(self.running)
        for process in running:
            process.stop()

    def _notebook(self, path: Path) -> None:
        """Execute one notebook, in a thread of the pool."""
        began = time.monotonic()
        try:
            result = self._execute(path, began)
        except Exception as error:  # a broken child is one notebook's failure, not the batch's end
            logger.exception("%s could not be executed", path.name)
            failure = Failure(
                cell=None,
                source="",
                ename=type(error).__name__,
                evalue=str(error).partition("\n")[0],
            )
            result = _result(path, "crashed", began, _Progress(), failure)
        self.events.put((path.stem, result))

    def _execute(self, path: Path, began: float) -> NotebookResult:
        """One notebook's result."""
        copy = self.out / "notebooks" / path.name
        page = copy.with_suffix(".html")
        for old in (copy, page):
            old.unlink(missing_ok=True)
        progress = _Progress()
        with self.lock:
            if self.stopping.is_set():
                return _result(path, "stopped", began, progress)
            process = start(
                [sys.executable, "-m", "mlref.study._execute", self._job(path, copy, page)],
                name=f"notebook {path.stem}",
                env=self.environment,
                limits=_LIMITS,
            )
            self.running.add(process)
        self.events.put((path.stem, {"event": "started"}))
        try:
            with process:
                in_time = self._follow(process, path.stem, progress, began + self.timeout_s)
        finally:
            _end_kernel(progress.kernel)
            with self.lock:
                self.running.discard(process)
        while (values := process.next_report(0)) is not None:  # sent while it was being ended
            progress.take(values)
        return self._judge(path, began, progress, process, in_time=in_time)

    def _job(self, path: Path, copy: Path, page: Path) -> str:
        """What the child is told."""
        known = parameters_of(path)
        return json.dumps(
            {
                "notebook": str(path),
                "copy": str(copy),
                "page": str(page) if self.pages else None,
                "parameters": {k: v for k, v in self.parameters.items() if k in known},
                "cwd": str(path.parent),
                "kernel_timeout_s": _KERNEL_TIMEOUT_S,
            }
        )

    def _follow(
        self, process: ManagedProcess, name: str, progress: _Progress, deadline: float
    ) -> bool:
        """Take in the child's reports until it ends; False if the time was up first."""
        try:
            while True:
                values = process.next_report(max(deadline - time.monotonic(), 0.0))
                if values is None:
                    break
                progress.take(values)
                self.events.put((name, values))
            process.wait(max(deadline - time.monotonic(), _LIMITS.drain_timeout_s))
        except ProcessNotReadyError:
            return bool(progress.end)
        return True

    def _judge(
        self,
        path: Path,
        began: float,
        progress: _Progress,
        process: ManagedProcess,
        *,
        in_time: bool,
    ) -> NotebookResult:
        """The result, from what the child reported and how it ended."""
        reported = progress.end.get("status", "crashed")
        if not in_time:
            return _result(path, "timeout", began, progress, self._timeout_failure(progress))
        if reported == "stopped" or (self.stopping.is_set() and not progress.end):
            return _result(path, "stopped", began, progress)
        if not progress.end:
            failure = _current(
                progress,
                ename="ProcessExitedError",
                evalue=f"the process that ran it ended with status {process.returncode}",
                log_tail=process.log_tail(),
            )
            return _result(path, "crashed", began, progress, failure)
        found = progress.end.get("failure")
        failure_or_none = None
        if found is not None:
            log_tail = process.log_tail() if reported == "crashed" else ""
            found["traceback"] = tuple(found["traceback"])
            failure_or_none = Failure(**found, log_tail=log_tail)
        return _result(path, reported, began, progress, failure_or_none)

    def _timeout_failure(self, progress: _Progress) -> Failure:
        limit = f"it was not done after {self.timeout_s:g} s; allow it more with --timeout-s"
        return _current(progress, ename="Timeout", evalue=limit)


def _current(progress: _Progress, *, ename: str, evalue: str, log_tail: str = "") -> Failure:
    """The failure of the cell that was running."""
    return Failure(
        cell=progress.cell.get("index"),
        source=progress.cell.get("source", ""),
        ename=ename,
        evalue=evalue,
        log_tail=log_tail,
    )


def _result(
    path: Path, status: Status, began: float, progress: _Progress, failure: Failure | None = None
) -> NotebookResult:
    """A result with what was measured."""
    total = progress.cell.get("total", 0)
    return NotebookResult(
        name=path.stem,
        status=status,
        seconds=time.monotonic() - began,
        cpu_seconds=progress.end.get("cpu_seconds"),
        cells_done=progress.end.get("done", max(progress.cell.get("index", 1) - 1, 0)),
        cells_total=total,
        failure=failure,
    )


def _end_kernel(pid: int | None) -> None:
    """SIGKILL to a kernel whose child is gone; it leads a session of its own."""
    if pid is None:
        return
    with suppress(ProcessLookupError, PermissionError):
        if os.getsid(pid) == pid:  # the number has not been given to some other process
            os.killpg(pid, signal.SIGKILL)
