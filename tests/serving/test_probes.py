"""Bytes that no client sends, and a connection that is told each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.odd_server import Odd, odd_server

from mlref import errors
from mlref.artifact import Artifact
from mlref.schema import Column, Schema
from mlref.serving.decoding import decode
from mlref.serving.probes import Connection, malformed_bodies, send_pipelined, send_raw
from mlref.serving.raw_http import request_bytes

FORMS = ("columns", "instances")
GET = request_bytes("/", method="GET")


@pytest.fixture
def server() -> Iterator[Odd]:
    """A server of the standard library."""
    with odd_server() as started:
        yield started


def _cases() -> dict[str, tuple[Schema, dict[str, Any]]]:
    mixed = Schema(
        (
            Column("carrier", dtype="string"),
            Column("temp", nullable=True),
            Column("day", dtype="int64"),
        )
    )
    return {
        "mixed": (mixed, {"carrier": "UA", "temp": 71.5, "day": 3}),
        "vector": (Schema((Column("pixels", shape=(3,)),)), {"pixels": [1.0, 2.0, 3.0]}),
        "matrix": (Schema((Column("image", shape=(1, 2)),)), {"image": [[1.0, 2.0]]}),
        "one": (Schema((Column("x"),)), {"x": 1.0}),
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", _cases())
def test_each_malformed_body_is_refused(name: str, form: Any) -> None:
    """None of the fifteen fits the schema, in the judgement of the strict decoder."""
    schema, row = _cases()[name]
    bodies = malformed_bodies(schema, row, form=form, huge_bytes=1000)
    assert len(bodies) == 15
    assert len(set(bodies.values())) == 15
    for body in bodies.values():
        with pytest.raises(errors.InvalidInputError):
            decode(body, schema)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("NaN", errors.NotFiniteError),
        ("1e999", errors.NotFiniteError),
        ("null", errors.MissingValueError),
        ("text", errors.WrongTypeError),
        ("numeric text", errors.WrongTypeError),
        ("boolean", errors.WrongTypeError),
        ("missing column", errors.MissingColumnError),
        ("no rows", errors.EmptyInputError),
        ("not JSON", errors.MalformedRequestError),
    ],
)
def test_a_body_is_wrong_in_the_way_its_name_says(form: Any, name: str, kind: type) -> None:
    """The one problem with the body is the one that it was made for."""
    schema, row = _cases()["mixed"]
    with pytest.raises(errors.InvalidInputError) as caught:
        decode(malformed_bodies(schema, row, form=form, huge_bytes=100)[name], schema)
    assert {type(problem) for problem in caught.value.exceptions} == {kind}


def test_the_body_they_are_made_of_is_accepted(colours: Artifact) -> None:
    """A golden row, undamaged, is decoded: what is refused is the damage."""
    row = colours.golden.instances[0]
    assert decode(json.dumps({"instances": [row]}).encode(), colours.inputs).n_rows == 1
    assert len(malformed_bodies(colours.inputs, row, huge_bytes=100)) == 15


def test_what_would_be_right_is_left_out() -> None:
    """Text is right in a column of text, and null in one that is nullable."""
    schema = Schema((Column("name", dtype="string", nullable=True),))
    bodies = malformed_bodies(schema, {"name": "x"}, huge_bytes=100)
    assert len(bodies) == 12
    assert not {"null", "text", "numeric text"} & set(bodies)


def test_a_row_that_is_not_the_schemas_is_refused() -> None:
    """Bodies cannot be made of a row without a column."""
    with pytest.raises(ValueError, match="x missing"):
        malformed_bodies(Schema((Column("x"),)), {})


def test_the_huge_body_is_as_large_as_told() -> None:
    """64 MiB unless told otherwise."""
    bodies = malformed_bodies(Schema((Column("x"),)), {"x": 1.0})
    assert 64 * 2**20 <= len(bodies["huge"]) < 65 * 2**20


def test_an_answer_has_status_headers_and_body(server: Odd) -> None:
    """What the server said, unpacked."""
    status, headers, body = send_raw(server.url, request_bytes("/busy", b"x"))
    assert (status, headers["retry-after"], body) == (503, "1", b"ok")


def test_pipelined_requests_are_answered_in_order(server: Odd) -> None:
    """Three requests in one write give three answers."""
    data = GET + request_bytes("/busy", b"x") + GET
    assert [answer.status for answer in send_pipelined(server.url, data, 3)] == [200, 503, 200]
    assert server.connections == 1


def test_a_large_request_is_sent_whole(server: Odd) -> None:
    """More than the socket takes at once."""
    body = bytes(5 * 2**20)
    assert send_raw(server.url, request_bytes("/", body)).status == 200
    assert server.bodies == [body]


@pytest.mark.parametrize("path", ["/drop", "/half"])
def test_a_connection_closed_without_an_answer_is_told(server: Odd, path: str) -> None:
    """No answer, and a part of one, are no answer."""
    with pytest.raises(errors.EndpointUnreachableError, match="closed the connection"):
        send_raw(server.url, request_bytes(path, b"x"))


def test_no_answer_in_time_is_told(server: Odd) -> None:
    """The limit is part of the message."""
    with pytest.raises(errors.EndpointUnreachableError, match=r"did not answer within 0\.05 s"):
        send_raw(server.url, request_bytes("/hang", b"x"), timeout_s=0.05)


def test_half_a_request_can_be_sent_and_finished(server: Odd) -> None:
    """A connection sends what it is told, and sees whether the server reacts."""
    with Connection(server.url) as connection:
        assert connection.send(GET[:20]) == 20
        assert not connection.ended_within(0.05)
        connection.send(GET[20:])
        assert connection.ended_within(10)
        assert connection.answer().status == 200


def test_what_is_answered_before_the_end_of_the_body_is_read(server: Odd) -> None:
    """A server that answers and closes early is heard although the rest cannot be sent."""
    head = request_bytes("/close", b"", headers={"X-Early": "1"})
    with Connection(server.url) as connection:
        sent = connection.send(head + bytes(64 * 2**20))
        assert connection.answer().status == 200
    assert sent < len(head) + 64 * 2**20


def test_an_aborted_connection_is_reset(server: Odd) -> None:
    """The server goes on after a client that crashed."""
    connection = Connection(server.url)
    connection.send(GET[:20])
    connection.abort()
    assert send_raw(server.url, GET).status == 200


def test_nobody_listens_is_told() -> None:
    """A refused connection is an error of ours; another machine is not even tried."""
    with odd_server() as server:
        url = server.url
    with pytest.raises(errors.EndpointUnreachableError, match="takes no connection"):
        Connection(url)
    with pytest.raises(ValueError, match="this machine only"):
        Connection("http://192.0.2.1")
