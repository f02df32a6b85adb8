"""The Open Inference Protocol (version 2), as KServe, Triton and their clients speak it over HTTP.

    GET  /v2/health/live                               200 while the process runs
    GET  /v2/health/ready                              200 while requests are welcome, else 503
    GET  /v2                                           the server: name, version, extensions
    GET  /v2/models/{m}[/versions/{v}]                 the model: its inputs and outputs
    GET  /v2/models/{m}[/versions/{v}]/ready           200 if it can be asked
    POST /v2/models/{m}[/versions/{v}]/infer           tensors in, tensors out
    POST /v2/repository/index                          all models

`Infer` reads and writes the last but one, in JSON and with the bytes of tensors behind the JSON
object. What a request may hold is told in `infer_request`, what a tensor may hold in `tensors`. The
output of a model with one number for each row has shape [n, 1], like an input of single values.
Unknown categories are told in the parameter "warnings" of the reply.

Source: Open Inference Protocol, REST; Triton's extensions for binary tensor data and for the model
repository.
"""

# No postponed annotations: FastAPI looks names up where functions are defined, not in globals.
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import mlref
from mlref import errors
from mlref.artifact import Artifact
from mlref.runtime.lazy import extra
from mlref.schema.schema import unknown_warnings
from mlref.serving import wire
from mlref.serving.exchange import Block, Reply, Request
from mlref.serving.protocols.fast_tensors import FastTensors
from mlref.serving.protocols.infer_request import Asked, InferReader
from mlref.serving.protocols.tensors import DATATYPES, NUMPY_TYPES, SIZE

if TYPE_CHECKING:
    from fastapi import FastAPI, Response

    from mlref.serving.engine import Engine
    from mlref.serving.repository import Served

__all__ = ["EXTENSIONS", "Infer", "add_routes", "model_of"]

EXTENSIONS = ("binary_tensor_data",)
"""The extensions of the protocol that the server offers."""

_BAD_REQUEST = 400
_BYTES = b"application/octet-stream"
_JSON_LENGTH = b"inference-header-content-length"
_LONGEST_LENGTH = 19  # digits of a number of bytes
_INFER = "/v2/models/{model}/infer"
_PLATFORM = "onnx_onnxv1"
_TARGET = re.compile(r"/v2/models/([A-Za-z0-9._-]+)(?:/versions/([A-Za-z0-9._-]+))?/infer")


class Infer:
    """The codec of /v2/models/{model}/infer."""

    def __init__(self, artifact: Artifact) -> None:
        with extra("serve"):
            import orjson
        output, name = artifact.manifest.output, wire.model_name(artifact.manifest)
        datatype = "int64" if output.dtype == "int64" else "float32"
        self._fast = FastTensors(artifact.inputs, output=output.name)
        self._complete = InferReader(artifact.inputs, model=name, output=output.name)
        self._dumps, self._option = orjson.dumps, orjson.OPT_SERIALIZE_NUMPY
        self._kind = np.dtype(NUMPY_TYPES[datatype])
        model = {f"model_{key}": text for key, text in name.items()}
        tensor = {"name": output.name, "datatype": DATATYPES[datatype]}
        self._start = wire.dump(model)[:-1]
        self._tensor = b',"outputs":[' + wire.dump(tensor)[:-1] + b',"shape":['
        self._row = b"".join(b",%d" % size for size in output.shape or (1,)) + b"]"

    def read(self, request: Request) -> Block:
        """The rows of a request; see `Codec.read`."""
        head, tail = _parted(request)
        return self._fast(head, tail) or self._complete(head, tail)

    def write(self, predictions: np.ndarray, block: Block) -> Reply:
        """The reply to a request; see `Codec.write`."""
        asked: Asked = block.context
        head = self._start
        if asked.id:
            head += b',"id":' + asked.id
        if block.unknown:
            warnings = "; ".join(unknown_warnings(block.unknown))
            head += b',"parameters":' + wire.dump({"warnings": warnings})
        head += self._tensor + b"%d" % block.n_rows + self._row
        if not asked.binary:
            numbers = self._dumps(predictions.reshape(-1), option=self._option)
            return Reply(200, head + b',"data":' + numbers + b"}]}")
        raw = predictions.astype(self._kind, copy=False).tobytes()
        head += b',"parameters":{"%s":%d}}]}' % (SIZE.encode(), len(raw))
        length = ((_JSON_LENGTH, b"%d" % len(head)),)
        return Reply(200, head + raw, _BYTES, length)

    @classmethod
    def refuse(cls, status: int, text: str, problems: Sequence[errors.InputProblem] = ()) -> Reply:
        """The reply to a request that is not answered; clients show the text of "error".

        Args:
            status: the HTTP status.
            text: what is wrong, in a sentence.
            problems: each thing that is wrong with the rows.
        """
        return Reply(status, wire.dump(wire.refusal(_told(text, problems), problems)))

    @classmethod
    def status_of(cls, _error: errors.InvalidInputError) -> int:
        """400 Bad Request, as the protocol says."""
        return _BAD_REQUEST


def model_of(path: str) -> tuple[str, str | None] | None:
    """The name and version of the model that a path asks to infer, or None for any other path.

    >>> model_of("/v2/models/flights/versions/1.0.0/infer")
    ('flights', '1.0.0')
    """
    found = _TARGET.fullmatch(path)
    return None if found is None else (found[1], found[2])


