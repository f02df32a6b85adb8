"""The challenger's twin in Keras, with the same weights. Run in TensorFlow's own environment.

`_child.py` loads this file by path; mlref need not be installed beside TensorFlow. Every step of
`Preparation.apply` and of the PyTorch network is written a second time here: that is what it costs
to bring a model from one library to another by hand.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

__all__ = ["build", "hostile"]


def build(network: str, weights: str, folder: str) -> dict[str, Any]:
    """Export the twin as a SavedModel.

    Args:
        network: path of network.json: the columns, their preparation and the layers.
        weights: path of an .npz with the network's weights.
        folder: where the SavedModel is written.

    Returns:
        {"save_ms": how long building and exporting took, in milliseconds}.
    """
    import numpy as np
    import tensorflow as tf  # before the clock starts

    config = json.loads(Path(network).read_text(encoding="utf-8"))
    with np.load(weights, allow_pickle=False) as stored:
        values = dict(stored)
    start = time.perf_counter()
    model = _twin(tf.keras, config, values)
    model.export(folder, format="tf_saved_model", verbose=False)
    return {"save_ms": (time.perf_counter() - start) * 1000}


def _twin(keras: Any, config: dict[str, Any], values: dict[str, Any]) -> Any:
    import numpy as np

    ops = keras.ops

    inputs: dict[str, Any] = {}
    parts: list[Any] = []
    for position, (name, known) in enumerate(config["categories"]):
        table = values[f"embeddings.{position}.weight"]
        inputs[name] = keras.Input((1,), dtype="string", name=name)
        code = keras.layers.StringLookup(vocabulary=known)(inputs[name])  # 0 is any other
        embedding = keras.layers.Embedding(*table.shape)
        parts.append(keras.layers.Flatten()(embedding(code)))
        embedding.set_weights([table])
    numbers = config["numbers"]
    inputs |= {name: keras.Input((1,), dtype="float32", name=name) for name in numbers}
    raw = ops.concatenate([inputs[name] for name in numbers], axis=1)
    arrays = ("fill", "low", "high", "mean", "scale")
    fill, low, high, mean, scale = (np.array(config[n], dtype=np.float32) for n in arrays)
    missing = ops.isnan(raw)
    known = ops.minimum(ops.maximum(ops.where(missing, fill, raw), low), high)
    flags = [ops.cast(missing[:, i : i + 1], "float32") for i in config["flagged"]]
    joined = ops.concatenate([*parts, (known - mean) / scale, *flags], axis=1)
    matrices = [n for n, v in values.items() if n.startswith("layers.") and v.ndim == 2]  # noqa: PLR2004 - a matrix
    matrices.sort(key=lambda name: int(name.split(".")[1]))
    for name in matrices:
        last = name == matrices[-1]
        dense = keras.layers.Dense(len(values[name]), activation="sigmoid" if last else "relu")
        joined = dense(joined)
        dense.set_weights([values[name].T, values[name.replace("weight", "bias")]])
    return keras.Model({name: inputs[name] for name in config["columns"]}, joined[:, 0])


def hostile(network: str, folders: dict[str, str], marker: str) -> dict[str, Any]:
    """Write SavedModels that create an empty file in their own folder, or try to.

    Args:
        network: path of network.json; only the names of the columns are taken from it.
        folders: where each SavedModel is written: "on load", "on call" and "python" say when it
            acts.
        marker: name of the file that each creates.
    """
    import tensorflow as tf

    config = json.loads(Path(network).read_text(encoding="utf-8"))
    strings = {name for name, _ in config["categories"]}
    specs = {
        name: tf.TensorSpec((None, 1), tf.string if name in strings else tf.float32, name=name)
        for name in config["columns"]
    }

    def save(module: Any, kind: str, act: Any) -> None:
        def serve(columns: Any) -> Any:
            act(os.path.join(folders[kind], marker))  # noqa: PTH118 - a graph takes text
            return {"probability": tf.zeros(tf.shape(columns[config["columns"][0]])[:1])}

        module.serve = tf.function(serve, input_signature=[specs])
        tf.saved_model.save(module, folders[kind], signatures={"serving_default": module.serve})

    class WritesOnLoad(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc, unused-ignore]
        """A resource whose initialiser, run by every load, writes the file."""

        def _create_resource(self) -> Any:
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.float32)

        def _initialize(self) -> None:
            tf.io.write_file(os.path.join(folders["on load"], marker), "")  # noqa: PTH118

    def nothing(_path: str) -> None:
        return None

    def write(path: str) -> None:
        tf.io.write_file(path, "")

    def run_python(path: str) -> None:
        tf.py_function(lambda: Path(path).touch(), [], [])

    with_resource = tf.Module()
    with_resource.resource = WritesOnLoad()
    with_resource.resource.resource_handle  # noqa: B018 - reading it creates it
    save(with_resource, "on load", nothing)
    save(tf.Module(), "on call", write)
    save(tf.Module(), "python", run_python)
    return {}
