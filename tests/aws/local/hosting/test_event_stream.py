"""Event streams, as botocore reads them."""

from __future__ import annotations

from botocore.eventstream import EventStreamBuffer

from mlref.aws.local.hosting.event_stream import event, exception, message


def test_botocore_reads_what_is_written() -> None:
    """Several messages in pieces of any size; its checksums agree."""
    written = event("PayloadPart", b"first") + event("PayloadPart", b"") + exception("Bad", b"{}")
    buffer = EventStreamBuffer()
    found = []
    for begin in range(0, len(written), 7):
        buffer.add_data(written[begin : begin + 7])
        found += [(each.headers, each.payload) for each in buffer]
    assert [payload for _, payload in found] == [b"first", b"", b"{}"]
    assert [headers[":message-type"] for headers, _ in found] == ["event", "event", "exception"]
    assert found[0][0][":event-type"] == "PayloadPart"
    assert found[2][0][":exception-type"] == "Bad"


def test_the_smallest_message_is_the_specification_s() -> None:
    """An empty one: 16 bytes, as Smithy's test vector empty_message has them."""
    assert message({}, b"").hex() == "000000100000000005c248eb7d98c8ff"
