"""Azure Machine Learning's scoring script: `init()` once, `run(raw_data)` for each request.

Write `score_script()` into a file, name it as the deployment's scoring script, and register the
artefact's folder as the model:

    POST /score  rows in: our wire, whose instances may be lists; see `mlref.serving.wire`
    -> 200 {"predictions": [...], "model": {"name", "version"}, "warnings": [...]}
    -> 422 {"error": "...", "problems": [...]}

Azure's own inference server (azureml-inference-server-http) calls the two functions. Nothing here
needs more than mlref's core dependencies, because that server pins other versions of what our
server needs.

Source: the Azure Machine Learning documentation, "Deploy and score a machine learning model by
using an online endpoint" and "Advanced entry script authoring".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from mlref import artifact, errors
from mlref.artifact import Artifact
from mlref.serving import wire
from mlref.serving.environment import find_artifact
from mlref.serving.protocols.content import finite
from mlref.serving.protocols.rows import read_json

__all__ = ["init", "run", "score_script"]

_MODEL_DIR = "AZUREML_MODEL_DIR"
_LOADED: dict[str, Artifact] = {}  # the contract has no other place: two functions of a module
_UNPROCESSABLE = 422

_SCRIPT = '''"""The scoring script: mlref answers with the artefact that was registered."""

from mlref.serving.protocols.azure import init, run

__all__ = ["init", "run"]
'''


def init(environ: Mapping[str, str] = os.environ) -> None:
    """Load the artefact that the deployment was given.

    Args:
        environ: the variables; AZUREML_MODEL_DIR names the artefact's folder, or one above it.

    Raises:
        ArtifactError: there is none, there are several, or it is not to be trusted.
        ResourceNotFoundError: the variable is not set.
    """
    folder = environ.get(_MODEL_DIR)
    if not folder:
        text = f"{_MODEL_DIR} is not set; register the artefact's folder as the deployment's model"
        raise errors.ResourceNotFoundError(text)
    _LOADED["model"] = artifact.load(find_artifact(folder))


def run(raw_data: str | bytes | dict[str, Any]) -> Any:
    """The reply to one request.

    Args:
        raw_data: the body as text or bytes, or what its JSON says.

    Returns:
        {"predictions", "model", "warnings"}; inside Azure's server, for rows that do not fit, an
        AMLResponse with status 422.

    Raises:
        InvalidInputError: outside Azure's server: the rows do not fit; it lists every problem.
        EndpointError: `init` was not called, or the model gave no finite number.
    """
    model = _LOADED.get("model")
    if model is None:
        raise errors.EndpointError("no model is loaded; call init() first")
    if isinstance(raw_data, dict):
        raw_data = json.dumps(raw_data)
    body = raw_data.encode("utf-8", "replace") if isinstance(raw_data, str) else raw_data
    try:
        decoded = read_json(body, model.inputs)
    except errors.InvalidInputError as error:
        refused = _refused(error)
        if refused is None:
            raise
        return refused
    predictions = finite(model.predict_arrays(decoded.arrays, decoded.n_rows))
    return {
        "predictions": predictions.tolist(),
        "model": wire.model_name(model.manifest),
        "warnings": decoded.warnings,
    }


def score_script() -> str:
    """The source of a scoring script."""
    return _SCRIPT


def _refused(error: errors.InvalidInputError) -> Any:
    """A refusal in the words of Azure's server, or None where that server is not installed."""
    try:
        from azureml_inference_server_http.api.aml_response import (  # type: ignore[import-not-found]
            AMLResponse,
        )
    except ImportError:
        return None
    problems: Any = error.exceptions
    return AMLResponse(wire.refusal(error.message, problems), _UNPROCESSABLE, {}, json_str=True)
