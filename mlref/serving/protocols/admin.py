"""The model repository extension: models come and go while the server serves.

    POST /v2/repository/models/{model}/load      read its folders again
    POST /v2/repository/models/{model}/unload    take it out of service

Whoever may call these decides what is answered, so a server has them only when it is told so
(`--admin`); guard them with `authorize`, or listen on loopback only. A client chooses a name, never
a path: models come from the folders that the server was started with.

Source: the model repository extension of the Open Inference Protocol, as Triton documents it.
"""

# No postponed annotations: FastAPI looks names up where functions are defined, not in globals.
from typing import TYPE_CHECKING, Any

from mlref import errors
from mlref.serving import wire
from mlref.serving.sources import Sources

if TYPE_CHECKING:
    from fastapi import FastAPI

    from mlref.serving.engine import Engine

__all__ = ["add_routes"]


def add_routes(app: "FastAPI", engine: "Engine", sources: Sources) -> None:
    """Let an application load and unload models.

    Args:
        app: the application.
        engine: whose models these are.
        sources: where they come from.
    """
    import anyio.to_thread
    from fastapi import Response

    def answer(status: int, values: Any) -> Response:
        return Response(wire.dump(values), status, media_type="application/json")

    async def attempt(change: Any, *arguments: Any) -> Response:
        try:
            done = await anyio.to_thread.run_sync(change, *arguments)
        except errors.UnknownModelError as error:
            return answer(404, wire.refusal(str(error)))
        except errors.ArtifactError as error:
            return answer(400, wire.refusal(f"nothing was changed: {error}"))
        return answer(200, {"changes": done or []})

    @app.post("/v2/repository/models/{model}/load", summary="Read a model's folders again")
    async def load(model: str) -> Response:
        return await attempt(sources.reload, engine, model)

    @app.post("/v2/repository/models/{model}/unload", summary="Take a model out of service")
    async def unload(model: str) -> Response:
        return await attempt(engine.repository.remove, model)
