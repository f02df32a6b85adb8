"""The HTTP application around some artefacts.

    GET  /                 what there is: these routes, each with a sentence
    GET  /health           {"status": "ok", "model": {"name", "version"}}
    GET  /health/live      200 while the process runs
    GET  /health/ready     200 while new requests are welcome, otherwise 503
    GET  /metrics          what Prometheus reads
    GET  /v1/model         what the model takes and gives
    POST /v1/predict       rows in, predictions out: see `mlref.serving.wire`
    POST /v2/predict       the same; warnings as objects, and the artefact's digest
    GET  /openapi.json     all of it for tools
    GET  /docs             all of it for people; the page loads its scripts from the internet

and what other protocols add: see `mlref.serving.protocols`. Predictions are answered in front of
FastAPI (`hot`, `engine`); everything else is an ordinary route, and you may add your own. Every
answer that is not a success has one form: {"error", "problems"}.
"""

# No postponed annotations: FastAPI looks names up where functions are defined, not in globals.
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlref import errors
from mlref.artifact import Artifact
from mlref.runtime.lazy import extra
from mlref.serving import hot, wire
from mlref.serving.cache import open_cache
from mlref.serving.engine import Authorize, Engine
from mlref.serving.exchange import Reply
from mlref.serving.exchange import Request as Asked
from mlref.serving.protocols import admin as admin_routes
from mlref.serving.protocols import multi_model as multi_model_routes
from mlref.serving.protocols import native, open_inference, sagemaker
from mlref.serving.protocols import vertex as vertex_ai
from mlref.serving.settings import DEFAULT_SETTINGS, Settings
from mlref.serving.sources import Sources

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["create_app"]

_NO_LOGIN: dict[str, Any] = {"swagger_ui_oauth2_redirect_url": None}  # a route for nobody
_PREDICTIONS = {
    "/v1/predict": (1, native.PredictV1, "A prediction for each row"),
    "/v2/predict": (2, native.PredictV2, "The same, with warnings as objects and the digest"),
}
_OPEN_TO_ALL = frozenset(
    {"/health", "/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready"}
)


def create_app(
    *artifacts: Artifact,
    settings: Settings = DEFAULT_SETTINGS,
    cache: str | None = None,
    authorize: Authorize | None = None,
    handlers: Callable[[Asked], Reply] | None = None,
    vertex: tuple[str, str] | None = None,
    admin: Sources | None = None,
    multi_model: str | os.PathLike[str] | None = None,
) -> Any:
    """The application that serves artefacts, for any ASGI server: a FastAPI with an `engine`.

    Args:
        artifacts: as `mlref.artifact.load` gives them. None at all is a server that is not ready.
        settings: limits and time-outs.
        cache: "memory" keeps predictions in this process, "redis://..." in a Redis; None nowhere.
        authorize: called with each request but those for health; it refuses one by raising
            `RequestRefusedError(text, status=401)`.
        handlers: answers SageMaker's /invocations, as `protocols.handlers.Handlers.bind` gives it.
        vertex: the paths that Vertex AI asks for health and for predictions.
        admin: lets callers load and unload models from these folders; None lets nobody.
        multi_model: lets SageMaker load models from below this folder, and unload them.

    Raises:
        MissingExtraError: FastAPI is not installed.
        ValueError: no such cache.
    """
    with extra("serve"):
        from fastapi import FastAPI

    engine = Engine(settings, cache=open_cache(cache), authorize=authorize)
    for artifact in artifacts:
        engine.repository.add(artifact)

    class App(FastAPI):
        """An application that lets the engine answer what it can."""

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            route = hot.route_of(engine, scope)
            if route is not None:
                await hot.answer(engine, route, scope, receive, send)
            else:
                await hot.beside(engine, super().__call__, scope, receive, send)

        def openapi(self) -> dict[str, Any]:
            # Put in here and not through openapi_extra, from which FastAPI drops every null.
            document = super().openapi()
            document["paths"] |= _described(engine)
            return document

    first = artifacts[0].manifest if artifacts else None
    title, version = (first.name, first.version) if first else ("mlref", "0")
    app = App(title=title, version=version, redoc_url=None, **_NO_LOGIN)
    app.engine = engine  # type: ignore[attr-defined]
    for path, (_, kind, summary) in _PREDICTIONS.items():
        engine.add_route(path, kind, summary)
    _add_routes(app, engine)
    _add_refusals(app, engine, _OPEN_TO_ALL | {vertex[0] if vertex else "/health"})
    open_inference.add_routes(app, engine)
    sagemaker.add_routes(app, engine, answer=handlers)
    if vertex is not None:
        vertex_ai.add_routes(app, engine, health_route=vertex[0], predict_route=vertex[1])
    if admin is not None:
        admin_routes.add_routes(app, engine, admin)
    if multi_model is not None:
        multi_model_routes.add_routes(app, engine, multi_model)
    return app


