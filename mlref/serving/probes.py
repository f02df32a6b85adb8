"""What no well-behaved client sends: malformed bodies, half requests, many requests in one write.

    with Connection(url) as connection:
        connection.send(request_bytes("/v1/predict", body)[:50])       # a client that stops
        connection.answer(timeout_s=12)                                # 408, or it is closed

    for name, body in malformed_bodies(artifact.inputs, artifact.golden.instances[0]).items():
        send_raw(url, request_bytes("/v1/predict", body)).status       # 422; 413 for the huge one

A server that takes its promises seriously answers each of them with a 4xx and a reason.
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self

from mlref.errors import EndpointUnreachableError
from mlref.schema import Column, Schema
from mlref.serving.raw_http import Answer, AnswerReader, loopback

__all__ = ["Connection", "malformed_bodies", "send_pipelined", "send_raw"]

_CHUNK_BYTES = 65536
_SEND_BYTES = 2**18
_DEEP = 100_000
_MARK = "\ue000"  # where a literal goes that JSON does not have
_ABORT = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST


class Connection:
    """One connection to a server, byte by byte. Use it in a `with` block.

    Args:
        url: a server on this machine; see `mlref.serving.raw_http.loopback`.
        timeout_s: seconds that connecting, sending and an answer may take, each.

    Raises:
        ValueError: the address is not one of this machine.
        EndpointUnreachableError: nobody listens there.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        self.url = url
        self.timeout_s = timeout_s
        try:
            self._socket = socket.create_connection(loopback(url), timeout_s)
        except OSError as error:
            text = f"{url} takes no connection ({error}); check that the server runs"
            raise EndpointUnreachableError(text) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's own
        self._reader = AnswerReader()
        self._answers: deque[Answer] = deque()
        self._closed_by_server = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, data: bytes) -> int:
        """The number of bytes sent: all, unless the server closes or says that it will.

        What the server answers meanwhile is taken in, for `answer`.

        Raises:
            EndpointUnreachableError: the server takes no more, and has answered nothing.
        """
        rest, deadline = memoryview(data), time.monotonic() + self.timeout_s
        while rest and not self._over():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                if self._answers:
                    break
                taken = f"{len(data) - len(rest):,} of {len(data):,} bytes"
                text = f"{self.url} took {taken} within {self.timeout_s:g} s, then no more"
                raise EndpointUnreachableError(text)
            if self._wait(selectors.EVENT_READ | selectors.EVENT_WRITE, left_s):
                rest = rest[self._write(rest[:_SEND_BYTES]) :]
        return len(data) - len(rest)

    def answer(self, timeout_s: float | None = None) -> Answer:
        """The next answer.

        Args:
            timeout_s: seconds to wait; None means `self.timeout_s`.

        Raises:
            EndpointUnreachableError: none came in that time, or the connection was closed.
            ValueError: what came is not HTTP.
        """
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit_s
        while not self._answers:
            if self._closed_by_server:
                text = f"{self.url} closed the connection without an answer"
                raise EndpointUnreachableError(text)
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise EndpointUnreachableError(f"{self.url} did not answer within {limit_s:g} s")
            self._wait(selectors.EVENT_READ, left_s)
        return self._answers.popleft()

    def ended_within(self, timeout_s: float) -> bool:
        """Whether the server answers something, or closes, in so many seconds."""
        deadline = time.monotonic() + timeout_s
        while not self._answers and not self._closed_by_server:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            self._wait(selectors.EVENT_READ, left_s)
        return True

    def close(self) -> None:
        """End the connection in order. Calling it again does nothing."""
        self._socket.close()

    def abort(self) -> None:
        """End the connection as a client that crashed: the server's next byte has nowhere to go."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._socket.close()

    def _over(self) -> bool:
        """Whether it makes no sense to send more."""
        return self._closed_by_server or any(answer.closes for answer in self._answers)

    def _wait(self, events: int, limit_s: float) -> bool:
        """Wait for the server, and read; whether more can be written."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, events)
            ready = selector.select(limit_s)
        happened = ready[0][1] if ready else 0
        if happened & selectors.EVENT_READ:
            self._read()
        return bool(happened & selectors.EVENT_WRITE)

    def _read(self) -> None:
        try:
            data = self._socket.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        found = self._reader.feed(data) if data else []
        if not data:
            self._closed_by_server = True
            last = self._reader.end()
            found = [last] if last else []
        self._answers.extend(Answer.of(raw) for raw in found)

    def _write(self, data: memoryview) -> int:
        with suppress(BlockingIOError):
            try:
                return self._socket.send(data)
            except ConnectionError:  # what the server said before it closed may still be read
                self._drain()
        return 0

    def _drain(self) -> None:
        while not self._closed_by_server:
            if not self._readable():
                self._closed_by_server = True
            else:
                self._read()

    def _readable(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(selector.select(0))


def send_raw(url: str, data: bytes, *, timeout_s: float = 10.0) -> Answer:
    """The answer to these bytes, sent on a connection of their own.

    It is read while they are sent: a server may refuse a body before it has all of it.

    Args:
        url: a server on this machine.
        data: a request, or what should be taken for one; see `request_bytes`.
        timeout_s: seconds that connecting, sending and the answer may take, each.

    Raises:
        ValueError: the address is not one of this machine, or the answer is not HTTP.
        EndpointUnreachableError: no answer.
    """
    with Connection(url, timeout_s=timeout_s) as connection:
        connection.send(data)
        return connection.answer()


def send_pipelined(url: str, data: bytes, count: int, *, timeout_s: float = 10.0) -> list[Answer]:
    """The answers to several requests that are sent in one piece, in the order they came.

    Args:
        url: a server on this machine.
        data: the requests, one behind the other.
        count: how many answers to wait for.
        timeout_s: seconds that connecting, sending and each answer may take.

    Raises:
        ValueError: the address is not one of this machine, or an answer is not HTTP.
        EndpointUnreachableError: one of the answers did not come.
    """
    with Connection(url, timeout_s=timeout_s) as connection:
        connection.send(data)
        return [connection.answer() for _ in range(count)]


def malformed_bodies(
    schema: Schema,
    row: Mapping[str, Any],
    *,
    form: Literal["columns", "instances"] = "columns",
    huge_bytes: int = 64 * 2**20,
) -> dict[str, bytes]:
    """Bodies for /v1/predict that must be refused, by what is wrong with them.

    There are fifteen for a model with a number and a column that is not nullable; where all columns
    are text or nullable, those that would be right are left out.

    Args:
        schema: what the model takes.
        row: one row that it accepts, for instance `artifact.golden.instances[0]`.
        form: whether the rows are given as columns or as instances.
        huge_bytes: size of the body that is too large.

    Raises:
        ValueError: the row lacks a column of the schema.

    >>> schema = Schema([Column("temp"), Column("carrier", dtype="string")])
    >>> bodies = malformed_bodies(schema, {"temp": 71.5, "carrier": "UA"}, huge_bytes=99)
    >>> len(bodies), bodies["NaN"]
    (15, b'{"columns": {"temp": [NaN], "carrier": ["UA"]}}')
    """
    missing = [name for name in schema.names if name not in row]
    if missing:
        raise ValueError(f"row must have every column of the schema, {', '.join(missing)} missing")
    number = next((column for column in schema if column.dtype != "string"), None)
    target = number or schema.columns[0]
    required = next((column for column in schema if not column.nullable), None)

    def body(column: Column, literal: str) -> bytes:
        marked = {**row, column.name: _marked(row[column.name])}
        return _body(form, marked, schema.names).replace(f'"{_MARK}"'.encode(), literal.encode())

    good = _body(form, row, schema.names)
    made = {"NaN": body(target, "NaN"), "1e999": body(target, "1e999")}
    if required is not None:
        made["null"] = body(required, "null")
    if number is not None:
        made |= {"text": body(number, '"a"'), "numeric text": body(number, '"1.5"')}
    rest = [name for name in schema.names if name != target.name]
    empty: dict[str, Any] = {"instances": []}
    if form == "columns":
        empty = {"columns": {name: [] for name in schema.names}}
    start = f'{{"{form}": '.encode()
    return made | {
        "boolean": body(target, "true"),
        "wrong length": _wrong_length(form, row, schema, target),
        "missing column": _body(form, row, rest),
        "no rows": json.dumps(empty).encode(),
        "not JSON": good.replace(b'"', b"'"),
        "truncated": good[: len(good) // 2],
        "empty body": b"",
        "not UTF-8": b"\xff\xfe" + good,
        "deep": start + b"[" * _DEEP + b"]" * _DEEP + b"}",
        "huge": start + b"[" + b"1.0," * (huge_bytes // 4) + b"1.0]}",
    }


def _body(form: str, row: Mapping[str, Any], names: Any) -> bytes:
    """The request for one row, with the columns named."""
    values: Any = {name: row[name] for name in names}
    if form == "columns":
        values = {name: [value] for name, value in values.items()}
    return json.dumps(
        {form: values if form == "columns" else [values]}, ensure_ascii=False
    ).encode()


def _marked(value: Any) -> Any:
    """The mark in place of the value, or of the first number in it."""
    return [_marked(value[0]), *value[1:]] if isinstance(value, (list, tuple)) else _MARK


def _wrong_length(form: str, row: Mapping[str, Any], schema: Schema, target: Column) -> bytes:
    """A column that is longer than the others, or a value that is longer than its column's."""
    value = row[target.name]
    if target.shape:
        return _body(form, {**row, target.name: [*value, value[0]]}, schema.names)
    if form == "instances" or len(schema.columns) == 1:
        return _body(form, {**row, target.name: [value, value]}, schema.names)
    columns = {name: [row[name]] for name in schema.names}
    columns[target.name] = [value, value]
    return json.dumps({"columns": columns}).encode()
