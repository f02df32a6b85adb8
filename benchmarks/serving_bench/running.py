"""One server as a running process tree: started, checked, loaded, weighed, ended.

A server's processes are found by a mark in their environment, which every descendant inherits. So
what a server leaves behind when its first process ends is counted, and ended, too.

Peers cannot report a port that the system gave them. A free one is picked just before a peer is
started; somebody else could take it in between, and the peer would then be told as failed. Nor do
peers notice when this process is ended by `kill -9`: they stay. Any other end takes them along.
"""

from __future__ import annotations

import http.client
import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np
import psutil

from mlref import errors
from mlref.artifact import TOLERANCE
from mlref.runtime import process
from serving_bench import load, wires
from serving_bench.figures import Sample
from serving_bench.servers import ROOT, Server
from serving_bench.workload import Workload

__all__ = ["FailedError", "Running"]

_MARK = "MLREF_BENCH_SERVER"
_PEERS = ROOT / "benchmarks" / "peers"
_LIMITS = process.Limits(drain_timeout_s=5.0)
_QUIET_S = 0.05  # without a tick of CPU time, for a server to count as idle
_SETTLE_S = 1.0  # for a server to become so after a load
_REPORTED_S = 5.0
_ASK_S = 30.0
_CHECKED = {1: 20}  # requests checked for each number of rows
_CHECKED_ELSE = 3
_WITH_PID = re.compile(r" \(pid \d+\)")  # nothing that a page should tell
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


class FailedError(RuntimeError):
    """A server did not start, gave a wrong answer, or ended."""


