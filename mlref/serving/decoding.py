"""A request's bytes on their way to the arrays that a model takes.

`decode` accepts exactly what the wire describes. Whatever else the bytes hold, it raises one
`InvalidInputError` that names every problem, and never another error: the parser's traps (NaN
literals, keys that stand twice, integers of a million digits, brackets nested until the stack ends)
are met here, values are met by `mlref.schema`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from mlref import errors
from mlref.schema import Column, Decoded, JsonConstant, OnUnknown, Schema
from mlref.schema.checking import first_few, problem_at, stand_in

__all__ = ["decode"]

_KEYS = ("columns", "instances", "on_unknown")
_POLICIES = ("impute", "error")
_LONGEST_DIGITS = 400  # more than float64 or int64 can hold, less than int() refuses
_SHOWN = 40  # characters of a value that a message shows


def decode(body: bytes, schema: Schema) -> Decoded:
    """The rows of a prediction request, as the arrays that the model takes.

    Args:
        body: JSON in UTF-8: {"columns": {name: [value, ...]}} or {"instances": [{name: value}]},
            and optionally "on_unknown": "impute" or "error".
        schema: the columns of the model.

    Raises:
        InvalidInputError: with every problem found.

    >>> decode(b'{"columns": {"temp": [71.5, 60]}}', Schema((Column("temp"),))).arrays["temp"]
    array([71.5, 60. ], dtype=float32)
    """
    document = _parse(body)
    problems: list[errors.InputProblem] = [*_key_problems(document)]
    on_unknown = document.get("on_unknown", "impute")
    if type(on_unknown) is not str or on_unknown not in _POLICIES:
        text = f'on_unknown must be "impute" or "error", got {_show(on_unknown)}'
        problems.append(errors.MalformedRequestError(text))
        on_unknown = "impute"
    rows, found = _rows(document, schema)
    problems += found
    decoded = None
    if rows is not None:
        try:
            decoded = schema.decode(rows, on_unknown=cast("OnUnknown", on_unknown))
        except errors.InvalidInputError as error:
            problems += cast("tuple[errors.InputProblem, ...]", error.exceptions)
    if problems or decoded is None:
        raise errors.InvalidInputError(problems)
    return decoded


class _Repeated(dict[str, Any]):
    """A JSON object in which some keys stood more than once."""

    keys_repeated: tuple[str, ...] = ()


def _parse(body: bytes) -> dict[str, Any]:
    """The JSON object that the body is."""
    if not body.strip():
        raise _malformed('the body is empty; send {"columns": {name: [values]}}')
    try:
        document = _loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _malformed(f"the body must be UTF-8, byte {error.start} is not") from error
    except RecursionError as error:
        raise _malformed("the body is nested too deeply; a value is at most a list") from error
    except ValueError as error:
        raise _malformed(f"the body must be JSON: {error}") from error
    if not isinstance(document, dict):
        raise _malformed(f"the body must be a JSON object, got {_show(document)}")
    return document


def _loads(text: str) -> Any:
    """`json.loads`, strict about what JSON leaves open."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=JsonConstant)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than int() takes
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=JsonConstant, parse_int=_cut_integer
        )


def _cut_integer(digits: str) -> int:
    """An integer that is as much too large as the one written."""
    return int(digits[:_LONGEST_DIGITS])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    marked = _Repeated(made)
    counted = Counter(key for key, _ in pairs)
    marked.keys_repeated = tuple(key for key, count in counted.items() if count > 1)
    return marked


def _repeated(value: Mapping[str, Any]) -> tuple[str, ...]:
    return value.keys_repeated if isinstance(value, _Repeated) else ()


