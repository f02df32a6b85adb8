"""Calls of a part as a client makes them: the request and the response are checked each time."""

from __future__ import annotations

from typing import Any

from mlref.aws.local.services import Part, only
from mlref.aws.strict import check, check_response

__all__ = ["Asked"]


class Asked:
    """What answers the operations of some parts of SageMaker; `asked.create_model(...)`."""

    def __init__(self, *parts: Part) -> None:
        self._handlers = only("sagemaker", parts)

    def __getattr__(self, name: str) -> Any:
        """An operation, by its name in Python's spelling."""
        spelled = "".join(word.capitalize() for word in name.split("_"))
        handler = self._handlers[spelled]

        def call(**request: Any) -> dict[str, Any]:
            assert check("sagemaker", spelled, request) == []
            response = dict(handler(request))
            assert [str(each) for each in check_response("sagemaker", spelled, response)] == []
            return response

        return call
