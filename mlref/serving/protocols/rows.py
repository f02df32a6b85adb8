"""The rows of a body in CSV, JSON, JSON Lines or NPY, checked by the schema.

`mlref.serving.protocols.content` describes the formats and is the way in. As everywhere, whatever
the bytes hold, the only error is an `InvalidInputError` that names every problem; a row that cannot
be read is stood in for, so that the other rows are checked all the same and keep their positions.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from mlref import errors
from mlref.schema import Column, Decoded, JsonConstant, OnUnknown, Schema
from mlref.schema.checking import first_few, problem_at, show, stand_in
from mlref.schema.rows import listed
from mlref.serving.decoding import decode, key_problems, parse_object, strict_loads

__all__ = ["decode_rows", "read_csv", "read_json", "read_json_lines", "read_npy"]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER_SIGNS = frozenset("0123456789+-.eE")
_NO_NUMBERS = {"nan", "inf", "infinity"}
_LONGEST_DIGITS = 400  # more than int64 can hold, less than int() refuses
_EXACT = 2.0**53  # above it, float64 does not hold every whole number
_POLICIES = ("impute", "error")
_NPY_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_json(body: bytes, schema: Schema) -> Decoded:
    """The rows of our wire, whose instances may be lists in the schema's order.

    Raises:
        InvalidInputError: with every problem found.
    """
    document = parse_object(body)
    rows = document.get("instances")
    if not isinstance(rows, list) or not any(isinstance(row, list) for row in rows):
        return decode(body, schema)
    problems = [*key_problems(document)]
    on_unknown = document.get("on_unknown", "impute")
    if type(on_unknown) is not str or on_unknown not in _POLICIES:
        text = f'on_unknown must be "impute" or "error", got {show(on_unknown)}'
        problems.append(errors.MalformedRequestError(text))
        on_unknown = "impute"
    return decode_rows(rows, schema, on_unknown=cast("OnUnknown", on_unknown), found=problems)


def read_json_lines(body: bytes, schema: Schema) -> Decoded:
    """The rows of a body with an object or a list on each line.

    Raises:
        InvalidInputError: with every problem found.
    """
    lines = _text(body).split("\n")  # and nothing else: a JSON text may hold other line ends
    while lines and not lines[-1].strip():
        lines.pop()
    rows: list[Any] = []
    problems: list[errors.InputProblem] = []
    for number, line in enumerate(lines):
        try:
            rows.append(strict_loads(line))
        except (json.JSONDecodeError, RecursionError) as error:
            why = "it is nested too deeply"
            if isinstance(error, json.JSONDecodeError):
                why = f"{error.msg} at column {error.colno}"
            text = f"line {number + 1} must be a JSON object or list: {why}"
            problems.append(errors.MalformedRequestError(text, rows=[number]))
            rows.append(_unflattened(_filler(schema), schema))
    return decode_rows(rows, schema, found=[*first_few(problems)])


def decode_rows(
    rows: Sequence[Any],
    schema: Schema,
    *,
    on_unknown: OnUnknown = "impute",
    found: Sequence[errors.InputProblem] = (),
) -> Decoded:
    """Rows that are objects, or lists in the schema's order, as the arrays that a model takes.

    Args:
        rows: n rows as JSON has them: an object of columns; a list of one value for each column;
            or a list of one number for each cell, where columns have a shape.
        schema: the columns of the model.
        on_unknown: "impute" accepts unknown categories and counts them, "error" refuses them.
        found: what is known to be wrong with the request already.

    Raises:
        InvalidInputError: with every problem found.
    """
    problems = [*found]
    named: list[Any] = []
    wrong: list[int] = []
    for number, row in enumerate(rows):
        values = _by_column(row, schema) if isinstance(row, list) else None
        if isinstance(row, list) and values is None:
            wrong.append(number)
            values = _unflattened(_filler(schema), schema)
        named.append(row if values is None else dict(zip(schema.names, values, strict=True)))
    if wrong:
        cells = _width(schema)
        advice = f" or {cells} numbers" if cells != len(schema.columns) else ""
        text = (
            f"a row that is a list must hold {len(schema.columns)} values{advice}, "
            f"got {len(rows[wrong[0]])}; the order is {listed(schema.names)}"
        )
        problems.append(problem_at(errors.WrongLengthError, text, wrong))
    return _checked(named, schema, problems, on_unknown)


def read_csv(body: bytes, schema: Schema, *, header: bool | None = None) -> Decoded:
    """The rows of a CSV body.

    Args:
        body: in UTF-8; a byte order mark is skipped.
        schema: the columns of the model.
        header: whether the first line holds the columns' names; None means that it should not.

    Raises:
        InvalidInputError: with every problem found.
    """
    records = [*_records(_text(body.removeprefix(b"\xef\xbb\xbf")))]
    while records and not records[-1][1]:
        records.pop()
    names, width = list(schema.names), _width(schema)
    first = [cell.strip() for cell in records[0][1]] if records else []
    if header:
        if first != names and (width == len(names) or len(first) != width):
            raise _malformed(f"line 1 must hold the columns' names: {listed(names)}")
        del records[:1]
    elif header is None and first == names:
        advice = "leave it out, or declare Content-Type: text/csv; header=present"
        raise _malformed(f"line 1 is a header, and this CSV has none: {advice}")
    filler = [str(value) or "-" for value in _filler(schema)]
    wrong = [number for number, (_, cells) in enumerate(records) if len(cells) != width]
    problems: list[errors.InputProblem] = []
    if wrong:
        line, cells = records[wrong[0]]
        got = f"has {len(cells)} cells" if cells else 'is empty (a missing value is written "")'
        text = f"line {line} {got}, a row takes {width}; the order is {listed(names)}"
        problems.append(problem_at(errors.WrongLengthError, text, wrong))
    rows = [cells if len(cells) == width else filler for _, cells in records]
    return _checked(_columns(rows, schema), schema, problems, "impute")


def read_npy(body: bytes, schema: Schema) -> Decoded:
    """The rows of an array in NumPy's format.

    Args:
        body: an array of numbers, shape (n, cells); or (n, *shape) for one column of that shape.
        schema: the columns of the model, all of numbers.

    Raises:
        InvalidInputError: with every problem found.
    """
    texts = [column.name for column in schema if column.dtype == "string"]
    if texts:
        raise _malformed(f"NPY holds numbers only, and {listed(texts)} is text; send CSV or JSON")
    array = _array(body)
    width, (only, *others) = _width(schema), schema.columns
    if not others and array.ndim and array.shape[1:] == only.shape:
        array = array.reshape(len(array), width)
    if array.ndim != 2 or array.shape[1] != width:  # noqa: PLR2004 - rows and cells
        text = f"the array must have shape (rows, {width}), got {array.shape}"
        advice = f"the order is {listed(schema.names)}"
        raise errors.InvalidInputError([errors.WrongLengthError(f"{text}; {advice}")])
    columns, start = {}, 0
    for column in schema:
        size = math.prod(column.shape)
        values = array[:, start : start + size].reshape(len(array), *column.shape)
        columns[column.name] = _whole(values) if column.dtype == "int64" else values
        start += size
    return schema.decode(columns)


def _checked(
    rows: Any, schema: Schema, problems: Sequence[errors.InputProblem], on_unknown: OnUnknown
) -> Decoded:
    """Columns, or a list of instances, decoded; its problems come after those that are known."""
    take = schema.decode_instances if isinstance(rows, list) else schema.decode
    try:
        decoded = take(rows, on_unknown=on_unknown)
    except errors.InvalidInputError as error:
        more = cast("tuple[errors.InputProblem, ...]", error.exceptions)
        raise errors.InvalidInputError([*problems, *more]) from error
    if problems:
        raise errors.InvalidInputError(problems)
    return decoded


def _width(schema: Schema) -> int:
    """How many cells a row has."""
    return sum(math.prod(column.shape) for column in schema)


def _filler(schema: Schema) -> list[Any]:
    """The cells of a row that the schema accepts, to stand in for one that cannot be read."""
    cells: list[Any] = []
    for column in schema:
        text = column.dtype == "string"
        value = (column.categories or ("-",))[0] if text else stand_in(column)
        cells += [value] * math.prod(column.shape)
    return cells


def _by_column(row: list[Any], schema: Schema) -> list[Any] | None:
    """The values of a row that came as a list, one for each column; None if it does not fit."""
    flat = not any(isinstance(value, (list, dict)) for value in row)
    if flat and len(row) == _width(schema):
        return _unflattened(row, schema)
    return row if len(row) == len(schema.columns) else None


def _unflattened(cells: Sequence[Any], schema: Schema) -> list[Any]:
    """One value for each column, nested where the column has a shape."""
    values, start = [], 0
    for column in schema:
        size = math.prod(column.shape)
        values.append(_nested(cells[start : start + size], column.shape))
        start += size
    return values


def _nested(cells: Sequence[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return cells[0]
    size = len(cells) // shape[0]
    return [_nested(cells[at : at + size], shape[1:]) for at in range(0, len(cells), size)]


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV text, each with the number of its last line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise _malformed(f"line {reader.line_num} is not CSV: {error}") from error


def _columns(rows: Sequence[Sequence[str]], schema: Schema) -> dict[str, Any]:
    """CSV cells as columns of values that the schema can check."""
    columns, start = {}, 0
    for column in schema:
        size = math.prod(column.shape)
        cells = [cell for row in rows for cell in row[start : start + size]]
        start += size
        if column.dtype == "string":
            columns[column.name] = [cell or None for cell in cells]
        else:
            columns[column.name] = _numbers(cells, column, size)
    return columns


def _numbers(cells: list[str], column: Column, size: int) -> Any:
    """A column of numbers: an array, or lists where a cell is something else."""
    if _NUMBER_SIGNS.issuperset("".join(cells)):  # so float() takes no "nan", "1_0" or spaces
        try:
            if column.dtype == "int64":
                array = np.array([int(cell) for cell in cells], dtype=np.int64)
            else:
                array = np.array([float(cell) if cell else math.nan for cell in cells])
            return array.reshape(-1, *column.shape)
        except (ValueError, OverflowError):
            pass
    values = [_value(cell, whole=column.dtype == "int64") for cell in cells]
    return [_nested(values[at : at + size], column.shape) for at in range(0, len(values), size)]


def _value(cell: str, *, whole: bool) -> Any:
    """A cell as JSON would have it: a number, None, or what the schema will refuse."""
    text = cell.strip(" \t")
    if not text:
        return None
    if whole and _WHOLE.fullmatch(text):
        return int(text[:_LONGEST_DIGITS])
    if _NUMBER.fullmatch(text):
        return float(text)
    return JsonConstant(text) if text.lower().lstrip("+-") in _NO_NUMBERS else cell


def _array(body: bytes) -> np.ndarray:
    """The array in an NPY body. The header's promise is held against the body before it counts."""
    stream = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran_order, dtype = _NPY_READERS[version](stream)
    except Exception as error:  # whatever a forged header makes NumPy's reader raise
        raise _malformed("the body must be an NPY file, as numpy.save writes it") from error
    if dtype.kind not in "iuf" or dtype.hasobject:
        raise _malformed(f"the array must hold numbers, got dtype {dtype}")
    held = len(body) - stream.tell()
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != held:
        raise _malformed(f"the header tells shape {shape} of {dtype}, but {held} bytes follow")
    array = np.frombuffer(body, dtype, offset=stream.tell())
    return array.reshape(shape, order="F" if fortran_order else "C")


def _whole(values: np.ndarray) -> np.ndarray:
    """Whole numbers that a shared array had to hold as floats; others stay, to be refused."""
    if values.dtype.kind != "f":
        return values
    whole = (values == np.rint(values)) & (abs(values) <= _EXACT)
    if whole.all():
        return values.astype(np.int64)
    found = values.astype(object)
    found[whole] = values[whole].astype(np.int64).astype(object)
    return found


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"the body must be UTF-8, byte {error.start} is not") from error


def _malformed(text: str) -> errors.InvalidInputError:
    return errors.InvalidInputError([errors.MalformedRequestError(text)])
