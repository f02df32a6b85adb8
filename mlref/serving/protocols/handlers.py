"""The four functions of Amazon SageMaker's inference toolkits, for artefacts, and for your own.

    model = model_fn(model_dir)              once
    data = input_fn(body, content_type)      for each request
    prediction = predict_fn(data, model)
    body, content_type = output_fn(prediction, accept)

AWS's own containers import `code/inference.py` from a model.tar.gz and call what it defines. This
module is such a file: pack it (or `from mlref.serving.protocols.handlers import *`) beside the
artefact's folder, with mlref in code/requirements.txt, and such a container answers as ours does:

    model.tar.gz
    ├── flights-1.0.0/      the artefact, in a folder of its own, as no stray file may lie in it
    └── code/inference.py

The other way round, `load_handlers` takes an inference.py that was written for those containers, so
that our server answers /invocations with its functions; those that it lacks are the ones here.

Source: the README of sagemaker-inference-toolkit, and the SageMaker Python SDK documentation, "The
SageMaker model server".
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mlref import artifact, errors
from mlref.artifact import Artifact
from mlref.schema import Decoded, Schema
from mlref.serving import wire
from mlref.serving.environment import find_artifact
from mlref.serving.exchange import Reply, Request
from mlref.serving.protocols.content import JSON, Content, choose, content_of, finite, read, write

__all__ = [
    "Handlers",
    "Payload",
    "input_fn",
    "load_handlers",
    "model_fn",
    "output_fn",
    "predict_fn",
]

logger = logging.getLogger(__name__)

_COUNTS = {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2}
_SCRIPTS = ("inference.py", "code/inference.py")
_CLIENT_ERRORS = range(400, 500)
_TOOLKIT = "sagemaker_inference"


@dataclass(frozen=True)
class Payload:
    """The body of a request, whose format is known; only a model can say what its rows mean.

    Attributes:
        body: the bytes as they came.
        content: their format.
    """

    body: bytes
    content: Content

    def decode(self, schema: Schema) -> Decoded:
        """The rows as the arrays that a model takes.

        Args:
            schema: the columns of the model, `artifact.inputs`.

        Raises:
            InvalidInputError: with every problem found.
        """
        return read(self.body, self.content, schema)


def model_fn(model_dir: str | os.PathLike[str]) -> Artifact:
    """The artefact in a folder, or in the one folder below it that holds one.

    Args:
        model_dir: where the container unpacked model.tar.gz.

    Raises:
        ArtifactError: there is none, there are several, or it is not to be trusted.
    """
    return artifact.load(find_artifact(model_dir))


def input_fn(body: bytes | str, content_type: str | None = None) -> Payload:
    """The body of a request with its format, for `predict_fn`.

    Args:
        body: bytes, or text where the container has decoded it.
        content_type: the header Content-Type; None is JSON.

    Raises:
        RequestRefusedError: status 415, with the formats that there are.
    """
    with _in_words_of_the_toolkit():
        content = content_of(content_type)
    return Payload(body.encode() if isinstance(body, str) else bytes(body), content)


def predict_fn(data: Any, model: Artifact) -> np.ndarray:
    """The model's predictions, shape (n, *output.shape).

    Args:
        data: what `input_fn` gave; or rows as `Artifact.predict` takes them, from an `input_fn` of
            your own.
        model: what `model_fn` gave.

    Raises:
        InvalidInputError: the rows do not fit; it lists every problem.
        EndpointError: the model gave no finite number.
    """
    with _in_words_of_the_toolkit():
        if not isinstance(data, Payload):
            return finite(model.predict(data))
        decoded = data.decode(model.inputs)
        return finite(model.predict_arrays(decoded.arrays, decoded.n_rows))


def output_fn(prediction: Any, accept: str | None = None) -> tuple[bytes, str]:
    """The body of the reply, and its Content-Type.

    Args:
        prediction: an array or list of numbers with at least one row.
        accept: the header Accept; None is JSON.

    Raises:
        RequestRefusedError: status 406, with the types that there are.
    """
    with _in_words_of_the_toolkit():
        kind = choose(accept, Content(JSON))
    return write(np.asarray(prediction), kind), kind


@dataclass(frozen=True)
class Handlers:
    """The four functions that answer requests.

    Attributes:
        model_fn: from the model's folder to the model.
        input_fn: from a body and its Content-Type to data.
        predict_fn: from data and the model to a prediction.
        output_fn: from a prediction and Accept to a body, or to a body and its Content-Type.
        source: the file that some of them come from, as messages call it.
    """

    model_fn: Callable[..., Any] = model_fn
    input_fn: Callable[..., Any] = input_fn
    predict_fn: Callable[..., Any] = predict_fn
    output_fn: Callable[..., Any] = output_fn
    source: str = "mlref"

    def bind(self, model_dir: str | os.PathLike[str]) -> Callable[[Request], Reply]:
        """A function that answers requests to /invocations, with the model loaded.

        It may be called in several threads at a time, if the functions may; it never raises. What a
        function raises is logged and answered with status 500, except an error with a `status_code`
        from 400 to 499, by which the toolkit's functions blame the request.

        Args:
            model_dir: handed to `model_fn`.

        Raises:
            ArtifactError: `model_fn` failed.
        """
        try:
            model = _called(self.model_fn, os.fspath(model_dir))
        except errors.MlrefError:
            raise
        except Exception as error:
            text = f"model_fn of {self.source} failed: {_told(error)}"
            raise errors.ArtifactError(text, file=self.source) from error

        def answer(request: Request) -> Reply:
            return self._answer(request, model)

        return answer

    def _answer(self, request: Request, model: Any) -> Reply:
        content_type = request.header(b"content-type") or JSON
        accept = self._accept(request.header(b"accept"), content_type)
        step = "input_fn"
        try:
            data = _called(self.input_fn, request.body, content_type)
            step = "predict_fn"
            prediction = _called(self.predict_fn, data, model)
            step = "output_fn"
            return _reply(_called(self.output_fn, prediction, accept), accept)
        except errors.InvalidInputError as error:
            return _refusal(422, error.message, error.exceptions)
        except errors.RequestRefusedError as error:
            return _refusal(error.status, str(error))
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            status = getattr(error, "status_code", 500)
            if status in _CLIENT_ERRORS:
                return _refusal(status, str(error))
            logger.exception("%s of %s failed with %s", step, self.source, type(error).__name__)
            return _refusal(500, f"{step} of {self.source} failed; the server's log says why")

    def _accept(self, accept: str | None, content_type: str) -> str:
        """What `output_fn` is told: the header, or what a caller gets who asks for nothing."""
        if accept is not None and accept.strip() not in {"", "*/*"}:
            return accept
        if self.output_fn is not output_fn:
            return JSON
        try:
            return choose(None, content_of(content_type))
        except errors.RequestRefusedError:  # a format that only the user's input_fn knows
            return JSON


def load_handlers(path: str | os.PathLike[str]) -> Handlers:
    """The handlers of a user's inference.py; those that it does not define are mlref's.

    Its folder is put at the end of `sys.path`, so that it may import what lies beside it. A handler
    may take one argument more, the toolkit's `context`, which is None here.

    Args:
        path: the file, or a folder that holds inference.py or code/inference.py.

    Raises:
        ResourceNotFoundError: there is no such file.
        ArtifactError: it cannot be imported, or defines what is no handler.
    """
    script = _script(Path(path))
    module = _imported(script)
    if hasattr(module, "transform_fn"):
        text = f"{script.name} defines transform_fn; define input_fn, predict_fn and output_fn"
        raise errors.ArtifactError(text, file=script.name)
    found = {name: getattr(module, name) for name in _COUNTS if hasattr(module, name)}
    for name, function in found.items():
        if not callable(function) or _spare(function, _COUNTS[name]) not in {0, 1}:
            text = (
                f"{name} of {script.name} must take {_COUNTS[name]} arguments, or context as well"
            )
            raise errors.ArtifactError(text, file=script.name)
    return Handlers(**found, source=script.name)


def _script(path: Path) -> Path:
    for script in (path / name for name in _SCRIPTS) if path.is_dir() else (path,):
        if script.is_file():
            return script.resolve()
    text = f"no handlers at {path}: name a file, or a folder that holds {' or '.join(_SCRIPTS)}"
    raise errors.ResourceNotFoundError(text)


def _imported(script: Path) -> ModuleType:
    """The script as a module of a name that no other has."""
    name = f"mlref_handlers_{abs(hash(script)):x}"
    spec = importlib.util.spec_from_file_location(name, script)
    if spec is None or spec.loader is None:
        text = f"{script.name} is no Python file"
        raise errors.ArtifactError(text, file=script.name)
    module = importlib.util.module_from_spec(spec)
    if str(script.parent) not in sys.path:
        sys.path.append(str(script.parent))
    sys.modules[name] = module  # where dataclasses and pickle look for it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        text = f"{script.name} cannot be imported: {_told(error)}"
        raise errors.ArtifactError(text, file=script.name) from error
    return module


def _spare(function: Callable[..., Any], count: int) -> int | None:
    """How many arguments a function needs beyond `count`; None if it cannot be called so."""
    for spare in (0, 1):
        try:
            inspect.signature(function).bind(*[None] * (count + spare))
        except (TypeError, ValueError):
            continue
        return spare
    return None


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a handler gives, with no context where it wants one."""
    return function(*arguments, *[None] * (_spare(function, len(arguments)) or 0))


