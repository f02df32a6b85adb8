"""Inference requests written by hand, as the Open Inference Protocol describes them."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlref.serving.exchange import Request

__all__ = ["colour_tensors", "in_bytes", "infer_request", "tensor", "texts"]

_DATATYPES = {"f": "FP32", "i": "INT64", "O": "BYTES"}


def tensor(name: str, datatype: str, shape: Sequence[int], data: Any) -> dict[str, Any]:
    """An input with its data in JSON."""
    return {"name": name, "shape": [*shape], "datatype": datatype, "data": data}


def colour_tensors() -> list[dict[str, Any]]:
    """Two rows for the hand-written graph over every dtype."""
    return [
        tensor("colour", "BYTES", [2, 1], ["red", "blue"]),
        tensor("count", "INT64", [2, 1], [3, 4]),
        tensor("extra", "FP32", [2, 1], [0.5, None]),
    ]


def texts(values: Sequence[str]) -> bytes:
    """Elements of BYTES: each its length in four bytes, little-endian, then the text in UTF-8."""
    encoded = [value.encode() for value in values]
    return b"".join(struct.pack("<I", len(value)) + value for value in encoded)


def in_bytes(name: str, array: np.ndarray) -> tuple[dict[str, Any], bytes]:
    """An input with its data in bytes: what stands in JSON, and the bytes."""
    kind = array.dtype.kind
    if kind == "O":
        data = texts(array.ravel().tolist())
    else:
        data = array.astype("<f4" if kind == "f" else "<i8").tobytes()
    told = {"name": name, "shape": [*array.shape], "datatype": _DATATYPES[kind]}
    return {**told, "parameters": {"binary_data_size": len(data)}}, data


def infer_request(document: Any, tail: bytes = b"", *, length: str | None = None) -> Request:
    """A request for this document, with these bytes behind it.

    `length` is what the header Inference-Header-Content-Length says, instead of the truth.
    """
    head = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = [(b"host", b"test"), (b"content-type", b"application/json")]
    if length is not None or tail:
        said = str(len(head)) if length is None else length
        headers.append((b"inference-header-content-length", said.encode("latin-1")))
    return Request("POST", "/v2/models/m/infer", headers, head + tail)
