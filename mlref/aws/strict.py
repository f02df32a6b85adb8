r"""Requests checked against AWS's own models, before anything is sent.

Botocore's client checks that required fields are there, their types, and their minima. The models
that it ships say more: the pattern of a name, the values of an enum, the longest list. A request
that breaks one of these is refused by AWS, minutes later perhaps and inside a long deployment. Here
it is refused at once, with the field, the value and what is allowed:

    session = boto3.Session()
    strict.install(session)                     # works with real AWS too
    session.client("sagemaker").delete_model(ModelName="my model")

    StrictError: DeleteModel: 1 problem by the model of botocore 1.43.117; nothing was sent
      - ModelName: 'my model' does not match [a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?

`check` is the same for a dictionary at hand. The local AWS checks all requests with it but those of
S3, and its tests check all responses.

What a model does not say is not checked: whether a role exists, whether two fields fit together. A
model knows what AWS had when botocore was published: a newer instance type needs a newer botocore.
Patterns are in Java's dialect (`mlref.aws.java_patterns`); where one cannot be read, the value is
not checked by it. `unreadable_patterns` lists them; of the services that the chapters use, there
are none.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mlref.aws.java_patterns import compiled
from mlref.aws.models import operation_model, service_model
from mlref.errors import StrictError
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    import boto3
    from botocore.model import Shape

__all__ = ["Problem", "check", "check_response", "check_shape", "install", "unreadable_patterns"]

_SHOWN = 80  # characters of a value in a message
_FEW = 12  # values of an enum that a message lists
_ENOUGH = 3  # characters that tell what is meant by a piece of it


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
        botocore.model.OperationNotFoundError: the service has no such operation.
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
    """In what a value is not of a shape; all problems, in the order of the fields.

    Args:
        shape: of botocore's model.
        value: as a client takes or returns it.
        field: what the value is called in the problems; "" is the request itself.
    """
    return list(_problems(shape, value, field))


def install(session: boto3.Session) -> None:
    """Let every client that a session makes from now on check its requests.

    A request with a problem raises `StrictError` and is not sent.

    Args:
        session: a boto3 session; others are not changed.
    """
    with extra("aws"):
        from botocore import __version__

    def refuse(params: Mapping[str, Any], model: Any, **_: object) -> None:
        found = [] if model.input_shape is None else check_shape(model.input_shape, params)
        if found:
            raise StrictError(_told(model.name, found, __version__))

    # Last: botocore's own handlers bring some parameters into the form that the model describes.
    session.events.register_last("before-parameter-build", refuse, unique_id="mlref-strict")


def unreadable_patterns(service: str) -> list[str]:
    """The patterns of a service's model that Python cannot read; nothing is checked by them."""
    model = service_model(service)
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names}
    return sorted(each for each in patterns if each and compiled(each) is None)


def _problems(shape: Any, value: Any, field: str) -> Iterator[Problem]:
    """See `check_shape`."""
    kind = shape.type_name
    if value is None:
        yield Problem(field, f"must be {_KINDS[kind].told}, got None; leave the field out")
    elif _is_free(shape):
        return
    elif not _KINDS[kind].fits(value):
        yield Problem(field, f"must be {_KINDS[kind].told}, got {_shown(shape, value)}")
    else:
        yield from _KINDS[kind].inside(shape, value, field)


def _is_free(shape: Any) -> bool:
    """Whether a value may be anything: a JSON document, or events that are still to come."""
    asked = shape.serialization
    return bool(
        getattr(shape, "is_document_type", False)
        or asked.get("eventstream")
        or asked.get("jsonvalue")
    )


def _structure(shape: Any, value: Mapping[str, Any], field: str) -> Iterator[Problem]:
    prefix = f"{field}." if field else ""
    members = shape.members
    for name in shape.required_members:
        if name not in value:
            yield Problem(f"{prefix}{name}", "is missing; it is required")
    if shape.is_tagged_union and len(value) != 1:
        got = ", ".join(map(str, value)) or "none"
        yield Problem(field, f"must have exactly one of {', '.join(members)}; got {got}")
    for name, item in value.items():
        if name not in members:
            known = ", ".join(members) or "none at all"
            meant = _meant(name, members)
            yield Problem(f"{prefix}{name}", f"is no field{meant or f'; there are {known}'}")
        else:
            yield from _problems(members[name], item, f"{prefix}{name}")


def _list(shape: Any, value: list[Any], field: str) -> Iterator[Problem]:
    yield from _length(shape, len(value), field, "items")
    for number, item in enumerate(value):
        yield from _problems(shape.member, item, f"{field}[{number}]")


def _map(shape: Any, value: Mapping[Any, Any], field: str) -> Iterator[Problem]:
    yield from _length(shape, len(value), field, "entries")
    for key, item in value.items():
        yield from _problems(shape.key, key, f"{field}.{key} (the key)")
        yield from _problems(shape.value, item, f"{field}.{key}")


