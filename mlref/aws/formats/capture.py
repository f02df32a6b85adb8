"""Captured requests and responses: the JSON Lines that SageMaker's data capture writes to S3.

A line is an exchange. Where the files lie tells endpoint, variant and time:

    {prefix}/{endpoint}/{variant}/2026/01/05/12/30-15-250-{uuid}.jsonl      12:30:15.25

    records = load(content, file=uri)
    columns(records, names=constraints_names)       # rows, as the analyzer takes them

A body is kept as it was (CSV, JSON), or in Base64 if its type is none of those that the endpoint's
configuration lists. Request and response of an exchange become one row per instance: the columns of
the response first, then those of the request, as AWS's analyzer has them.

Source: the Amazon SageMaker Developer Guide, "Capture data from real-time endpoint" and "Container
Contract Inputs".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from mlref.aws.formats.payloads import (
    Table,
    columns_of_csv,
    columns_of_json,
    columns_of_lines,
    stacked,
)
from mlref.drift.documents.codec import Extra, named, read, write
from mlref.errors import CloudFileError

__all__ = [
    "SIDES",
    "CaptureData",
    "CapturedRecord",
    "EventMetadata",
    "Payload",
    "Side",
    "columns",
    "dump",
    "hour_prefix",
    "key",
    "load",
    "moment_of",
]

Side = Literal["endpointInput", "endpointOutput"]
"""Request or response."""

SIDES: tuple[Side, ...] = ("endpointOutput", "endpointInput")
"""Both, in the order of their columns."""

_KEY = re.compile(
    r".*/(?P<hour>\d{4}/\d{2}/\d{2}/\d{2})/(?P<minute>\d{2})-(?P<second>\d{2})-(?P<ms>\d{3})-[^/]*"
    r"\.jsonl"
)
_LINES = {"application/jsonlines", "application/x-jsonlines"}


@dataclass(frozen=True)
class Payload:
    """A body.

    Attributes:
        observed_content_type: its Content-Type; None if it had none.
        mode: request or response.
        data: the body, by its encoding.
        encoding: CSV and JSON are the text itself.
        extra: whatever else the file says.
    """

    mode: Literal["INPUT", "OUTPUT"]
    data: str
    encoding: Literal["CSV", "JSON", "BASE64"]
    observed_content_type: str | None = field(default=None, metadata=named("observedContentType"))
    extra: Extra = field(default_factory=dict)

    def content(self) -> bytes:
        """The body as it was sent.

        Raises:
            ValueError: its Base64 is none.
        """
        if self.encoding != "BASE64":
            return self.data.encode()
        return base64.b64decode(self.data, validate=True)


@dataclass(frozen=True)
class CaptureData:
    """What was said.

    Attributes:
        endpoint_input: the request, if requests are captured.
        endpoint_output: the response, if responses are captured.
        extra: whatever else the file says.
    """

    endpoint_input: Payload | None = field(default=None, metadata=named("endpointInput"))
    endpoint_output: Payload | None = field(default=None, metadata=named("endpointOutput"))
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class EventMetadata:
    """When it was said, and by which names it can be found again.

    Attributes:
        event_id: of the exchange; nobody else has it.
        inference_time: when it was answered, as in "2026-01-05T12:30:15Z".
        inference_id: that the caller gave.
        custom_attributes: that the caller gave.
        extra: whatever else the file says.
    """

    event_id: str = field(metadata=named("eventId"))
    inference_time: str = field(metadata=named("inferenceTime"))
    inference_id: str | None = field(default=None, metadata=named("inferenceId"))
    custom_attributes: tuple[str, ...] | None = field(
        default=None, metadata=named("customAttributes")
    )
    extra: Extra = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a time that is none."""
        _ = self.at

    @property
    def at(self) -> datetime:
        """When it was answered, in UTC."""
        found = datetime.fromisoformat(self.inference_time)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


