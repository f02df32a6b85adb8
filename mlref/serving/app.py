"""The HTTP application around one artefact.

    GET  /               what there is: these routes, each with a sentence
    GET  /health         {"status": "ok", "model": {"name", "version"}}
    GET  /v1/model       what the model takes and gives
    POST /v1/predict     rows in, predictions out: see `mlref.serving.wire`
    GET  /openapi.json   the same for tools
    GET  /docs           the same for people; the page loads its scripts from the internet

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
_NO_LOGIN: dict[str, Any] = {"swagger_ui_oauth2_redirect_url": None}  # a route for nobody
_ROUTES = {
    "/": ("GET", "What there is"),
    "/health": ("GET", "Whether the server answers"),
    "/v1/model": ("GET", "What the model takes and gives"),
    _PREDICT: ("POST", "A prediction for each row"),
    "/openapi.json": ("GET", "All of this for tools"),
    "/docs": ("GET", "All of this for people; needs the internet"),
}


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

    app = App(title=manifest.name, version=manifest.version, redoc_url=None, **_NO_LOGIN)

    def answer(status: int, body: bytes, headers: Any = None) -> Response:
        return Response(body, status, headers=headers, media_type="application/json")

    def always(path: str, values: dict[str, Any]) -> None:
        body = wire.dump(values)

        async def get() -> Response:
            return answer(200, body)

        app.add_api_route(path, get, summary=_ROUTES[path][1], name=path.strip("/") or "index")

    routes = {f"{method} {path}": text for path, (method, text) in _ROUTES.items()}
    always("/", {"model": wire.model_name(manifest), "routes": routes})
    always("/health", {"status": "ok", "model": wire.model_name(manifest)})
    always("/v1/model", wire.describe_model(artifact))

    @app.post(_PREDICT, summary=_ROUTES[_PREDICT][1])
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
        text = f"{path}: {error.detail}; GET / lists what there is"
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
