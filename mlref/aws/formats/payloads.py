"""Rows of a body as columns: CSV, JSON and JSON Lines, as endpoints take and give them.

    1.5,JFK                                     CSV: columns by position, named or _c0, _c1 ...
    {"instances": [{"temp": 1.5}, ...]}         rows, each an object, or a list by position
    {"columns": {"temp": [1.5, ...]}}           columns
    {"temp": 1.5, "origin": "JFK"}              one row; or columns, if all values are lists
    {"predictions": [0.2, 0.7]}                 a reply: a column "predictions"
    [[1.5, "JFK"], ...]                         rows

An object inside a row is taken apart, {"a": {"b": 1}} into the column a.b, and so is a list of a
fixed length, into a.0, a.1 ... An empty cell of CSV and null are missing values.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlref.errors import CloudFileError

__all__ = ["Table", "columns_of_csv", "columns_of_json", "columns_of_lines", "stacked"]

Table = dict[str, list[Any]]
"""Column name -> values; all columns are of one length, a missing value is None."""

_BESIDES = {"model", "warnings", "on_unknown"}  # of our own wire; no data


def columns_of_csv(
    text: str, *, names: Sequence[str] = (), header: bool = False, file: str
) -> Table:
    """The columns of CSV text.

    Args:
        text: rows; an empty line is none.
        names: of the columns, by position; columns beyond are _c3, _c4 ... by theirs.
        header: whether the first row has the names instead.
        file: its name, for messages.

    Raises:
        CloudFileError: rows differ in length, a name is there twice, or quotes do not end.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise CloudFileError(f"{file}: not CSV: {error}") from error
    if header and rows:
        names, rows = [cell.strip() for cell in rows[0]], rows[1:]
        if len(set(names)) < len(names):
            raise CloudFileError(f"{file}: a column's name is there twice in the first line")
    width = len(rows[0]) if rows else len(names)
    for number, row in enumerate(rows):
        if len(row) != width or (header and width != len(names)):
            wanted = len(names) if header else width
            raise CloudFileError(f"{file}: row {number} has {len(row)} cells, not {wanted}")
    named = _by_position(names, width)
    return {name: [row[place].strip() or None for row in rows] for place, name in enumerate(named)}


def columns_of_json(text: str, *, names: Sequence[str] = (), file: str) -> Table:
    """The columns of a JSON text.

    Args:
        text: see the module.
        names: of the columns of rows that are lists.
        file: its name, for messages.

    Raises:
        CloudFileError: it is no JSON, or nothing that holds rows.
    """
    return _columns(_parsed(text, file), names, file)


def columns_of_lines(text: str, *, names: Sequence[str] = (), file: str) -> Table:
    """The columns of JSON Lines: a row on each line.

    Args:
        text: an object or a list on each line.
        names: of the columns of rows that are lists.
        file: its name, for messages.

    Raises:
        CloudFileError: a line is no JSON, or no row.
    """
    rows = [_parsed(line, file) for line in text.split("\n") if line.strip()]
    return _rows(rows, names, file)


def stacked(tables: Sequence[Table]) -> Table:
    """Tables one below the other; a column that a table lacks is missing there."""
    found: Table = {}
    rows = 0
    for table in tables:
        count = len(next(iter(table.values()), []))
        for name, values in table.items():
            found.setdefault(name, [None] * rows).extend(values)
        rows += count
        for values in found.values():
            values.extend([None] * (rows - len(values)))
    return found


def _parsed(text: str, file: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CloudFileError(f"{file}: not JSON: {error}") from error


def _columns(document: Any, names: Sequence[str], file: str) -> Table:
    if isinstance(document, list):
        return _rows(document, names, file)
    if not isinstance(document, dict):
        raise CloudFileError(f"{file}: rows are an object or a list, got {document!r:.60}")
    if isinstance(document.get("instances"), list):
        return _rows(document["instances"], names, file)
    if isinstance(document.get("columns"), dict):
        return _equal(document["columns"], file)
    values = {name: value for name, value in document.items() if name not in _BESIDES}
    if values and all(isinstance(value, list) for value in values.values()):
        if list(values) == ["predictions"]:
            return _named_rows([{"predictions": each} for each in values["predictions"]])
        return _equal(values, file)
    return _named_rows([document])


def _rows(rows: Sequence[Any], names: Sequence[str], file: str) -> Table:
    """Rows that are objects, or lists by position, or single values."""
    lists = [row if isinstance(row, list) else [row] for row in rows if not isinstance(row, dict)]
    if not lists:
        return _named_rows(rows)
    width = len(lists[0])
    if len(lists) < len(rows) or any(len(row) != width for row in lists):
        raise CloudFileError(f"{file}: rows are lists of one length, or objects, not a mixture")
    named = _by_position(names, width)
    return _named_rows([dict(zip(named, row, strict=True)) for row in lists])


def _named_rows(rows: Sequence[Mapping[str, Any]]) -> Table:
    flat = [dict(_flat(row, "")) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    return {name: [row.get(name) for row in flat] for name in names}


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A value of a row, taken apart."""
    if isinstance(value, (dict, list)):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            yield from _flat(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _equal(columns: Mapping[str, Any], file: str) -> Table:
    """Columns that must be lists of one length."""
    wrong = [name for name, values in columns.items() if not isinstance(values, list)]
    if wrong:
        raise CloudFileError(f"{file}: column {wrong[0]} must be a list")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise CloudFileError(f"{file}: columns must be of one length, got {lengths}")
    count = next(iter(lengths.values()), 0)
    return _named_rows([{name: columns[name][row] for name in columns} for row in range(count)])


def _by_position(names: Sequence[str], width: int) -> list[str]:
    return [*names[:width], *(f"_c{place}" for place in range(len(names), width))]
