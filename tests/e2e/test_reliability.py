"""What the server promises when it is stopped, flooded, or spoken to badly; on a real process.

Each promise is kept on both ways through the server: the lane, and plain ASGI (`--no-lane`). How
well it is kept is measured by the benchmark; here it is kept or broken.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from mlref.artifact import Artifact
from mlref.errors import EndpointUnreachableError
from mlref.runtime import process
from mlref.serving.load import press, start_load
from mlref.serving.probes import Connection, malformed_bodies, send_pipelined, send_raw
from mlref.serving.raw_http import Answer, request_bytes

MODES = ("lane", "no-lane")
PREDICT, LIVE, READY, READY_V2 = "/v1/predict", "/health/live", "/health/ready", "/v2/health/ready"
MAX_BODY_BYTES = 2**20
MIB = 2**20
SOON_S = 3.0  # what "at once" may take on a busy machine
FORMS: tuple[Literal["columns", "instances"], ...] = ("columns", "instances")


@dataclass(frozen=True)
class Running:
    """A server process, and where it is."""

    process: process.ManagedProcess
    url: str
    artifact: Artifact

    def get(self, path: str) -> Answer:
        """The answer to GET on a connection of its own."""
        return send_raw(self.url, get(path))

    def terminate(self) -> None:
        """One SIGTERM, and nothing else."""
        os.kill(self.process.pid, signal.SIGTERM)

    def answers_well(self) -> None:
        """Fail unless a golden row gets its golden prediction."""
        answer = send_raw(self.url, predict(self.artifact, 0))
        assert answer.status == 200
        golden = self.artifact.golden.predictions[:1]
        np.testing.assert_allclose(json.loads(answer.body)["predictions"], golden, atol=1e-5)


def get(path: str) -> bytes:
    """A request for something that is not a prediction."""
    return request_bytes(path, method="GET")


def body_of(artifact: Artifact, row: int) -> bytes:
    """The body with one golden row."""
    return json.dumps({"instances": [artifact.golden.instances[row]]}).encode()


def predict(artifact: Artifact, row: int) -> bytes:
    """A request for the prediction of one golden row."""
    return request_bytes(PREDICT, body_of(artifact, row))


def bodies_of(artifact: Artifact) -> list[bytes]:
    """A body for each golden row."""
    return [body_of(artifact, row) for row in range(len(artifact.golden.instances))]


@contextmanager
def running(artifact: Artifact, mode: str, *options: str) -> Iterator[Running]:
    """A server that answers."""
    command = [sys.executable, "-m", "mlref.serving", str(artifact.folder), *options]
    flags = ["--no-lane"] if mode == "no-lane" else []
    with process.start([*command, *flags], name=f"server ({mode})") as started:
        url = f"http://127.0.0.1:{started.wait_report()['port']}"
        started.wait_ready(lambda: send_raw(url, get(READY)).status == 200)
        yield Running(started, url, artifact)


def poll(condition: Callable[[], bool], timeout_s: float = SOON_S) -> bool:
    """Whether a condition that takes its time to look comes true in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
    return False


@pytest.fixture(scope="module")
def artifact(champion: Any) -> Artifact:
    """The flights model."""
    found: Artifact = champion.artifact
    return found


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Which way predictions take."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(artifact: Artifact, mode: str) -> Iterator[Running]:
    """The server of those tests that leave it alive; bodies may have 1 MiB."""
    with running(artifact, mode, "--max-body-bytes", str(MAX_BODY_BYTES)) as started:
        yield started


@pytest.fixture(scope="module")
def malformed(artifact: Artifact) -> dict[str, bytes]:
    """Fifteen malformed bodies in each form, the one of 64 MiB once."""
    row = artifact.golden.instances[0]
    made: dict[str, bytes] = {}
    for form in FORMS:
        bodies = malformed_bodies(artifact.inputs, row, form=form)
        made |= {f"{form}: {name}": body for name, body in bodies.items()}
    assert len(made) == 30
    del made["instances: huge"]
    return made


