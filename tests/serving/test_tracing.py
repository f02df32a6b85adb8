"""Ids of requests. The vectors are those of the W3C's own conformance tests for Trace Context."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.serving.tracing import Tracer, begin, reply_headers

TRACE_ID, PARENT_ID = "12345678901234567890123456789012", "1234567890123456"
VALID = f"00-{TRACE_ID}-{PARENT_ID}-01"


@pytest.mark.parametrize(
    "value",
    [
        VALID,
        f"00-{TRACE_ID}-{PARENT_ID}-00",
        f"cc-{TRACE_ID}-{PARENT_ID}-01",
        f"cc-{TRACE_ID}-{PARENT_ID}-01-what-the-future-will-be-like",
        f" {VALID}",
        f"\t{VALID}",
        f"{VALID} ",
        f"{VALID}\t",
        f"\t {VALID} \t",
    ],
)
def test_a_valid_traceparent_is_taken_over(value: str) -> None:
    """Its trace goes on, with a part of our own in it."""
    trace = begin([(b"traceparent", value.encode())])
    assert (trace.trace_id, trace.parent_id, trace.request_id) == (TRACE_ID, PARENT_ID, TRACE_ID)
    assert re.fullmatch("[0-9a-f]{16}", trace.span_id or "")
    assert trace.span_id not in {PARENT_ID, "0" * 16}


@pytest.mark.parametrize(
    "value",
    [
        f"00-{TRACE_ID}-{PARENT_ID}-01.",
        f"00-{TRACE_ID}-{PARENT_ID}-01-what-the-future-will-be-like",
        f"cc-{TRACE_ID}-{PARENT_ID}-01.what-the-future-will-be-like",
        f"ff-{TRACE_ID}-{PARENT_ID}-01",
        f".0-{TRACE_ID}-{PARENT_ID}-01",
        f"0.-{TRACE_ID}-{PARENT_ID}-01",
        f"000-{TRACE_ID}-{PARENT_ID}-01",
        f"0000-{TRACE_ID}-{PARENT_ID}-01",
        f"0-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{'0' * 32}-{PARENT_ID}-01",
        f"00-.{TRACE_ID[1:]}-{PARENT_ID}-01",
        f"00-{TRACE_ID[:-1]}.-{PARENT_ID}-01",
        f"00-{TRACE_ID}3-{PARENT_ID}-01",
        f"00-{TRACE_ID[:-1]}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID}-.{PARENT_ID[1:]}-01",
        f"00-{TRACE_ID}-{PARENT_ID[:-1]}.-01",
        f"00-{TRACE_ID}-{PARENT_ID}7-01",
        f"00-{TRACE_ID}-{PARENT_ID[:-1]}-01",
        f"00-{TRACE_ID}-{PARENT_ID}-.0",
        f"00-{TRACE_ID}-{PARENT_ID}-0.",
        f"00-{TRACE_ID}-{PARENT_ID}-001",
        f"00-{TRACE_ID}-{PARENT_ID}-1",
        f"00-{TRACE_ID}-{PARENT_ID}",
        f"00-{'ABCDEF' + TRACE_ID[6:]}-{PARENT_ID}-01",
        f"CC-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{PARENT_ID}-0\u00b9",
        f"{VALID}\n",
        "",
    ],
)
def test_an_invalid_traceparent_is_ignored(value: str) -> None:
    """The request has an id of our own, and the reply says nothing of a trace."""
    trace = begin([(b"traceparent", value.encode("latin-1"))])
    assert (trace.trace_id, trace.span_id, trace.parent_id, trace.flags) == (None,) * 4
    assert TRACE_ID not in trace.request_id
    assert [name for name, _ in reply_headers(trace)] == [b"x-request-id"]


@pytest.mark.parametrize("second", [VALID, f"00-{TRACE_ID[::-1]}-{PARENT_ID}-01", ""])
def test_two_traceparents_are_none(second: str) -> None:
    """Nobody can tell which of them is meant."""
    for pair in ((VALID, second), (second, VALID)):
        trace = begin([(b"traceparent", value.encode()) for value in pair])
        assert trace.trace_id is None


@pytest.mark.parametrize(
    ("flags", "written"), [("00", "00"), ("01", "01"), ("ff", "01"), ("fe", "00"), ("02", "00")]
)
def test_the_reply_has_the_trace_and_our_part_in_it(flags: str, written: str) -> None:
    """Version 00, the same trace, our span, and no flag but "sampled"."""
    trace = begin([(b"traceparent", f"cc-{TRACE_ID}-{PARENT_ID}-{flags}-x".encode())])
    headers = dict(reply_headers(trace))
    assert headers[b"traceparent"] == f"00-{TRACE_ID}-{trace.span_id}-{written}".encode()
    assert headers[b"x-request-id"] == TRACE_ID.encode()
    assert trace.flags == int(written)


@pytest.mark.parametrize("name", [b"trace-parent", b"trace.parent"])
def test_other_headers_are_not_looked_at(name: bytes) -> None:
    """Names that only look like it carry no trace."""
    assert begin([(name, VALID.encode())]).trace_id is None


def test_each_request_has_a_part_of_its_own() -> None:
    """Two requests of one trace have two spans."""
    headers = [(b"traceparent", VALID.encode())]
    assert begin(headers).span_id != begin(headers).span_id


@pytest.mark.parametrize("value", ["a", "7f3e-1", "!~", "x" * 128, '"quoted"\\'])
def test_a_request_id_is_honoured(value: str) -> None:
    """It comes back as it came, beside a trace, too."""
    headers = [(b"x-request-id", value.encode()), (b"traceparent", VALID.encode())]
    for given_headers in (headers[:1], headers, headers[::-1]):
        trace = begin(given_headers)
        assert trace.request_id == value
        assert dict(reply_headers(trace))[b"x-request-id"] == value.encode()
        assert (trace.trace_id is None) == (len(given_headers) == 1)


@pytest.mark.parametrize(
    "value", [b"", b"x" * 129, b"a b", b"a\tb", b"a\r\nset-cookie: b", b"a\n", b"\x7f", b"\xe9"]
)
def test_a_request_id_that_could_do_harm_is_replaced(value: bytes) -> None:
    """The reply has an id of our own."""
    trace = begin([(b"x-request-id", value)])
    assert re.fullmatch("[0-9a-f]{32}", trace.request_id)


@given(st.binary(max_size=140))
def test_whatever_comes_in_only_visible_ascii_goes_out(value: bytes) -> None:
    """Neither of the two headers lets a control character through."""
    for name in (b"x-request-id", b"traceparent"):
        for _, sent in reply_headers(begin([(name, value)])):
            assert re.fullmatch(rb"[!-~]{1,128}", sent)


def test_ids_of_our_own_are_unique() -> None:
    """In one process, in threads, and in two processes with different random bytes."""
    tracers = [Tracer(), Tracer()]
    with ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda n: tracers[n % 2].begin([]).request_id, range(10_000))
    ids = list(made)
    assert len(set(ids)) == 10_000
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)


def test_random_bytes_decide_the_ids() -> None:
    """With the same bytes, a tracer gives the same ids again."""
    first, second = (Tracer(lambda size: b"\x0f" * size) for _ in range(2))
    headers = [(b"traceparent", VALID.encode())]
    assert first.begin([]).request_id == second.begin([]).request_id
    assert first.begin([]).request_id.startswith("0f" * 8)
    second.begin([])
    assert first.begin(headers).span_id == second.begin(headers).span_id


def test_no_span_is_all_zeros() -> None:
    """The one number that is no id is left out, wherever the count began."""
    headers = [(b"traceparent", VALID.encode())]
    before_zero = (2**64 - 10**15 - 3).to_bytes(8, "big")
    tracer = Tracer(lambda _: before_zero)
    spans = [tracer.begin(headers).span_id for _ in range(8)]
    assert "f" * 16 in spans  # the count did pass zero
    assert "0" * 16 not in spans


def test_a_forked_process_has_ids_of_its_own() -> None:
    """Parent and child do not count on from the same number."""
    begin([])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, begin([]).request_id.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 64).decode()
    os.close(reading)
    os.close(writing)
    assert theirs[:16] != begin([]).request_id[:16]
