"""A line of JSON for each request, on the logger `mlref.access`.

    {"time":"2013-09-01T06:00:00.123Z","request_id":"...","trace_id":null,"span_id":null,
     "client":"127.0.0.1","method":"POST","path":"/v1/predict","status":200,"duration_s":0.000412,
     "bytes_in":396,"bytes_out":94,"model":"flights","version":"1.0.0","rows":1}

    time         when the reply was ready, RFC 3339, in UTC
    request_id   see `mlref.serving.tracing`, as trace_id and span_id (ours); null without a trace
    client       the address of who asked, or null
    method, path as they came; no query, and of a longer path the first 1024 signs
    status       of the reply
    duration_s   from the last byte of the request to the reply, in seconds
    bytes_in     of the request's body
    bytes_out    of the reply's body
    model        name and version of the model that answered, or null
    rows         predictions that were asked for; 0 if the request was refused before that is known

A line is pure ASCII without control characters, so no request can forge one. Bodies and headers
(but for the ids) are never written: they may hold what is private. Lines are at level INFO, and go
nowhere until somebody gives the logger a handler: mlref configures none.
"""

from __future__ import annotations

import logging
import sys
from json.encoder import encode_basestring_ascii

from mlref.runtime.clock import Clock, SystemClock
from mlref.serving.tracing import Trace

__all__ = ["AccessLog", "print_access_log"]

_LONGEST_PATH = 1024
_UTC_OFFSET = len("+00:00")


class AccessLog:
    """The log of who asked for what.

    Args:
        name: of the logger.
        clock: tells the time of each line.
    """

    def __init__(self, name: str = "mlref.access", *, clock: Clock | None = None) -> None:
        self._logger = logging.getLogger(name)
        self._clock = clock or SystemClock()

    def write(
        self,
        *,
        method: str,
        path: str,
        status: int,
        seconds: float,
        bytes_in: int,
        bytes_out: int,
        trace: Trace,
        model: str | None = None,
        version: str | None = None,
        rows: int = 0,
        client: str | None = None,
    ) -> None:
        """Write the line of one request, if anybody listens.

        Args:
            method: for instance "POST".
            path: without the query.
            status: of the reply.
            seconds: how long it took.
            bytes_in: size of the request's body.
            bytes_out: size of the reply's body.
            trace: the ids of the request.
            model: the name of the model that answered.
            version: its version.
            rows: how many rows were asked for.
            client: the address of who asked.
        """
        if not self._logger.isEnabledFor(logging.INFO):
            return
        moment = self._clock.now().isoformat(timespec="milliseconds")
        self._logger.info(
            f'{{"time":"{moment[:-_UTC_OFFSET]}Z","request_id":{_quoted(trace.request_id)},'  # noqa: G004 - the line is finished here, whatever handler takes it
            f'"trace_id":{_quoted(trace.trace_id)},"span_id":{_quoted(trace.span_id)},'
            f'"client":{_quoted(client)},"method":{_quoted(method)},'
            f'"path":{_quoted(path[:_LONGEST_PATH])},"status":{status},'
            f'"duration_s":{seconds:.6f},"bytes_in":{bytes_in},"bytes_out":{bytes_out},'
            f'"model":{_quoted(model)},"version":{_quoted(version)},"rows":{rows}}}'
        )


def _quoted(text: str | None) -> str:
    """Text as JSON writes it, in ASCII; null for None."""
    return "null" if text is None else encode_basestring_ascii(text)


def print_access_log(name: str = "mlref.access") -> None:
    """Let the lines of the access log stand alone on standard output; for commands.

    Args:
        name: of the logger.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger(name)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
