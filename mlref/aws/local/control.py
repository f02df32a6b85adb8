"""The control plane: every call but invocations, from bytes to bytes.

A call is identified, its parameters are checked against AWS's own model (but those of S3), and
whoever has the operation answers: one of our parts, or moto for those of `allowed`. Nobody else:
what is not there is refused, and boto3 does not try again.
"""

from __future__ import annotations

import gzip
import logging
import uuid
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from mlref.aws.local import wire, wire_query
from mlref.aws.local.allowed import ALLOWED, DATA_PLANE
from mlref.aws.local.errors import AwsError, unsupported
from mlref.aws.local.iam.documents import GUARDED, check
from mlref.aws.local.moto_adapter import Answer, Moto
from mlref.aws.local.routing import Call, expiry_of, identify, is_form
from mlref.aws.local.services import Handler
from mlref.aws.local.tags import Tags, pairs_of
from mlref.aws.local.world import REGION
from mlref.aws.models import operation_model, service_model
from mlref.aws.strict import check_shape
from mlref.runtime.clock import Clock, SystemClock

__all__ = ["ControlPlane", "refusal"]

logger = logging.getLogger(__name__)

_GLOBAL = frozenset({"iam", "sts", "s3"})
_INVALID = {  # what a request that breaks the model is called, where it is no ValidationException
    "cloudwatch": "ValidationError",
    "ecr": "InvalidParameterException",
    "iam": "ValidationError",
    "logs": "InvalidParameterException",
    "resourcegroupstaggingapi": "InvalidParameterException",
    "sns": "InvalidParameter",
    "sqs": "InvalidParameterValue",
    "sts": "ValidationError",
}


class ControlPlane:
    """What answers calls of the control plane.

    Args:
        moto: has the services that we do not have ourselves.
        own: service -> operation -> what answers it.
        tags: what resources carry.
        before_s3: called before a call of S3: whoever still holds objects back saves them.
        may_assume: called with a role that somebody wants to act in; raises if he may not.
        signers: the clock of the clients, by which a presigned address expires.
    """

    def __init__(
        self,
        moto: Moto,
        own: Mapping[str, Mapping[str, Handler]],
        tags: Tags,
        *,
        before_s3: Callable[[], object] = lambda: None,
        may_assume: Callable[[str], object] = lambda _: None,
        signers: Clock | None = None,
    ) -> None:
        self._moto = moto
        self._own = own
        self._tags = tags
        self._before_s3 = before_s3
        self._may_assume = may_assume
        self._signers = signers or SystemClock()

    def own(self) -> dict[str, list[str]]:
        """The operations that we have ourselves, by service."""
        return {service: sorted(handlers) for service, handlers in self._own.items()}

    def operations(self) -> dict[str, list[str]]:
        """The operations that there are, by service."""
        found = {**self.own(), "sagemaker-runtime": list(DATA_PLANE)}
        for service, names in ALLOWED.items():
            found[service] = sorted({*found.get(service, ()), *names})
        return dict(sorted(found.items()))

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What a request gets.

        Args:
            method: of HTTP.
            target: path and query, as they came.
            headers: names in lower case.
            body: as it came.
        """
        path, _, query = target.partition("?")
        call: Call | None = None
        try:
            call = identify(method, path, query, headers, body)
            until = expiry_of(query)
            if until is not None and until < self._signers.now():
                raise AwsError("AccessDenied", "Request has expired", status=403)
            if call.region != REGION and call.service not in _GLOBAL:
                text = f"the local AWS has one region, {REGION}; the client signed for"
                raise _invalid(call.service, f"{text} {call.region}")
            handler = self._own.get(call.service, {}).get(call.operation)
            if handler is not None:
                return self._ours(call, handler, headers, body)
            if call.operation not in ALLOWED.get(call.service, ()):
                raise unsupported(call.service, call.operation)
            self._check(call, headers, body)
            if call.service == "s3":
                self._before_s3()
            return self._moto.call(call.service, method, target, headers, body)
        except AwsError as error:
            return refusal(error, call, form=is_form(headers))
        except Exception:
            logger.exception("the local AWS failed to answer %s", call or path)
            text = "the local AWS has a fault; its log tells more"
            return refusal(AwsError("InternalFailure", text, status=500), call)

    def _ours(
        self, call: Call, handler: Handler, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        model = operation_model(call.service, call.operation)
        request = _checked(call, headers, body)
        if call.operation.startswith("Create"):
            pairs_of(request.get("Tags", ()))  # what is wrong is refused before anything is made
        response = handler(request)
        self._tag(call.operation, request, response)
        if is_form(headers):
            kind, content = wire_query.CONTENT_TYPE, wire_query.dump(response, model)
        else:
            kind, content = wire.CONTENT_TYPE, wire.dump(response, model.output_shape)
        return 200, {"Content-Type": kind, "x-amzn-RequestId": str(uuid.uuid4())}, content

    def _check(self, call: Call, headers: Mapping[str, str], body: bytes) -> None:
        """Refuse what AWS would refuse of a request that moto answers.

        Those of S3 are left to moto: their parameters are spread over address, headers and body.
        """
        guarded = (call.service, call.operation) in GUARDED
        given: dict[str, Any] = {}
        if call.service != "s3":
            given = _checked(call, headers, body)
        elif guarded:
            given = {"Policy": body.decode("utf-8", "replace")}
        if guarded:
            check(call.service, call.operation, given)
        if call.operation == "AssumeRole":
            self._may_assume(str(given.get("RoleArn", "")))

    def _tag(self, operation: str, request: Mapping[str, Any], response: Mapping[str, Any]) -> None:
        """Keep the tags of what was just created, by the ARN in the response."""
        arns = [value for name, value in response.items() if name.endswith("Arn")]
        if operation.startswith("Create") and len(arns) == 1:
            self._tags.put(arns[0], pairs_of(request.get("Tags", ())))


def _checked(call: Call, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The parameters of a request, which are as AWS's model of the operation has them.

    Raises:
        AwsError: they are not.
    """
    shape = operation_model(call.service, call.operation).input_shape
    load = wire_query.load if is_form(headers) else wire.load
    given = load(_plain(headers, body), shape)
    problems = [] if shape is None else check_shape(shape, given)
    if problems:
        count = len(problems)
        told = "; ".join(str(problem) for problem in problems)
        noun = "validation error" if count == 1 else "validation errors"
        raise _invalid(call.service, f"{count} {noun} detected: {told}")
    return given


