"""The access log: one line of JSON for each request, and no line that a request forged."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.runtime.clock import ManualClock
from mlref.serving.access import AccessLog
from mlref.serving.tracing import Tracer

NAME = "mlref.access.test"
MOMENT = datetime(2013, 9, 1, 6, 0, 0, 123456, tzinfo=UTC)
TRACER = Tracer(lambda size: b"\x01" * size)
TRACEPARENT = b"00-12345678901234567890123456789012-1234567890123456-01"
REQUEST: dict[str, Any] = {
    "method": "POST",
    "path": "/v1/predict",
    "status": 200,
    "seconds": 0.00041249,
    "bytes_in": 396,
    "bytes_out": 94,
    "trace": TRACER.begin([(b"x-request-id", b"r-1")]),
}
MODEL = {"model": "flights", "version": "1.0.0", "rows": 1, "client": "127.0.0.1"}


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the lines go."""
    yield from _listening()


def _listening() -> Iterator[io.StringIO]:
    logger, text = logging.getLogger(NAME), io.StringIO()
    handler = logging.StreamHandler(text)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield text
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def _log() -> AccessLog:
    return AccessLog(NAME, clock=ManualClock(MOMENT))


def test_a_line_has_the_documented_keys(stream: io.StringIO) -> None:
    """Each key, in the documented order, with the value of the request."""
    _log().write(**REQUEST, **MODEL)
    line = stream.getvalue()
    assert line.endswith("\n")
    assert list(json.loads(line).items()) == [
        ("time", "2013-09-01T06:00:00.123Z"),
        ("request_id", "r-1"),
        ("trace_id", None),
        ("span_id", None),
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("path", "/v1/predict"),
        ("status", 200),
        ("duration_s", 0.000412),
        ("bytes_in", 396),
        ("bytes_out", 94),
        ("model", "flights"),
        ("version", "1.0.0"),
        ("rows", 1),
    ]


def test_the_module_documents_every_key(stream: io.StringIO) -> None:
    """The table in the docstring names all keys of a line."""
    from mlref.serving import access

    _log().write(**REQUEST, **MODEL)
    table = (access.__doc__ or "").partition("    time ")[2]
    assert all(key in f"time {table}" for key in json.loads(stream.getvalue()))


def test_what_is_not_known_is_null(stream: io.StringIO) -> None:
    """A request that found no model has neither name nor version, and no rows."""
    _log().write(**REQUEST)
    line = json.loads(stream.getvalue())
    assert [line[key] for key in ("model", "version", "client", "rows")] == [None, None, None, 0]


def test_a_trace_is_named(stream: io.StringIO) -> None:
    """The trace of the caller, and our own part in it."""
    trace = TRACER.begin([(b"traceparent", TRACEPARENT)])
    _log().write(**REQUEST | {"trace": trace})
    line = json.loads(stream.getvalue())
    assert line["trace_id"] == "12345678901234567890123456789012"
    assert line["span_id"] == trace.span_id


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (datetime(2013, 1, 1, tzinfo=UTC), "2013-01-01T00:00:00.000Z"),
        (datetime(2013, 1, 1, 0, 0, 0, 999999, tzinfo=UTC), "2013-01-01T00:00:00.999Z"),
    ],
)
def test_the_time_has_milliseconds(stream: io.StringIO, moment: datetime, told: str) -> None:
    """RFC 3339 in UTC, never rounded into the next second."""
    AccessLog(NAME, clock=ManualClock(moment)).write(**REQUEST)
    assert json.loads(stream.getvalue())["time"] == told


@given(path=st.text(max_size=1024), method=st.text(max_size=20), client=st.text(max_size=40))
def test_no_request_can_forge_a_line(path: str, method: str, client: str) -> None:
    """Whatever is in it, it stays one line of visible ASCII, and JSON gives it back."""
    listening = _listening()
    text = next(listening)
    _log().write(**REQUEST | {"path": path, "method": method}, client=client)
    list(listening)
    (line,) = text.getvalue().splitlines()  # splits at every line end that Unicode knows
    assert line.isascii()
    assert line.isprintable()
    found = json.loads(line)
    assert (found["path"], found["method"], found["client"]) == (path, method, client)


def test_percent_signs_are_no_format(stream: io.StringIO) -> None:
    """A path is never taken for a format string."""
    _log().write(**REQUEST | {"path": "/%s/%d/%(x)s"})
    assert json.loads(stream.getvalue())["path"] == "/%s/%d/%(x)s"


def test_an_endless_path_is_cut(stream: io.StringIO) -> None:
    """Nobody fills the disk with one request."""
    _log().write(**REQUEST | {"path": "/" + "x" * 100_000})
    assert len(stream.getvalue()) < 2000


def test_nothing_is_written_when_nobody_listens(stream: io.StringIO) -> None:
    """Above INFO the log is silent, and does not even look at the clock."""

    class Broken(ManualClock):
        def now(self) -> datetime:
            raise AssertionError

    logging.getLogger(NAME).setLevel(logging.WARNING)
    AccessLog(NAME, clock=Broken(MOMENT)).write(**REQUEST)
    assert stream.getvalue() == ""


def test_a_command_prints_bare_lines() -> None:
    """`print_access_log` sends them to standard output, without the root logger's prefix."""
    script = (
        "import logging\n"
        "from mlref.serving.access import AccessLog, print_access_log\n"
        "from mlref.serving.tracing import begin\n"
        "logging.basicConfig()\n"
        "print_access_log()\n"
        "AccessLog().write(method='GET', path='/', status=200, seconds=0.5, bytes_in=0,\n"
        "                  bytes_out=1, trace=begin([]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert json.loads(done.stdout)["duration_s"] == 0.5
    assert done.stderr == b""
