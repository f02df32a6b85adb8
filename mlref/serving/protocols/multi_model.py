"""The container's side of Amazon SageMaker's multi-model endpoints: models come and go by name.

    POST   /models                  {"model_name", "url"}: load the model in a folder
    GET    /models                  the models that are loaded
    GET    /models/{name}           one of them
    DELETE /models/{name}           unload it
    POST   /models/{name}/invoke    as /invocations, answered by that model

SageMaker unpacks a model into a folder of its own below /opt/ml/models, and asks for it to be
loaded under a name that it chooses: a name is only a key, so two of them may be the same model. 409
says that a name is loaded already, and 507 that there is no room, upon which SageMaker unloads
another model and asks again. There is room for `Settings.max_models`, and for as long as the memory
lasts. GET /ping is 200 without any model.

Source: the Amazon SageMaker Developer Guide, "Custom Containers Contract for Multi-Model
Endpoints".
"""

# No postponed annotations: FastAPI looks names up where functions are defined, not in globals.
import json
import logging
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlref import artifact, errors
from mlref.serving import wire
from mlref.serving.environment import find_artifact
from mlref.serving.protocols.sagemaker import Invocations

if TYPE_CHECKING:
    from fastapi import FastAPI, Response

    from mlref.serving.engine import Engine

__all__ = ["LoadedModels", "add_routes", "invoked_model"]

logger = logging.getLogger(__name__)

_INVOKE = "/models/{model}/invoke"
_TARGET = re.compile(r"/models/(.+)/invoke", re.DOTALL)
_PAGE = 100
_MOST_NAME = 1024  # characters
_BAD_REQUEST, _NOT_FOUND, _CONFLICT, _NO_ROOM = 400, 404, 409, 507


class LoadedModels:
    """The models that SageMaker has loaded. Safe to change by threads while the server answers.

    Args:
        engine: answers with them.
        root: the folder below which models may be loaded, usually /opt/ml/models.
    """

    def __init__(self, engine: "Engine", root: str | os.PathLike[str]) -> None:
        self._engine = engine
        self._root = Path(root)
        self._urls: dict[str, str] = {}
        self._coming: set[str] = set()
        self._lock = threading.Lock()

    def asked(self, body: bytes, target: str = "") -> dict[str, str]:
        """Load the model that a request names; returns what `told` does.

        Args:
            body: {"model_name", "url"} in JSON.
            target: what the caller of the endpoint calls the model, for the log.

        Raises:
            RequestRefusedError: as `load`; or 400, the body is another one.
        """
        name, url = _asked(body)
        logger.info("loading %r as %r", target[:_MOST_NAME], name)
        self.load(name, url)
        return self.told(name)

    def load(self, name: str, url: str) -> None:
        """Load the model in a folder; it answers under that name from now on.

        Args:
            name: any, as long as no model has it.
            url: the folder below the root, which holds an artefact or a folder with one.

        Raises:
            RequestRefusedError: 409, the name is loaded; 507, there is no room; 404, there is no
                such folder; 400, it leads out of the root or holds no artefact to be trusted.
        """
        folder = self._inside(url)
        with self._lock:
            if name in self._urls or name in self._coming:
                raise _refused(_CONFLICT, f"the model {name!r} is loaded already; unload it first")
            most = self._engine.settings.max_models
            if len(self._urls) + len(self._coming) >= most:
                text = f"{most} models are loaded, which is this server's max_models"
                raise _refused(_NO_ROOM, f"{text}; unload one, or allow more")
            self._coming.add(name)
        try:
            self._engine.repository.add(artifact.load(find_artifact(folder)), name=name)
        except MemoryError as error:
            text = f"there is no memory for the model {name!r}; unload another one"
            raise _refused(_NO_ROOM, text) from error
        except errors.ArtifactError as error:
            raise _refused(_BAD_REQUEST, f"{url}: {error}") from error
        else:
            with self._lock:
                self._urls[name] = url
        finally:
            with self._lock:
                self._coming.discard(name)

    def unload(self, name: str) -> dict[str, str]:
        """Take a model out of service; returns what it was. Requests in it are still answered.

        Raises:
            RequestRefusedError: 404, there is none of that name.
        """
        with self._lock:
            told = self.told(name)
            del self._urls[name]
            self._engine.repository.remove(name)
        return told

    def told(self, name: str) -> dict[str, str]:
        """A model, as the contract shows it.

        Raises:
            RequestRefusedError: 404, there is none of that name.
        """
        url = self._urls.get(name)
        if url is None:
            raise _unknown(name)
        return {"modelName": name, "modelUrl": url}

    def page(self, token: str = "") -> dict[str, Any]:
        """Some of the models, and the token of those that come next.

        Args:
            token: that the page before gave, or "" for the first.

        Raises:
            RequestRefusedError: 400, a token that nobody gave.
        """
        if not (token.isascii() and token.isdigit()) and token:
            raise _refused(_BAD_REQUEST, f"next_page_token {token!r} is none that was given")
        begin = int(token[:9] or 0)
        with self._lock:
            found = list(self._urls.items())
        models = [{"modelName": name, "modelUrl": url} for name, url in found]
        told: dict[str, Any] = {"models": models[begin : begin + _PAGE]}
        if begin + _PAGE < len(models):
            told["nextPageToken"] = str(begin + _PAGE)
        return told

    def _inside(self, url: str) -> Path:
        """The folder of a URL, wherever its links lead to.

        Raises:
            RequestRefusedError: it is not below the root, or not there.
        """
        root = self._root.resolve()
        try:
            folder = (root / url).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise _refused(_BAD_REQUEST, f"url is no folder's path: {url[:200]!r}") from error
        if folder == root or not folder.is_relative_to(root):
            text = f"url must be a folder below {self._root}, got {url[:200]!r}"
            raise _refused(_BAD_REQUEST, text)
        if not folder.is_dir():
            raise _refused(_NOT_FOUND, f"there is no folder {url[:200]!r}")
        return folder


