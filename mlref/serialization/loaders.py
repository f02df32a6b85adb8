"""How each format is loaded: a folder in, a function from raw columns to probabilities out.

This file is also run by path in fresh processes, one of them in an environment without mlref:
every import stands in the function that needs it, so that what a function imports is what the
format needs. A loader takes the folder that `Format.save` wrote; what it returns takes a mapping
of column name -> array of shape (n,) and gives an array of shape (n,).

Two of them are careless on purpose, to show what their caution is worth: `skops_trusting_all` and
`state_dict_with_pickle`. Do not copy those.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = [
    "joblib_file",
    "onnx_graph",
    "pickle_file",
    "safetensors_weights",
    "saved_model",
    "skops_archive",
    "skops_trusting_all",
    "state_dict",
    "state_dict_with_pickle",
    "torch_export",
]

Predict = Callable[[Any], Any]

SKOPS_TRUSTED = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
"""What the champion holds beyond the types that skops trusts by itself; looked at by a person."""


def pickle_file(folder: Path) -> Predict:
    """The pipeline in model.pkl. It runs whatever code the file names: only for your own files."""
    import pickle

    with (folder / "model.pkl").open("rb") as file:
        return _of_pipeline(pickle.load(file))  # noqa: S301 - the subject of the chapter


def joblib_file(folder: Path) -> Predict:
    """The pipeline in model.joblib, a pickle with large arrays set apart; the same danger."""
    import joblib

    return _of_pipeline(joblib.load(folder / "model.joblib"))


def skops_archive(folder: Path) -> Predict:
    """The pipeline in model.skops; any type that is not trusted is refused by name."""
    import skops.io

    return _of_pipeline(skops.io.load(folder / "model.skops", trusted=list(SKOPS_TRUSTED)))


def skops_trusting_all(folder: Path) -> Predict:
    """Careless: trusts every type that the file asks for, unread."""
    import skops.io

    wanted = skops.io.get_untrusted_types(file=folder / "model.skops")
    return _of_pipeline(skops.io.load(folder / "model.skops", trusted=wanted))


def onnx_graph(folder: Path) -> Predict:
    """The graph in model.onnx: raw columns in, no Python code of ours."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        folder / "model.onnx", sess_options=options, providers=["CPUExecutionProvider"]
    )
    names = [node.name for node in session.get_inputs()]

    def predict(columns: Any) -> Any:
        feed = {name: np.asarray(columns[name]).reshape(-1, 1) for name in names}
        return session.run(None, feed)[0]

    return predict


def state_dict(folder: Path) -> Predict:
    """The weights in model.pt and, rebuilt by our code, the network that they belong to."""
    import torch

    return _of_weights(folder, torch.load(folder / "model.pt", weights_only=True))


def state_dict_with_pickle(folder: Path) -> Predict:
    """Careless: `weights_only=False`, the default before PyTorch 2.6, unpickles anything."""
    import torch

    return _of_weights(folder, torch.load(folder / "model.pt", weights_only=False))


def safetensors_weights(folder: Path) -> Predict:
    """The weights in model.safetensors: a header in JSON, then numbers; the network as above."""
    from safetensors.torch import load_file

    return _of_weights(folder, load_file(folder / "model.safetensors"))


def torch_export(folder: Path) -> Predict:
    """The traced network in model.pt2; our code prepares the columns, the network needs none."""
    import torch

    from mlref.serialization.network import read_preparation

    network = torch.export.load(folder / "model.pt2").module()
    return _of_network(read_preparation(folder), network)


def saved_model(folder: Path) -> Predict:
    """The TensorFlow SavedModel in this folder: raw columns in, no Keras and no code of ours."""
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    signature = model.signatures["serving_default"]

    def predict(columns: Any) -> Any:
        feed = {n: tf.constant(v.reshape(-1, 1).tolist()) for n, v in columns.items()}
        _keep = model  # the signature alone does not keep the variables alive
        (result,) = signature(**feed).values()
        return result.numpy()

    return predict


def _of_pipeline(pipeline: Any) -> Predict:
    import pandas as pd

    return lambda columns: pipeline.predict_proba(pd.DataFrame(columns))[:, 1]


def _of_weights(folder: Path, weights: Any) -> Predict:
    from mlref.serialization.network import read_network, read_preparation

    network = read_network(folder)
    network.load_state_dict(weights)
    return _of_network(read_preparation(folder), network)


def _of_network(preparation: Any, network: Any) -> Predict:
    import torch

    def predict(columns: Any) -> Any:
        codes, numbers = preparation.apply(columns)
        with torch.no_grad():
            return network(torch.from_numpy(codes), torch.from_numpy(numbers)).numpy()

    return predict
