"""Requests checked against AWS's own models, before anything is sent.

Botocore's client checks that required fields are there, their types, and their minima. The models
that it ships say more: the pattern of a name, the values of an enum, the longest list. A request
that breaks one of these is refused by AWS, minutes later perhaps and inside a long deployment. Here
it is refused at once, with the field, the value and what is allowed:

    session = boto3.Session()
    strict.install(session)                     # works with real AWS too
    session.client("sagemaker").create_model(ModelName="my model", ...)

    StrictError: CreateModel: 1 problem
      - ModelName: 'my model' does not match [a-zA-Z0-9]([\\-a-zA-Z0-9]*[a-zA-Z0-9])?

`check` is the same for a dictionary at hand. The local AWS checks all requests with it, and its
tests check all responses.

What a model does not say is not checked: whether a role exists, whether two fields fit together.
Patterns are in Java's dialect; where one cannot be read, the value is not checked by it.
`unreadable_patterns` lists them.
"""

from __future__ import annotations

import datetime
import functools
import numbers
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlref.aws.models import operation_model, service_model
from mlref.errors import StrictError
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    import boto3
    from botocore.model import Shape

__all__ = ["Problem", "check", "check_response", "check_shape", "install", "unreadable_patterns"]

_SHOWN = 80  # characters of a value in a message
_FEW = 12  # values of an enum that a message lists
_WHOLE = {"integer", "long"}
_REAL = {"float", "double"}


@dataclass(frozen=True)
class Problem:
    """One field that AWS would refuse.

    Attributes:
        field: where it is, for instance "ProductionVariants[0].InstanceType"; "" is the request.
        message: what was got, and what is allowed.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field or 'the request'}: {self.message}"


def check(service: str, operation: str, parameters: Mapping[str, Any]) -> list[Problem]:
    """What AWS would refuse of a request, as far as its model tells.

    Args:
        service: the name that boto3 knows it by, for instance "sagemaker".
        operation: as AWS spells it, for instance "CreateModel".
        parameters: as they are passed to the client's method.

    Raises:
        MissingExtraError: boto3 is not installed.
        botocore.exceptions.UnknownServiceError: there is no such service.
        botocore.exceptions.OperationNotFoundError: the service has no such operation.
    """
    shape = operation_model(service, operation).input_shape
    return [] if shape is None else check_shape(shape, parameters)


def check_response(service: str, operation: str, response: Mapping[str, Any]) -> list[Problem]:
    """In what a response is not one of AWS's: a field that is missing, unknown or of another kind.

    Args:
        service: the name that boto3 knows it by.
        operation: as AWS spells it.
        response: as a client returns it; "ResponseMetadata" is not looked at.
    """
    shape = operation_model(service, operation).output_shape
    given = {name: value for name, value in response.items() if name != "ResponseMetadata"}
    if shape is None:
        return [Problem(name, "the operation answers with nothing") for name in given]
    return check_shape(shape, given)


def check_shape(shape: Shape, value: object, field: str = "") -> list[Problem]:
    """In what a value is not of a shape; all problems, in the order of the fields."""
    return list(_problems(shape, value, field))


def install(session: boto3.Session) -> None:
    """Let every client that a session makes from now on check its requests.

    A request with a problem raises `StrictError` and is not sent.

    Args:
        session: a boto3 session; others are not changed.
    """

    def refuse(params: Mapping[str, Any], model: Any, **_: object) -> None:
        found = [] if model.input_shape is None else check_shape(model.input_shape, params)
        if found:
            raise StrictError(_told(model.name, found))

    session.events.register("before-parameter-build", refuse, unique_id="mlref-strict")


def unreadable_patterns(service: str) -> list[str]:
    """The patterns of a service's model that Python cannot read; nothing is checked by them."""
    model = service_model(service)
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names}
    return sorted(each for each in patterns if each and _pattern(each) is None)


