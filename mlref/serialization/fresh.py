"""Fresh processes: what loading costs and needs when nothing has been imported before.

In a notebook or a test half of the world is imported already, so a load time measured there is
worth nothing, and a forgotten dependency goes unnoticed. Each measurement here starts an
interpreter of its own, which loads one format and reports.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlref import errors
from mlref.runtime import process
from mlref.schema import Rows, Schema
from mlref.serialization import needs

if TYPE_CHECKING:
    from mlref.serialization.attempts import HostileFile

__all__ = ["FreshLoad", "call", "load"]

_CHILD = Path(__file__).with_name("_child.py")
_LOADERS = Path(__file__).with_name("loaders.py")
_TIMEOUT_S = 300.0
_FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/'\":]+/)+")  # of an absolute path
_QUIET = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


@dataclass(frozen=True, eq=False)
class FreshLoad:
    """What a fresh process found out about a saved model.

    Attributes:
        predictions: float64 array of shape (n,), for the n rows given.
        cold_load_ms: milliseconds from starting the process to the loaded model, imports included.
        load_ms: milliseconds of one more load, imports done; the median of the repeats.
        needs: the distributions that loading and predicting imported.
        outcomes: for each hostile file what its loading said, in the order given.
    """

    predictions: np.ndarray
    cold_load_ms: float
    load_ms: float
    needs: needs.Needs
    outcomes: tuple[str, ...]


def load(
    loader: str,
    folder: str | os.PathLike[str],
    inputs: Schema,
    rows: Rows,
    *,
    repeats: int = 3,
    loads_with: Sequence[str] | None = None,
    attempts: Sequence[HostileFile] = (),
    python: Path | None = None,
) -> FreshLoad:
    """A saved model, loaded in a fresh process and asked about some rows.

    Args:
        loader: name of a function in `loaders.py`.
        folder: what `Format.save` wrote.
        inputs: the model's schema.
        rows: n >= 1 raw rows.
        repeats: how often it is loaded once more, at least 1.
        loads_with: distributions; nothing but them and what they require can be imported. None
            is everything that is installed.
        attempts: hostile files to be loaded afterwards, when all has been measured.
        python: the interpreter; None is this one.

    Raises:
        ArtifactError: the files cannot be loaded; the message says why.
        InvalidInputError: the rows do not fit the schema.
        ProcessError: the process ended before it had reported.
        ValueError: repeats is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    arrays = inputs.decode(rows).arrays
    # NumPy is always there: the rows come as its arrays.
    hidden = [] if loads_with is None else needs.others([*loads_with, "numpy"], sys.path)
    with tempfile.TemporaryDirectory() as scratch:
        stored, predictions = Path(scratch) / "rows.npz", Path(scratch) / "predictions.npy"
        plain = {n: a.astype(str) if a.dtype == object else a for n, a in arrays.items()}
        np.savez(stored, allow_pickle=False, **plain)
        job = {
            "script": str(_LOADERS),
            "loader": loader,
            "folder": str(folder),
            "repeats": repeats,
            "hidden": hidden,
            "rows": str(stored),
            "columns": list(inputs.names),
            "predictions": str(predictions),
            "attempts": [each.to_job() for each in attempts],
        }
        start = time.perf_counter()
        with _start(job, scratch, python) as child:
            _expect(child.wait_report(_TIMEOUT_S), loader, folder)
            cold_load_ms = (time.perf_counter() - start) * 1000
            found = _expect(child.wait_report(_TIMEOUT_S), loader, folder)
            outcomes = [_attempted(child) for _ in attempts]
        answers = np.load(predictions, allow_pickle=False).astype(float)
    return FreshLoad(
        predictions=answers,
        cold_load_ms=cold_load_ms,
        load_ms=float(np.median(found["load_ms"])),
        needs=needs.distributions(found["modules"], found["path"], named=loads_with or ()),
        outcomes=tuple(outcomes),
    )


def call(
    python: Path | None, script: Path, calls: Sequence[tuple[str, dict[str, Any]]]
) -> list[Any]:
    """The results of functions of a script, called one after the other in one fresh process.

    Args:
        python: an interpreter; None is refused, for the script needs an environment of its own.
        script: a Python file.
        calls: function name and keyword arguments, JSON values; so are the results.

    Raises:
        ProcessError: no interpreter, or the script failed.
    """
    if python is None:
        raise errors.ProcessError("no Python with the libraries that this needs was found")
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        job = {"script": str(script), "calls": list(calls)}
        with _start(job, scratch, python) as child:
            for name, _ in calls:
                values = child.wait_report(_TIMEOUT_S)
                if "error" in values:
                    text = f"{script.name}: {name} failed: {values['error']}"
                    raise errors.ProcessError(text, log_tail=child.log_tail())
                results.append(values["result"])
    return results


def _start(job: dict[str, Any], scratch: str, python: Path | None) -> process.ManagedProcess:
    described = Path(scratch) / "job.json"
    described.write_text(json.dumps(job), encoding="utf-8")
    env = dict(_QUIET)
    if python is None:  # a child of this Python finds the same mlref, installed or not
        ours = str(Path(__file__).parents[2])
        env["PYTHONPATH"] = os.pathsep.join([ours, *filter(None, [os.environ.get("PYTHONPATH")])])
    # -P: the folder of the script stays off the path, where its files would hide others' modules.
    command = [str(python or sys.executable), "-P", str(_CHILD), str(described)]
    return process.start(command, name=_CHILD.name, env=env)


def _expect(values: dict[str, Any], loader: str, folder: str | os.PathLike[str]) -> dict[str, Any]:
    if "error" in values:
        text = f"{loader} cannot load {Path(folder).name}: {values['error']}; save the model again"
        raise errors.ArtifactError(text, file=Path(folder).name)
    return values


def _attempted(child: process.ManagedProcess) -> str:
    """What the child says about one hostile file, without the places of this machine."""
    try:
        outcome = str(child.wait_report(_TIMEOUT_S)["outcome"])
    except errors.ProcessExitedError as error:
        return f"the process died: {error}".splitlines()[0]
    return _FOLDERS.sub("", outcome)
