"""What goes through the server: a request, the rows in it, and the reply.

Each family of routes (our own, the Open Inference Protocol, SageMaker ...) has a `Codec`: it reads
the rows of a request and writes the reply, and knows nothing of sockets, batches or other models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mlref import errors
from mlref.artifact import Artifact
from mlref.schema import Decoded, Schema

__all__ = ["JSON", "Block", "Codec", "Headers", "Reply", "Request", "block_of"]

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case and values, as they came."""

JSON = b"application/json"


@dataclass(slots=True)
class Request:
    """One HTTP request, whole.

    Attributes:
        method: "GET", "POST" ...
        path: the path, decoded, without the query.
        headers: names in lower case and values.
        body: all of it.
        query: what stands after the question mark.
        client: the address of who asks, or None.
    """

    method: str
    path: str
    headers: Headers
    body: bytes = b""
    query: bytes = b""
    client: str | None = None

    def header(self, name: bytes) -> str | None:
        """The first value of a header, or None. `name` is in lower case."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return None


@dataclass(slots=True)
class Reply:
    """One HTTP reply, whole. Its length is not among the headers."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Headers = ()


@dataclass(slots=True, eq=False)
class Block:
    """The rows of one request, checked, as they wait for a batch.

    Attributes:
        n_rows: how many, at least one.
        columns: for each column of the schema, in its order, n_rows values that fit it: a list of
            float, int or str (missing is NaN or ""), an array (n_rows, *column.shape) of the
            column's dtype, or the bytes of one in float32. None where `numbers` holds the column.
        unknown: for each column that held unknown categories, how many values were unknown.
        context: what the codec wants to remember until it writes the reply.
        numbers: None, or all columns of single float32 values together, in the schema's order: an
            array of shape (columns, n_rows), or its bytes. A hundred requests that wait are then a
            hundred small strings, and stay in the processor's cache.
    """

    n_rows: int
    columns: list[Any]
    unknown: dict[str, int] = field(default_factory=dict)
    context: Any = None
    numbers: Any = None

    def arrays(self, schema: Schema) -> dict[str, np.ndarray]:
        """Each column as an array of its dtype and of shape (n_rows, *column.shape)."""
        numbers = self.numbers
        if numbers is not None:
            rows = iter(np.frombuffer(numbers, np.float32).reshape(-1, self.n_rows))
        found = {}
        for column, values in zip(schema, self.columns, strict=True):
            if values is None:
                found[column.name] = next(rows)
            elif isinstance(values, bytes):
                shape = (self.n_rows, *column.shape)
                found[column.name] = np.frombuffer(values, np.float32).reshape(shape)
            else:
                dtype = object if column.dtype == "string" else column.dtype
                found[column.name] = np.asarray(values, dtype=dtype)
        return found


def block_of(decoded: Decoded, schema: Schema, context: Any = None) -> Block:
    """What `Schema.decode` gave, as a block.

    Args:
        decoded: the rows.
        schema: that decoded them.
        context: what the codec wants to remember.
    """
    columns = [decoded.arrays[name] for name in schema.names]
    return Block(decoded.n_rows, columns, decoded.unknown, context)


class Codec(Protocol):
    """How one family of routes says rows and predictions, for one model.

    Methods may be called in different threads at the same time, and must not wait for anything.
    """

    def __init__(self, artifact: Artifact) -> None: ...

    def read(self, request: Request) -> Block:
        """The rows of a request.

        Raises:
            InvalidInputError: the rows do not fit; it lists every problem.
            RequestRefusedError: the request is refused for another reason.
        """
        ...

    def write(self, predictions: np.ndarray, block: Block) -> Reply:
        """The reply to a request.

        Args:
            predictions: finite, shape (block.n_rows, *output.shape), float32 or int64, in C order.
            block: what `read` gave.
        """
        ...

    @classmethod
    def refuse(cls, status: int, text: str, problems: Sequence[errors.InputProblem] = ()) -> Reply:
        """The reply to a request that is not answered, in the words of this protocol.

        Args:
            status: of the reply.
            text: what is wrong, in a sentence.
            problems: with the rows, if it is them.
        """
        ...

    @classmethod
    def status_of(cls, error: errors.InvalidInputError) -> int:
        """The status of the reply when the rows do not fit."""
        ...