@dataclass(frozen=True)
class CapturedRecord:
    """An exchange.

    Attributes:
        capture_data: what was said.
        event_metadata: when.
        event_version: of the format.
        extra: whatever else the file says.
    """

    capture_data: CaptureData = field(metadata=named("captureData"))
    event_metadata: EventMetadata = field(metadata=named("eventMetadata"))
    event_version: str = field(default="0", metadata=named("eventVersion"))
    extra: Extra = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse another version."""
        if self.event_version != "0":
            raise ValueError(f"has eventVersion {self.event_version!r}; only '0' is known")

    def payload(self, side: Side) -> Payload | None:
        """One of the bodies, or None if it was not captured."""
        data = self.capture_data
        return data.endpoint_input if side == "endpointInput" else data.endpoint_output


def load(content: bytes | str, *, file: str) -> list[CapturedRecord]:
    """The exchanges in a file.

    Args:
        content: a JSON object on each line.
        file: its name or address, for messages.

    Raises:
        CloudFileError: a line cannot be read; names line and field.
    """
    try:
        text = content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError as error:
        raise CloudFileError(f"{file}: not UTF-8: {error}") from error
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CloudFileError(f"{where}: not JSON: {error}") from error
        found.append(read(CapturedRecord, _listed(document), file=where))
    return found


def dump(records: Iterable[CapturedRecord]) -> bytes:
    """The file of some exchanges."""
    lines = [json.dumps(write(each), separators=(",", ":")) for each in records]
    return "".join(f"{line}\n" for line in lines).encode()


def hour_prefix(prefix: str, endpoint: str, variant: str, at: datetime) -> str:
    """Where the captures of an hour lie, ending in "/".

    Args:
        prefix: DestinationS3Uri of the endpoint's DataCaptureConfig.
        endpoint: the endpoint's name.
        variant: that answered.
        at: an aware moment in the hour.

    >>> hour_prefix("s3://b/captures/", "flights", "A", datetime(2026, 1, 5, 12, tzinfo=UTC))
    's3://b/captures/flights/A/2026/01/05/12/'
    """
    return f"{prefix.rstrip('/')}/{endpoint}/{variant}/{at.astimezone(UTC):%Y/%m/%d/%H}/"


def key(prefix: str, endpoint: str, variant: str, at: datetime, *, unique: str) -> str:
    """The address of a file of captures.

    Args:
        prefix: DestinationS3Uri of the endpoint's DataCaptureConfig.
        endpoint: the endpoint's name.
        variant: that answered.
        at: the aware moment of the first exchange in it.
        unique: what no other file has, as in a UUID.
    """
    at = at.astimezone(UTC)
    folder = hour_prefix(prefix, endpoint, variant, at)
    return f"{folder}{at:%M-%S}-{at.microsecond // 1000:03d}-{unique}.jsonl"


def moment_of(address: str) -> datetime | None:
    """When a file of captures begins, by its address; None if it is no such file."""
    found = _KEY.fullmatch(address)
    if found is None:
        return None
    try:
        hour = datetime.strptime(found["hour"], "%Y/%m/%d/%H").replace(tzinfo=UTC)
    except ValueError:
        return None
    minute, second, ms = (int(found[name]) for name in ("minute", "second", "ms"))
    return hour + timedelta(minutes=minute, seconds=second, milliseconds=ms)


def columns(
    records: Iterable[CapturedRecord],
    *,
    names: Sequence[str] = (),
    sides: Sequence[Side] = SIDES,
    file: str = "captures",
) -> Table:
    """The rows of some exchanges, as columns.

    Args:
        records: exchanges.
        names: of the columns of bodies that have no names themselves, by position; columns beyond
            are called _c3, _c4 ... by theirs. Of an exchange with two such bodies, the columns of
            the response come first.
        sides: which bodies to take, in the order of their columns. One that an exchange lacks is
            left out.
        file: what to call the exchanges in messages.

    Raises:
        CloudFileError: a body is no table, request and response differ in encoding or in their
            number of rows, or have a column of the same name.
    """
    return stacked([_table(each, names, sides, file) for each in records])


def _table(record: CapturedRecord, names: Sequence[str], sides: Sequence[Side], file: str) -> Table:
    """The rows of one exchange."""
    event = record.event_metadata.event_id
    found: Table = {}
    formats: dict[str, str] = {}
    for side in sides:
        payload = record.payload(side)
        if payload is None:
            continue
        where = f"{file}, event {event}, {side}"
        formats[side] = _format(payload, where)
        left = names[len(found) :] if formats[side] == "CSV" else names
        offset = len(found) if formats[side] == "CSV" else 0
        table = _read(payload, formats[side], left, where)
        if len(set(formats.values())) > 1:
            told = " and ".join(f"{name} is {kind}" for name, kind in formats.items())
            raise CloudFileError(
                f"{file}, event {event}: encoding mismatch: {told}; both must have one encoding, "
                f"or capture only one of them"
            )
        for number, (name, values) in enumerate(table.items()):
            unnamed = offset and number >= len(left)
            _add(found, f"_c{offset + number}" if unnamed else name, values, where)
    return found


def _add(found: Table, name: str, values: list[Any], where: str) -> None:
    rows = len(next(iter(found.values()), values))
    if name in found or len(values) != rows:
        problem = (
            f"the column {name} is there twice"
            if name in found
            else f"{len(values)} rows, not {rows}"
        )
        raise CloudFileError(f"{where}: {problem}; request and response must go together")
    found[name] = values


def _format(payload: Payload, where: str) -> str:
    """How a body is to be read: as it is encoded, or as its type says if that is Base64."""
    kind = (payload.observed_content_type or "").partition(";")[0].strip().lower()
    if kind in _LINES:
        return "JSON Lines"
    if payload.encoding != "BASE64":
        return payload.encoding
    known = {"text/csv": "CSV", "application/json": "JSON"}
    if kind not in known:
        raise CloudFileError(
            f"{where}: a body of type {kind or 'none'!r} in Base64 is no table; list the type in "
            f"CaptureContentTypeHeader if it is CSV or JSON"
        )
    return known[kind]


def _read(payload: Payload, kind: str, names: Sequence[str], where: str) -> Table:
    try:
        text = payload.content().decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise CloudFileError(f"{where}: {error}") from error
    if kind == "CSV":
        header = "header=present" in (payload.observed_content_type or "").replace(" ", "").lower()
        return columns_of_csv(text, names=names, header=header, file=where)
    reader = columns_of_lines if kind == "JSON Lines" else columns_of_json
    return reader(text, names=names, file=where)


def _listed(document: Any) -> Any:
    """The same line, with custom attributes that are a single text as a list of one."""
    event = document.get("eventMetadata") if isinstance(document, dict) else None
    if isinstance(event, dict) and isinstance(event.get("customAttributes"), str):
        event = {**event, "customAttributes": [event["customAttributes"]]}
        return {**document, "eventMetadata": event}
    return document
