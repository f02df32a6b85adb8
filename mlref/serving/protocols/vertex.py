"""Vertex AI's container contract.

    GET  AIP_HEALTH_ROUTE    200 while requests are welcome, otherwise 503
    POST AIP_PREDICT_ROUTE   {"instances": [...], "parameters": {...}} -> {"predictions": [...]}

An instance is an object of columns, or a list in the schema's order. The one parameter is
"on_unknown": "impute" (the default) or "error"; the reply has no room for warnings, so pass "error"
to hear of unknown categories. Vertex AI chooses the two routes and tells them in variables: see
`mlref.serving.environment`.

Source: the Vertex AI documentation, "Custom container requirements for inference".
"""

# No postponed annotations: FastAPI looks names up where functions are defined, not in globals.
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mlref import errors
from mlref.artifact import Artifact
from mlref.schema import Decoded, OnUnknown, Schema
from mlref.schema.checking import first_few, show
from mlref.schema.rows import RepeatedKeys
from mlref.serving import wire
from mlref.serving.decoding import parse_object
from mlref.serving.exchange import Block, Reply, Request, block_of
from mlref.serving.fast_decoding import FastDecoder
from mlref.serving.protocols.content import JSON, content_of, write
from mlref.serving.protocols.rows import decode_rows

if TYPE_CHECKING:
    from fastapi import FastAPI

    from mlref.serving.engine import Engine

__all__ = ["Predict", "add_routes"]

_UNPROCESSABLE = 422
_KEYS = ("instances", "parameters")
_POLICIES = ("impute", "error")


class Predict:
    """The codec of Vertex AI's prediction route."""

    def __init__(self, artifact: Artifact) -> None:
        self._schema = artifact.inputs
        self._decode = FastDecoder(artifact.inputs)

    def read(self, request: Request) -> Block:
        """The rows of a request; see `Codec.read`.

        Raises:
            RequestRefusedError: status 415, the body is not declared as JSON.
        """
        kind = request.header(b"content-type")
        if content_of(kind, request.header(b"content-encoding")).kind != JSON:
            text = f"Content-Type must be {JSON} for Vertex AI, got {kind!r}"
            raise errors.RequestRefusedError(text, status=415)
        body = request.body
        block = None
        if body.startswith(b'{"instances"') and b'"on_unknown"' not in body:
            block = self._decode(body)  # which would read our own wire's other forms, too
        return block or block_of(_decoded(parse_object(body), self._schema), self._schema)

    def write(self, predictions: np.ndarray, _block: Block) -> Reply:
        """The reply to a request; see `Codec.write`."""
        return Reply(200, write(predictions, JSON))

    @classmethod
    def refuse(cls, status: int, text: str, problems: Sequence[errors.InputProblem] = ()) -> Reply:
        """The reply to a request that is not answered.

        Args:
            status: of the reply.
            text: what is wrong, in a sentence.
            problems: with the rows, if it is them.
        """
        return Reply(status, wire.dump(wire.refusal(text, problems)))

    @classmethod
    def status_of(cls, _error: errors.InvalidInputError) -> int:
        """422 Unprocessable Content."""
        return _UNPROCESSABLE


def add_routes(app: "FastAPI", engine: "Engine", *, health_route: str, predict_route: str) -> None:
    """Let an application speak Vertex AI's language.

    Args:
        app: the application. If it has the health route already, ours comes before it.
        engine: answers the prediction route.
        health_route: the path that Vertex AI asks whether requests are welcome.
        predict_route: the path that it sends requests to.

    Raises:
        ValueError: a path that the engine answers already, or one path for both.
    """
    from fastapi import Response

    engine.add_route(predict_route, Predict, "Vertex AI's request: instances")
    if health_route in engine.routes:
        text = f"the health route needs a path that nothing is sent to, got {health_route!r}"
        raise ValueError(text)

    async def health() -> Response:
        return Response(b"{}", 200 if engine.ready else 503, media_type="application/json")

    summary = "Vertex AI's health check: 200 while requests are welcome"
    app.add_api_route(health_route, health, summary=summary, name="vertex health")
    routes = app.router.routes
    routes.insert(0, routes.pop())


def _decoded(document: Mapping[str, Any], schema: Schema) -> Decoded:
    """The rows of a request, as the arrays that the model takes."""
    texts = [
        f"{show(key)} is not part of a request; allowed are {', '.join(_KEYS)}"
        for key in document
        if key not in _KEYS
    ]
    if isinstance(document, RepeatedKeys):
        texts += [f"{show(key)} stands more than once" for key in document.keys_repeated]
    parameters = document.get("parameters")
    parameters = {} if parameters is None else parameters
    if not isinstance(parameters, dict):
        texts.append(f"parameters must be an object, got {show(parameters)}")
        parameters = {}
    texts += [
        f"{show(key)} is no parameter of this model; the one there is is on_unknown"
        for key in parameters
        if key != "on_unknown"
    ]
    on_unknown = parameters.get("on_unknown", "impute")
    if on_unknown not in _POLICIES:
        texts.append(f'on_unknown must be "impute" or "error", got {show(on_unknown)}')
        on_unknown = "impute"
    instances = document.get("instances")
    if not isinstance(instances, list):
        texts.append(f"instances must be a list of objects or lists, got {show(instances)}")
    problems = [*first_few(errors.MalformedRequestError(text) for text in texts)]
    if not isinstance(instances, list):
        raise errors.InvalidInputError(problems)
    policy = cast("OnUnknown", on_unknown)
    return decode_rows(instances, schema, on_unknown=policy, found=problems)
