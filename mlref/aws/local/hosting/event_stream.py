"""AWS's event streams: how a response goes out part by part, each with a checksum.

    total bytes | header bytes | CRC of these two | headers | payload | CRC of all before

Source: the Smithy specification of the Amazon Event Stream encoding
(application/vnd.amazon.eventstream).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

__all__ = ["CONTENT_TYPE", "event", "exception", "message"]

CONTENT_TYPE = "application/vnd.amazon.eventstream"
"""What a response of events says of itself."""

_STRING = 7  # the type of a header's value
_PRELUDE, _CRC = struct.Struct("!II"), struct.Struct("!I")


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message.

    Args:
        headers: names and values.
        payload: what it carries.
    """
    named = bytearray()
    for name, value in headers.items():
        key, text = name.encode(), value.encode()
        named += struct.pack("!B", len(key)) + key
        named += struct.pack("!BH", _STRING, len(text)) + text
    total = _PRELUDE.size + _CRC.size + len(named) + len(payload) + _CRC.size
    prelude = _PRELUDE.pack(total, len(named))
    body = prelude + _CRC.pack(zlib.crc32(prelude)) + bytes(named) + payload
    return body + _CRC.pack(zlib.crc32(body))


def event(kind: str, payload: bytes) -> bytes:
    """An event, for instance a PayloadPart.

    Args:
        kind: as the operation's model names it.
        payload: bytes, as they are.
    """
    headers = {
        ":event-type": kind,
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
    return message(headers, payload)


def exception(kind: str, payload: bytes) -> bytes:
    """An error that ends a stream, for instance a ModelStreamError.

    Args:
        kind: as the operation's model names it.
        payload: its members as JSON.
    """
    headers = {
        ":exception-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return message(headers, payload)
