"""Requests that nobody wrote: for any operation of AWS, one that botocore would send."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

__all__ = ["made_up", "sent_as"]

_VALUES: dict[str, Any] = {
    "character": "x",
    "float": 1.0,
    "double": 1.0,
    "boolean": True,
    "timestamp": datetime(2026, 1, 5, tzinfo=UTC),
    "blob": b"x",
}


def made_up(shape: Any) -> Any:
    """A value of a shape, with what it must have and nothing else."""
    kind = None if shape is None else shape.type_name
    if kind is None or getattr(shape, "is_document_type", False):
        value: Any = {}
    elif kind == "structure":
        names = list(shape.required_members)
        if getattr(shape, "is_tagged_union", False):
            names = list(shape.members)[:1]
        value = {name: made_up(shape.members[name]) for name in names}
    elif kind == "list":
        value = [made_up(shape.member)]
    elif kind == "map":
        value = {"x": made_up(shape.value)}
    elif kind == "string":
        value = shape.enum[0] if shape.enum else "x" * max(1, int(shape.metadata.get("min", 1)))
    elif kind in {"integer", "long"}:
        value = max(1, int(shape.metadata.get("min", 1)))
    else:
        value = _VALUES[kind]
    return value


def sent_as(client: Any, operation: str, given: Any) -> tuple[int, dict[str, Any]]:
    """What a client is told, which must be a refusal; and how often it has sent the request."""
    sent = 0

    def count(**_: Any) -> None:
        nonlocal sent
        sent += 1

    client.meta.events.register("before-send", count, unique_id="count")
    try:
        getattr(client, xform_name(operation))(**given)
    except ClientError as error:
        return sent, dict(error.response)
    finally:
        client.meta.events.unregister("before-send", unique_id="count")
    return sent, {"Error": {"Code": "", "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": 200}}
