"""The HTTP application around one artefact.

    GET  /health         {"status": "ok", "model": {"name", "version"}}
    GET  /v1/model       what the model takes and gives
    POST /v1/predict     rows in, predictions out: see `mlref.serving.wire`
    GET  /openapi.json   the same for tools, and /docs for people

Bytes are decoded and the model runs in a worker thread, so that a large request does not keep
/health waiting. Every answer that is not a success has one form: {"error", "problems"}.
"""

# No postponed annotations: FastAPI looks names up where functions are defined, not in globals.
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from mlref import errors
from mlref.artifact import Artifact
from mlref.runtime.lazy import extra
from mlref.serving import wire
from mlref.serving.decoding import decode

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["create_app", "predict_bytes"]

logger = logging.getLogger(__name__)

_PREDICT = "/v1/predict"


def create_app(artifact: Artifact) -> "FastAPI":
    """The application that serves one artefact, for any ASGI server.

    Args:
        artifact: as `mlref.artifact.load` gives it.

    Raises:
        MissingExtraError: FastAPI is not installed.
    """
    with extra("serve"):
        import anyio.to_thread
        from fastapi import FastAPI, Request, Response
        from starlette.exceptions import HTTPException
        from starlette.requests import ClientDisconnect

    manifest = artifact.manifest

    class App(FastAPI):
        """An application whose document describes this artefact."""

        def openapi(self) -> dict[str, Any]:
            # Put in here and not through openapi_extra, from which FastAPI drops every null.
            document = super().openapi()
            document["paths"][_PREDICT]["post"] |= wire.describe_predict(artifact)
            return document

    app = App(title=manifest.name, version=manifest.version, redoc_url=None)

    def answer(status: int, body: bytes, headers: Any = None) -> Response:
        return Response(body, status, headers=headers, media_type="application/json")

    health_body = wire.dump({"status": "ok", "model": wire.model_name(manifest)})
    model_body = wire.dump(wire.describe_model(artifact))

    @app.get("/health", summary="Whether the server answers")
    async def health() -> Response:
        return answer(200, health_body)

    @app.get("/v1/model", summary="What the model takes and gives")
    async def model() -> Response:
        return answer(200, model_body)

    @app.post(_PREDICT, summary="A prediction for each row")
    async def predict(request: Request) -> Response:
        unreadable = _unreadable(request.headers.get("content-type"), request.headers)
        if unreadable:
            problem = errors.MalformedRequestError(unreadable)
            return answer(415, wire.dump(wire.refusal(unreadable, [problem])))
        try:
            body = await request.body()
        except ClientDisconnect:  # nobody is left to read what is wrong
            return answer(400, wire.dump(wire.refusal("the body did not arrive")))
        return answer(*await anyio.to_thread.run_sync(predict_bytes, artifact, body))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        path = f"{request.method} {request.url.path}"
        text = f"{path}: {error.detail}; /docs lists what there is"
        return answer(error.status_code, wire.dump(wire.refusal(text)), error.headers)

    @app.exception_handler(Exception)
    async def failed(_request: Request, _error: Exception) -> Response:
        text = "the server failed to answer; its log says why"
        return answer(500, wire.dump(wire.refusal(text)))

    return app


def predict_bytes(artifact: Artifact, body: bytes) -> tuple[int, bytes]:
    """The status and the body of the answer to a prediction request's body."""
    try:
        decoded = decode(body, artifact.inputs)
    except errors.InvalidInputError as error:
        problems: Any = error.exceptions
        return 422, wire.dump(wire.refusal(error.message, problems))
    predictions = artifact.predict_arrays(decoded.arrays, decoded.n_rows)
    bad = np.flatnonzero(~np.isfinite(predictions.reshape(decoded.n_rows, -1)).all(axis=1))
    if bad.size:
        text = f"the model gave no finite number for row {bad[0]}; its training needs a look"
        logger.error("%s %s: %s", artifact.manifest.name, artifact.manifest.version, text)
        return 500, wire.dump(wire.refusal(text))
    reply = {
        "predictions": predictions.tolist(),
        "model": wire.model_name(artifact.manifest),
        "warnings": decoded.warnings,
    }
    return 200, wire.dump(reply)


def _unreadable(content_type: str | None, headers: Any) -> str:
    """Why a body of this type is not read; "" if it is."""
    kind, _, parameters = (content_type or "application/json").partition(";")
    kind = kind.strip().lower()
    if kind != "application/json":
        return f"Content-Type must be application/json, got {kind[:80]!r}"
    charset = parameters.strip().lower().replace('"', "")
    if charset and charset not in {"charset=utf-8", "charset=utf8", "charset=us-ascii"}:
        return f"the body must be UTF-8, Content-Type says {charset[:80]!r}"
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        return f"the body must come uncompressed, Content-Encoding is {encoding[:80]!r}"
    return ""
