"""Who asks: the id of each request, and its place in a distributed trace.

    trace = begin(headers)                  from the request
    reply_headers(trace)                    for the reply, and `trace` for the log

A request is known by the X-Request-Id that its client sent; otherwise by the trace that it belongs
to, which the header traceparent names; otherwise by an id of our own. Ids that could do harm in a
log or a header (control characters, blanks, more than 128 signs) are not taken over.

Source: W3C Recommendation "Trace Context" of 23 November 2021, sections 3.2 and 4.3. The version
that is written is 00; of a future version, what 00 knows is read. Flags other than "sampled" are
reserved, and written as 0.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import count

from mlref.serving.exchange import Headers

__all__ = ["Trace", "Tracer", "begin", "reply_headers"]

_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_VERSION = b"ff"
_NO_TRACE, _NO_PARENT = b"0" * 32, b"0" * 16
_SAMPLED = 0x01
_ID_BYTES = 8
_FIRST = 10**15  # counted in decimal, which is quicker: 16 digits for 285,000 years of 1 kHz
_NAMES = frozenset({b"x-request-id", b"traceparent"})


class Trace:
    """The ids of one request.

    Attributes:
        request_id: 1 to 128 visible ASCII signs.
        trace_id: of the trace that the request belongs to, 32 hex digits, or None.
        span_id: of our part in it, 16 hex digits, or None.
        parent_id: of the caller's part in it, 16 hex digits, or None.
        flags: 1 if the caller records the trace, else 0; None without a trace.
    """

    __slots__ = ("request_id",)

    trace_id: str | None = None
    span_id: str | None = None
    parent_id: str | None = None
    flags: int | None = None

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id


class _Joined(Trace):
    """The ids of a request that belongs to a trace. Most belong to none, and are made sooner."""

    __slots__ = ("flags", "parent_id", "span_id", "trace_id")

    def __init__(
        self, request_id: str, trace_id: str, span_id: str, parent_id: str, flags: int
    ) -> None:
        self.request_id = request_id
        self.trace_id, self.span_id, self.parent_id = trace_id, span_id, parent_id
        self.flags = flags


class Tracer:
    """Where ids come from. Threads may share it.

    Ids of our own are 16 random hex digits, drawn once in a process, and a count: no two requests
    have the same, whichever process they went to.

    Args:
        random_bytes: gives so many random bytes.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self.draw()

    def draw(self) -> None:
        """Draw anew, as a process that was forked must."""
        self._prefix = self._random_bytes(_ID_BYTES).hex()
        self._spans_from = int.from_bytes(self._random_bytes(_ID_BYTES), "big")
        self._numbers = count(_FIRST)

    def begin(self, headers: Headers) -> Trace:
        """The ids of a request.

        Args:
            headers: names in lower case, and values.
        """
        request_id = parent = None
        for name, value in headers:
            if name in _NAMES:
                if name == b"traceparent":
                    parent = value if parent is None else b""  # two of them are none
                elif request_id is None and _REQUEST_ID.fullmatch(value):
                    request_id = value.decode("ascii")
        if parent:
            trace = self._join(parent, request_id)
            if trace is not None:
                return trace
        return Trace(request_id or f"{self._prefix}{next(self._numbers)}")

    def _join(self, parent: bytes, request_id: str | None) -> Trace | None:
        """The ids of a request that belongs to a trace; None if the header is not valid."""
        found = _TRACEPARENT.fullmatch(parent.strip(b" \t"))
        if found is None:
            return None
        version, trace_id, parent_id, flags, more = found.groups()
        if version == _NO_VERSION or (version == b"00" and more is not None):
            return None
        if trace_id == _NO_TRACE or parent_id == _NO_PARENT:
            return None
        trace = trace_id.decode()
        span = (self._spans_from + next(self._numbers)) % 2**64 or 1  # 0 would be no id
        sampled = int(flags, 16) & _SAMPLED
        return _Joined(request_id or trace, trace, f"{span:016x}", parent_id.decode(), sampled)


def reply_headers(trace: Trace) -> tuple[tuple[bytes, bytes], ...]:
    """What a reply says of the request's ids: x-request-id, and traceparent if one came."""
    named = (b"x-request-id", trace.request_id.encode("ascii"))
    if trace.trace_id is None:
        return (named,)
    parent = f"00-{trace.trace_id}-{trace.span_id}-{trace.flags:02x}"
    return (named, (b"traceparent", parent.encode("ascii")))


_TRACER = Tracer()
os.register_at_fork(after_in_child=_TRACER.draw)

begin = _TRACER.begin
"""The ids of a request, from this process's own `Tracer`: see `Tracer.begin`."""
