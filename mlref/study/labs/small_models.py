"""A model of four columns for labs on SageMaker: packed in a moment, loaded in another.

content = model_data()                               # a model.tar.gz, as S3 has it
content = model_data("def predict_fn(...): ...")     # with code of its own
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from mlref import artifact
from mlref.runtime.lazy import extra
from mlref.schema import Column, Schema

__all__ = ["COLUMNS", "model_data"]

COLUMNS = {"minute_of_day": "min", "humid": "%", "temp": "°F", "dewp": "°F"}
"""What the model takes, with the unit of each."""

_GRAPH = """<ir_version: 9, opset_import: ["" : 18]> late (
    float[N,1] minute_of_day, float[N,1] humid, float[N,1] temp, float[N,1] dewp
) => (float[N,1] probability) {
    weights = Constant <value = float[4,1] {0.0013, 0.0194, -0.016, 0.004}> ()
    bias = Constant <value = float[1] {-2.8}> ()
    columns = Concat <axis = 1> (minute_of_day, humid, temp, dewp)
    weighted = MatMul (columns, weights)
    logit = Add (weighted, bias)
    probability = Sigmoid (logit)
}"""
_GOLDEN = (360.0, 42.0, 39.0, 18.0)
_EXPECTED = 0.11212666  # by hand: 1 / (1 + exp(2.0692)), with the weights above


def model_data(inference: str = "") -> bytes:
    """A model.tar.gz: the artefact `late`, version 1.4.0, and the container's code if there is any.

    Args:
        inference: the text of code/inference.py; none if it is empty.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    with extra("serve"):
        from onnx import parser

    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        late = Path(folder, "late")
        artifact.pack(
            late,
            model=parser.parse_model(_GRAPH),
            name="late",
            version="1.4.0",
            inputs=Schema(tuple(Column(name, unit=unit) for name, unit in COLUMNS.items())),
            golden={name: [value] for name, value in zip(COLUMNS, _GOLDEN, strict=True)},
            expected=[_EXPECTED],
        )
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.add(late, late.name)
            if inference:
                code = tarfile.TarInfo("code/inference.py")
                code.size = len(inference.encode())
                archive.addfile(code, io.BytesIO(inference.encode()))
    return packed.getvalue()
