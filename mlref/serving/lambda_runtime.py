"""The model as an AWS Lambda function: events in, the answers of the same application out.

An event is one of two things:

- *HTTP*, from a function URL, an HTTP API (payload 2.0 or 1.0), a REST API or an Application Load
  Balancer: every route of the server answers, and what is wrong is an HTTP status.
- *Direct*, whatever has no requestContext: the event is the body of /v1/predict, {"columns": ...}
  or {"instances": ...}, and the result is its reply. What is wrong is an error of the function:
  errorType is the name of ours (InvalidInputError), and errorMessage names every problem.

`handler` is what Lambda calls, by the name mlref.serving.lambda_runtime.handler. The model is
verified and loaded when the name is first looked up, in the function's init phase, from the folder
that `mlref.serving.environment.for_container` tells: once for each execution environment.

In a container image nothing calls a handler unless the image brings a client of Lambda's Runtime
API. `run` is that loop: AWS's own client awslambdaric, which `python -m
mlref.serving.container lambda` starts. On a base image of AWS, or as a zip file, name the handler.

One event is answered at a time and the environment is frozen in between. So nothing is put into a
thread: there is nobody who would be kept waiting.

Source: the AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" and
"Invoking Lambda function URLs"; the Amazon API Gateway Developer Guide, "Create AWS Lambda proxy
integrations for HTTP APIs".
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections.abc import Mapping
from typing import Any

from mlref import errors
from mlref.artifact import Artifact, load
from mlref.runtime.lazy import extra
from mlref.serving.app import create_app
from mlref.serving.environment import for_container, locate
from mlref.serving.settings import Settings
from mlref.serving.wire import problems_of

__all__ = ["SETTINGS", "Handler", "run"]

SETTINGS = Settings(inline_ms=1e9, inline_bytes=2**30)
"""No batch and no body is large enough for a thread of its own."""

_HANDLER = f"{__name__}.handler"
_API = "AWS_LAMBDA_RUNTIME_API"
_PREDICT = "/v1/predict"
_OK, _UNPROCESSABLE, _SERVER_ERROR = 200, 422, 500
_NO_STAGE = "$default"


class Handler:
    """Answers events with one artefact, one at a time.

    Args:
        artifact: as `mlref.artifact.load` gives it.
        options: more for `mlref.serving.create_app`.

    Raises:
        MissingExtraError: FastAPI or mangum is not installed.
    """

    def __init__(self, artifact: Artifact, **options: Any) -> None:
        with extra("lambda"):
            from mangum import Mangum
        self.app = create_app(artifact, **{"settings": SETTINGS, **options})
        self._adapter = functools.partial(Mangum, self.app, lifespan="off")
        self._loop = asyncio.new_event_loop()

    def __call__(self, event: Any, context: Any = None) -> Any:
        """The answer to one event.

        Args:
            event: as Lambda hands it over.
            context: of the invocation; None outside Lambda.

        Raises:
            InvalidInputError: a direct event whose rows do not fit; it lists every problem.
            RequestRefusedError: a direct event that is not answered for another reason.
            EndpointError: the model failed to answer a direct event.
        """
        if isinstance(event, dict) and "requestContext" in event:
            return self._http(event, context)
        answer = self._http(_as_http(event, context), context)
        body = json.loads(answer["body"])
        if answer["statusCode"] == _OK:
            return body
        if answer["statusCode"] == _UNPROCESSABLE and problems_of(body):
            raise errors.InvalidInputError(problems_of(body))
        if answer["statusCode"] >= _SERVER_ERROR:
            raise errors.EndpointError(body["error"])
        raise errors.RequestRefusedError(body["error"], status=answer["statusCode"])

    def close(self) -> None:
        """End the event loop and the engine. Lambda never calls it: it ends the process."""
        self.app.engine.close()
        self._loop.close()

    def _http(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The answer to an HTTP event, as the gateway wants it."""
        asyncio.set_event_loop(self._loop)  # the one that mangum uses
        try:
            adapter = self._adapter(api_gateway_base_path=self._base_path(event))
            found: dict[str, Any] = adapter(event, context)
        finally:
            asyncio.set_event_loop(None)
        return found

    def _base_path(self, event: dict[str, Any]) -> str:
        """What stands before our own path: the name of an HTTP API's stage, if it has one."""
        asked = event["requestContext"]
        path, stage = asked.get("http", {}).get("path", ""), asked.get("stage", _NO_STAGE)
        named = stage != _NO_STAGE and path.startswith(f"/{stage}/")
        return f"/{stage}" if named and path not in self.app.engine.routes else "/"


def run(environ: Mapping[str, str]) -> None:
    """Ask Lambda for events and answer them, until the process is ended.

    Args:
        environ: the variables that Lambda set, for instance `os.environ`.

    Raises:
        ValueError: this is not Lambda.
        MissingExtraError: awslambdaric is not installed.
        EndpointUnreachableError: the Runtime API does not answer any more.
    """
    address = environ.get(_API)
    if not address:
        text = f"{_API} is not set: only AWS Lambda, or its emulator aws-lambda-rie, sets it"
        raise ValueError(f"{text}; anywhere else use `serve`")
    with extra("lambda"):
        from awslambdaric import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
            bootstrap,
        )
        from awslambdaric.lambda_runtime_client import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
            FaultException,
            LambdaRuntimeClient,
        )
    # It waits for events in a thread, so that this one can follow signals meanwhile.
    client = LambdaRuntimeClient(address, use_thread_for_polling_next=True)
    try:
        bootstrap.run(_HANDLER, client)
    except FaultException as error:
        text = f"Lambda's Runtime API at {address} does not answer: {error.msg}"
        raise errors.EndpointUnreachableError(text) from error


def _as_http(event: Any, context: Any) -> dict[str, Any]:
    """A direct event as the request that it stands for."""
    headers = {"content-type": "application/json"}
    request_id = getattr(context, "aws_request_id", None)
    if request_id:
        headers["x-request-id"] = request_id
    asked = {"http": {"method": "POST", "path": _PREDICT, "sourceIp": None}}
    body = json.dumps(event)
    return {"version": "2.0", "requestContext": asked, "headers": headers, "body": body}


@functools.cache
def _handler() -> Handler:
    return Handler(load(locate(for_container(os.environ))))


def __getattr__(name: str) -> Any:
    """`handler`, which loads the model when it is first asked for."""
    if name == "handler":
        return _handler()
    raise AttributeError(f"mlref.serving.lambda_runtime has no {name!r}; it has {__all__}")