def add_routes(app: "FastAPI", engine: "Engine") -> None:
    """Let an application speak the protocol.

    Args:
        app: gets the routes that tell of the server and its models.
        engine: gets the route that answers predictions.
    """
    engine.add_resolver(_INFER, model_of, Infer, "Predictions for tensors")
    _add_server_routes(app, engine)
    for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        _add_model_routes(app, engine, path)


def _told(text: str, problems: Sequence[errors.InputProblem]) -> str:
    """The headline with the first problem: clients of this protocol show nothing else."""
    return f"{text}: {problems[0]}" if problems else text


def _parted(request: Request) -> tuple[bytes, memoryview]:
    """The JSON object of a request, and the bytes behind it.

    Raises:
        InvalidInputError: the header does not say how long the object is.
        RequestRefusedError: 415, the body is compressed.
    """
    body, length = request.body, None
    for name, value in request.headers:
        if name == _JSON_LENGTH:
            length = value
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            shown = value[:80].decode("latin-1")
            text = f"the body must come uncompressed, Content-Encoding is {shown!r}"
            raise errors.RequestRefusedError(text, status=415)
    if length is None:
        return body, memoryview(b"")
    if not length.isdigit() or len(length) > _LONGEST_LENGTH or int(length) > len(body):
        shown = length[:80].decode("latin-1")
        text = "Inference-Header-Content-Length must be the length of the JSON object, at most "
        text += f"that of the body, {len(body)} bytes; got {shown!r}"
        raise errors.InvalidInputError([errors.MalformedRequestError(text)])
    return body[: int(length)], memoryview(body)[int(length) :]


def _describe(served: "Served", versions: Sequence[str]) -> dict[str, Any]:
    """A model's inputs and outputs."""
    output = served.artifact.manifest.output
    kind = "int64" if output.dtype == "int64" else "float32"
    return {
        "name": served.name,
        "versions": [*versions],
        "platform": _PLATFORM,
        "inputs": [_tensor(c.name, c.dtype, c.shape) for c in served.artifact.inputs],
        "outputs": [_tensor(output.name, kind, output.shape)],
    }


def _tensor(name: str, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"name": name, "datatype": DATATYPES[dtype], "shape": [-1, *(shape or (1,))]}


def _add_server_routes(app: "FastAPI", engine: "Engine") -> None:
    """What concerns no model alone."""
    from fastapi import Request, Response

    server = {"name": "mlref", "version": mlref.__version__, "extensions": [*EXTENSIONS]}

    @app.get("/v2/health/live", summary="200 while the process runs")
    async def oip_live() -> Response:
        return _answer(200, {"live": True})

    @app.get("/v2/health/ready", summary="200 while requests are welcome", responses=_NOT_READY)
    async def oip_ready() -> Response:
        return _answer(200 if engine.ready else 503, {"live": True, "ready": engine.ready})

    @app.get("/v2", summary="The server, and which extensions of the protocol it offers")
    async def oip_server() -> Response:
        return _answer(200, server)

    @app.post("/v2/repository/index", summary="All models", responses=_REFUSED)
    async def oip_index(request: Request) -> Response:
        if not _is_index_request(await request.body()):
            text = 'the body must be empty, {} or {"ready": true}'
            return _answer(400, wire.refusal(text))
        return _answer(200, [_entry(each) for each in engine.repository.served()])


def _add_model_routes(app: "FastAPI", engine: "Engine", path: str) -> None:
    """What concerns one model, or one version of it."""
    from fastapi import Response

    @app.get(path, summary="A model's inputs and outputs", responses=_UNKNOWN)
    async def oip_model(model: str, version: str | None = None) -> Response:
        try:
            served = engine.repository.find(model, version)
            versions = engine.repository.versions(model)
        except errors.UnknownModelError as error:
            return _answer(404, wire.refusal(str(error)))
        return _answer(200, _describe(served, versions))

    @app.get(f"{path}/ready", summary="200 if the model can be asked", responses=_UNKNOWN)
    async def oip_model_ready(model: str, version: str | None = None) -> Response:
        try:
            served = engine.repository.find(model, version)
        except errors.UnknownModelError as error:
            return _answer(404, wire.refusal(str(error)))
        values = {"name": served.name, "version": served.version, "ready": engine.ready}
        return _answer(200 if engine.ready else 503, values)


_REFUSED: dict[int | str, dict[str, Any]] = {400: {"description": "not such a request"}}
_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"description": "no model, or about to end"}}
_UNKNOWN = {404: {"description": "no such model"}, **_NOT_READY}


def _answer(status: int, values: Any) -> "Response":
    from fastapi import Response

    return Response(wire.dump(values), status, media_type="application/json")


def _entry(served: "Served") -> dict[str, str]:
    """A model in the index. Whatever is in the repository has been loaded and warmed up."""
    return {"name": served.name, "version": served.version, "state": "READY", "reason": ""}


def _is_index_request(body: bytes) -> bool:
    """Whether it asks for all models; there are none but those that are ready."""
    if not body.strip():
        return True
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(document.get("ready", False), bool)
