"""Bodies that are not our own wire: rows and predictions as CSV, JSON, JSON Lines and NPY.

Clouds send rows in the formats of their own containers. Here a header becomes a format, a body
becomes rows that `mlref.schema` checks, and predictions become a body again:

    content = content_of("text/csv")                    415 if there is no such format
    decoded = read(body, content, schema)               every problem of the rows, or arrays
    kind = choose("text/csv;q=0.5, */*;q=0.1", content) 406 if nothing is acceptable
    reply = write(predictions, kind)

What the formats leave open, and how it is settled:

- **CSV** (RFC 4180) has the columns in the schema's order; a column of shape (64,) takes 64 cells.
  An empty cell is a missing value, also in quotes. There is no header line: one that equals the
  columns' names is refused with advice, because a job that cuts its input into pieces would lose a
  row without a word. `text/csv; header=present` declares a header, `header=absent` none.
  An empty line is no row, so it is refused, except at the end.
- **JSON** is our wire, whose instances may also be lists: one value for each column in the schema's
  order, or one number for each cell as in CSV.
- **JSON Lines** has one such instance on each line.
- **NPY** is an array of numbers (n, cells), or (n, *shape) for a schema of one column. NaN is a
  missing value. No pickles: an array of objects is refused before anything in it is read.

Problems count rows from 0; where a line is named, lines count from 1.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlref import errors
from mlref.runtime.lazy import installed
from mlref.schema import Decoded, Schema
from mlref.serving.protocols.rows import read_csv, read_json, read_json_lines, read_npy

__all__ = [
    "CSV",
    "JSON",
    "JSON_LINES",
    "NPY",
    "TYPES",
    "Content",
    "choose",
    "content_of",
    "finite",
    "read",
    "write",
]

JSON, CSV = "application/json", "text/csv"
JSON_LINES, NPY = "application/jsonlines", "application/x-npy"
_OLD_JSON_LINES = "application/x-jsonlines"

TYPES = (JSON, CSV, JSON_LINES, _OLD_JSON_LINES, NPY)
"""The media types that are read and written, in the order in which they are offered."""

_CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii"}
_HEADERS = {"present": True, "absent": False}
_SHOWN = 80  # characters of a header that a message shows


@dataclass(frozen=True)
class Content:
    """The format of a body.

    Attributes:
        kind: one of `TYPES`.
        header: whether a CSV body begins with a line of names; None where nobody said.
    """

    kind: str
    header: bool | None = None


@functools.lru_cache(maxsize=64)
def content_of(content_type: str | None, encoding: str | None = None) -> Content:
    """The format that a request's headers declare; JSON where they say nothing.

    Args:
        content_type: the header Content-Type, or None.
        encoding: the header Content-Encoding, or None.

    Raises:
        RequestRefusedError: status 415, with the formats that there are.

    >>> content_of("text/csv; charset=utf-8")
    Content(kind='text/csv', header=None)
    """
    kind, parameters = _media_type(content_type or JSON)
    charset = parameters.get("charset", "utf-8")
    if kind not in TYPES:
        text = f"Content-Type must be one of {', '.join(TYPES)}, got {kind[:_SHOWN]!r}"
        raise errors.RequestRefusedError(text, status=415)
    if charset.lower() not in _CHARSETS:
        text = f"the body must be UTF-8, Content-Type says charset={charset[:_SHOWN]!r}"
        raise errors.RequestRefusedError(text, status=415)
    if (encoding or "identity").strip().lower() != "identity":
        text = f"the body must come uncompressed, Content-Encoding is {str(encoding)[:_SHOWN]!r}"
        raise errors.RequestRefusedError(text, status=415)
    header = parameters.get("header", "") if kind == CSV else ""
    if header and header.lower() not in _HEADERS:
        text = f"header must be present or absent in Content-Type, got {header[:_SHOWN]!r}"
        raise errors.RequestRefusedError(text, status=415)
    return Content(kind, _HEADERS.get(header.lower()))


@functools.lru_cache(maxsize=64)
def choose(accept: str | None, content: Content) -> str:
    """The media type of the reply: CSV to a request in CSV and JSON to others, unless asked.

    Of the types that the client likes best that default comes first, then the order of `TYPES`.

    Args:
        accept: the header Accept, with ranges and q-values, or None.
        content: the format of the request.

    Raises:
        RequestRefusedError: status 406, with the types that there are.

    >>> choose("application/*;q=0.5, text/csv;q=0.2", Content(CSV))
    'application/json'
    """
    default = CSV if content.kind == CSV else JSON
    if accept is None or not accept.strip():
        return default
    ranges = [_media_type(part) for part in accept.split(",") if part.strip()]
    offers = (default, *(kind for kind in TYPES if kind != default))
    qualities = {kind: _quality(kind, ranges) for kind in offers}
    best = max(offers, key=qualities.__getitem__)
    if not qualities[best]:
        text = f"Accept allows none of {', '.join(TYPES)}, got {accept[:_SHOWN]!r}"
        raise errors.RequestRefusedError(text, status=406)
    return best


def read(body: bytes, content: Content, schema: Schema) -> Decoded:
    r"""The rows of a body, as the arrays that the model takes.

    Args:
        body: the bytes, in that format.
        content: the format, as `content_of` gives it.
        schema: the columns of the model.

    Raises:
        InvalidInputError: with every problem found.

    >>> from mlref.schema import Column
    >>> schema = Schema([Column("temp", nullable=True), Column("carrier", "string")])
    >>> read(b"71.5,UA\n,B6", Content(CSV), schema).arrays["temp"]
    array([71.5,  nan], dtype=float32)
    """
    if content.kind == CSV:
        return read_csv(body, schema, header=content.header)
    if content.kind == NPY:
        return read_npy(body, schema)
    if content.kind == JSON:
        return read_json(body, schema)
    return read_json_lines(body, schema)


def write(predictions: np.ndarray, kind: str) -> bytes:
    r"""Predictions as a body.

    JSON is {"predictions": [...]}; JSON Lines has an object {"prediction": ...} on each line; CSV
    has a line for each row, several numbers separated by commas; NPY is the array itself.

    Args:
        predictions: finite numbers, shape (n, *output.shape), with n >= 1.
        kind: one of `TYPES`.

    >>> write(np.array([[0.25, 0.75], [0.5, 0.5]]), CSV)
    b'0.25,0.75\n0.5,0.5\n'
    """
    if kind == NPY:
        stream = io.BytesIO()
        np.lib.format.write_array(stream, np.ascontiguousarray(predictions), allow_pickle=False)
        return stream.getvalue()
    if kind == JSON:
        return b'{"predictions":' + _dumps()(predictions) + b"}"
    if kind == CSV:
        numbers = _dumps()(predictions.reshape(len(predictions), -1))
        return numbers[2:-2].replace(b"],[", b"\n") + b"\n"
    return b"".join(b'{"prediction":' + _dumps()(row) + b"}\n" for row in predictions)


def finite(predictions: np.ndarray) -> np.ndarray:
    """The same predictions, if each is a finite number.

    Raises:
        EndpointError: a row has none, which no format of ours may hide.
    """
    flat = predictions.reshape(len(predictions), -1)
    bad = np.flatnonzero(~np.isfinite(flat).all(axis=1))
    if bad.size:
        text = f"the model gave no finite number for row {bad[0]}; its training needs a look"
        raise errors.EndpointError(text)
    return predictions


def _media_type(text: str) -> tuple[str, dict[str, str]]:
    """A media type or range in lower case, and its parameters."""
    kind, *parts = text.split(";")
    pairs = (part.partition("=") for part in parts)
    found = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    return kind.strip().lower(), found


def _quality(kind: str, ranges: list[tuple[str, dict[str, str]]]) -> float:
    """How much a client likes a type: the weight of the most precise range that it is in."""
    for pattern in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        weights = [_weight(parameters) for name, parameters in ranges if name == pattern]
        if weights:
            return max(weights)
    return 0.0


def _weight(parameters: dict[str, str]) -> float:
    """A q-value; what is none does not ask for anything."""
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0


@functools.cache
def _dumps() -> Callable[[Any], bytes]:
    """An array as JSON, without a space. orjson where there is one: it writes float32 shortest."""
    if installed("orjson"):
        import orjson

        option = orjson.OPT_SERIALIZE_NUMPY
        return lambda array: orjson.dumps(array, option=option)
    return lambda array: json.dumps(array.tolist(), separators=(",", ":")).encode()
