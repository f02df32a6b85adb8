"""Operations that the local AWS has itself: how they are written, found and called.

A part of a service is a class whose methods are operations:

    class Models(Part):
        @operation
        def create_model(self, request): ...        # CreateModel
            return {"ModelArn": ...}

A method gets the parameters as boto3 takes them, already checked against the model of the
operation, and returns the members of the response. What it refuses it raises as an `AwsError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from mlref.aws.local.errors import validation

__all__ = ["Handler", "Part", "Request", "Response", "only", "operation", "page", "selected"]

Request = Mapping[str, Any]
Response = Mapping[str, Any]
Handler = Callable[[Request], Response]

_Method = TypeVar("_Method", bound=Callable[..., Response])
_MARK = "aws_operation"
_PAGE = 10  # where a model tells what MaxResults is by default, it is this


def operation(method: _Method) -> _Method:
    """Mark a method as the operation of its name, in AWS's spelling."""
    words = method.__name__.split("_")
    setattr(method, _MARK, "".join(word.capitalize() for word in words))
    return method


class Part:
    """Some operations of a service."""

    def operations(self) -> dict[str, Handler]:
        """The operations by their name in AWS's spelling."""
        found = {}
        for name in dir(type(self)):
            spelled = getattr(getattr(type(self), name), _MARK, None)
            if spelled is not None:
                found[spelled] = getattr(self, name)
        return found


def selected(
    items: Iterable[Mapping[str, Any]],
    request: Request,
    *,
    name: str,
    status: str = "",
    times: Sequence[str] = ("CreationTime", "LastModifiedTime"),
) -> list[Mapping[str, Any]]:
    """The items that a List operation asks for, in the order that it asks for.

    Args:
        items: with the times that the request asks for.
        request: NameContains, StatusEquals, CreationTimeAfter and the like, SortBy, SortOrder.
        name: the member with an item's name.
        status: the member with its status, if it has one.
        times: the members with its times; the first is what they are sorted by if nothing is said.
    """
    found = list(items)
    if "NameContains" in request:
        found = [each for each in found if request["NameContains"] in each[name]]
    if "StatusEquals" in request and status:
        found = [each for each in found if each[status] == request["StatusEquals"]]
    for member in times:
        after: datetime | None = request.get(f"{member}After")
        before: datetime | None = request.get(f"{member}Before")
        if after is not None:
            found = [each for each in found if each[member] > after]
        if before is not None:
            found = [each for each in found if each[member] < before]
    keys = {"Name": name, "Status": status or name, **{each: each for each in times}}
    key = keys.get(request.get("SortBy", ""), times[0])
    found.sort(key=lambda each: (each[key], each[name]))
    if request.get("SortOrder", "Descending") == "Descending":
        found.reverse()
    return found


def page(
    items: Sequence[Mapping[str, Any]], request: Request, *, into: str, usual: int = _PAGE
) -> dict[str, Any]:
    """One page of a list, and the token of the next.

    Args:
        items: all of them.
        request: MaxResults, and NextToken of the page before.
        into: the member of the response that holds the items.
        usual: how many are on a page if the request does not tell.
    """
    token = request.get("NextToken", "0")
    if not token.isdecimal():
        raise validation(f"NextToken {token!r} is none that this service gave")
    begin, size = int(token), request.get("MaxResults", usual)
    end = begin + size
    more = {"NextToken": str(end)} if end < len(items) else {}
    return {into: items[begin:end], **more}


def only(service: str, parts: Iterable[Part]) -> dict[str, Handler]:
    """All operations of a service's parts.

    Raises:
        ValueError: two parts have the same operation, or AWS does not have it.
    """
    from mlref.aws.models import service_model

    known, found = set(service_model(service).operation_names), {}
    for part in parts:
        for name, handler in part.operations().items():
            if name in found or name not in known:
                raise ValueError(f"{service} {name} is there twice, or AWS does not have it")
            found[name] = handler
    return found