def _length(shape: Any, size: int, field: str, what: str) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield Problem(field, f"must have at least {least} {what}, got {size}")
    if most is not None and size > most:
        yield Problem(field, f"must have at most {most} {what}, got {size}")


def _number(shape: Any, value: float, field: str) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield Problem(field, f"must be at least {least}, got {value}")
    if most is not None and value > most:
        yield Problem(field, f"must be at most {most}, got {value}")


def _string(shape: Any, value: str, field: str) -> Iterator[Problem]:
    if shape.enum:
        if value not in shape.enum:
            yield Problem(field, f"{_shown(shape, value)} is none of {_listed(value, shape.enum)}")
        return
    too_long_or_short = list(_length(shape, len(value), field, "characters"))
    if too_long_or_short:
        yield from too_long_or_short
        return
    pattern = shape.metadata.get("pattern")
    if pattern and (matches := compiled(pattern)) is not None and not matches(value):
        yield Problem(field, f"{_shown(shape, value)} does not match {pattern}")


def _blob(shape: Any, value: Any, field: str) -> Iterator[Problem]:
    if isinstance(value, (str, bytes, bytearray)):
        size = len(value.encode() if isinstance(value, str) else value)
        yield from _length(shape, size, field, "bytes")


def _anything(*_: object) -> Iterator[Problem]:
    yield from ()


def _is_moment(value: object) -> bool:
    """Whether botocore can read it as a point in time."""
    if isinstance(value, dt.datetime):
        return True
    if isinstance(value, bool) or not isinstance(value, (int, float, str, dt.date)):
        return False
    from botocore.utils import parse_to_aware_datetime

    try:
        parse_to_aware_datetime(value)
    except (TypeError, ValueError, AttributeError, OverflowError, RuntimeError):
        return False
    return True


def _is_number(*kinds: type) -> Callable[[object], bool]:
    """Tells numbers; True and False are none, though Python counts them among the integers."""
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool)


def _is_bytes(value: object) -> bool:
    return isinstance(value, (str, bytes, bytearray)) or hasattr(value, "read")


@dataclass(frozen=True)
class _Kind:
    """How values of a type of AWS's models are told and checked."""

    told: str
    fits: Callable[[object], bool]
    inside: Callable[[Any, Any, str], Iterable[Problem]] = _anything


_WHOLE = _Kind("a whole number", _is_number(int), _number)
_REAL = _Kind("a number", _is_number(int, float, Decimal), _number)
_KINDS = {
    "structure": _Kind("a mapping", lambda value: isinstance(value, Mapping), _structure),
    "map": _Kind("a mapping", lambda value: isinstance(value, Mapping), _map),
    "list": _Kind("a list", lambda value: isinstance(value, (list, tuple)), _list),
    "string": _Kind("text", lambda value: isinstance(value, str), _string),
    "character": _Kind("text", lambda value: isinstance(value, str), _string),
    "boolean": _Kind("True or False", lambda value: isinstance(value, bool)),
    "integer": _WHOLE,
    "long": _WHOLE,
    "float": _REAL,
    "double": _REAL,
    "timestamp": _Kind("a point in time", _is_moment),
    "blob": _Kind("bytes, text or an open file", _is_bytes, _blob),
}


def _listed(value: str, known: list[str]) -> str:
    """The values of an enum, the first ones if they are many, and which is the closest."""
    if len(known) <= _FEW:
        return ", ".join(known) + _meant(value, known)
    return f"{', '.join(known[:_FEW])} and {len(known) - _FEW} more" + _meant(value, known)


def _meant(got: object, known: Iterable[str]) -> str:
    """A question for what is nearly the same, if something is; case does not count.

    What is only cut short comes first: "m5.large" means "ml.m5.large".
    """
    spelled = {each.lower(): each for each in known}
    text = str(got).lower()
    cut = [each for each in spelled if each.startswith(text) or each.endswith(text)]
    close = difflib.get_close_matches(text, spelled, n=1)
    best = min(cut, key=len) if cut and len(text) >= _ENOUGH else next(iter(close), None)
    return f"; did you mean {spelled[best]}?" if best else ""


def _shown(shape: Any, value: object) -> str:
    """A value for a message; a password is not told."""
    if shape.metadata.get("sensitive"):
        return f"a {type(value).__name__} that is not shown, as it is sensitive"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _told(operation: str, found: list[Problem], version: str) -> str:
    count = f"{len(found)} problems" if len(found) > 1 else "1 problem"
    head = f"{operation}: {count} by the model of botocore {version}; nothing was sent"
    return "\n".join([head, *(f"  - {each}" for each in found)])
