"""Bytes of HTTP: requests that another implementation reads, answers that another one wrote."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.serving.raw_http import Answer, AnswerReader, header_of, loopback, request_bytes

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name: Value\r\n\r\nhello"
# RFC 9112 section 7.1: chunks with an extension, and a trailer behind them.
CHUNKED = (
    b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;note=x\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n"
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN
EMPTY = b"HTTP/1.1 204 No Content\r\nX-Name: Value\r\n\r\n"


class Seen:
    """What llhttp, the parser of Node.js, reads in a request."""

    def __init__(self, data: bytes) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.complete = 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """The target."""
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """The end."""
        self.complete += 1


@pytest.mark.parametrize("chunk_bytes", [None, 1, 4, 100])
def test_a_request_is_what_another_parser_reads(chunk_bytes: int | None) -> None:
    """Path, headers and body arrive, with a length and in chunks."""
    data = request_bytes("/a?b=1", b"0123456789", headers={"X-A": "b"}, chunk_bytes=chunk_bytes)
    seen = Seen(data)
    assert (seen.url, seen.body, seen.complete) == (b"/a?b=1", b"0123456789", 1)
    assert seen.headers[b"x-a"] == b"b"
    assert seen.headers[b"content-type"] == b"application/json"
    assert (b"content-length" in seen.headers) is (chunk_bytes is None)


def test_a_get_has_no_body_and_no_type() -> None:
    """GET announces neither."""
    seen = Seen(request_bytes("/health", method="GET"))
    assert (seen.complete, set(seen.headers)) == (1, {b"host"})


@given(cuts=st.lists(st.integers(1, 400), max_size=12))
def test_answers_are_found_in_whatever_pieces_they_come(cuts: list[int]) -> None:
    """Four answers, cut anywhere, are read in order, with and without chunks."""
    data = PLAIN + CHUNKED + INTERIM + EMPTY + PLAIN
    reader, found, start = AnswerReader(), [], 0
    for end in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
        if end > start:
            found += reader.feed(data[start:end])
            start = end
    bodies = [(status, body) for status, _, body in found]
    assert bodies == [
        (200, b"hello"),
        (503, b"hello"),
        (200, b"hello"),
        (204, b""),
        (200, b"hello"),
    ]
    assert not reader.began


def test_an_answer_may_end_with_the_connection() -> None:
    """Without length and chunks the end of the connection is the answer's."""
    reader = AnswerReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhel") == []
    assert reader.feed(b"lo") == []
    last = reader.end()
    assert last is not None
    answer = Answer.of(last)
    assert (answer.status, answer.body, answer.closes) == (200, b"hello", True)


@pytest.mark.parametrize("data", [PLAIN[:-1], CHUNKED[:-1], CHUNKED[:70], PLAIN[:20]], ids=len)
def test_a_part_of_an_answer_is_none(data: bytes) -> None:
    """A connection that ends within an answer gave no answer."""
    reader = AnswerReader()
    assert reader.feed(data) == []
    assert reader.began
    assert reader.end() is None


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_refused(data: bytes) -> None:
    """Another protocol's greeting is not taken for an answer."""
    with pytest.raises(ValueError, match="must begin with HTTP/1"):
        AnswerReader().feed(data)


def test_headers_are_found_whatever_their_case() -> None:
    """Names are compared in lower case; the first line is no header."""
    head = PLAIN.partition(b"\r\n\r\n")[0]
    assert header_of(head, b"x-name") == b"value"
    assert header_of(head, b"content-length") == b"5"
    assert header_of(head, b"name") is None
    assert Answer.of((200, head, b"")).headers["x-name"] == "Value"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("http://localhost/path", ("127.0.0.1", 80)),
        ("http://[::1]:9", ("::1", 9)),
    ],
)
def test_this_machine_is_allowed(url: str, address: tuple[str, int]) -> None:
    """IPv4, IPv6 and the name of loopback."""
    assert loopback(url) == address


@pytest.mark.parametrize("url", ["http://192.0.2.1", "http://example.org:80", "http://0.0.0.0:1"])
def test_another_machine_is_refused(url: str) -> None:
    """Pressure on somebody else's server is not offered."""
    with pytest.raises(ValueError, match="this machine only"):
        loopback(url)


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:8000", ""])
def test_what_is_no_http_url_is_refused(url: str) -> None:
    """A missing scheme and TLS are told apart from an address."""
    with pytest.raises(ValueError, match="must look like"):
        loopback(url)
