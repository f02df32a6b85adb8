"""Clients that press a real server, and what they count."""

from __future__ import annotations

import asyncio
import errno
import math
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from support.odd_server import Odd, odd_server

from mlref import errors
from mlref.serving import load as load_module
from mlref.serving.load import LoadReport, press, start_load
from mlref.serving.raw_http import loopback


@pytest.fixture
def server() -> Iterator[Odd]:
    """A server of the standard library."""
    with odd_server() as started:
        yield started


def _report(**changes: object) -> LoadReport:
    values: dict[str, object] = {
        "concurrency": 2,
        "seconds": 2.0,
        "sent": 104,
        "lost": 1,
        "timed_out": 0,
        "refused": 3,
        "told_to_wait": 2,
        "latencies_ms": {503: np.array([1.0, 2.0]), 200: np.arange(1.0, 102.0)},
    }
    return LoadReport(**values | changes)  # type: ignore[arg-type]


def test_each_request_is_answered_and_counted(server: Odd) -> None:
    """40 requests over 4 connections: 40 answers, each with a latency."""
    report = press(server.url, "/", [b"a", b"b"], concurrency=4, requests=40)
    assert (report.sent, report.answered, report.ok) == (40, 40, 40)
    assert (report.lost, report.timed_out, report.refused) == (0, 0, 0)
    assert report.statuses == {200: 40}
    assert report.latencies_ms[200].shape == (40,)
    assert 0 < report.p50_ms <= report.p99_ms <= report.seconds * 1e3
    assert server.connections == 4
    assert sorted(server.bodies) == [b"a"] * 20 + [b"b"] * 20


def test_time_ends_a_run(server: Odd) -> None:
    """Without a count the clients ask until the time is over, then get their answers."""
    report = press(server.url, "/", b"", concurrency=2, seconds=0.2)
    assert report.sent == report.ok > 2
    assert 0.19 <= report.seconds < 5


def test_a_closed_connection_is_opened_again(server: Odd) -> None:
    """`Connection: close` costs a new connection and no request."""
    report = press(server.url, "/close", b"x", concurrency=2, requests=6)
    assert (report.ok, report.lost) == (6, 0)
    assert server.connections in {6, 7}  # one may have been opened when the last was sent


@pytest.mark.parametrize("path", ["/drop", "/half"])
def test_no_whole_answer_is_a_lost_request(server: Odd, path: str) -> None:
    """A connection that ends after the request, before the answer's last byte, loses it."""
    report = press(server.url, path, b"x", concurrency=2, requests=2)
    assert (report.sent, report.lost, report.answered) == (2, 2, 0)
    assert math.isnan(report.p99_ms)


def test_an_answer_that_does_not_come_is_timed_out(server: Odd) -> None:
    """After `timeout_s` a client gives up; that is not a lost request."""
    report = press(server.url, "/hang", b"x", concurrency=2, requests=2, timeout_s=0.2)
    assert (report.sent, report.timed_out, report.lost, report.answered) == (2, 2, 0, 0)
    assert 0.19 <= report.seconds < 5


def test_a_port_without_a_server_refuses() -> None:
    """Nothing is sent where no connection can be opened."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    report = press(url, "/", b"x", concurrency=2, seconds=0.2)
    assert (report.sent, report.answered, report.lost) == (0, 0, 0)
    assert report.refused >= 2


def test_retry_after_is_counted_and_honoured_when_asked(server: Odd) -> None:
    """Clients that honour it ask once in the second for which they were told to wait."""
    report = press(server.url, "/busy", b"x", concurrency=3, seconds=0.3, honour_retry_after=True)
    assert report.statuses == {503: 3}
    assert (report.told_to_wait, report.ok) == (3, 0)
    assert report.seconds < 1
    eager = press(server.url, "/busy", b"x", concurrency=3, requests=30)
    assert eager.told_to_wait == 30


def test_clients_that_think_ask_less_often(server: Odd) -> None:
    """One client with 0.1 s between answer and request sends at most 4 in 0.35 s."""
    report = press(server.url, "/", b"", method="GET", concurrency=1, seconds=0.35, think_s=0.1)
    assert 1 <= report.ok <= 4


def test_something_can_be_done_under_load(server: Odd) -> None:
    """The clients press while the block runs; at its end each request has its answer."""
    with start_load(server.url, "/", b"x", concurrency=4) as load:
        load.wait_answered(20)
        assert load.running
        load.wait_answered(load.answered + 20)
    report = load.stop()
    assert not load.running
    assert report is load.stop()
    assert report.sent == report.ok == load.sent >= 40


def test_a_request_on_its_way_is_waited_for(server: Odd) -> None:
    """`stop` sends no more, and takes the answer that is still to come."""
    load = start_load(server.url, "/hang", b"x", concurrency=1)
    while not server.bodies:
        threading.Event().wait(0.005)
    threading.Timer(0.05, server.release.set).start()
    report = load.stop()
    assert (report.sent, report.ok, report.lost) == (1, 1, 0)


def test_waiting_for_answers_that_do_not_come_ends(server: Odd) -> None:
    """The limit counts while the run goes on; its end counts at once."""
    load = start_load(server.url, "/hang", b"x", concurrency=1, timeout_s=0.3, requests=1)
    with pytest.raises(errors.EndpointUnreachableError, match="0 of 1 answers"):
        load.wait_answered(1, timeout_s=0.05)
    with pytest.raises(errors.EndpointUnreachableError, match="0 of 1 answers"):
        load.wait_answered(1, timeout_s=60)
    assert load.stop().timed_out == 1


def test_it_runs_where_a_loop_runs_already(server: Odd) -> None:
    """In a coroutine, as in a notebook's cell, the load has a loop of its own."""

    async def cell() -> LoadReport:
        return press(server.url, "/", b"x", concurrency=2, requests=4)

    assert asyncio.run(cell()).ok == 4