@pytest.mark.parametrize("connections", ["kept-1", "kept-2", "kept-3", "new"])
def test_sigterm_under_load_loses_no_request(
    artifact: Artifact, mode: str, connections: str
) -> None:
    """64 clients press while SIGTERM comes: each request that was sent gets its 200.

    They keep their connections until the server closes them, and come back until nobody listens
    any more; or each request has a connection of its own, so that some wait to be accepted.
    """
    bodies, headers = bodies_of(artifact), {"Connection": "close"} if connections == "new" else None
    with (
        running(artifact, mode, "--drain-timeout-s", "2") as server,
        start_load(server.url, PREDICT, bodies, concurrency=64, headers=headers) as load,
    ):
        load.wait_answered(640)
        server.terminate()
        assert server.process.wait(2 + SOON_S) == 0
    report = load.stop()
    assert (report.lost, report.timed_out) == (0, 0), str(report)
    assert report.statuses == {200: report.sent}


def test_readiness_is_false_while_the_server_drains(artifact: Artifact, mode: str) -> None:
    """Probes on new connections are told 503; it lives, predicts on, and ends with status 0."""
    with running(artifact, mode, "--drain-delay-s", "1") as server:
        assert [server.get(path).status for path in (READY, READY_V2, LIVE)] == [200, 200, 200]
        server.terminate()
        assert poll(lambda: server.get(READY).status == 503)
        assert server.get(READY_V2).status == 503
        assert server.get(LIVE).status == 200
        server.answers_well()
        assert server.process.wait(1 + 2 * SOON_S) == 0


def test_a_second_sigterm_ends_it_at_once(artifact: Artifact, mode: str) -> None:
    """A request without an end would hold it for a minute: the second signal does not wait."""
    options = ("--drain-timeout-s", "60", "--idle-grace-s", "60", "--body-timeout-s", "60")
    with (
        running(artifact, mode, *options) as server,
        Connection(server.url) as probe,
        Connection(server.url) as slow,
    ):
        slow.send(predict(artifact, 0)[:-9])
        server.terminate()

        def drains() -> bool:
            probe.send(get(READY))
            return probe.answer().status == 503

        assert poll(drains)
        assert server.process.running
        server.terminate()
        server.process.wait(SOON_S)


def test_a_silent_connection_does_not_hold_the_end_up(artifact: Artifact, mode: str) -> None:
    """A client that keeps its connection and says nothing is let go after the grace."""
    options = ("--idle-grace-s", "0.5", "--drain-timeout-s", "60")
    with running(artifact, mode, *options) as server, Connection(server.url) as idle:
        idle.send(predict(artifact, 0))
        assert idle.answer().status == 200
        server.terminate()
        assert server.process.wait(0.5 + SOON_S) == 0


@pytest.mark.parametrize("chunk_bytes", [None, 65536], ids=["length", "chunked"])
def test_malformed_bodies_are_refused_with_a_reason(
    server: Running, malformed: dict[str, bytes], chunk_bytes: int | None
) -> None:
    """Never 200, never 5xx, always a sentence; and the next good request is answered well."""
    statuses = {}
    for name, body in malformed.items():
        answer = send_raw(server.url, request_bytes(PREDICT, body, chunk_bytes=chunk_bytes))
        statuses[name] = answer.status
        assert json.loads(answer.body)["error"], name
        server.answers_well()
    assert {name: status for name, status in statuses.items() if not 400 <= status < 500} == {}
    assert statuses["columns: huge"] == 413


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held since it was asked to forget."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("chunk_bytes", [None, 65536], ids=["length", "chunked"])
def test_a_huge_body_costs_neither_memory_nor_the_health_of_the_server(
    server: Running, malformed: dict[str, bytes], chunk_bytes: int | None
) -> None:
    """413 for 64 MiB; memory grows by less than 5 MiB; /health/live is asked and answers."""
    data = request_bytes(PREDICT, malformed["columns: huge"], chunk_bytes=chunk_bytes)
    server.answers_well()
    pid = server.process.pid
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins here
    before = peak_bytes(pid)
    with start_load(server.url, LIVE, b"", method="GET", concurrency=1, think_s=0.005) as load:
        load.wait_answered(5)
        assert send_raw(server.url, data, timeout_s=30).status == 413
        load.wait_answered(load.answered + 5)
    assert peak_bytes(pid) - before < 5 * MIB
    report = load.stop()
    assert report.statuses == {200: report.sent}
    assert report.p99_ms < 1000
    server.answers_well()


