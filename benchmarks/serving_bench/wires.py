"""Rows as the bytes of a request, and an answer as numbers, for each protocol that a server speaks.

Most peers are written here and speak mlref's own JSON; MLServer and MLflow have a protocol, and get
their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mlref.artifact import Artifact
from serving_bench.workload import Columns

__all__ = ["BINARY", "INVOCATIONS", "JSON", "OIP", "Wire", "raw_request"]

_HEADER_LENGTH = "Inference-Header-Content-Length"
_OIP_TYPES = {"float32": "FP32", "int64": "INT64", "string": "BYTES"}


@dataclass(frozen=True)
class Wire:
    """One way to ask and to be answered.

    Attributes:
        encode: an artefact and columns -> a request's body and its headers.
        decode: an answer's body and headers -> predictions of shape (n,).
    """

    encode: Callable[[Artifact, Columns], tuple[bytes, dict[str, str]]]
    decode: Callable[[bytes, Mapping[str, str]], np.ndarray] = field(
        default=lambda body, _headers: np.array(json.loads(body)["predictions"], float).ravel()
    )


def raw_request(path: str, port: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes of a whole HTTP/1.1 request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def _json(values: object) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(values, allow_nan=False, separators=(",", ":")).encode()
    return body, {"Content-Type": "application/json"}


def _columns(_artifact: Artifact, columns: Columns) -> tuple[bytes, dict[str, str]]:
    return _json({"columns": columns})


def _tensors(packed: Artifact, columns: Columns) -> list[dict[str, object]]:
    """The Open Inference Protocol's inputs, without their data."""
    return [
        {
            "name": column.name,
            "shape": [len(columns[column.name]), *column.shape],
            "datatype": _OIP_TYPES[column.dtype],
        }
        for column in packed.inputs
    ]


def _oip(packed: Artifact, columns: Columns) -> tuple[bytes, dict[str, str]]:
    inputs = _tensors(packed, columns)
    for tensor, column in zip(inputs, packed.inputs, strict=True):
        values = columns[column.name]
        tensor["data"] = [each for row in values for each in row] if column.shape else values
    return _json({"inputs": inputs})


def _oip_answer(body: bytes, _headers: Mapping[str, str]) -> np.ndarray:
    return np.array(json.loads(body)["outputs"][0]["data"], float)


def _binary(packed: Artifact, columns: Columns) -> tuple[bytes, dict[str, str]]:
    """The protocol's binary tensor extension; a missing number is NaN."""
    inputs, data = _tensors(packed, columns), []
    for tensor, column in zip(inputs, packed.inputs, strict=True):
        values = columns[column.name]
        if column.dtype == "string":
            texts = [value.encode() for value in values]
            data.append(b"".join(len(text).to_bytes(4, "little") + text for text in texts))
        else:
            wide = np.array(values, float)  # None becomes NaN
            data.append(wide.astype(np.dtype(column.dtype).newbyteorder("<")).tobytes())
        tensor["parameters"] = {"binary_data_size": len(data[-1])}
    head, _ = _json({"inputs": inputs, "parameters": {"binary_data_output": True}})
    headers = {"Content-Type": "application/octet-stream", _HEADER_LENGTH: str(len(head))}
    return head + b"".join(data), headers


def _binary_answer(body: bytes, headers: Mapping[str, str]) -> np.ndarray:
    given = {name.lower(): value for name, value in headers.items()}
    length = given.get(_HEADER_LENGTH.lower())
    if length is None:
        return _oip_answer(body, headers)
    return np.frombuffer(body, "<f4", offset=int(length))


def _invocations(packed: Artifact, columns: Columns) -> tuple[bytes, dict[str, str]]:
    """MLflow's own: a DataFrame by rows, or one array where the model takes one."""
    first = packed.inputs.columns[0]
    if first.shape:
        return _json({"inputs": columns[first.name]})
    rows = list(zip(*columns.values(), strict=True))
    return _json({"dataframe_split": {"columns": list(columns), "data": rows}})


JSON = Wire(_columns)
OIP = Wire(_oip, _oip_answer)
BINARY = Wire(_binary, _binary_answer)
INVOCATIONS = Wire(_invocations)
