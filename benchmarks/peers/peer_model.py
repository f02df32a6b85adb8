"""The model as every peer uses it: columns in, one ONNX Runtime call, plain numbers out.

The peers run in environments of their own, without mlref, so this reads the artefact's files by
itself. It does what a careful engineer would write by hand and no more: no cache, no batching.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

__all__ = ["Model", "load"]


class Model:
    """An ONNX Runtime session on one thread, and the columns that its graph takes.

    Args:
        folder: an artefact folder with `model.onnx` and `manifest.json`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        manifest = json.loads((Path(folder) / "manifest.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            str(Path(folder) / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.columns: list[dict[str, Any]] = manifest["inputs"]
        self.dtypes = {
            column["name"]: object if column["dtype"] == "string" else column["dtype"]
            for column in self.columns
        }
        self.tails = {node.name: node.shape[1:] for node in self.session.get_inputs()}
        self.output = [manifest["outputs"][0]["name"]]

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[float]:
        """One number for each row; None is a missing number.

        Args:
            columns: column name -> n values each, as JSON gives them, or an array of n values.
        """
        feed = {
            name: np.asarray(columns[name], dtype).reshape(-1, *self.tails[name])
            for name, dtype in self.dtypes.items()
        }
        return self.session.run(self.output, feed)[0].ravel().tolist()


def load() -> Model:
    """The model in the folder that the variable BENCH_ARTIFACT names."""
    return Model(os.environ["BENCH_ARTIFACT"])
