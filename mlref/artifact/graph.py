"""An ONNX graph in ONNX Runtime, seen through a schema: columns in, one prediction out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlref import errors
from mlref.schema import Schema

__all__ = ["Graph", "model_bytes", "open_graph", "predictions_dtype"]

_FILE = "model.onnx"
_DOUBLE = "tensor(double)"
_NARROW = (
    'convert float64 columns to float32 before the conversion: frame.astype("float32"), or '
    "FloatTensorType in initial_types"
)
_DTYPES = {
    "tensor(float)": "float32",
    _DOUBLE: "float64",
    "tensor(int64)": "int64",
    "tensor(string)": "string",
}
# A traceback's line, a Python file below a usual top folder, or one on a Windows drive. Any path at
# all would be too much: nodes are called "/layers/0/MatMul", and a category may be "/home/about".
_TELLTALE = re.compile(
    rb"site-packages|dist-packages"
    rb'|File "(?:/|[A-Za-z]:[\\/])[^"\n]+"'
    rb"|[A-Za-z]:\\(?:[\w.@+\x80-\xff -]+\\)+[\w.-]+\.py"
    rb"|/(?:Users|Volumes|app|builds|content|data|dbfs|home|kaggle|media|mnt|opt|private|root|srv|tmp"
    rb"|usr|var|work|workspaces?)/(?:[\w.@+\x80-\xff-]+/)*[\w.\x80-\xff-]+\.(?:py|ipynb)"
)
# onnx.proto: field 13 of a tensor is `external_data`, its entry "location" names a file.
_EXTERNAL = re.compile(rb"\x6a[\x00-\xff]{1,2}\x0a\x08location\x12")


@dataclass(frozen=True)
class Graph:
    """A loaded graph.

    Attributes:
        session: the onnxruntime.InferenceSession.
        ranks: for each input whether the graph wants (n, 1) where the schema says a scalar.
        output: the output that is the prediction.
        output_dtype: its dtype in the graph.
        output_shape: shape of one row's prediction, () or (classes,).
    """

    session: Any
    ranks: Mapping[str, bool]
    output: str
    output_dtype: str
    output_shape: tuple[int, ...]

    def run(self, arrays: Mapping[str, np.ndarray], n_rows: int) -> np.ndarray:
        """Predictions of shape (n_rows, *output_shape) for decoded arrays: float32, or int64.

        Raises:
            ArtifactSchemaError: the graph fails, or gives another shape than it says.
        """
        feed = {
            name: arrays[name].reshape(n_rows, 1) if column else arrays[name]
            for name, column in self.ranks.items()
        }
        try:
            (result,) = self.session.run([self.output], feed)
        except Exception as error:  # ONNX Runtime's own errors share no base class
            raise _mismatch(f"cannot answer {n_rows} rows: {error}") from error
        shape = (n_rows, *self.output_shape)
        if result.shape not in {shape, (*shape, 1)}:
            raise _mismatch(f"gives an array of shape {result.shape} for {n_rows} rows")
        if result.dtype != np.float64:  # nothing to narrow
            predictions: np.ndarray = result.reshape(shape)
            return predictions
        with np.errstate(over="ignore"):
            return np.asarray(result, predictions_dtype(self.output_dtype)).reshape(shape)


def model_bytes(model: Any) -> bytes:
    """The bytes of a graph.

    Args:
        model: bytes, an onnx ModelProto, or the path of a file.

    Raises:
        TypeError: it is none of these, for instance a model that was not converted.
        OSError: the file cannot be read.
    """
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if hasattr(model, "SerializeToString"):
        return bytes(model.SerializeToString(deterministic=True))
    if not isinstance(model, (str, os.PathLike)):
        raise TypeError(
            "model must be an ONNX graph (bytes, ModelProto or path), got "
            f"{type(model).__name__}; convert it first, e.g. skl2onnx.to_onnx or torch.onnx.export"
        )
    return Path(model).read_bytes()


def predictions_dtype(output_dtype: str) -> np.dtype[Any]:
    """The dtype in which a graph's output is given: int64 stays whole, any other is float32."""
    return np.dtype(np.int64 if output_dtype == "int64" else np.float32)