def invoked_model(path: str) -> tuple[str, None] | None:
    """The name of the model that a path asks to answer, or None for any other path.

    >>> invoked_model("/models/2a7e/invoke")
    ('2a7e', None)
    """
    found = _TARGET.fullmatch(path)
    return None if found is None else (found[1], None)


def add_routes(app: "FastAPI", engine: "Engine", root: str | os.PathLike[str]) -> None:
    """Let SageMaker load, unload and ask models.

    Args:
        app: the application.
        engine: answers; it counts as ready without any model from now on.
        root: the folder below which models may be loaded.
    """
    from fastapi import Request, Response

    models = LoadedModels(engine, root)
    engine.needs_model = False
    engine.add_resolver(_INVOKE, invoked_model, Invocations, "As /invocations, by a loaded model")

    @app.post("/models", summary="Load a model", responses=_LOADING)
    async def multi_model_load(request: Request) -> Response:
        target = request.headers.get("x-amzn-sagemaker-target-model", "")
        return await _attempt(models.asked, await request.body(), target)

    @app.get("/models", summary="The models that are loaded")
    async def multi_model_list(next_page_token: str = "") -> Response:
        return await _attempt(models.page, next_page_token)

    @app.get("/models/{name:path}", summary="A model that is loaded", responses=_UNKNOWN)
    async def multi_model_get(name: str) -> Response:
        return await _attempt(models.told, name)

    @app.delete("/models/{name:path}", summary="Unload a model", responses=_UNKNOWN)
    async def multi_model_unload(name: str) -> Response:
        return await _attempt(models.unload, name)


async def _attempt(work: Any, *arguments: Any) -> "Response":
    """Do something beside the loop; the response with what came of it."""
    import anyio.to_thread
    from fastapi import Response

    status = 200
    try:
        values = await anyio.to_thread.run_sync(work, *arguments)
    except errors.RequestRefusedError as error:
        status, values = error.status, wire.refusal(str(error))
    return Response(wire.dump(values), status, media_type="application/json")


_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "no such model"}}
_LOADING: dict[int | str, dict[str, Any]] = {
    400: {"description": "no such request, or no artefact to be trusted"},
    404: {"description": "no such folder"},
    409: {"description": "the name is loaded already"},
    507: {"description": "no room for another model"},
}


def _asked(body: bytes) -> tuple[str, str]:
    """The name and the folder in a request to load a model.

    Raises:
        RequestRefusedError: 400, it does not say both.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    given = document if isinstance(document, dict) else {}
    name, url = given.get("model_name"), given.get("url")
    if not (isinstance(name, str) and isinstance(url, str) and name and url):
        text = 'the body must be {"model_name": NAME, "url": FOLDER}, both of them text'
        raise _refused(_BAD_REQUEST, text)
    if len(name) > _MOST_NAME:
        text = f"model_name must have at most {_MOST_NAME} characters, got {len(name)}"
        raise _refused(_BAD_REQUEST, text)
    return name, url


def _unknown(name: str) -> errors.RequestRefusedError:
    return _refused(_NOT_FOUND, f"no model {name[:200]!r} is loaded; GET /models lists those")


def _refused(status: int, text: str) -> errors.RequestRefusedError:
    return errors.RequestRefusedError(text, status=status)
