"""Dataclasses from and to JSON documents whose fields are fixed by somebody else.

A document is a frozen dataclass with a field for each of the document's. Types tell what is
allowed; a default tells that a field may be absent; None and an empty `extra` are not written:

    @dataclass(frozen=True)
    class Bucket:
        lower_bound: float
        upper_bound: float
        count: int = 0
        extra: Extra = field(default_factory=dict)      # keeps the fields that nobody knows

What cannot be read is refused with the name of the file and of the field:

    constraints.json: features[3].completeness must be a number, got 'high'

A class without `extra` refuses fields that it does not know: a misspelt threshold would otherwise
be a threshold that is never applied.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union

from mlref.errors import CloudFileError

__all__ = ["Extra", "dump", "named", "parse", "read", "write"]

Document = TypeVar("Document")

Extra = Mapping[str, Any]
"""Fields of a document that its class does not know."""

_SHOWN = 60  # characters of a value that a message shows
_EXTRA = "extra"


def named(name: str) -> Mapping[str, str]:
    """The metadata of a field whose name in the document is another one than in Python."""
    return {"name": name}


def parse(kind: type[Document], content: bytes | str, *, file: str) -> Document:
    """A document out of JSON text.

    Args:
        kind: the document's class.
        content: of the file, in UTF-8.
        file: its name, for messages.

    Raises:
        CloudFileError: it is no JSON, or not such a document.
    """
    try:
        document = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise CloudFileError(f"{file}: not JSON: {error}") from error
    return read(kind, document, file=file)


def dump(document: Any) -> bytes:
    """The JSON text of a document, indented, in UTF-8.

    Raises:
        ValueError: it holds NaN or infinity, which JSON does not have.
    """
    return (json.dumps(write(document), indent=2, allow_nan=False) + "\n").encode()


def read(kind: type[Document], document: Any, *, file: str) -> Document:
    """A document out of what `json.loads` gave.

    Args:
        kind: the document's class.
        document: the parsed JSON.
        file: its name, for messages.

    Raises:
        CloudFileError: it is not such a document.
    """
    try:
        return typing.cast("Document", _structure(kind, document, ""))
    except _FieldError as problem:
        where = f"{problem.field} " if problem.field else "the document "
        raise CloudFileError(f"{file}: {where}{problem.text}") from None


def write(document: Any) -> Any:
    """What `json.dumps` takes: the reverse of `read`."""
    if not dataclasses.is_dataclass(document):
        if isinstance(document, (tuple, list)):
            return [write(each) for each in document]
        if isinstance(document, Mapping):
            return {name: write(value) for name, value in document.items()}
        return document
    found: dict[str, Any] = {}
    for each in dataclasses.fields(document):
        value = getattr(document, each.name)
        if each.name == _EXTRA:
            found.update(value)
        elif value is not None:
            found[_name(each)] = write(value)
    return found


class _FieldError(Exception):
    """A field that cannot be read."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(field, text)
        self.field = field
        self.text = text


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def _name(field: dataclasses.Field[Any]) -> str:
    return str(field.metadata.get("name", field.name))


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _structure(kind: Any, document: Any, where: str) -> Any:
    """A dataclass out of an object."""
    if not isinstance(document, dict):
        raise _FieldError(where, f"must be an object, got {_shown(document)}")
    fields = {_name(each): each for each in dataclasses.fields(kind) if each.name != _EXTRA}
    unknown = {name: value for name, value in document.items() if name not in fields}
    keeps = any(each.name == _EXTRA for each in dataclasses.fields(kind))
    if unknown and not keeps:
        name = next(iter(unknown))
        close = difflib.get_close_matches(name, fields, n=1)
        advice = f"did you mean {close[0]}?" if close else f"there are {', '.join(fields)}"
        raise _FieldError(_inside(where, name), f"is no field; {advice}")
    found: dict[str, Any] = {_EXTRA: unknown} if keeps else {}
    for name, each in fields.items():
        if document.get(name) is not None:
            found[each.name] = _value(_hints(kind)[each.name], document[name], _inside(where, name))
        elif _is_required(each):
            raise _FieldError(_inside(where, name), "is missing; it is required")
    try:
        return kind(**found)
    except ValueError as error:
        raise _FieldError(where, str(error)) from None


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _value(kind: Any, value: Any, where: str) -> Any:
    """A value of a type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {Union, types.UnionType}:
        (kind,) = (each for each in arguments if each is not type(None))
        return _value(kind, value, where)
    if dataclasses.is_dataclass(kind):
        return _structure(kind, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise _FieldError(where, f"must be a list, got {_shown(value)}")
        return tuple(
            _value(arguments[0], each, f"{where}[{number}]") for number, each in enumerate(value)
        )
    if origin is Literal:
        if value not in arguments:
            allowed = ", ".join(map(str, arguments))
            raise _FieldError(where, f"must be one of {allowed}; got {_shown(value)}")
        return value
    return _plain(kind, value, where)


def _plain(kind: Any, value: Any, where: str) -> Any:
    """A number, text or truth value."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and number and math.isfinite(value):
        return float(value)
    if kind is int and number and math.isfinite(value) and value == int(value):
        return int(value)  # some write a count as 3.0
    if kind in {str, bool} and isinstance(value, kind):
        return value
    told = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}[kind]
    raise _FieldError(where, f"must be {told}, got {_shown(value)}")


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