def _invalid(service: str, text: str) -> AwsError:
    """A request that breaks the model, with the code that the service has for it."""
    return AwsError(_INVALID.get(service, "ValidationException"), text)


def _plain(headers: Mapping[str, str], body: bytes) -> bytes:
    """A body as it was before the client compressed it, as boto3 does with large ones.

    Raises:
        AwsError: it is not what its header says.
    """
    if headers.get("content-encoding", "identity") == "identity":
        return body
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        text = f"the body is not gzip, as Content-Encoding says it is: {error}"
        raise AwsError("SerializationException", text) from error


def refusal(error: AwsError, call: Call | None = None, *, form: bool = False) -> Answer:
    """An error as the protocol of a service carries it.

    Args:
        error: what is wrong.
        call: what was asked for, if that is known.
        form: whether it was asked with a form.
    """
    request_id = str(uuid.uuid4())
    protocol = _protocol(call, error.code)
    if form and protocol not in {"ec2", "rest-xml"}:
        protocol = "query"
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
    if protocol in {"ec2", "query", "rest-xml"}:
        from xml.sax.saxutils import escape

        told = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        text = f"<Error>{told}<RequestId>{request_id}</RequestId></Error>"
        if protocol == "query":
            text = f"<ErrorResponse>{text}<RequestId>{request_id}</RequestId></ErrorResponse>"
        elif protocol == "ec2":
            text = (
                f"<Response><Errors>{text}</Errors><RequestID>{request_id}</RequestID></Response>"
            )
        content = f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
        return error.status, {**headers, "Content-Type": wire_query.CONTENT_TYPE}, content
    return error.status, {**headers, "Content-Type": wire.CONTENT_TYPE}, wire.dump_error(error)


def _protocol(call: Call | None, code: str = "") -> str:
    """Of a service, as its model has it; JSON where it is not known."""
    from botocore.exceptions import UnknownServiceError

    if call is None:
        return "rest-xml" if code == "AccessDenied" else "json"
    try:
        return str(service_model(call.service).metadata.get("protocol", "json"))
    except UnknownServiceError:
        return "rest-xml" if call.service.startswith("s3") else "json"  # s3express and the like
