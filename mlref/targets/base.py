"""The contract between a place where models run and whoever deploys one there.

A `Target` is a place; `deploy` puts an artefact there and gives an `Endpoint`, which answers until
it is closed:

    with target.deploy(artifact) as endpoint:
        endpoint.predict(rows)

Whatever the place, an endpoint keeps these promises, and `tests/contract` holds each one to them:

- The golden rows are answered within `mlref.artifact.TOLERANCE`.
- `predict` takes any number of rows and keeps their order. No rows at all give an array of shape
  (0, *output.shape), after the columns were checked like any others.
- Rows that do not fit raise `InvalidInputError` with the same kinds of problems, columns and rows
  as in this process.
- It may be shared by threads, and deployments do not disturb each other.
- After `close()` nothing is left of it: no process, port or file. Calling `close()` again does
  nothing; `predict` then raises `EndpointClosedError`.
- An endpoint that is forgotten, or whose process is killed, cleans up all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np

from mlref.artifact import Artifact
from mlref.schema import OnUnknown, Rows

__all__ = ["Description", "Endpoint", "Target", "has_no_rows", "shown"]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What runs where.

    Attributes:
        target: name of the target.
        model: name of the model.
        version: version of the model.
        size_bytes: size of the artefact's folder, in bytes.
        url: where it answers, or None if not over HTTP.
        pid: process id, or None if it is no process of this machine or this very one.
    """

    target: str
    model: str
    version: str
    size_bytes: int
    url: str | None = None
    pid: int | None = None


@runtime_checkable
class Endpoint(Protocol):
    """A deployed model. Implementations derive from this class."""

    def predict(self, rows: Rows, *, on_unknown: OnUnknown = "impute") -> np.ndarray:
        """The model's answer for each row.

        Args:
            rows: column name -> n values each (mapping or DataFrame), or a list of n rows, each a
                mapping of column name -> value; raw: no preprocessing.
            on_unknown: "impute" lets the model handle an unknown category, "error" refuses it.

        Returns:
            float32 array of shape (n, *output.shape), int64 where the graph gives whole numbers;
            n may be 0.

        Raises:
            InvalidInputError: the rows do not fit the schema; it lists every problem.
            EndpointUnreachableError: the place does not answer any more.
            EndpointClosedError: `close()` was called.
            EndpointError: the place failed to answer.
        """
        ...

    def wait_ready(self, timeout_s: float) -> None:
        """Return as soon as it answers.

        Args:
            timeout_s: seconds to wait.

        Raises:
            ProcessError: it ended, or was not ready within the limit.
            EndpointClosedError: `close()` was called.
        """
        ...

    def describe(self) -> Description:
        """What runs where; also after `close()`."""
        ...

    def close(self) -> None:
        """Take the model down, and leave nothing. Calling it again does nothing."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@runtime_checkable
class Target(Protocol):
    """A place where models run."""

    @property
    def name(self) -> str:
        """The name of the place, for instance "local"."""
        ...

    def available(self) -> str | None:
        """None if it can run here; otherwise one line: why not, and how to get it."""
        ...

    def deploy(self, artifact: Artifact) -> Endpoint:
        """A ready endpoint of the artefact. Use it in a `with` block, which closes it.

        Raises:
            MlrefError: the place is not available, or the model did not get ready.
        """
        ...


def shown(endpoint: Endpoint, *, closed: bool) -> str:
    """What `repr` says of an endpoint: its class, the model, and where it answers if it does."""
    told = endpoint.describe()
    where = f" at {told.url}" if told.url else ""
    state = ", closed" if closed else where
    return f"<{type(endpoint).__name__} {told.model} {told.version}{state}>"


def has_no_rows(rows: Rows) -> bool:
    """Whether rows are columns without any value, or a list of none: no place need be asked."""
    if isinstance(rows, (list, tuple)):
        return not rows
    try:
        lengths = {len(values) for _, values in rows.items()}
    except (AttributeError, TypeError, ValueError):
        return False
    return lengths == {0}
