"""Captures are read as AWS writes them, and written so that they can be read again."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mlref.aws.formats import capture
from mlref.errors import CloudFileError

# The Developer Guide's example of a captured exchange ("Capture data from real-time endpoint"),
# with a shorter row.
DOCUMENTED: dict[str, Any] = {
    "captureData": {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": "50,0,0.0,1",
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "text/csv; charset=character-encoding",
            "mode": "OUTPUT",
            "data": "0.5",
            "encoding": "CSV",
        },
    },
    "eventMetadata": {
        "eventId": "62b3d6d3-8f2f-4c4e-9a2b-5b1b2a3c4d5e",
        "inferenceTime": "2019-11-20T20:33:36Z",
    },
    "eventVersion": "0",
}


def line(**changes: Any) -> dict[str, Any]:
    """The documented exchange with other bodies: side -> (type, encoding, data)."""
    found = json.loads(json.dumps(DOCUMENTED))
    for side, (kind, encoding, data) in changes.items():
        mode = "INPUT" if side == "endpointInput" else "OUTPUT"
        found["captureData"][side] = {
            "observedContentType": kind, "mode": mode, "data": data, "encoding": encoding,
        }  # fmt: skip
    return found


def loaded(*lines: dict[str, Any]) -> list[capture.CapturedRecord]:
    """The exchanges of a file with these lines."""
    text = "".join(f"{json.dumps(each)}\n" for each in lines)
    return capture.load(text.encode(), file="s3://b/c.jsonl")


def test_the_documented_exchange_is_read_and_written_as_it_was() -> None:
    """Field by field; an unknown field is kept."""
    more = {**DOCUMENTED, "newOfLate": {"a": 1}}
    records = loaded(DOCUMENTED, more)
    assert [json.loads(each) for each in capture.dump(records).splitlines()] == [DOCUMENTED, more]
    (first, _) = records
    assert first.event_metadata.at == datetime(2019, 11, 20, 20, 33, 36, tzinfo=UTC)
    request = first.payload("endpointInput")
    assert request is not None
    assert request.content() == b"50,0,0.0,1"


def test_custom_attributes_and_the_inference_id_are_kept() -> None:
    """One attribute may stand alone, as AWS writes it, or in a list."""
    for attributes in ("trace=1", ["trace=1"]):
        event = {
            **DOCUMENTED["eventMetadata"], "inferenceId": "mine", "customAttributes": attributes,
        }  # fmt: skip
        (record,) = loaded({**DOCUMENTED, "eventMetadata": event})
        assert record.event_metadata.inference_id == "mine"
        assert record.event_metadata.custom_attributes == ("trace=1",)


def test_the_columns_of_the_response_come_first() -> None:
    """As Model Monitor's analyzer has them; without names they are called by their place."""
    records = loaded(DOCUMENTED)
    assert capture.columns(records) == {
        "_c0": ["0.5"], "_c1": ["50"], "_c2": ["0"], "_c3": ["0.0"], "_c4": ["1"],
    }  # fmt: skip
    names = ["score", "age", "a", "b", "c"]
    assert list(capture.columns(records, names=names)) == names
    only = capture.columns(records, names=["age"], sides=("endpointInput",))
    assert only == {"age": ["50"], "_c1": ["0"], "_c2": ["0.0"], "_c3": ["1"]}


