"""Our own wire: /v1/predict and /v2/predict. See `mlref.serving.wire` for the bodies.

Both take the same requests. Version 2 of the API answers what programs asked for and version 1
cannot change without breaking its callers: the artefact's digest beside the version, and warnings
as objects instead of sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlref import errors
from mlref.artifact import Artifact
from mlref.runtime.lazy import extra
from mlref.schema.schema import unknown_warnings
from mlref.serving import wire
from mlref.serving.decoding import decode
from mlref.serving.exchange import Block, Reply, Request, block_of
from mlref.serving.fast_decoding import FastDecoder

__all__ = ["PredictV1", "PredictV2"]

_UNPROCESSABLE = 422


class PredictV1:
    """The codec of /v1/predict."""

    def __init__(self, artifact: Artifact) -> None:
        with extra("serve"):
            import orjson
        self._schema = artifact.inputs
        self._decode = FastDecoder(artifact.inputs)
        self._dumps, self._option = orjson.dumps, orjson.OPT_SERIALIZE_NUMPY
        model = wire.dump(self._model(artifact))
        self._before_warnings = b',"model":' + model + b',"warnings":'
        self._without_warnings = self._before_warnings + b"[]}"

    def read(self, request: Request) -> Block:
        """The rows of a request; see `Codec.read`."""
        for name, value in request.headers:
            if name in _DECISIVE and value not in _PLAIN:
                _check_readable(request)
                break
        block = self._decode(request.body)
        return block or block_of(decode(request.body, self._schema), self._schema)

    def write(self, predictions: np.ndarray, block: Block) -> Reply:
        """The reply to a request; see `Codec.write`."""
        end = self._without_warnings
        if block.unknown:
            end = self._before_warnings + wire.dump(self._warnings(block.unknown)) + b"}"
        numbers: bytes = self._dumps(predictions, option=self._option)
        return Reply(200, b'{"predictions":' + numbers + end)

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

    def _model(self, artifact: Artifact) -> dict[str, str]:
        return wire.model_name(artifact.manifest)

    def _warnings(self, unknown: dict[str, int]) -> list[Any]:
        return unknown_warnings(unknown)


class PredictV2(PredictV1):
    """The codec of /v2/predict."""

    def _model(self, artifact: Artifact) -> dict[str, str]:
        return {**wire.model_name(artifact.manifest), "digest": artifact.digest}

    def _warnings(self, unknown: dict[str, int]) -> list[Any]:
        sentences = unknown_warnings(unknown)
        return [
            {"kind": "UnknownCategory", "column": column, "count": count, "message": sentence}
            for (column, count), sentence in zip(unknown.items(), sentences, strict=True)
        ]


_DECISIVE = frozenset({b"content-type", b"content-encoding"})
_PLAIN = frozenset({b"application/json", b"application/json; charset=utf-8", b"identity"})
_CHARSETS = {"", "charset=utf-8", "charset=utf8", "charset=us-ascii"}


def _check_readable(request: Request) -> None:
    """Refuse a body of another type.

    Raises:
        RequestRefusedError: 415, with what is accepted.
    """
    kind, _, parameters = (request.header(b"content-type") or "application/json").partition(";")
    kind, charset = kind.strip().lower(), parameters.strip().lower().replace('"', "")
    encoding = (request.header(b"content-encoding") or "identity").strip().lower()
    text = ""
    if kind != "application/json":
        text = f"Content-Type must be application/json, got {kind[:80]!r}"
    elif charset not in _CHARSETS:
        text = f"the body must be UTF-8, Content-Type says {charset[:80]!r}"
    elif encoding != "identity":
        text = f"the body must come uncompressed, Content-Encoding is {encoding[:80]!r}"
    if text:
        raise errors.RequestRefusedError(text, status=415)
