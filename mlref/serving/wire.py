"""The wire in words that other tools read: JSON Schemas and examples made from an artefact.

    POST /v1/predict, POST /v2/predict
    {"columns": {"temp": [71.1, null], "carrier": ["UA", "B6"]}}       one list for each column
    {"instances": [{"temp": 71.1, "carrier": "UA"}, ...]}              or one object for each row
    -> 200 {"predictions": [0.21, 0.38], "model": {"name", "version"}, "warnings": []}
       v2: the model's "digest" as well, and warnings {"kind", "column", "count", "message"}
    -> 422 {"error": "...", "problems": [{"kind", "message", "column", "rows"}, ...]}

"on_unknown" says what becomes of a category that the model does not know: "impute" (the default)
predicts and counts it in the warnings, "error" refuses it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlref import errors
from mlref.artifact import Artifact, Manifest, Output
from mlref.schema import Column, Schema

__all__ = [
    "describe_model",
    "describe_predict",
    "dump",
    "model_name",
    "predictions_of",
    "problems_of",
    "refusal",
    "request_schema",
]

_EXAMPLE_ROWS = 2
_EXAMPLE_CATEGORIES = 5


def dump(values: Any) -> bytes:
    """A body's bytes. ASCII, because a message may quote a character that UTF-8 cannot hold."""
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode("ascii")


def refusal(error: str, problems: Sequence[errors.InputProblem] = ()) -> dict[str, Any]:
    """The body of every answer that is not a success."""
    return {"error": error, "problems": [problem.as_dict() for problem in problems]}


def problems_of(body: Any) -> list[errors.InputProblem]:
    """The typed problems in the body that `refusal` made; none if it is not one of ours."""
    try:
        return [
            errors.PROBLEM_KINDS.get(problem["kind"], errors.InputProblem)(
                problem["message"], column=problem["column"], rows=problem["rows"]
            )
            for problem in body["problems"]
        ]
    except (KeyError, TypeError, ValueError):
        return []


def predictions_of(body: Any) -> np.ndarray:
    """The predictions in the body of an answer: float32, or int64 where the model gives such.

    On the wire, a float always has a point or an exponent, and a whole number has none.

    Raises:
        KeyError: it is no such body.
        TypeError: likewise.
        ValueError: likewise.
    """
    values = body["predictions"]
    array = np.asarray(values)
    return array if array.dtype == np.int64 else np.asarray(values, dtype=np.float32)


def model_name(manifest: Manifest) -> dict[str, str]:
    """Which model answers."""
    return {"name": manifest.name, "version": manifest.version}


def describe_model(artifact: Artifact) -> dict[str, Any]:
    """The manifest's public part: what a caller needs to know of the model."""
    manifest = artifact.manifest
    output = manifest.output
    return {
        **model_name(manifest),
        "created": manifest.created,
        "digest": artifact.digest,
        "inputs": manifest.inputs.to_list(),
        "outputs": [{"name": output.name, "dtype": output.dtype, "shape": list(output.shape)}],
    }


def describe_predict(artifact: Artifact, *, api: int = 1) -> dict[str, Any]:
    """The OpenAPI operation of a prediction route, apart from its name.

    Args:
        artifact: the model that answers.
        api: version of the API, 1 or 2.
    """
    instances = [dict(row) for row in artifact.golden.instances[:_EXAMPLE_ROWS]]
    columns = {name: [row[name] for row in instances] for name in artifact.inputs.names}
    answers = artifact.golden.predictions[:_EXAMPLE_ROWS].tolist()
    reply = {"predictions": answers, "model": model_name(artifact.manifest), "warnings": []}
    if api > 1:
        reply["model"] = {**model_name(artifact.manifest), "digest": artifact.digest}
    request = {
        "schema": request_schema(artifact.inputs),
        "examples": {
            "columns": {"summary": "one list for each column", "value": {"columns": columns}},
            "instances": {"summary": "one object for each row", "value": {"instances": instances}},
        },
    }
    refused = _content(_refusal_schema())
    return {
        "requestBody": {"required": True, "content": {"application/json": request}},
        "responses": {
            "200": {
                "description": "one prediction for each row, in order",
                **_content(_reply_schema(artifact.manifest.output, api), reply),
            },
            "404": {"description": "no such model or version", **refused},
            "413": {"description": "the body is too large", **refused},
            "415": {"description": "the body is not declared as JSON", **refused},
            "422": {"description": "the rows do not fit; every problem is named", **refused},
            "503": {"description": "too busy, or no model; Retry-After says when", **refused},
        },
        "parameters": [
            {
                "name": name,
                "in": "query",
                "description": f"{text}, when the server has several",
                "schema": {"type": "string"},
            }
            for name, text in (("model", "the model that is asked"), ("version", "its version"))
        ],
    }


def request_schema(inputs: Schema) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a request.

    It says all that JSON Schema can say: not that the columns have one length.
    """
    cells = {column.name: _cell_schema(column) for column in inputs}
    lists = {name: {"type": "array", "minItems": 1, "items": cell} for name, cell in cells.items()}
    instances = {"type": "array", "minItems": 1, "items": _strict(cells)}
    policy = {"enum": ["impute", "error"], "default": "impute"}
    return {
        "oneOf": [
            _strict({"columns": _strict(lists), "on_unknown": policy}, optional=("on_unknown",)),
            _strict({"instances": instances, "on_unknown": policy}, optional=("on_unknown",)),
        ]
    }


def _cell_schema(column: Column) -> dict[str, Any]:
    kind = {"float32": "number", "int64": "integer", "string": "string"}[column.dtype]
    cell: dict[str, Any] = {"type": [kind, "null"] if column.nullable else kind}
    limits = {"minimum": column.low, "maximum": column.high}
    cell |= {name: limit for name, limit in limits.items() if limit is not None}
    for size in reversed(column.shape):
        cell = {"type": "array", "minItems": size, "maxItems": size, "items": cell}
    text = f"{column.description} [{column.unit}]" if column.unit else column.description
    if text:
        cell["description"] = text.strip()
    if column.categories:
        cell["examples"] = list(column.categories[:_EXAMPLE_CATEGORIES])
    return cell


def _reply_schema(output: Output, api: int) -> dict[str, Any]:
    kind = "integer" if output.dtype == "int64" else "number"
    prediction: dict[str, Any] = {"type": kind}
    for size in reversed(output.shape):
        prediction = {"type": "array", "minItems": size, "maxItems": size, "items": prediction}
    text: dict[str, Any] = {"type": "string"}
    model: dict[str, Any] = {"name": text, "version": text}
    warning: dict[str, Any] = text
    if api > 1:
        model["digest"] = text
        count = {"type": "integer", "minimum": 1}
        const = {"const": "UnknownCategory"}
        warning = _strict({"kind": const, "column": text, "count": count, "message": text})
    return _strict(
        {
            "predictions": {"type": "array", "items": prediction},
            "model": _strict(model),
            "warnings": {"type": "array", "items": warning},
        }
    )


def _refusal_schema() -> dict[str, Any]:
    problem = _strict(
        {
            "kind": {"enum": list(errors.PROBLEM_KINDS)},
            "message": {"type": "string"},
            "column": {"type": ["string", "null"]},
            "rows": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        }
    )
    problems = {"type": "array", "items": problem}
    return _strict({"error": {"type": "string"}, "problems": problems})


def _strict(properties: dict[str, Any], *, optional: Sequence[str] = ()) -> dict[str, Any]:
    """An object of these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _content(schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    media = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"content": {"application/json": media}}