def test_what_is_too_much_is_refused_at_once_and_told_when_to_come_back(server: Running) -> None:
    """500 clients at once: 200, or 503 with Retry-After; nobody is lost; it stays alive."""
    bodies = bodies_of(server.artifact)
    with start_load(server.url, LIVE, b"", method="GET", concurrency=1, think_s=0.05) as health:
        report = press(server.url, PREDICT, bodies, concurrency=500, seconds=3, timeout_s=30)
    assert (report.lost, report.timed_out, report.refused) == (0, 0, 0), str(report)
    assert set(report.statuses) == {200, 503}
    assert report.told_to_wait == report.statuses[503]
    alive = health.stop()
    assert alive.statuses == {200: alive.sent}
    assert poll(lambda: send_raw(server.url, predict(server.artifact, 0)).status == 200)
    server.answers_well()


@contextmanager
def slow_clients(server: Running, data: bytes, count: int) -> Iterator[list[Connection]]:
    """Connections on which so much was sent, and no more."""
    with ExitStack() as stack:
        opened = [stack.enter_context(Connection(server.url)) for _ in range(count)]
        for connection in opened:
            connection.send(data)
        yield opened


def kept(clients: list[Connection], *, drip: bytes) -> int:
    """How many are neither closed nor told 408 soon, the first of which drips bytes meanwhile."""
    deadline = time.monotonic() + 0.5 + SOON_S
    with suppress(EndpointUnreachableError):  # closed while we sent
        while not clients[0].ended_within(0.05) and time.monotonic() < deadline:
            clients[0].send(drip)
    ended = [each for each in clients if each.ended_within(max(0, deadline - time.monotonic()))]
    for each in ended:
        with suppress(EndpointUnreachableError):
            assert each.answer(0).status == 408
    return len(clients) - len(ended)


def test_headers_that_do_not_end_are_cut_off(artifact: Artifact) -> None:
    """Half a head is dropped after `header_timeout_s`, also when a byte comes now and then.

    Only on the lane: uvicorn has no limit of time on headers, and ASGI begins after them.
    """
    with (
        running(artifact, "lane", "--header-timeout-s", "0.5") as server,
        slow_clients(server, predict(artifact, 0)[:60], 50) as clients,
    ):
        served = press(server.url, PREDICT, bodies_of(artifact), concurrency=2, requests=50)
        assert (served.ok, served.lost) == (50, 0)
        assert not clients[0].ended_within(0)  # it had its time
        assert kept(clients, drip=b"x") == 0
        server.answers_well()


def test_bodies_that_do_not_end_are_cut_off(artifact: Artifact, mode: str) -> None:
    """Half a body is dropped after `body_timeout_s`, also when a byte comes now and then."""
    half = request_bytes(PREDICT, body_of(artifact, 0) + b" " * 1000)[:-1000]
    with (
        running(artifact, mode, "--body-timeout-s", "0.5") as server,
        slow_clients(server, half, 50) as clients,
    ):
        served = press(server.url, PREDICT, bodies_of(artifact), concurrency=2, requests=50)
        assert (served.ok, served.lost) == (50, 0)
        assert not clients[0].ended_within(0)  # it had its time
        assert kept(clients, drip=b" ") == 0
        server.answers_well()


def test_clients_that_go_away_leave_no_trace(server: Running) -> None:
    """Connections that end in the head, in the body and before the reply are no errors."""
    before = server.process.log_tail()
    data = predict(server.artifact, 0)
    for end in (10, 60, len(data) - 5, len(data)):
        for leave in (Connection.close, Connection.abort):
            for _ in range(10):
                connection = Connection(server.url)
                connection.send(data[:end])
                leave(connection)
    server.answers_well()
    assert server.process.log_tail() == before


def test_pipelined_requests_are_answered_in_order(server: Running) -> None:
    """Five requests in one write, predictions and others: five answers in the same order."""
    artifact = server.artifact
    data = [predict(artifact, 0), get("/health"), predict(artifact, 1), get("/nowhere")]
    answers = send_pipelined(server.url, b"".join([*data, predict(artifact, 2)]), 5)
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200]
    assert json.loads(answers[1].body)["status"] == "ok"
    given = [json.loads(answers[place].body)["predictions"][0] for place in (0, 2, 4)]
    np.testing.assert_allclose(given, artifact.golden.predictions[:3], atol=1e-5)
