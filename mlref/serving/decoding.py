"""A request's bytes on their way to the arrays that a model takes.

`decode` accepts exactly what the wire describes. Whatever else the bytes hold, it raises one
`InvalidInputError` that names every problem, and never another error: the parser's traps (NaN
literals, keys that stand twice, integers of a million digits, brackets nested until the stack ends)
are met here, values are met by `mlref.schema`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from mlref import errors
from mlref.schema import Decoded, JsonConstant, OnUnknown, Schema
from mlref.schema.checking import first_few
from mlref.schema.rows import RepeatedKeys, object_of, stands_twice

__all__ = ["decode", "key_problems", "parse_object", "strict_loads"]

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

    >>> from mlref.schema import Column
    >>> decode(b'{"columns": {"temp": [71.5, 60]}}', Schema((Column("temp"),))).arrays["temp"]
    array([71.5, 60. ], dtype=float32)
    """
    document = parse_object(body)
    problems: list[errors.InputProblem] = [*key_problems(document)]
    on_unknown = document.get("on_unknown", "impute")
    if type(on_unknown) is not str or on_unknown not in _POLICIES:
        text = f'on_unknown must be "impute" or "error", got {_show(on_unknown)}'
        problems.append(errors.MalformedRequestError(text))
        on_unknown = "impute"
    decoded = None
    try:
        decoded = _decode_rows(document, schema, cast("OnUnknown", on_unknown))
    except errors.InvalidInputError as error:
        problems += _problems_of(error)
    if problems or decoded is None:
        raise errors.InvalidInputError(problems)
    return decoded


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that the body is.

    Raises:
        InvalidInputError: it is none, and why.
    """
    if not body.strip():
        raise _malformed('the body is empty; send {"columns": {name: [values]}}')
    try:
        document = strict_loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _malformed(f"the body must be UTF-8, byte {error.start} is not") from error
    except RecursionError as error:
        raise _malformed("the body is nested too deeply; a value is at most a list") from error
    except ValueError as error:
        raise _malformed(f"the body must be JSON: {error}") from error
    if not isinstance(document, dict):
        raise _malformed(f"the body must be a JSON object, got {_show(document)}")
    return document


def strict_loads(text: str) -> Any:
    """`json.loads`, strict about what JSON leaves open: keys that stand twice, NaN, huge integers.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=object_of, parse_constant=JsonConstant)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than int() takes
        return json.loads(
            text, object_pairs_hook=object_of, parse_constant=JsonConstant, parse_int=_cut_integer
        )


def _cut_integer(digits: str) -> int:
    """An integer that is as much too large as the one written."""
    return int(digits[:_LONGEST_DIGITS])


def _repeated(value: Mapping[str, Any]) -> tuple[str, ...]:
    return value.keys_repeated if isinstance(value, RepeatedKeys) else ()


def key_problems(document: Mapping[str, Any]) -> list[errors.InputProblem]:
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


def _decode_rows(
    document: Mapping[str, Any], schema: Schema, on_unknown: OnUnknown
) -> Decoded | None:
    """The rows that the request holds, decoded; None if it holds none, or both forms.

    Raises:
        InvalidInputError: with every problem of the rows.
    """
    if ("columns" in document) == ("instances" in document):
        return None
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise _malformed(f"instances must be a list of objects, got {_show(instances)}")
        return schema.decode_instances(instances, on_unknown=on_unknown)
    columns = document["columns"]
    if not isinstance(columns, dict):
        raise _malformed(f"columns must be an object of lists, got {_show(columns)}")
    twice = [*first_few(stands_twice(name) for name in _repeated(columns))]
    try:
        decoded = schema.decode(columns, on_unknown=on_unknown)
    except errors.InvalidInputError as error:
        raise errors.InvalidInputError([*twice, *_problems_of(error)]) from error
    if twice:
        raise errors.InvalidInputError(twice)
    return decoded


def _problems_of(error: errors.InvalidInputError) -> tuple[errors.InputProblem, ...]:
    return cast("tuple[errors.InputProblem, ...]", error.exceptions)


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
