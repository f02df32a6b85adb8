"""Amazon SageMaker's container contract.

    GET  /ping                  200 while requests are welcome, otherwise 503
    GET  /execution-parameters  what a batch transform job may send at a time
    POST /invocations           rows in, predictions out: see `mlref.serving.protocols.content`

A reply is {"predictions": [...]} in JSON, or what Accept asks for; a request in CSV is answered in
CSV. SageMaker hands the body and Content-Type of a reply to the caller, and of the headers only
X-Amzn-SageMaker-Custom-Attributes. That header is the container's own word, so a request's is not
sent back; ours says `warnings: ...` when unknown categories were imputed, which CSV and NPY have no
room for.

With handlers (see `mlref.serving.protocols.handlers`) the user's functions answer /invocations.

Source: the Amazon SageMaker Developer Guide: "Use your own inference code with hosting services",
"... with batch transform", and the API reference of InvokeEndpoint.
"""

# No postponed annotations: FastAPI looks names up where functions are defined, not in globals.
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlref import errors
from mlref.artifact import Artifact
from mlref.schema.schema import unknown_warnings
from mlref.serving import wire
from mlref.serving.exchange import Block, Reply, Request, block_of
from mlref.serving.fast_decoding import FastDecoder
from mlref.serving.protocols.content import JSON, choose, content_of, read, write
from mlref.serving.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from mlref.serving.engine import Engine

__all__ = ["Invocations", "add_routes", "execution_parameters"]

_UNPROCESSABLE = 422
_MOST_MB = 100  # of one payload, and of all payloads in transit together
_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
_MOST_ATTRIBUTES = 1024  # characters that SageMaker hands on
_BODY_PATH = "/invocations"


class Invocations:
    """The codec of /invocations."""

    def __init__(self, artifact: Artifact) -> None:
        self._schema = artifact.inputs
        self._decode = FastDecoder(artifact.inputs)

    def read(self, request: Request) -> Block:
        """The rows of a request; see `Codec.read`."""
        kind = encoding = accept = None
        for name, value in request.headers:
            if name == b"content-type":
                kind = value.decode("latin-1")
            elif name == b"accept":  # which may come in several lines
                accept = value.decode("latin-1") + ("" if accept is None else f",{accept}")
            elif name == b"content-encoding":
                encoding = value.decode("latin-1")
        content = content_of(kind, encoding)
        reply_in = choose(accept, content)
        block = self._decode(request.body) if content.kind == JSON else None
        if block is None:
            return block_of(read(request.body, content, self._schema), self._schema, reply_in)
        block.context = reply_in
        return block

    def write(self, predictions: np.ndarray, block: Block) -> Reply:
        """The reply to a request; see `Codec.write`."""
        headers = [(_ATTRIBUTES, _told(block.unknown))] if block.unknown else ()
        return Reply(200, write(predictions, block.context), block.context.encode(), headers)

    @classmethod
    def refuse(cls, status: int, text: str, problems: Sequence[errors.InputProblem] = ()) -> Reply:
        """The reply to a request that is not answered: always JSON.

        Args:
            status: of the reply.
            text: what is wrong, in a sentence.
            problems: with the rows, if it is them.
        """
        return Reply(status, wire.dump(wire.refusal(text, problems)))

    @classmethod
    def status_of(cls, _error: errors.InvalidInputError) -> int:
        """422 Unprocessable Content, which SageMaker shows as a ModelError."""
        return _UNPROCESSABLE


def add_routes(
    app: "FastAPI", engine: "Engine", *, answer: Callable[[Request], Reply] | None = None
) -> None:
    """Let an application speak SageMaker's language.

    Args:
        app: the application.
        engine: answers /invocations.
        answer: answers it instead, as `Handlers.bind` gives it; called in a thread for each
            request.
    """
    from fastapi import Response

    @app.get("/ping", summary="SageMaker's health check: 200 while requests are welcome")
    async def ping() -> Response:
        return Response(b"{}", 200 if engine.ready else 503, media_type="application/json")

    @app.get("/execution-parameters", summary="What a batch transform job may send at a time")
    async def parameters() -> Response:
        body = wire.dump(execution_parameters(engine.settings))
        return Response(body, media_type="application/json")

    if answer is None:
        engine.add_route(_BODY_PATH, Invocations, "SageMaker's request: CSV, JSON, JSON Lines, NPY")
    else:
        _add_handlers(app, engine.settings, answer)


def execution_parameters(settings: Settings) -> dict[str, Any]:
    """What SageMaker's batch transform may send at a time, as far as its own limits allow.

    A payload has at most 100 MB, and so have all payloads that are on their way together.

    Args:
        settings: of the server.
    """
    payload_mb = min(max(settings.max_body_bytes // 2**20, 1), _MOST_MB)
    return {
        "MaxConcurrentTransforms": max(min(settings.max_in_flight, _MOST_MB // payload_mb), 1),
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": payload_mb,
    }


def _add_handlers(app: "FastAPI", settings: Settings, answer: Callable[[Request], Reply]) -> None:
    """/invocations as an ordinary route whose work is done in a thread."""
    import anyio.to_thread
    from fastapi import Request as Incoming
    from fastapi import Response

    limit = settings.max_body_bytes

    @app.post(_BODY_PATH, summary="A prediction for each row, by the user's handlers")
    async def invocations(incoming: Incoming) -> Response:
        body = bytearray()
        async for part in incoming.stream():
            body += part
            if len(body) > limit:
                text = f"the body has more than the {limit} bytes that are allowed; send fewer rows"
                return respond(Invocations.refuse(413, text))
        scope = incoming.scope
        request = Request(
            "POST", scope["path"], scope["headers"], bytes(body), scope["query_string"]
        )
        return respond(await anyio.to_thread.run_sync(answer, request))

    def respond(reply: Reply) -> Response:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in reply.headers]
        kind = reply.content_type.decode("latin-1")
        return Response(reply.body, reply.status, dict(pairs) | {"content-type": kind})


def _told(unknown: dict[str, int]) -> bytes:
    """Warnings as the value of a header: visible ASCII, no longer than SageMaker hands on."""
    text = f"warnings: {'; '.join(unknown_warnings(unknown))}"
    visible = "".join(sign if " " <= sign <= "~" else "?" for sign in text)
    return visible[:_MOST_ATTRIBUTES].encode("ascii")
