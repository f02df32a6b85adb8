"""Rows that come one by one, turned into the columns that a schema decodes.

A list of rows is what the wire calls `instances`, and what `frame.to_dict("records")` gives. The
server and `Schema.decode` both turn it here, so the same rows are refused for the same reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from mlref import errors
from mlref.schema.checking import first_few, problem_at, show, stand_in
from mlref.schema.column import Column

__all__ = [
    "RepeatedKeys",
    "are_instances",
    "columns_of",
    "listed",
    "object_of",
    "stands_twice",
    "strangers",
]

_SHOWN_COLUMNS = 20  # names that a message lists; many problems say the same list


class RepeatedKeys(dict[str, Any]):
    """A JSON object in which some keys stood more than once; it keeps the last value of each."""

    keys_repeated: tuple[str, ...] = ()


def object_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values; `RepeatedKeys` if a key stands more than once."""
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    marked = RepeatedKeys(made)
    counted = Counter(key for key, _ in pairs)
    marked.keys_repeated = tuple(key for key, count in counted.items() if count > 1)
    return marked


def are_instances(rows: Any) -> bool:
    """Whether rows are a list of rows, each a mapping, and not columns.

    Raises:
        InvalidInputError: they are neither.
    """
    if callable(getattr(rows, "keys", None)) and callable(getattr(rows, "items", None)):
        return False
    got, others = type(rows).__name__, []
    if isinstance(rows, (list, tuple)):
        others = [row for row, value in enumerate(rows) if not isinstance(value, Mapping)]
        if not others:
            return True
        got += f" with {type(rows[others[0]]).__name__}"
    text = f"rows must map column names to values, or be a list of rows that do, got {got}"
    raise errors.InvalidInputError([problem_at(errors.WrongTypeError, text, others)])


def columns_of(
    instances: Sequence[Any], columns: Sequence[Column]
) -> tuple[dict[str, list[Any]], list[errors.InputProblem]]:
    """The instances turned into columns, and what is wrong with their keys.

    Where an instance lacks a column, a value that the column accepts stands in: the values of the
    other rows are checked all the same, and keep their positions.

    Args:
        instances: n rows, each a mapping of column name -> value; any other is a problem.
        columns: the columns that they should have.
    """
    others = [row for row, value in enumerate(instances) if not isinstance(value, Mapping)]
    problems: list[errors.InputProblem] = []
    if others:
        text = f"an instance must be an object, got {show(instances[others[0]])}"
        problems.append(problem_at(errors.MalformedRequestError, text, others))
    objects = {
        row: _keyed_by_text(value)
        for row, value in enumerate(instances)
        if isinstance(value, Mapping)
    }
    turned = {}
    for column in columns:
        name = column.name
        absent = [row for row, value in objects.items() if name not in value]
        if absent:
            advice = "; send null where unknown" if column.nullable else ""
            text = f"{name} is missing, every instance needs it{advice}"
            problems.append(problem_at(errors.MissingColumnError, text, absent, name))
        instead = _accepted(column) if absent or others else None
        turned[name] = [
            objects[row].get(name, instead) if row in objects else instead
            for row in range(len(instances))
        ]
    return turned, problems + _surplus(objects, list(turned))


def listed(names: Collection[str]) -> str:
    """The names of a schema's columns, as far as a message holds them."""
    known = ", ".join([*names][:_SHOWN_COLUMNS])
    more = f", ... ({len(names)} columns)" if len(names) > _SHOWN_COLUMNS else ""
    return known + more


def strangers(
    rows_of: Mapping[str, Sequence[int]], names: Collection[str], *, fits_none: bool
) -> Iterator[errors.InputProblem]:
    """Problems with columns that are not the schema's: the first of them, then a count.

    Args:
        rows_of: for each such column the rows that have it; none if it is given as a column.
        names: the columns of the schema.
        fits_none: whether not one column of the schema was given.
    """
    known = listed(names)
    advice = f"leave it out (allowed: {known})"
    if fits_none:
        advice = f"none of its columns is here, which are {known}: is it the right model?"
    return first_few(
        problem_at(
            errors.ExtraColumnError, f"{name} is not a column of this model; {advice}", rows, name
        )
        for name, rows in rows_of.items()
    )


def stands_twice(name: str, rows: Sequence[int] = ()) -> errors.InputProblem:
    """The problem with a column that stands more than once in an object, or in some rows."""
    text = f"{name} stands more than once; give each column once"
    return problem_at(errors.ExtraColumnError, text, rows, name)


def _surplus(
    objects: Mapping[int, Mapping[str, Any]], names: Sequence[str]
) -> list[errors.InputProblem]:
    """The columns that no instance should hold, and those that one holds twice."""
    known = set(names)
    extra: dict[str, list[int]] = {}
    twice: dict[str, list[int]] = {}
    for row, value in objects.items():
        for name in value.keys() - known:
            extra.setdefault(name, []).append(row)
        for name in value.keys_repeated if isinstance(value, RepeatedKeys) else ():
            twice.setdefault(name, []).append(row)
    fits_none = not any(known & value.keys() for value in objects.values())
    repeated = (stands_twice(name, rows) for name, rows in sorted(twice.items()))
    return [
        *strangers(dict(sorted(extra.items())), names, fits_none=fits_none),
        *first_few(repeated),
    ]


def _keyed_by_text(value: Mapping[Any, Any]) -> Mapping[str, Any]:
    """The same with text as keys, as JSON has them."""
    if all(type(key) is str for key in value):
        return value
    return object_of([(str(key), each) for key, each in value.items()])


def _accepted(column: Column) -> Any:
    """Some value that the column accepts."""
    if column.dtype == "string":
        return column.categories[0] if column.categories else ""
    value: Any = stand_in(column)
    for size in reversed(column.shape):
        value = [value] * size
    return value