def _reply(output: Any, accept: str) -> Reply:
    """What `output_fn` gave, as a reply.

    Raises:
        TypeError: it is neither text nor bytes, nor a pair of that and a Content-Type.
    """
    body, kind = output if isinstance(output, tuple) and len(output) == 2 else (output, None)  # noqa: PLR2004 - a pair
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, (bytes, bytearray, memoryview)) or not isinstance(kind, str | None):
        text = "output_fn must return text or bytes, or a tuple of that and its Content-Type"
        raise TypeError(f"{text}, got {type(output).__name__}")
    kind = kind or accept.partition(",")[0].partition(";")[0].strip()
    return Reply(200, bytes(body), kind.encode("ascii", "replace"))


def _refusal(status: int, text: str, problems: Any = ()) -> Reply:
    return Reply(status, wire.dump(wire.refusal(text, problems)))


def _told(error: BaseException) -> str:
    """An error in a few words."""
    return f"{type(error).__name__}: {error}"


@contextmanager
def _in_words_of_the_toolkit() -> Iterator[None]:
    """Inside an AWS container, refusals as that container's own error, which keeps their status."""
    try:
        yield
    except (errors.InvalidInputError, errors.RequestRefusedError) as error:
        if _TOOLKIT not in sys.modules:
            raise
        from sagemaker_inference.errors import BaseInferenceToolkitError  # type: ignore[import-not-found]

        status = error.status if isinstance(error, errors.RequestRefusedError) else 422
        raise BaseInferenceToolkitError(status, str(error), str(error).splitlines()[0]) from error