def _key_problems(document: Mapping[str, Any]) -> list[errors.InputProblem]:
    """What is wrong with the keys of the whole request."""
    texts = [f"{_show(key)} stands more than once; give it once" for key in _repeated(document)]
    texts += [
        f"{_show(key)} is not part of a request; allowed are {', '.join(_KEYS)}"
        for key in document
        if key not in _KEYS
    ]
    problems = [*first_few(errors.MalformedRequestError(text) for text in texts)]
    if ("columns" in document) == ("instances" in document):
        got = "both" if "columns" in document else "neither"
        text = f'a request holds either "columns" or "instances", got {got}'
        problems.append(errors.MalformedRequestError(text))
    return problems


def _rows(
    document: Mapping[str, Any], schema: Schema
) -> tuple[dict[str, Any] | None, list[errors.InputProblem]]:
    """The columns that the request holds, None if it holds none, and what is wrong with them."""
    if ("columns" in document) == ("instances" in document):
        return None, []
    if "columns" in document:
        columns = document["columns"]
        if not isinstance(columns, dict):
            text = f"columns must be an object of lists, got {_show(columns)}"
            return None, [errors.MalformedRequestError(text)]
        return columns, [*first_few(_twice(name) for name in _repeated(columns))]
    instances = document["instances"]
    if not isinstance(instances, list):
        text = f"instances must be a list of objects, got {_show(instances)}"
        return None, [errors.MalformedRequestError(text)]
    return _columns_of(instances, schema)


def _columns_of(
    instances: Sequence[Any], schema: Schema
) -> tuple[dict[str, Any], list[errors.InputProblem]]:
    """The instances turned into columns.

    Where an instance lacks a column, a value that the schema accepts stands in: the values of the
    other rows are checked all the same, and keep their positions.
    """
    others = [row for row, value in enumerate(instances) if not isinstance(value, dict)]
    problems: list[errors.InputProblem] = []
    if others:
        text = f"an instance must be an object, got {_show(instances[others[0]])}"
        problems.append(problem_at(errors.MalformedRequestError, text, others))
    objects = {row: value for row, value in enumerate(instances) if isinstance(value, dict)}
    columns = {}
    for column in schema:
        name = column.name
        absent = [row for row, value in objects.items() if name not in value]
        if absent:
            text = f"{name} is missing; every instance needs it, null where unknown is allowed"
            problems.append(problem_at(errors.MissingColumnError, text, absent, name))
        instead = _accepted(column) if absent or others else None
        columns[name] = [
            objects[row].get(name, instead) if row in objects else instead
            for row in range(len(instances))
        ]
    return columns, problems + _surplus(objects, schema)


def _surplus(objects: Mapping[int, Mapping[str, Any]], schema: Schema) -> list[errors.InputProblem]:
    """The columns that no instance should hold, and those that one holds twice."""
    known = set(schema.names)
    extra: dict[str, list[int]] = {}
    twice: dict[str, list[int]] = {}
    for row, value in objects.items():
        for name in value.keys() - known:
            extra.setdefault(name, []).append(row)
        for name in _repeated(value):
            twice.setdefault(name, []).append(row)
    strange = (
        problem_at(errors.ExtraColumnError, f"{name} is not a column of this model", rows, name)
        for name, rows in sorted(extra.items())
    )
    repeated = (_twice(name, rows) for name, rows in sorted(twice.items()))
    return [*first_few(strange), *first_few(repeated)]


def _accepted(column: Column) -> Any:
    """Some value that the column accepts."""
    if column.dtype == "string":
        return column.categories[0] if column.categories else ""
    value: Any = stand_in(column)
    for size in reversed(column.shape):
        value = [value] * size
    return value


def _twice(name: str, rows: Sequence[int] = ()) -> errors.InputProblem:
    text = f"{name} stands more than once; give each column once"
    return problem_at(errors.ExtraColumnError, text, rows, name)


def _malformed(text: str) -> errors.InvalidInputError:
    return errors.InvalidInputError([errors.MalformedRequestError(text)])


def _show(value: Any) -> str:
    """The beginning of a value, without walking through all of it."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    if isinstance(value, JsonConstant):
        return str(value)
    text = json.dumps(value[: _SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