class Running:
    """A server that runs and gives the right answers; use it in a `with` block, which ends it.

    Args:
        server: which.
        workload: what it serves.

    Raises:
        FailedError: it did not start, or its answers are wrong.
    """

    def __init__(self, server: Server, workload: Workload) -> None:
        self.server = server
        self.workload = workload
        self._folder = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
        self._path = server.path.format(model=workload.name)
        self._mark = uuid.uuid4().hex
        self._port = _free_port()
        try:
            self._process = self._start()
            try:
                self._wait_ready()
                self._check()
                self._write_requests()
            except BaseException:  # also when Ctrl-C breaks the wait off
                self.stop()
                raise
        except errors.ProcessError as error:
            raise FailedError(_WITH_PID.sub("", str(error))) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def measure(self, rows: int, concurrency: int, *, seconds: float, warm_up_s: float) -> Sample:
        """What one load cost the server.

        Args:
            rows: in each request.
            concurrency: connections, each with one request at a time.
            seconds: how long.
            warm_up_s: of the same load before, not counted.

        Raises:
            FailedError: the server ended, or answered nothing.
            LoadError: wrk failed.
        """
        requests = self._requests(rows)
        load.run(self._port, requests, concurrency=concurrency, seconds=warm_up_s)
        self._settle()
        before = _cpu_s(self._marked())
        seen = load.run(self._port, requests, concurrency=concurrency, seconds=seconds)
        after = _cpu_s(self._marked())
        if not self._process.running:
            raise FailedError(f"{self.server.title} ended under load: {self._process.log_tail(3)}")
        if not seen.answered:
            raise FailedError(
                f"{self.server.title} answered nothing in {seconds:g} s with {concurrency} "
                f"connections: {seen.refused} errors, {seen.broken} broken"
            )
        self._settle()
        used_s = sum(now - before.get(pid, 0.0) for pid, now in after.items())
        return Sample.of(seen, used_s)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def path(self) -> str:
        """Where predictions are asked for."""
        return self._path

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    def wait_end(self, timeout_s: float) -> bool:
        """Whether it has ended by itself within so many seconds."""
        try:
            self._process.wait(timeout_s)
        except errors.ProcessNotReadyError:
            return False
        return True

    def stop(self) -> None:
        """End it and all that it started."""
        try:
            self._process.stop()
        finally:
            left = self._marked()
            for each in left:
                with suppress(*_GONE):
                    each.kill()
            psutil.wait_procs(left, timeout=_LIMITS.kill_timeout_s)
            self._folder.cleanup()

    def _start(self) -> process.ManagedProcess:
        filled = {
            "port": self._port,
            "artifact": self.workload.artifact.folder.resolve(),
            "bin": self.server.bin,
        }
        path = os.pathsep.join([str(self.server.bin), os.environ.get("PATH", os.defpath)])
        imports = filter(None, [str(_PEERS), os.environ.get("PYTHONPATH")])
        return process.start(
            [word.format(**filled) for word in self.server.command],
            name=self.server.title,
            env={
                _MARK: self._mark,
                "BENCH_ARTIFACT": str(filled["artifact"]),
                "BENCH_MODEL": self.workload.name,
                "BENCH_PORT": str(self._port),
                "PATH": path,
                "PYTHONPATH": os.pathsep.join(imports),
                "TMPDIR": self._folder.name,
            },
            cwd=self._folder.name,
            limits=_LIMITS,
        )

    def _wait_ready(self) -> None:
        ready_s = self.server.ready_s
        if self.server.reports:  # once it tells its port it answers
            ready_s = _REPORTED_S
            self._port = int(self._process.wait_report(self.server.ready_s)["port"])
        said = "nothing"

        def answers() -> bool:
            nonlocal said
            try:
                status, body, _ = self._ask(min(self.workload.bodies), 0)
            except (OSError, http.client.HTTPException) as error:
                said = repr(error)
                return False
            said = f"status {status}: {body[:300]!r}"
            return status == http.HTTPStatus.OK

        try:
            self._process.wait_ready(answers, ready_s)
        except errors.ProcessNotReadyError as error:
            text = f"did not answer rightly within {ready_s:g} s, the last time with {said}"
            raise FailedError(f"{text}\n{error.log_tail}") from error

    def _encoded(self, rows: int, number: int) -> tuple[bytes, dict[str, str]]:
        columns = self.workload.bodies[rows][number]
        return self.server.wire.encode(self.workload.artifact, columns)

    def _ask(self, rows: int, number: int) -> tuple[int, bytes, Mapping[str, str]]:
        """The answer to one of the requests."""
        body, headers = self._encoded(rows, number)
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ASK_S)
        try:
            line.request("POST", self._path, body, headers)
            answer = line.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            line.close()

    def _check(self) -> None:
        """Compare answers with the artefact's own predictions."""
        if not self.server.checked:
            return
        for rows, bodies in self.workload.bodies.items():
            for number in range(_CHECKED.get(rows, _CHECKED_ELSE)):
                status, body, headers = self._ask(rows, number)
                if status != http.HTTPStatus.OK:
                    raise FailedError(f"status {status} for {rows} rows: {body[:300]!r}")
                expected = self.workload.artifact.predict(bodies[number])
                try:
                    got = self.server.wire.decode(body, headers)
                    np.testing.assert_allclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE)
                except (AssertionError, LookupError, TypeError, ValueError) as error:
                    text = " ".join(str(error).split())[:300]
                    raise FailedError(f"wrong answer for {rows} rows: {text}") from error

    def _requests(self, rows: int) -> Path:
        return Path(self._folder.name) / f"requests-{rows}.bin"

    def _write_requests(self) -> None:
        for rows, bodies in self.workload.bodies.items():
            encoded = [self._encoded(rows, number) for number in range(len(bodies))]
            load.write_requests(
                self._requests(rows),
                [wires.raw_request(self._path, self._port, *each) for each in encoded],
            )

    def _marked(self) -> list[psutil.Process]:
        """Every process that carries this server's mark, orphans included."""
        found = []
        for each in psutil.process_iter():
            with suppress(*_GONE):
                if each.environ().get(_MARK) == self._mark:
                    found.append(each)
        return found

    def _settle(self) -> None:
        """Wait until the requests that wrk left behind are answered."""
        with suppress(errors.ProcessNotReadyError):  # one that is never idle
            self._process.wait_ready(_quiet(self._marked()), _SETTLE_S)


def _cpu_s(processes: Iterable[psutil.Process]) -> dict[int, float]:
    """CPU-seconds, user and system, of each process so far."""
    used = {}
    for each in processes:
        with suppress(*_GONE):
            times = each.cpu_times()
            used[each.pid] = times.user + times.system
    return used


def _quiet(processes: Sequence[psutil.Process]) -> Callable[[], bool]:
    """Whether no CPU time was used for a while, to be asked again and again."""
    last, since = _cpu_s(processes), time.monotonic()

    def quiet() -> bool:
        nonlocal last, since
        now = _cpu_s(processes)
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since >= _QUIET_S

    return quiet


def _free_port() -> int:
    with process.bind("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])