def open_graph(data: bytes, inputs: Schema, output: str | None) -> Graph:
    """The graph in `data`, checked against the schema.

    Args:
        data: the bytes of an ONNX file.
        inputs: the columns that it should take.
        output: which of its outputs is the prediction; None when there is only one.

    Raises:
        ArtifactSchemaError: not a graph that can run alone, other inputs than the schema has, no
            such output, or text in it that tells a path of the machine it was made on.
    """
    import onnxruntime

    found = _TELLTALE.search(data)
    if found:
        text = found.group().decode(errors="replace")
        raise _mismatch(
            f"tells a path of the machine it was made on ({text}); strip metadata_props"
        )
    if _EXTERNAL.search(data):
        raise _mismatch("keeps its weights in another file; save it with external_data=False")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            data, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's own errors share no base class
        advice = f"; {_NARROW}" if _DOUBLE in str(error) else ""
        raise _mismatch(f"is not a graph that ONNX Runtime can run: {error}{advice}") from error
    name, dtype, shape = _output(session, output)
    return Graph(session, _ranks(session, inputs), name, dtype, shape)


def _ranks(session: Any, inputs: Schema) -> dict[str, bool]:
    nodes = {node.name: node for node in session.get_inputs()}
    if set(nodes) != set(inputs.names):
        got, want = ", ".join(sorted(nodes)), ", ".join(sorted(inputs.names))
        raise _mismatch(f"takes the inputs {got}; the schema has {want}")
    ranks = {}
    for column in inputs:
        node = nodes[column.name]
        dtype = _DTYPES.get(node.type, node.type)
        tail = tuple(node.shape[1:])
        if node.shape and isinstance(node.shape[0], int):
            raise _mismatch(
                f"takes {column.name} in shape {node.shape}: always {node.shape[0]} rows; convert "
                "it with a dynamic first dimension"
            )
        as_column = column.shape == () and len(tail) == 1 and tail[0] in {1, None}
        if dtype != column.dtype or not (as_column or _fits(tail, column.shape)):
            shape = ", ".join(["n", *map(str, column.shape)])
            want = f"{column.dtype} of shape ({shape})"
            doubled = node.type == _DOUBLE and column.dtype == "float32"
            advice = f"; {_NARROW}" if doubled else ""
            given = f"{dtype}{node.shape}"
            raise _mismatch(f"takes {column.name} as {given}; the schema says {want}{advice}")
        ranks[column.name] = as_column
    return ranks


def _output(session: Any, wanted: str | None) -> tuple[str, str, tuple[int, ...]]:
    nodes = {node.name: node for node in session.get_outputs()}
    names = ", ".join(nodes)
    if wanted is None and len(nodes) > 1:
        raise _mismatch(f"has the outputs {names}; say which is the prediction: output=...")
    name = next(iter(nodes)) if wanted is None else wanted
    if name not in nodes:
        raise _mismatch(f"has no output {name!r}; it has {names}")
    node = nodes[name]
    if node.type not in {"tensor(float)", _DOUBLE, "tensor(int64)"}:
        hint = ' (convert it with options={"zipmap": False})' if node.type.startswith("seq") else ""
        raise _mismatch(f"gives {name} as {node.type}; it must be a numeric tensor{hint}")
    tail = tuple(node.shape[1:])
    if any(not isinstance(size, int) for size in tail):
        raise _mismatch(f"gives {name} in shape {node.shape}; all but the first must be fixed")
    return name, _DTYPES[node.type], () if tail in {(), (1,)} else tail


def _fits(tail: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    return len(tail) == len(shape) and all(
        not isinstance(a, int) or a == b for a, b in zip(tail, shape, strict=True)
    )


def _mismatch(text: str) -> errors.ArtifactSchemaError:
    return errors.ArtifactSchemaError(f"{_FILE} {text}", file=_FILE)