@pytest.mark.parametrize(
    ("kind", "encoding", "data", "columns"),
    [
        ("application/json", "JSON", '{"instances": [{"a": 1}, {"a": null}]}', {"a": [1, None]}),
        ("application/json", "JSON", '{"columns": {"a": [1, 2]}}', {"a": [1, 2]}),
        ("application/json", "JSON", '{"a": 1, "b": "x"}', {"a": [1], "b": ["x"]}),
        ("application/json", "JSON", "[[1, 2], [3, 4]]", {"_c0": [1, 3], "_c1": [2, 4]}),
        ("application/json", "JSON", '{"a": {"b": [1, 2]}}', {"a.b.0": [1], "a.b.1": [2]}),
        ("application/jsonlines", "BASE64", base64.b64encode(b'{"a": 1}\n{"a": 2}\n').decode(),
         {"a": [1, 2]}),
        ("text/csv", "BASE64", base64.b64encode(b"1,\n2,x\n").decode(),
         {"_c0": ["1", "2"], "_c1": [None, "x"]}),
        ("text/csv; header=present", "CSV", "a, b\n1,2\n", {"a": ["1"], "b": ["2"]}),
        ("text/csv", "CSV", '"a,b",2\r\n', {"_c0": ["a,b"], "_c1": ["2"]}),
    ],
)  # fmt: skip
def test_bodies_become_columns(
    kind: str, encoding: str, data: str, columns: dict[str, list[Any]]
) -> None:
    """CSV, JSON in its shapes and JSON Lines, as text or in Base64."""
    records = loaded(line(endpointInput=(kind, encoding, data)))
    assert capture.columns(records, sides=("endpointInput",)) == columns


def test_rows_of_several_exchanges_stand_below_each_other() -> None:
    """A column that one of them lacks is missing there."""
    one = line(endpointInput=("application/json", "JSON", '{"a": 1}'))
    two = line(endpointInput=("application/json", "JSON", '[{"a": 2, "b": 3}, {"b": 4}]'))
    found = capture.columns(loaded(one, two), sides=("endpointInput",))
    assert found == {"a": [1, 2, None], "b": [None, 3, 4]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"endpointInput": ("image/png", "BASE64", "AAAA")}, "list the type in CaptureContentType"),
        ({"endpointInput": ("text/csv", "BASE64", "no base64!")}, "endpointInput: "),
        ({"endpointInput": ("application/json", "JSON", "{")}, "not JSON"),
        ({"endpointInput": ("application/json", "JSON", '{"a": 1}')}, "encoding mismatch"),
        ({"endpointInput": ("text/csv", "CSV", "1,2\n3\n")}, "row 1 has 1 cells, not 2"),
        ({"endpointInput": ("text/csv", "CSV", "1\n2\n")}, "2 rows, not 1"),
        (
            {
                "endpointInput": ("application/json", "JSON", '{"a": 1}'),
                "endpointOutput": ("application/json", "JSON", '{"a": 2}'),
            },
            "the column a is there twice",
        ),
        ({"endpointInput": ("text/csv", "CSV", '"1')}, "not CSV"),
    ],
)
def test_a_body_that_is_no_table_is_told(changes: dict[str, Any], words: str) -> None:
    """With its file, its event and its side."""
    with pytest.raises(CloudFileError, match=words) as caught:
        capture.columns(loaded(line(**changes)), file="s3://b/c.jsonl")
    assert "s3://b/c.jsonl, event 62b3d6d3" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "c.jsonl, line 1: not JSON"),
        ('\n{"captureData": {}}', "line 2.*eventMetadata"),
        (json.dumps({**DOCUMENTED, "eventVersion": "7"}), "eventVersion '7'"),
        (
            json.dumps({**DOCUMENTED, "eventMetadata": {"eventId": "x", "inferenceTime": "soon"}}),
            "soon",
        ),
    ],
)
def test_a_line_that_is_no_exchange_is_told(text: str, words: str) -> None:
    """With file, line and field."""
    with pytest.raises(CloudFileError, match=words):
        capture.load(text, file="c.jsonl")
    with pytest.raises(CloudFileError, match="not UTF-8"):
        capture.load(b"\xff", file="c.jsonl")


def test_addresses_tell_the_moment() -> None:
    """To the millisecond and in UTC, whatever zone the moment is given in."""
    at = datetime(2026, 1, 5, 13, 30, 15, 250_999, tzinfo=timezone(timedelta(hours=1)))
    address = capture.key("s3://b/live/", "flights", "A", at, unique="x")
    assert address == "s3://b/live/flights/A/2026/01/05/12/30-15-250-x.jsonl"
    assert capture.moment_of(address) == datetime(2026, 1, 5, 12, 30, 15, 250_000, tzinfo=UTC)
    assert capture.moment_of("s3://b/live/flights/A/2026/13/05/12/30-15-250-x.jsonl") is None
    assert capture.moment_of("s3://b/live/notes.txt") is None