def test_asyncios_own_loop_will_do(server: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uvloop is not installed, the same is counted."""
    monkeypatch.setattr(load_module, "installed", lambda _: False)
    report = press(server.url, "/close", b"x", concurrency=2, requests=6)
    assert (report.ok, report.lost) == (6, 0)
    assert press(server.url, "/drop", b"x", concurrency=2, requests=2).lost == 2


def test_a_load_may_be_stopped_before_it_began(server: Odd) -> None:
    """Stopping at once leaves no request without an answer, and a client sends one at most."""
    report = start_load(server.url, "/", b"x", concurrency=4, think_s=30).stop()
    assert report.sent == report.ok == len(server.bodies) <= 4


def test_stopping_does_not_wait_for_clients_that_think(server: Odd) -> None:
    """Whoever would send again after half a minute sends nothing more."""
    load = start_load(server.url, "/", b"x", concurrency=4, think_s=30, timeout_s=5)
    load.wait_answered(4)
    report = load.stop()
    assert report.sent == report.ok == len(server.bodies) == 4


def test_another_protocol_is_told(server: Odd) -> None:
    """A server that does not speak HTTP ends the run with an error of ours."""
    with pytest.raises(errors.EndpointError, match="must begin with HTTP/1"):
        press(server.url, "/noise", b"x", concurrency=2, requests=4)


def test_another_machine_is_not_pressed() -> None:
    """Only loopback is allowed."""
    with pytest.raises(ValueError, match="this machine only"):
        press("http://192.0.2.1", "/", b"x", concurrency=1, requests=1)


@pytest.mark.parametrize(
    "arguments",
    [
        {"concurrency": 1},
        {"concurrency": 0, "requests": 1},
        {"concurrency": 1, "seconds": 0},
        {"concurrency": 1, "seconds": math.nan},
        {"concurrency": 1, "requests": 1, "timeout_s": 0},
        {"concurrency": 1, "requests": 1, "think_s": -1},
        {"concurrency": 1, "requests": 1, "bodies": []},
    ],
)
def test_a_run_that_makes_no_sense_is_refused(arguments: dict[str, object]) -> None:
    """No end, no client, no time, no body: told before anything is sent."""
    with pytest.raises(ValueError, match=r"press needs an end|more than none"):
        press("http://127.0.0.1:9", "/", **{"bodies": b"x", **arguments})  # type: ignore[arg-type]


def test_a_report_counts_successes_apart() -> None:
    """Rate and percentiles are those of answers from 200 to 299; percentiles are NumPy's."""
    report = _report()
    assert (report.answered, report.ok) == (103, 101)
    assert report.requests_per_s == 50.5
    assert (report.p50_ms, report.p99_ms) == (51.0, 100.0)
    assert report.statuses == {200: 101, 503: 2}


def test_a_report_without_success_has_no_percentile() -> None:
    """NaN, and a rate of nothing."""
    report = _report(latencies_ms={503: np.array([1.0])})
    assert math.isnan(report.p50_ms)
    assert report.requests_per_s == 0


def test_a_report_is_shown_as_a_table() -> None:
    """A row for each status and for each way to get no answer that happened."""
    table = _report().to_table()
    assert [row[:2] for row in table.rows] == [
        ("200", 101),
        ("503", 2),
        ("lost", 1),
        ("not connected", 3),
    ]
    assert table.rows[0][2:] == (51.0, 100.0, 101.0)
    assert _report()._repr_html_() == table._repr_html_()
    assert str(_report()) == str(table)


@pytest.mark.parametrize("url", ["http://10.1.2.3:80", "http://172.17.0.2:8080"])
def test_an_address_of_this_machine_may_be_named(url: str) -> None:
    """Only loopback is pressed unless the caller names another address as one of this machine."""
    host = str(urlsplit(url).hostname)
    with pytest.raises(ValueError, match="go to this machine only"):
        start_load(url, "/", b"x", concurrency=1, also=["10.9.9.9"])
    assert loopback(url, also=[host])[0] == host


def test_a_host_that_is_gone_refuses(monkeypatch: pytest.MonkeyPatch, server: Odd) -> None:
    """Where no way leads to the server any more, clients count that and try again."""

    async def create_connection(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", create_connection)
    monkeypatch.setattr(load_module, "_new_loop", asyncio.new_event_loop)
    report = press(server.url, "/", b"x", concurrency=1, seconds=0.3)
    assert report.refused >= 2
    assert report.sent == 0
