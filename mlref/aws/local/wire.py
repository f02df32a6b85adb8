"""Requests and responses of AWS's JSON protocols, by botocore's model of an operation.

A point in time is seconds since 1970 on the wire and an aware `datetime` here; a blob is base64 on
the wire and bytes here. What is None is left out of a response: AWS sends no null.

Source: the Smithy specification of awsJson1.1.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mlref.aws.local.errors import AwsError

__all__ = ["CONTENT_TYPE", "dump", "dump_error", "load"]

CONTENT_TYPE = "application/x-amz-json-1.1"

_SHOWN = 40  # characters of a wrong value


def load(body: bytes, shape: Any) -> dict[str, Any]:
    """The parameters of a request.

    Raises:
        AwsError: the body is no JSON object, or a blob in it is not base64.
    """
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise AwsError("SerializationException", "the body is not a JSON object")
    return _read(found, shape) if shape is not None else {}


def dump(response: Mapping[str, Any], shape: Any) -> bytes:
    """The body of a response."""
    if shape is None:
        return b""
    return json.dumps(_written(response, shape), separators=(",", ":")).encode()


def dump_error(error: AwsError) -> bytes:
    """The body of a refusal."""
    told = {"__type": error.code, "message": error.message, **error.fields}
    return json.dumps(told).encode()


def _read(value: Any, shape: Any) -> Any:
    """A value from the wire; what does not fit the shape stays, for the check to find."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict) and not shape.is_document_type:
        found = {
            name: _read(item, shape.members[name]) if name in shape.members else item
            for name, item in value.items()
        }
        return {name: item for name, item in found.items() if item is not None}
    if kind == "list" and isinstance(value, list):
        return [_read(item, shape.member) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {key: _read(item, shape.value) for key, item in value.items()}
    if kind == "timestamp" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _moment(value)
    if kind == "blob" and isinstance(value, str):
        return _bytes(value)
    return value


def _bytes(text: str) -> bytes:
    """A blob.

    Raises:
        AwsError: it is not base64.
    """
    try:
        return base64.b64decode(text)
    except ValueError as error:
        text = f"a blob must be base64, got {text[:_SHOWN]!r}: {error}"
        raise AwsError("SerializationException", text) from error


def _moment(value: float) -> datetime | float:
    """A point in time; a number that is none stays."""
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return value


def _written(value: Any, shape: Any) -> Any:
    """A value for the wire."""
    kind = shape.type_name
    if kind == "structure" and not shape.is_document_type:
        return {
            name: _written(item, shape.members[name])
            for name, item in value.items()
            if item is not None
        }
    if kind == "list":
        return [_written(item, shape.member) for item in value]
    if kind == "map":
        return {key: _written(item, shape.value) for key, item in value.items()}
    if kind == "timestamp":
        return value.timestamp()
    if kind == "blob":
        return base64.b64encode(value).decode()
    return value