def _described(engine: Engine) -> dict[str, Any]:
    """The paths of the document that FastAPI does not know."""
    found: dict[str, Any] = {}
    for path, summary in engine.routes.summaries.items():
        told = {"summary": summary, "responses": {"default": {"description": "see the protocol"}}}
        if path in _PREDICTIONS and len(engine.repository):
            api = _PREDICTIONS[path][0]
            told |= wire.describe_predict(engine.repository.find().artifact, api=api)
        found[path] = {"post": told}
    return found


def _add_routes(app: "FastAPI", engine: Engine) -> None:
    """What people and machines ask a server besides predictions."""
    from fastapi import Request, Response

    def answer(status: int, values: Any) -> Response:
        return Response(wire.dump(values), status, media_type="application/json")

    @app.get("/", summary="What there is")
    async def index() -> Response:
        paths = app.openapi()["paths"].items()
        routes = {
            f"{method.upper()} {path}": told.get("summary", "")
            for path, methods in paths
            for method, told in methods.items()
        }
        routes |= {"GET /openapi.json": "All of this for tools"}
        routes |= {"GET /docs": "All of this for people; needs the internet"}
        models = [wire.model_name(each.artifact.manifest) for each in engine.repository.served()]
        model = wire.model_name(engine.repository.find().artifact.manifest) if models else None
        return answer(200, {"model": model, "models": models, "routes": routes})

    @app.get("/health", summary="Whether the server answers, and with which model")
    async def health() -> Response:
        if not engine.ready:
            return answer(503, {"status": _state(engine)})
        found = engine.repository.served()[:1]
        model = wire.model_name(engine.repository.find().artifact.manifest) if found else None
        return answer(200, {"status": "ok", "model": model})

    @app.get("/health/live", summary="200 while the process runs")
    async def live() -> Response:
        return answer(200, {"status": "alive"})

    @app.get("/health/ready", summary="200 while new requests are welcome, otherwise 503")
    async def ready() -> Response:
        return answer(200 if engine.ready else 503, {"status": _state(engine)})

    @app.get("/v1/model", summary="What the model takes and gives")
    async def model(model: str | None = None, version: str | None = None) -> Response:
        try:
            served = engine.repository.find(model, version)
        except errors.UnknownModelError as error:
            return answer(404, wire.refusal(str(error)))
        return answer(200, wire.describe_model(served.artifact))

    @app.get("/metrics", summary="What Prometheus reads")
    async def metrics(request: Request) -> Response:
        body, kind = engine.metrics.render(request.headers.get("accept"))
        return Response(body, media_type=kind)


def _state(engine: Engine) -> str:
    """The state of a server in a word or two."""
    if engine.draining:
        return "draining"
    return "ok" if engine.ready else "no model"


def _add_refusals(app: "FastAPI", engine: Engine, open_to_all: frozenset[str]) -> None:
    """One form for every answer that is not a success, and the caller's own check of who asks."""
    from fastapi import Request, Response
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

    def refused(status: int, text: str, headers: Any = None) -> Response:
        body = wire.dump(wire.refusal(text))
        return Response(body, status, headers=headers, media_type="application/json")

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        path = f"{request.method} {request.url.path}"
        text = f"{path}: {error.detail}; GET / lists what there is"
        return refused(error.status_code, text, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def left(_request: Request, _error: ClientDisconnect) -> Response:
        return refused(408, "the body did not arrive in time")

    @app.exception_handler(Exception)
    async def failed(_request: Request, _error: Exception) -> Response:
        return refused(500, "the server failed to answer; its log says why")

    if engine.authorize is None:
        return
    authorize = engine.authorize

    @app.middleware("http")
    async def check(request: Request, call_next: Any) -> Response:
        path = request.url.path
        if path not in open_to_all:
            try:
                authorize(Asked(request.method, path, request.scope["headers"]))
            except errors.RequestRefusedError as error:
                pairs = [(k.decode(), v.decode()) for k, v in error.headers]
                return refused(error.status, str(error), dict(pairs))
        answered: Response = await call_next(request)
        return answered
