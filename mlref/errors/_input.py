"""Rows that do not fit a schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from mlref.errors._root import MlrefError

__all__ = [
    "PROBLEM_KINDS",
    "EmptyInputError",
    "ExtraColumnError",
    "InputProblem",
    "InvalidInputError",
    "MalformedRequestError",
    "MissingColumnError",
    "MissingValueError",
    "NotFiniteError",
    "OutOfRangeError",
    "UnknownCategoryError",
    "WrongLengthError",
    "WrongTypeError",
]


class InputProblem(MlrefError, ValueError):  # noqa: N818 - the word of the wire
    """One thing that is wrong with some rows.

    Attributes:
        column: the column's name, or None when the whole input is meant.
        rows: positions of the offending rows, counted from 0; at most the first ten.
    """

    def __init__(
        self, message: str, *, column: str | None = None, rows: Sequence[int] = ()
    ) -> None:
        super().__init__(message)
        self.column = column
        self.rows = tuple(int(row) for row in rows)

    def as_dict(self) -> dict[str, Any]:
        """The problem as the wire carries it: kind, message, column, rows."""
        return {
            "kind": type(self).__name__.removesuffix("Error"),
            "message": str(self),
            "column": self.column,
            "rows": list(self.rows),
        }


class MissingColumnError(InputProblem):
    """A column of the schema is absent."""


class ExtraColumnError(InputProblem):
    """A column is not in the schema."""


class WrongTypeError(InputProblem):
    """A value of another type: text where a number belongs, a boolean, an object."""


class WrongLengthError(InputProblem):
    """Columns of different lengths, or a matrix row of another width."""


class MissingValueError(InputProblem):
    """Null or NaN in a column that is not nullable."""


class NotFiniteError(InputProblem):
    """Infinity, a NaN literal, or a number that float32 cannot hold."""


class OutOfRangeError(InputProblem):
    """A value outside the column's allowed range."""


class UnknownCategoryError(InputProblem):
    """A category that the schema does not know."""


class EmptyInputError(InputProblem):
    """No rows at all."""


class MalformedRequestError(InputProblem):
    """A request that is not the JSON which the wire describes."""


PROBLEM_KINDS: dict[str, type[InputProblem]] = {
    kind.__name__.removesuffix("Error"): kind
    for kind in (
        MissingColumnError,
        ExtraColumnError,
        WrongTypeError,
        WrongLengthError,
        MissingValueError,
        NotFiniteError,
        OutOfRangeError,
        UnknownCategoryError,
        EmptyInputError,
        MalformedRequestError,
    )
}
"""The name of each problem on the wire, and its class."""


_NOT_THE_WIRE = "the request is not what the wire describes"


class InvalidInputError(MlrefError, ExceptionGroup[InputProblem]):
    """Rows that do not fit the schema, with every problem found.

    It is an exception group: `except* UnknownCategoryError` picks one kind out, and `.exceptions`
    is the tuple of all problems.
    """

    def __new__(cls, problems: Sequence[InputProblem]) -> Self:
        """Build the group; its message lists every problem on a line of its own."""
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        malformed = all(isinstance(problem, MalformedRequestError) for problem in problems)
        headline = _NOT_THE_WIRE if malformed else "the input does not fit the schema"
        return super().__new__(cls, f"{headline}: {count}", list(problems))

    def __init__(self, problems: Sequence[InputProblem]) -> None:
        """See `__new__`."""

    def derive(self, excs: Sequence[InputProblem]) -> InvalidInputError:  # type: ignore[override]
        """A group of the same class around fewer problems, as `except*` needs."""
        return InvalidInputError(excs)

    def __str__(self) -> str:
        """The count, then each problem on its own line."""
        return "\n".join([f"{self.message}:", *(f"  - {problem}" for problem in self.exceptions)])

    def __reduce__(self) -> tuple[type[InvalidInputError], tuple[tuple[InputProblem, ...]]]:
        """Survive the way from one process to another."""
        return InvalidInputError, (tuple(self.exceptions),)  # type: ignore[arg-type]
