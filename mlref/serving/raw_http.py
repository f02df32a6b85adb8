"""HTTP/1.1 as bytes: requests as they go over the wire, and the answers in what comes back.

An ordinary client repairs, retries and hides. Whoever measures a server, or sends it what no client
would, needs to say each byte and to see each answer. Nothing here leaves this machine: `loopback`
refuses every other address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Answer", "AnswerReader", "RawAnswer", "header_of", "loopback", "request_bytes"]

RawAnswer = tuple[int, bytes, bytes]
"""The status, the head (from HTTP/1.1 to the last header) and the body of an answer."""

_END = b"\r\n\r\n"
_NO_BODY = (204, 304)
_FINAL = 200  # below it stand the answers that announce another one
_UNTIL_CLOSED = -1


class Answer(NamedTuple):
    """What a server answered.

    Attributes:
        status: the HTTP status.
        headers: names in lower case, and values; of a repeated one the last.
        body: decoded from chunks, if it came in chunks.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, raw: RawAnswer) -> Answer:
        """The answer with its headers read."""
        status, head, body = raw
        lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        headers = {
            name.strip().lower().decode("latin-1"): value.strip().decode("latin-1")
            for name, _, value in lines
        }
        return cls(status, headers, body)

    @property
    def closes(self) -> bool:
        """Whether the server says that it closes the connection."""
        return self.headers.get("connection", "").lower() == "close"


def loopback(url: str, *, also: Collection[str] = ()) -> tuple[str, int]:
    """The address and the port of a server on this machine.

    Args:
        url: for instance "http://127.0.0.1:8000"; a path in it is not looked at. "localhost" is
            taken for 127.0.0.1.
        also: more addresses of this machine, for instance of a container that runs on it.

    Raises:
        ValueError: not plain HTTP, or not an address of loopback.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"url must look like http://127.0.0.1:8000, got {url!r}")
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local and host not in also:
        raise ValueError(
            f"load and malformed requests go to this machine only, got {url!r}; "
            f"use the loopback address 127.0.0.1, ::1 or localhost"
        )
    return host, parts.port or 80


def request_bytes(
    path: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    chunk_bytes: int | None = None,
) -> bytes:
    """A whole request, as it goes over the wire.

    Args:
        path: what is asked for, with a query if there is one.
        body: what is sent; empty for GET.
        method: the HTTP method.
        content_type: what the body is said to be; not said where the method is GET.
        headers: more headers.
        chunk_bytes: send the body in chunks of so many bytes, without telling its length.
    """
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if method != "GET":
        lines.append(f"Content-Type: {content_type}")
        coding = "Transfer-Encoding: chunked"
        lines.append(f"Content-Length: {len(body)}" if chunk_bytes is None else coding)
    head = "\r\n".join(lines).encode("latin-1") + _END
    if chunk_bytes is None:
        return head + body
    pieces = [head]
    for start in range(0, len(body), chunk_bytes):
        piece = body[start : start + chunk_bytes]
        pieces += [b"%x\r\n" % len(piece), piece, b"\r\n"]
    return b"".join([*pieces, b"0\r\n\r\n"])


def header_of(head: bytes, name: bytes) -> bytes | None:
    """The value of a header in an answer's head, in lower case, or None.

    Args:
        head: see `RawAnswer`.
        name: the header's name in lower case.
    """
    text = head.lower()
    at = text.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    start = at + len(name) + 3
    end = text.find(b"\r\n", start)
    return text[start : end if end >= 0 else None].strip()


class AnswerReader:
    """The answers in the bytes of one connection, in whatever pieces they come."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._needed = 0

    @property
    def began(self) -> bool:
        """Whether a part of an answer is there."""
        return bool(self._kept)

    def feed(self, data: bytes) -> list[RawAnswer]:
        """The answers that are whole now.

        Args:
            data: what came, at least one byte.

        Raises:
            ValueError: it is not HTTP/1.
        """
        if self._kept:
            self._kept += data
            if len(self._kept) < self._needed:
                return []
            data = bytes(self._kept)
            self._kept.clear()
        found, start = [], 0
        while start < len(data):
            raw, end = _next(data, start)
            if raw is None:
                self._kept += data[start:]
                self._needed = end - start
                break
            found.append(raw)
            start = end
        return found

    def end(self) -> RawAnswer | None:
        """The answer whose end is the connection's end, or None if there is no whole one.

        Raises:
            ValueError: it is not HTTP/1.
        """
        data, self._kept = bytes(self._kept), bytearray()
        raw, end = _next(data, 0)
        if raw is not None or end != _UNTIL_CLOSED:
            return None
        head, _, body = data.partition(_END)
        return _status(head), head, body


def _next(data: bytes, start: int) -> tuple[RawAnswer | None, int]:
    """The answer that begins there, and its end; or None, and the end as far as it is known."""
    stop = data.find(_END, start)
    if stop < 0:
        return None, start
    head, begin = data[start:stop], stop + len(_END)
    status = _status(head)
    if status < _FINAL:
        return _next(data, begin)
    length = b"0" if status in _NO_BODY else header_of(head, b"content-length")
    if length is not None:
        end = begin + int(length)
        return (None if end > len(data) else (status, head, data[begin:end])), end
    if header_of(head, b"transfer-encoding") != b"chunked":
        return None, _UNTIL_CLOSED
    body, end = _chunks(data, begin)
    return (None if body is None else (status, head, body)), end


def _chunks(data: bytes, at: int) -> tuple[bytes | None, int]:
    """A body that comes in chunks, and its end; None if a part is not there yet."""
    pieces: list[bytes] = []
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].partition(b";")[0], 16)
        if size == 0:  # then trailers, and an empty line
            end = data.find(_END, line)
            return (b"".join(pieces), end + len(_END)) if end >= 0 else (None, at)
        begin = line + 2
        at = begin + size + 2
        if at > len(data):
            break
        pieces.append(data[begin : begin + size])
    return None, at


def _status(head: bytes) -> int:
    if not head.startswith(b"HTTP/1.") or not head[9:12].isdigit():
        raise ValueError(f"an answer must begin with HTTP/1.1 and a status, got {head[:80]!r}")
    return int(head[9:12])
