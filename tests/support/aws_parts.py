"""Calls of a part as a client makes them: the request and the response are checked each time."""

from __future__ import annotations

from typing import Any

from mlref.aws.local.services import Part, only
from mlref.aws.strict import check, check_response

__all__ = ["Asked"]

_NOT_SENT = {  # what AWS leaves out although its model says that it is required
    # of a version: the Developer Guide, "View the Details of a Model Version"
    "DescribeModelPackage": {"ModelPackageName"},
}


class Asked:
    """What answers the operations of some parts of a service; `asked.create_model(...)`."""

    def __init__(self, *parts: Part, service: str = "sagemaker") -> None:
        self._service = service
        self._handlers = only(service, parts)

    def __getattr__(self, name: str) -> Any:
        """An operation, by its name in Python's spelling."""
        spelled = "".join(word.capitalize() for word in name.split("_"))
        handler, service = self._handlers[spelled], self._service

        def call(**request: Any) -> dict[str, Any]:
            assert check(service, spelled, request) == []
            response = dict(handler(request))
            found = {each.field for each in check_response(service, spelled, response)}
            assert found - _NOT_SENT.get(spelled, set()) == set(), found
            return response

        return call
