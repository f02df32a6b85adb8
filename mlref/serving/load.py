"""A server under pressure: many clients at once, and what became of each of their requests.

    report = press(url, "/v1/predict", bodies, concurrency=64, seconds=3)
    report.p99_ms, report.requests_per_s, report.lost

    with start_load(url, "/v1/predict", bodies, concurrency=64) as load:
        load.wait_answered(1000)
        os.kill(server.pid, signal.SIGTERM)        # what happens to the 64 requests on their way?
        server.wait(10)
    load.stop().lost

Each client keeps one connection and sends its next request as soon as the last one is answered (a
closed loop), so `concurrency` is the number of requests on their way at any time. A slow server is
asked less often; to see how long requests wait that arrive regardless, an open loop is needed.

The clients share one thread with an event loop of its own, so a notebook can press while its own
loop runs. They need processor time, too: on few cores, compare servers in one run, interleaved, and
do not take latencies for those of an idle machine.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from mlref.errors import EndpointError, EndpointUnreachableError
from mlref.runtime.lazy import installed
from mlref.serving._clients import Clients
from mlref.serving.raw_http import loopback, request_bytes
from mlref.tables import Table

__all__ = ["Load", "LoadReport", "press", "start_load"]

_SUCCESS = range(200, 300)
_ALIVE_S = 5.0  # more than the clients' own limit before the thread is given up


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadReport:
    """What became of the requests of one run: sent = answered + lost + timed_out.

    Attributes:
        concurrency: how many clients asked at the same time.
        seconds: from the first connection to the last answer.
        sent: requests that were written to a connection.
        lost: of these, how many saw the connection close without a whole answer.
        timed_out: of these, how many were given up after `timeout_s`.
        refused: connections that could not be opened; nothing was sent on them.
        told_to_wait: answers that carried Retry-After.
        latencies_ms: for each status that came, a float array with a value for each such answer, in
            the order they came: milliseconds from the request's first byte to the answer's last.
    """

    concurrency: int
    seconds: float
    sent: int
    lost: int
    timed_out: int
    refused: int
    told_to_wait: int
    latencies_ms: Mapping[int, np.ndarray]

    @property
    def statuses(self) -> dict[int, int]:
        """How many answers had each status."""
        return {status: len(values) for status, values in sorted(self.latencies_ms.items())}

    @property
    def answered(self) -> int:
        """How many requests were answered, with whatever status."""
        return sum(self.statuses.values())

    @property
    def ok(self) -> int:
        """How many requests were answered with a status from 200 to 299."""
        return sum(count for status, count in self.statuses.items() if status in _SUCCESS)

    @property
    def requests_per_s(self) -> float:
        """Requests answered with success, a second."""
        return self.ok / self.seconds if self.seconds else 0.0

    @property
    def p50_ms(self) -> float:
        """Half of the successful requests were answered within so many milliseconds; or NaN."""
        return self.percentile_ms(50)

    @property
    def p99_ms(self) -> float:
        """99 of 100 successful requests were answered within so many milliseconds; or NaN."""
        return self.percentile_ms(99)

    def percentile_ms(self, percent: float) -> float:
        """The latency, in milliseconds, that so many percent of the successes kept; NaN if none.

        Args:
            percent: between 0 and 100.
        """
        values = [part for status, part in self.latencies_ms.items() if status in _SUCCESS]
        return _percentile(np.concatenate(values), percent) if self.ok else float("nan")

    def to_table(self) -> Table:
        """A row for each status that came, and for each way to get no answer that happened."""
        rows: list[tuple[object, ...]] = [
            (str(status), len(values), *(round(_percentile(values, p), 2) for p in (50, 99, 100)))
            for status, values in sorted(self.latencies_ms.items())
        ]
        unanswered = {
            "lost": self.lost,
            "timed out": self.timed_out,
            "not connected": self.refused,
        }
        rows += [(name, count, None, None, None) for name, count in unanswered.items() if count]
        return Table(("answer", "requests", "p50 ms", "p99 ms", "longest ms"), tuple(rows))

    def __str__(self) -> str:
        return str(self.to_table())

    def _repr_html_(self) -> str:
        return self.to_table()._repr_html_()


class Load:
    """Clients that press until they are stopped, as `start_load` returns it."""

    def __init__(self, clients: Clients, loop: asyncio.AbstractEventLoop) -> None:
        self._clients = clients
        self._loop = loop
        self._error: BaseException | None = None
        self._report: LoadReport | None = None
        self._thread = threading.Thread(target=self._run, name="mlref-load", daemon=True)
        self._thread.start()

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
    def sent(self) -> int:
        """How many requests were sent so far."""
        return self._clients.sent

    @property
    def answered(self) -> int:
        """How many requests were answered so far."""
        return self._clients.answered

    @property
    def running(self) -> bool:
        """Whether the clients have not ended."""
        return self._thread.is_alive()

    def wait_answered(self, count: int, timeout_s: float = 30.0) -> None:
        """Return as soon as so many requests have been answered since the start.

        Args:
            count: how many answers, of any status.
            timeout_s: seconds to wait.

        Raises:
            EndpointUnreachableError: there were fewer in that time, or until the end of the run.
        """
        if not self._clients.wait_answered(count, timeout_s):
            raise EndpointUnreachableError(
                f"{self.answered} of {count} answers came within {timeout_s:g} s or before the run "
                f"ended; sent {self.sent}, connections refused {self._clients.refused}"
            )

    def wait(self) -> LoadReport:
        """What became of the requests, when the run's own bounds have ended it.

        Raises:
            EndpointError: the load could not be made, or the server does not speak HTTP.
        """
        self._thread.join()
        return self._reported()

    def stop(self) -> LoadReport:
        """What became of the requests: those on their way are waited for, no new ones are sent.

        Calling it again gives the same report.

        Raises:
            EndpointError: the load could not be made, or the server does not speak HTTP.
        """
        with suppress(RuntimeError):  # the loop is closed: the run has ended by itself
            self._loop.call_soon_threadsafe(self._clients.end)
        self._thread.join(self._clients.timeout_s + _ALIVE_S)
        return self._reported()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._clients.run())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._error = error
        finally:
            self._clients.wake()

    def _reported(self) -> LoadReport:
        if self._error is not None:
            text = f"the load could not be made: {self._error}"
            raise EndpointError(text) from self._error
        if self.running:
            raise EndpointError("the load's thread hangs; is the machine out of processor time?")
        if self._report is None:
            self._report = _report(self._clients)
        return self._report


def start_load(
    url: str,
    path: str,
    bodies: bytes | Sequence[bytes],
    *,
    concurrency: int,
    seconds: float = 60.0,
    requests: int | None = None,
    method: str = "POST",
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    think_s: float = 0.0,
    honour_retry_after: bool = False,
    timeout_s: float = 10.0,
    also: Collection[str] = (),
) -> Load:
    """Clients that press a server while you do something else. Use it in a `with` block.

    A client whose connection is closed opens another one; when none can be opened, it tries again
    ten times a second.

    Args:
        url: a server on this machine, for instance "http://127.0.0.1:8000".
        path: what is asked for.
        bodies: what is sent, one after the other and from the beginning again.
        concurrency: number of clients, each with one connection.
        seconds: for how long at most.
        requests: how many at most.
        method: the HTTP method; for GET pass `b""` as the body.
        content_type: what the bodies are said to be.
        headers: more headers of each request.
        think_s: seconds between an answer and the same client's next request.
        honour_retry_after: whether clients wait as long as a 503 tells them.
        timeout_s: seconds after which a client gives up waiting for an answer or a connection.
        also: more addresses of this machine, for instance of a container that runs on it.

    Raises:
        ValueError: not an address of this machine, or a number that makes no sense.
    """
    host, port = loopback(url, also=also)
    each = [bodies] if isinstance(bodies, bytes) else list(bodies)
    if not each or concurrency < 1 or not seconds > 0 or not timeout_s > 0 or think_s < 0:
        raise ValueError(
            "bodies, concurrency, seconds and timeout_s must be more than none, think_s at least "
            f"0; got {len(each)} bodies, {concurrency}, {seconds}, {timeout_s} and {think_s}"
        )
    messages = [
        request_bytes(path, body, method=method, content_type=content_type, headers=headers)
        for body in each
    ]
    clients = Clients(
        host,
        port,
        itertools.cycle(messages),
        concurrency=concurrency,
        seconds=seconds,
        requests=requests,
        think_s=think_s,
        honour_retry_after=honour_retry_after,
        timeout_s=timeout_s,
    )
    return Load(clients, _new_loop())


def press(
    url: str,
    path: str,
    bodies: bytes | Sequence[bytes],
    *,
    concurrency: int,
    seconds: float | None = None,
    requests: int | None = None,
    method: str = "POST",
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    think_s: float = 0.0,
    honour_retry_after: bool = False,
    timeout_s: float = 10.0,
    also: Collection[str] = (),
) -> LoadReport:
    """What became of the requests of clients that pressed a server for a while.

    Args:
        url: see `start_load`, also for the arguments that are not told here.
        path: what is asked for.
        bodies: what is sent, one after the other and from the beginning again.
        concurrency: number of clients.
        seconds: for how long; None means until `requests` are answered, but at most a minute.
        requests: how many; None means as many as go into `seconds`.
        method: the HTTP method.
        content_type: what the bodies are said to be.
        headers: more headers of each request.
        think_s: seconds between an answer and the same client's next request.
        honour_retry_after: whether clients wait as long as a 503 tells them.
        timeout_s: seconds after which a client gives up waiting.
        also: more addresses of this machine.

    Raises:
        ValueError: not an address of this machine, neither `seconds` nor `requests`, or a number
            that makes no sense.
        EndpointError: the load could not be made, or the server does not speak HTTP.
    """
    if seconds is None and requests is None:
        raise ValueError("press needs an end: pass seconds, requests or both")
    load = start_load(
        url,
        path,
        bodies,
        concurrency=concurrency,
        seconds=60.0 if seconds is None else seconds,
        requests=requests,
        method=method,
        content_type=content_type,
        headers=headers,
        think_s=think_s,
        honour_retry_after=honour_retry_after,
        timeout_s=timeout_s,
        also=also,
    )
    try:
        return load.wait()
    finally:  # also when Ctrl-C breaks the wait off
        load.stop()


def _percentile(values: np.ndarray, percent: float) -> float:
    return float(np.percentile(values, percent))


def _report(clients: Clients) -> LoadReport:
    latencies = {status: np.asarray(values) for status, values in clients.latencies_ms.items()}
    return LoadReport(
        concurrency=clients.concurrency,
        seconds=clients.seconds_taken,
        sent=clients.sent,
        lost=clients.lost,
        timed_out=clients.timed_out,
        refused=clients.refused,
        told_to_wait=clients.told_to_wait,
        latencies_ms=latencies,
    )


def _new_loop() -> asyncio.AbstractEventLoop:
    """The faster event loop where it is installed."""
    if not installed("uvloop"):
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
