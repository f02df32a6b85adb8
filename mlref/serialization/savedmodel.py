"""TensorFlow's SavedModel, from an environment of its own.

TensorFlow is heavy and pins what others pin otherwise, so mlref never imports it: a child process
does, in an environment that `make tensorflow` builds. Numbers (.npz) and
JSON travel there.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlref.models import Challenger
from mlref.runtime.lazy import installed
from mlref.serialization import fresh
from mlref.serialization.network import write_network

__all__ = ["HOW_TO_GET", "VARIABLE", "interpreter", "write", "write_all", "write_hostile"]

VARIABLE = "MLREF_TENSORFLOW_PYTHON"
"""The environment variable that names a Python interpreter which has TensorFlow."""

HOW_TO_GET = f"run `make tensorflow` in the checkout, or set {VARIABLE} to a Python that has it"
"""What to tell somebody who has none."""

_PLACE = Path("build", "envs", "tensorflow", "bin", "python")
_CHECKOUT = Path(__file__).parents[2]
_SCRIPT = Path(__file__).with_name("_keras_twin.py")


def interpreter() -> Path | None:
    """The Python that has TensorFlow, or None.

    In this order: MLREF_TENSORFLOW_PYTHON; build/envs/tensorflow in the checkout, then in the
    working directory; this Python.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    for root in (_CHECKOUT, Path.cwd()):
        if (root / _PLACE).exists() and (root / _PLACE).parents[1].joinpath(".ready").exists():
            return root / _PLACE
    return Path(sys.executable) if installed("tensorflow") else None


def write(model: Challenger, folder: Path) -> float:
    """Export the challenger's Keras twin into the folder.

    Returns:
        Milliseconds for building and exporting the twin, TensorFlow's import not counted.

    Raises:
        ProcessError: there is no TensorFlow, or the export failed.
    """
    return write_all(model, folder, {}, "")


def write_hostile(model: Challenger, places: Mapping[str, Path], marker: str) -> None:
    """SavedModels that write an empty file `marker` into their own folder when loaded or called.

    Args:
        model: the challenger whose columns they take.
        places: "on load", "on call" and "python" -> the folder in which that one is saved.
        marker: the name of the file.

    Raises:
        ProcessError: there is no TensorFlow, or it failed.
    """
    write_all(model, None, places, marker)


def write_all(
    model: Challenger, folder: Path | None, places: Mapping[str, Path], marker: str
) -> float:
    """What `write` and `write_hostile` do, in one process: importing TensorFlow takes seconds.

    Args:
        model: the challenger.
        folder: where its twin is saved; None leaves it out.
        places: see `write_hostile`; empty leaves them out.
        marker: likewise.

    Returns:
        Milliseconds for the twin, 0 without one.
    """
    weights = {name: value.numpy() for name, value in model.network.state_dict().items()}
    with tempfile.TemporaryDirectory() as scratch:
        network, stored = str(write_network(model, scratch)), str(Path(scratch) / "weights.npz")
        np.savez(stored, allow_pickle=False, **weights)
        calls: list[tuple[str, dict[str, Any]]] = []
        if folder is not None:
            arguments = {"network": network, "weights": stored, "folder": str(folder)}
            calls.append(("build", arguments))
        if places:
            folders = {kind: str(place) for kind, place in places.items()}
            calls.append(("hostile", {"network": network, "folders": folders, "marker": marker}))
        results = fresh.call(interpreter(), _SCRIPT, calls)
    return float(results[0].get("save_ms", 0.0))