def _problems(shape: Shape, value: object, field: str) -> Iterator[Problem]:
    """See `check_shape`."""
    kind = shape.type_name
    if value is None:
        yield Problem(field, f"must be a {kind}, got None; leave the field out")
    elif getattr(shape, "is_document_type", False):
        return
    elif (expected := _is_other(kind, value)) is not None:
        yield Problem(field, f"must be {expected}, got {_shown(value)}")
    elif kind == "structure":
        yield from _structure(shape, value, field)
    elif kind == "list":
        yield from _length(shape, len(value), field, "items")  # type: ignore[arg-type]
        for number, item in enumerate(value):  # type: ignore[arg-type, var-annotated]
            yield from _problems(shape.member, item, f"{field}[{number}]")
    elif kind == "map":
        yield from _length(shape, len(value), field, "entries")  # type: ignore[arg-type]
        for key, item in value.items():  # type: ignore[attr-defined]
            yield from _problems(shape.key, key, f"{field}.{key} (the key)")
            yield from _problems(shape.value, item, f"{field}.{key}")
    elif kind in _WHOLE | _REAL:
        yield from _number(shape, value, field)
    elif kind == "string":
        yield from _string(shape, str(value), field)
    elif kind == "blob" and isinstance(value, (str, bytes, bytearray)):
        size = len(value.encode() if isinstance(value, str) else value)
        yield from _length(shape, size, field, "bytes")


def _structure(shape: Any, value: Any, field: str) -> Iterator[Problem]:
    prefix = f"{field}." if field else ""
    for name in shape.required_members:
        if name not in value:
            yield Problem(f"{prefix}{name}", "is missing; it is required")
    if shape.is_tagged_union and len(value) != 1:
        yield Problem(field, f"must have exactly one of {', '.join(shape.members)}")
    for name, item in value.items():
        if name not in shape.members:
            known = ", ".join(shape.members)
            yield Problem(f"{prefix}{name}", f"is no field; there are {known}")
        else:
            yield from _problems(shape.members[name], item, f"{prefix}{name}")


def _length(shape: Shape, size: int, field: str, what: str) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield Problem(field, f"must have at least {least} {what}, got {size}")
    if most is not None and size > most:
        yield Problem(field, f"must have at most {most} {what}, got {size}")


def _number(shape: Shape, value: Any, field: str) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield Problem(field, f"must be at least {least}, got {value}")
    if most is not None and value > most:
        yield Problem(field, f"must be at most {most}, got {value}")


def _string(shape: Any, value: str, field: str) -> Iterator[Problem]:
    if shape.enum and value not in shape.enum:
        listed = ", ".join(shape.enum[:_FEW])
        more = f" and {len(shape.enum) - _FEW} more" if len(shape.enum) > _FEW else ""
        yield Problem(field, f"{_shown(value)} is none of {listed}{more}")
        return
    yield from _length(shape, len(value), field, "characters")
    pattern = shape.metadata.get("pattern")
    if pattern and (matches := _pattern(pattern)) is not None and not matches(value):
        yield Problem(field, f"{_shown(value)} does not match {pattern}")


@functools.cache
def _pattern(text: str) -> Callable[[str], object] | None:
    """What tells whether all of a value matches a pattern of Java, or None if it is unreadable."""
    with extra("aws"):
        import regex
    try:
        return regex.compile(text.replace(r"\z", r"\Z")).fullmatch
    except regex.error:
        return None


def _is_other(kind: str, value: object) -> str | None:
    """What a value should have been, or None if it is of the kind."""
    if kind == "structure" or kind == "map":
        return None if isinstance(value, Mapping) else "a mapping"
    if kind == "list":
        return None if isinstance(value, (list, tuple)) else "a list"
    if kind == "string":
        return None if isinstance(value, str) else "text"
    if kind == "boolean":
        return None if isinstance(value, bool) else "True or False"
    is_bool = isinstance(value, bool)
    if kind in _WHOLE:
        return None if isinstance(value, numbers.Integral) and not is_bool else "a whole number"
    if kind in _REAL:
        return None if isinstance(value, numbers.Real) and not is_bool else "a number"
    if kind == "timestamp":
        moments = (datetime.datetime, datetime.date, numbers.Real, str)
        return None if isinstance(value, moments) and not is_bool else "a point in time"
    return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _told(operation: str, found: list[Problem]) -> str:
    count = f"{len(found)} problems" if len(found) > 1 else "1 problem"
    return "\n".join(
        [f"{operation}: {count}; nothing was sent", *(f"  - {each}" for each in found)]
    )
