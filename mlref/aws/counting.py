"""How a session's requests, and AWS's answers, come to its ledger.

`install` has botocore call four functions: when a request is given, before it is sent, when it is
answered, and when it is not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlref.aws.claims import Asked
from mlref.aws.deletion import is_gone
from mlref.aws.ledger import Ledger
from mlref.cost import Estimate
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    import boto3

__all__ = ["install"]

_COUNTED = frozenset({"sagemaker", "application-autoscaling"})
_BAD, _SERVER = 400, 500  # statuses from which on the caller, or AWS, is at fault
_PARAMS, _ASKED = "mlref-params", "mlref-asked"  # what a request carries along
_RESERVED, _MARK = "mlref-reserved", "mlref-mark"


def install(session: boto3.Session, estimate: Estimate) -> None:
    """Refuse from now on what is, with what a session has made before, more than an estimate has.

    Args:
        session: a boto3 session; others are not changed.
        estimate: what its user has said will be created, and for how long it stands.

    The clients then raise `SpendingRefusedError`; nothing is sent.
    """
    counter = _Counter(session, Ledger(estimate))
    for event, call in (
        ("before-parameter-build", counter.keep),
        ("before-call", counter.reserve),
        ("after-call", counter.hear),
        ("after-call-error", counter.fail),
    ):
        session.events.register(event, call, unique_id=f"mlref-ledger-{event}")


class _Counter:
    """What botocore calls, before a request is sent and after."""

    def __init__(self, session: boto3.Session, ledger: Ledger) -> None:
        self._ledger = ledger
        self._client = functools.cache(functools.partial(_client, session))

    def keep(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        """Keep a request as its caller gave it."""
        context[_PARAMS] = params

    def reserve(self, params: Any, model: Any, context: dict[str, Any], **_: object) -> None:
        """Count a request, or refuse it."""
        service = model.service_model.service_name
        if service not in _COUNTED:
            return
        own = service == "sagemaker"
        place = _place(params["url"] if own else self._client(None).meta.endpoint_url)
        asked = Asked(place, model.name, context.get(_PARAMS, {}))
        look_up = functools.partial(_looked_up, self._client, place if own else None)
        context[_RESERVED] = self._ledger.reserve(asked, model.input_shape, look_up)
        context[_ASKED], context[_MARK] = asked, self._ledger.mark()

    def hear(self, http_response: Any, parsed: Any, context: dict[str, Any], **_: object) -> None:
        """Count what came of it."""
        if _RESERVED not in context:  # another service, or somebody else has answered it
            return
        status = http_response.status_code
        if status < _BAD:
            self._ledger.commit(context[_RESERVED])
        elif status < _SERVER and _was_tried_once(context):
            self._ledger.undo(context[_RESERVED])
        else:
            self._ledger.leave(context[_RESERVED])
        gone = status >= _BAD and is_gone(SimpleNamespace(response=parsed))
        if gone or status < _BAD:
            self._ledger.hear(context[_ASKED], parsed, gone=gone, mark=context[_MARK])

    def fail(self, exception: Exception, context: dict[str, Any], **_: object) -> None:
        """Count what may have come of it, although nobody has answered."""
        if _RESERVED not in context:
            return
        if _was_tried_once(context) and _was_not_sent(exception):
            self._ledger.undo(context[_RESERVED])
        else:
            self._ledger.leave(context[_RESERVED])


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _was_tried_once(context: Mapping[str, Any]) -> bool:
    """Whether there was one attempt; what was tried again may have succeeded before."""
    return int(context.get("retries", {}).get("attempt", 1)) == 1


def _was_not_sent(error: Exception) -> bool:
    """Whether a request has not reached AWS."""
    with extra("aws"):
        from botocore import exceptions

    kinds = (
        exceptions.ConnectTimeoutError,
        exceptions.CredentialRetrievalError,
        exceptions.EndpointConnectionError,
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.ProxyConnectionError,
        exceptions.SSOError,
        exceptions.TokenRetrievalError,
    )
    return isinstance(error, kinds)


def _client(session: Any, url: str | None) -> Any:
    """A client of SageMaker, elsewhere than usual if there is a URL."""
    return session.client("sagemaker", endpoint_url=url)


def _looked_up(
    clients: Callable[[str | None], Any],
    url: str | None,
    operation: str,
    params: Mapping[str, Any],
) -> Mapping[str, Any]:
    """What SageMaker answers; {} if there is no such thing."""
    with extra("aws"):
        from botocore import xform_name
        from botocore.exceptions import ClientError

    try:
        return dict(getattr(clients(url), xform_name(operation))(**params))
    except ClientError as error:
        if not is_gone(error):
            raise
        return {}
