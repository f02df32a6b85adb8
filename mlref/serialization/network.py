"""What the challenger's weights leave out, as JSON: its preparation and the shape of its network.

A file of weights is numbers with names. To predict from raw columns somebody must know the codes of
the categories, the fill-in for missing numbers and how the layers are joined. The first two are
data and stand in `network.json`, beside the weights; the third is code (`models.build_network`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mlref import errors
from mlref.models.challenger import Challenger, ChallengerSettings, Preparation, build_network
from mlref.runtime import files

__all__ = ["FILE", "describe", "read_network", "read_preparation", "write_network"]

FILE = "network.json"
"""The name of the file beside the weights."""

_ARRAYS = ("fill", "low", "high", "mean", "scale")


def describe(model: Challenger) -> dict[str, Any]:
    """Preparation and layer widths of a challenger as JSON values, floats exact."""
    prepared = model.preparation
    weights = model.network.state_dict()
    embeddings = [w for name, w in weights.items() if name.startswith("embeddings.")]
    layers = [w for name, w in weights.items() if name.startswith("layers.") and w.ndim == 2]  # noqa: PLR2004 - a matrix
    return {
        "columns": list(model.inputs.names),
        "categories": [[name, list(known)] for name, known in prepared.categories.items()],
        "numbers": list(prepared.numbers),
        "flagged": list(prepared.flagged),
        "hidden": [len(matrix) for matrix in layers[:-1]],
        "embedding": max(int(table.shape[1]) for table in embeddings),
        **{name: getattr(prepared, name).astype(float).tolist() for name in _ARRAYS},
    }


def write_network(model: Challenger, folder: str | os.PathLike[str]) -> Path:
    """The path of a new `network.json` in the folder.

    Raises:
        FileWriteError: it could not be saved.
    """
    path = Path(folder) / FILE
    files.write_json(path, describe(model))
    return path


def read_preparation(folder: str | os.PathLike[str]) -> Preparation:
    """The preparation that `write_network` stored.

    Raises:
        ArtifactError: the file is absent or holds something else.
    """
    values = _read(folder)
    return Preparation(
        categories={name: tuple(known) for name, known in values["categories"]},
        numbers=tuple(values["numbers"]),
        flagged=tuple(values["flagged"]),
        **{name: np.asarray(values[name], dtype=np.float32) for name in _ARRAYS},
    )


def read_network(folder: str | os.PathLike[str]) -> Any:
    """The torch.nn.Module whose weights lie in the folder, still without them.

    Raises:
        ArtifactError: the file is absent or holds something else.
        MissingExtraError: the extra "torch" is not installed.
    """
    values = _read(folder)
    settings = ChallengerSettings(hidden=tuple(values["hidden"]), embedding=values["embedding"])
    return build_network(read_preparation(folder), settings)


def _read(folder: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads((Path(folder) / FILE).read_bytes())
        absent = {*_ARRAYS, "categories", "numbers", "flagged", "hidden", "embedding"} - set(values)
        if absent:
            raise KeyError(*sorted(absent))
    except FileNotFoundError as error:
        text = f"{FILE} is missing; the weights alone do not tell how to prepare the columns"
        raise errors.ArtifactMissingFileError(text, file=FILE) from error
    except (KeyError, TypeError, ValueError) as error:
        text = f"{FILE} does not describe a network: {error!r}; save the model again"
        raise errors.ArtifactSchemaError(text, file=FILE) from error
    return values
