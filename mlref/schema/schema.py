"""A model's columns together: rows in, arrays or a list of problems out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from mlref import errors
from mlref.schema.checking import ColumnCheck, show
from mlref.schema.column import Column
from mlref.schema.rows import are_instances, columns_of, listed, strangers

__all__ = ["Decoded", "OnUnknown", "Rows", "Schema", "check_policy", "unknown_warnings"]

OnUnknown: TypeAlias = Literal["impute", "error"]
Rows: TypeAlias = Any
"""Column name -> values: a mapping of sequences or arrays, or a pandas DataFrame. Or a list of
rows, each a mapping of column name -> value."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """Rows as a model takes them.

    Attributes:
        arrays: for each column an array of shape (n_rows, *column.shape): float32, int64 or object
            (str).
        n_rows: how many rows.
        unknown: for each column that held unknown categories, how many values were unknown.
    """

    arrays: dict[str, np.ndarray]
    n_rows: int
    unknown: dict[str, int]

    @property
    def warnings(self) -> list[str]:
        """One sentence for each column that held unknown categories."""
        return unknown_warnings(self.unknown)


def unknown_warnings(unknown: Mapping[str, int]) -> list[str]:
    """One sentence for each column that held unknown categories.

    Args:
        unknown: for each such column, how many values were unknown.
    """
    return [
        f"{column}: {count} unknown categor{'y' if count == 1 else 'ies'} imputed"
        for column, count in unknown.items()
    ]


@dataclass(frozen=True, init=False)
class Schema:
    """The columns of a model, in order.

    Args:
        columns: at least one `Column`, each with a name of its own.

    Raises:
        TypeError: `columns` is one column, or holds what is none.
        ValueError: no columns, or a name twice.

    >>> schema = Schema((Column("temp", low=-60, high=140, nullable=True),))
    >>> schema.decode({"temp": [71.5, None]}).arrays["temp"]
    array([71.5,  nan], dtype=float32)
    """

    columns: tuple[Column, ...]

    def __init__(self, columns: Iterable[Column]) -> None:
        given = _checked(columns)
        object.__setattr__(self, "columns", given)
        if not self.columns or len(set(self.names)) != len(self.columns):
            msg = f"a schema needs at least one column and each name once, got {list(self.names)}"
            raise ValueError(msg)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        msg = f"no column {name!r}; there are {', '.join(self.names)}"
        raise KeyError(msg)

    def replace(self, **categories: Iterable[str]) -> Schema:
        """The same schema, with other known categories for the columns named.

        Raises:
            KeyError: no such column.
            ValueError: a column of numbers.
        """
        unknown = set(categories) - set(self.names)
        if unknown:
            msg = f"no column {', '.join(sorted(unknown))}; there are {', '.join(self.names)}"
            raise KeyError(msg)
        return Schema(
            tuple(
                dataclasses.replace(column, categories=tuple(categories[column.name]))
                if column.name in categories
                else column
                for column in self.columns
            )
        )

    def to_list(self) -> list[dict[str, Any]]:
        """The schema as JSON values."""
        return [column.to_dict() for column in self.columns]

    @classmethod
    def from_list(cls, columns: Iterable[Mapping[str, Any]]) -> Schema:
        """The schema that `to_list` wrote."""
        return cls(tuple(Column.from_dict(column) for column in columns))

    def validate(self, rows: Rows, *, on_unknown: OnUnknown = "error") -> None:
        """Nothing, if the rows fit; otherwise one error that lists every problem.

        Args:
            rows: column name -> n values each (mapping or DataFrame), or a list of n rows.
            on_unknown: "error" reports unknown categories, "impute" accepts them.

        Raises:
            InvalidInputError: with every problem found.
        """
        self.decode(rows, on_unknown=on_unknown)

    def decode(
        self, rows: Rows, *, on_unknown: OnUnknown = "impute", allow_empty: bool = False
    ) -> Decoded:
        """The rows as the arrays that the model takes.

        Args:
            rows: column name -> n values each (mapping or DataFrame), or a list of n rows, each a
                mapping of column name -> value.
            on_unknown: "impute" accepts unknown categories and counts them, "error" refuses them.
            allow_empty: accept zero rows.

        Raises:
            InvalidInputError: with every problem found.
            ValueError: `on_unknown` is neither.
        """
        check_policy(on_unknown)
        if are_instances(rows):
            return self.decode_instances(rows, on_unknown=on_unknown, allow_empty=allow_empty)
        return self._decoded(rows, [], on_unknown=on_unknown, allow_empty=allow_empty)

    def decode_instances(
        self,
        instances: Sequence[Any],
        *,
        on_unknown: OnUnknown = "impute",
        allow_empty: bool = False,
    ) -> Decoded:
        """The same for a list that should hold rows: any other value in it is one more problem.

        Args:
            instances: n rows, each a mapping of column name -> value.
            on_unknown: see `decode`.
            allow_empty: see `decode`.

        Raises:
            InvalidInputError: with every problem found.
            ValueError: `on_unknown` is neither.
        """
        check_policy(on_unknown)
        columns, problems = columns_of(instances, self.columns)
        return self._decoded(columns, problems, on_unknown=on_unknown, allow_empty=allow_empty)

    def _decoded(
        self,
        rows: Rows,
        found: Sequence[errors.InputProblem],
        *,
        on_unknown: OnUnknown,
        allow_empty: bool,
    ) -> Decoded:
        """The columns as arrays; `found` is what is known to be wrong with them already."""
        keys = {str(key): key for key in rows.keys()}  # noqa: SIM118 - a DataFrame's, too
        given = Counter(str(key) for key in rows.keys())  # noqa: SIM118 - likewise
        problems: list[errors.InputProblem] = [*found, *self._names_problems(given)]
        arrays: dict[str, np.ndarray] = {}
        lengths: dict[str, int] = {}
        unknown: dict[str, int] = {}
        for column in self.columns:
            if given[column.name] != 1:
                continue
            check = ColumnCheck(column)
            values = rows[keys[column.name]]
            length = check.length(values)
            if not check.problems:
                lengths[column.name] = length
            array = check.string(values) if column.dtype == "string" else check.number(values)
            if check.unknown_count:
                unknown[column.name] = check.unknown_count
            if on_unknown == "impute":
                check.drop_unknown()
            problems += check.problems
            arrays[column.name] = array
        n_rows = max(lengths.values(), default=0)
        problems += _length_problems(lengths)
        if lengths and n_rows == 0 and not allow_empty:
            text = "the input has no rows; send at least one"
            problems.append(errors.EmptyInputError(text))
        if problems:
            raise errors.InvalidInputError(problems)
        return Decoded(arrays, n_rows, unknown)

    def _names_problems(self, given: Mapping[str, int]) -> Iterator[errors.InputProblem]:
        names = dict.fromkeys(self.names)
        known = listed(self.names)
        for name in names:
            count = given.get(name, 0)
            if count == 0:
                text = f"{name} is missing; the columns are {known}"
                yield errors.MissingColumnError(text, column=name)
            elif count > 1:
                text = f"{name} stands {count} times; give each column once"
                yield errors.ExtraColumnError(text, column=name)
        fits_none = not names.keys() & given.keys()
        strange: dict[str, list[int]] = {name: [] for name in given if name not in names}
        yield from strangers(strange, names, fits_none=fits_none)


def check_policy(on_unknown: object) -> None:
    """Nothing, for a policy that there is.

    Raises:
        ValueError: it is neither "impute" nor "error": the caller's mistake, not the rows'.
    """
    if on_unknown not in ("impute", "error"):
        raise ValueError(f'on_unknown must be "impute" or "error", got {on_unknown!r}')


def _length_problems(lengths: Mapping[str, int]) -> Iterator[errors.InputProblem]:
    if len(set(lengths.values())) > 1:
        counted = ", ".join(f"{name} {length}" for name, length in lengths.items())
        text = f"every column needs the same number of rows, got {counted}"
        yield errors.WrongLengthError(text)


def _checked(columns: Any) -> tuple[Column, ...]:
    """What was given as a schema's columns, if it is that."""
    advice = "write Schema([Column(...), ...])"
    if not isinstance(columns, Iterable):
        got = type(columns).__name__
        raise TypeError(f"columns must be a list of Column, got {got}; {advice}")
    given = tuple(columns)
    for column in given:
        if not isinstance(column, Column):
            got = show(column)
            raise TypeError(f"columns must be a list of Column, got {got} in it; {advice}")
    return given
