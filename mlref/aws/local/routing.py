"""Which operation of which service a request means.

The service stands in the signature's scope. The operation is named by a header (JSON protocols), by
a field of the body (query protocols), or by method and path (REST protocols), for which botocore's
own model has the template: of all that fit, the one that asks for most is meant.

Source: the Smithy specifications of the AWS protocols awsJson1.1, awsQuery, restJson1 and restXml.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from mlref.aws.local.errors import AwsError
from mlref.aws.local.world import REGION
from mlref.aws.models import service_model

__all__ = ["Call", "expiry_of", "identify", "is_form", "scope_of"]

_SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_PRESIGNED = re.compile(r"[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_OLD_SIGNATURE = {"AWSAccessKeyId", "Signature", "Expires"}  # version 2, S3's own
_TARGETS = {  # of a header X-Amz-Target, up to the dot
    "SageMaker": "sagemaker",
    "GraniteServiceVersion20100801": "cloudwatch",
    "AnyScaleFrontendService": "application-autoscaling",
    "Logs_20140328": "logs",
    "TrentService": "kms",
    "AmazonSQS": "sqs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
}
_SIGNED = {  # services whose name in a signature is another one
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
}


@dataclass(frozen=True)
class Call:
    """A request, understood.

    Attributes:
        service: the name that boto3 knows it by.
        operation: as AWS spells it.
        region: that the client signed for.
    """

    service: str
    operation: str
    region: str


def scope_of(headers: Mapping[str, str], query: str) -> tuple[str, str]:
    """Service and region that a request is signed for.

    Args:
        headers: names in lower case.
        query: the part of the address after "?", where a presigned request is signed.

    Raises:
        AwsError: it is not signed.
    """
    found = _SCOPE.search(headers.get("authorization", ""))
    if found is None:
        signed = dict(parse_qsl(query))
        if set(signed) >= _OLD_SIGNATURE:
            return "s3", REGION
        found = _PRESIGNED.search(signed.get("X-Amz-Credential", ""))
    if found is None:
        text = "the request is not signed; give the client any credentials, for instance test/test"
        rest = "x-amz-target" not in headers and not is_form(headers)
        code = "AccessDenied" if rest else "MissingAuthenticationToken"
        raise AwsError(code, text, status=403)
    service = found["service"].lower()
    return _SIGNED.get(service, service), found["region"]


def expiry_of(query: str) -> datetime | None:
    """Until when a presigned address may be used; None if it is none.

    Args:
        query: the part of the address after "?".

    Raises:
        AwsError: its time is none.
    """
    given = dict(parse_qsl(query))
    try:
        if set(given) >= _OLD_SIGNATURE:
            return datetime.fromtimestamp(int(given["Expires"]), UTC)
        begin = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return begin + timedelta(seconds=int(given["X-Amz-Expires"]))
    except KeyError:
        return None
    except (ValueError, OverflowError) as error:
        raise AwsError("AuthorizationQueryParametersError", str(error), status=400) from error


def identify(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Call:
    """What a request asks for.

    Args:
        method: of HTTP.
        path: as it came, before "?".
        query: as it came, after "?".
        headers: names in lower case.
        body: looked at only where a form says what is asked.

    Raises:
        AwsError: it is not signed.
    """
    service, region = scope_of(headers, query)
    target = headers.get("x-amz-target", "")
    if target:
        prefix, _, operation = target.rpartition(".")
        return Call(_TARGETS.get(prefix, service), operation, region)
    if is_form(headers) and _takes_forms(service):
        fields = dict(parse_qsl(body.decode("utf-8", "replace")))
        if "Action" in fields:
            return Call(service, fields["Action"], region)
    given = dict(parse_qsl(query, keep_blank_values=True))
    best = None
    for route in _routes(service):
        rank = route.rank(method, path, given, headers)
        if rank is not None and (best is None or rank > best[0]):
            best = rank, route.operation
    if best is None:  # of a service that is not there, or that signs with the name of another one
        return Call(service, f"{method} {path}", region)
    return Call(service, best[1], region)


def is_form(headers: Mapping[str, str]) -> bool:
    """Whether a request is a form, as the query protocols send it.

    Args:
        headers: names in lower case.
    """
    return headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def _takes_forms(service: str) -> bool:
    """Whether a service has one of the query protocols; what is not there counts as one."""
    from botocore.exceptions import UnknownServiceError

    try:
        told = service_model(service).metadata
    except UnknownServiceError:
        return True
    return not {"query", "ec2"}.isdisjoint({told.get("protocol"), *told.get("protocols", ())})


@dataclass(frozen=True)
class _Route:
    """How an operation of a REST protocol looks."""

    operation: str
    method: str
    path: re.Pattern[str]
    literal: int  # characters of the path that are no placeholder
    query: frozenset[str]  # that stand in the template, or are required
    fixed: tuple[tuple[str, str], ...]
    headers: frozenset[str]
    current: bool  # not deprecated: some have the same form as what has followed them

    def rank(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, int, bool] | None:
        """How well it fits: the more it asks for, the better; None if it does not."""
        fits = (
            method == self.method
            and self.path.fullmatch(path)
            and self.query <= set(query)
            and self.headers <= set(headers)
            and all(query.get(name) == value for name, value in self.fixed if value)
        )
        asked = len(self.query) + len(self.headers)
        return (asked, self.literal, self.current) if fits else None


@functools.cache
def _routes(service: str) -> tuple[_Route, ...]:
    """Those of a service; none if it has no REST protocol."""
    from botocore.exceptions import UnknownServiceError

    try:
        model = service_model(service)
    except UnknownServiceError:
        return ()
    if not model.metadata.get("protocol", "").startswith("rest"):
        return ()
    return tuple(_route(model.operation_model(name)) for name in model.operation_names)


def _route(operation: Any) -> _Route:
    """See `_Route`."""
    template, _, query = operation.http["requestUri"].partition("?")
    fixed = tuple(parse_qsl(query, keep_blank_values=True))
    shape = operation.input_shape
    members = [(shape.members[name], name) for name in shape.required_members] if shape else []
    places: dict[str, set[str]] = {"querystring": set(), "header": set()}
    for member, name in members:
        where = member.serialization.get("location")
        if where in places:
            places[where].add(member.serialization.get("name", name))
    pattern = re.escape(template)
    pattern = re.sub(r"\\\{[^{}]+?\\\+\\\}", ".+", pattern)  # {Key+} may hold slashes
    pattern = re.sub(r"\\\{[^{}]+?\\\}", "[^/]+", pattern)
    return _Route(
        operation=operation.name,
        method=operation.http["method"],
        path=re.compile(f"{pattern.rstrip('/')}/?"),
        literal=len(re.sub(r"\{[^{}]*\}", "", template)),
        query=frozenset(places["querystring"] | {name for name, _ in fixed}),
        fixed=fixed,
        headers=frozenset(name.lower() for name in places["header"]),
        current=not operation.deprecated,
    )
