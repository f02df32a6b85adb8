"""The formats: how each is saved, what loads it, and what it can do to whoever loads it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mlref.models import Challenger, Champion, to_onnx
from mlref.runtime import files
from mlref.runtime.lazy import extra, installed
from mlref.serialization import savedmodel
from mlref.serialization.network import write_network

__all__ = ["Format", "Saved", "formats"]

ModelName: TypeAlias = Literal["champion", "challenger"]


@dataclass(frozen=True)
class Saved:
    """A model on the disk.

    Attributes:
        folder: where.
        files: every file, in the order of their names.
        save_ms: milliseconds from the model in memory to these files, conversion included.
    """

    folder: Path
    files: tuple[Path, ...]
    save_ms: float

    @classmethod
    def found_in(cls, folder: Path, save_ms: float) -> Saved:
        """All that lies in a folder and below it."""
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return cls(folder, tuple(found), save_ms)

    @property
    def size_bytes(self) -> int:
        """The size of all files."""
        return sum(path.stat().st_size for path in self.files)


@dataclass(frozen=True)
class Format:
    """One way to keep a model on the disk.

    Attributes:
        name: what the table calls it.
        model: which of the two models it can hold; the other one needs another library.
        loader: name of the function in `loaders.py` that loads it.
        file: the file that an attacker would replace, relative to the folder.
        needs_extra: mlref's extra that brings what saving needs.
        needs_modules: modules without which it cannot be saved or loaded here.
        loads_with: the distributions that loading it takes; proven, for in the fresh process that
            loads it nothing else can be imported. None: an environment of its own.
        risk: what loading somebody else's file can do.
        write: model, folder -> milliseconds, or None where the caller's clock will do.
    """

    name: str
    model: ModelName
    loader: str
    file: str
    needs_extra: str
    needs_modules: tuple[str, ...]
    loads_with: tuple[str, ...] | None
    risk: str
    write: Callable[[Any, Path], float | None] = field(repr=False)

    @property
    def label(self) -> str:
        """Name and model: unique."""
        return f"{self.name} ({self.model})"

    def available(self) -> str | None:
        """None if it can be used here; otherwise what is missing and how to get it."""
        missing = [module for module in self.needs_modules if not installed(module)]
        if missing:
            return f'{", ".join(missing)} not installed: pip install "mlref[{self.needs_extra}]"'
        if self.loader == "saved_model" and savedmodel.interpreter() is None:
            return f"TensorFlow not found: {savedmodel.HOW_TO_GET}"
        return None

    def save(self, model: Champion | Challenger, folder: str | os.PathLike[str]) -> Saved:
        """The model in this format, in a folder that is made when it is absent.

        Args:
            model: a champion or a challenger, as `self.model` says.
            folder: where; files of the same names are replaced.

        Raises:
            TypeError: the other model.
            MissingExtraError: a library is not installed.
            ProcessError: the process with TensorFlow failed (SavedModel only).
        """
        wanted = Champion if self.model == "champion" else Challenger
        if not isinstance(model, wanted):
            raise TypeError(f"{self.name} holds a {self.model}, got {type(model).__name__}")
        where = Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        with extra(self.needs_extra):
            measured_ms = self.write(model, where)
        save_ms = (time.perf_counter() - start) * 1000 if measured_ms is None else measured_ms
        return Saved.found_in(where, save_ms)


def _pickle(model: Champion, folder: Path) -> None:
    import pickle

    files.write_bytes(folder / "model.pkl", pickle.dumps(model.pipeline))


def _joblib(model: Champion, folder: Path) -> None:
    import joblib

    joblib.dump(model.pipeline, folder / "model.joblib")


def _skops(model: Champion, folder: Path) -> None:
    import skops.io

    files.write_bytes(folder / "model.skops", skops.io.dumps(model.pipeline))


def _onnx(model: Champion | Challenger, folder: Path) -> None:
    graph = to_onnx(model)
    files.write_bytes(folder / "model.onnx", graph.SerializeToString(deterministic=True))


def _state_dict(model: Challenger, folder: Path) -> None:
    import torch

    torch.save(model.network.state_dict(), folder / "model.pt")
    write_network(model, folder)


def _safetensors(model: Challenger, folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(model.network.state_dict(), folder / "model.safetensors")
    write_network(model, folder)


def _torch_export(model: Challenger, folder: Path) -> None:
    import torch

    codes = torch.zeros((2, len(model.preparation.sizes)), dtype=torch.int64)
    numbers = torch.zeros((2, model.preparation.width))
    rows = torch.export.Dim("rows")
    program = torch.export.export(
        model.network, (codes, numbers), dynamic_shapes=({0: rows}, {0: rows})
    )
    torch.export.save(program, folder / "model.pt2")
    write_network(model, folder)


_TRAIN = ("pandas", "sklearn")

_FORMATS = (
    Format(
        name="pickle",
        model="champion",
        loader="pickle_file",
        file="model.pkl",
        needs_extra="train",
        needs_modules=_TRAIN,
        loads_with=("pandas", "scikit-learn"),
        risk="loading runs any code that the file names",
        write=_pickle,
    ),
    Format(
        name="joblib",
        model="champion",
        loader="joblib_file",
        file="model.joblib",
        needs_extra="train",
        needs_modules=(*_TRAIN, "joblib"),
        loads_with=("joblib", "pandas", "scikit-learn"),
        risk="a pickle inside: loading runs any code that the file names",
        write=_joblib,
    ),
    Format(
        name="skops",
        model="champion",
        loader="skops_archive",
        file="model.skops",
        needs_extra="train",
        needs_modules=(*_TRAIN, "skops"),
        loads_with=("pandas", "scikit-learn", "skops"),
        risk="types that are not trusted are refused by name; a person must judge the list",
        write=_skops,
    ),
    Format(
        name="ONNX",
        model="champion",
        loader="onnx_graph",
        file="model.onnx",
        needs_extra="train",
        needs_modules=("onnx", "onnxruntime", "skl2onnx"),
        loads_with=("onnxruntime",),
        risk="a graph of known operators, no code; the parser is native, so keep it up to date",
        write=_onnx,
    ),
    Format(
        name="state_dict",
        model="challenger",
        loader="state_dict",
        file="model.pt",
        needs_extra="torch",
        needs_modules=("torch",),
        loads_with=("mlref", "torch"),
        risk="a pickle inside: safe with weights_only=True alone, the default since PyTorch 2.6",
        write=_state_dict,
    ),
    Format(
        name="safetensors",
        model="challenger",
        loader="safetensors_weights",
        file="model.safetensors",
        needs_extra="torch",
        needs_modules=("torch", "safetensors"),
        loads_with=("mlref", "safetensors", "torch"),
        risk="a JSON header and numbers: nothing in it can be run",
        write=_safetensors,
    ),
    Format(
        name="torch.export",
        model="challenger",
        loader="torch_export",
        file="model.pt2",
        needs_extra="torch",
        needs_modules=("torch",),
        loads_with=("mlref", "torch"),
        risk="the archive holds a pickle of sample inputs, and loading it can run any code",
        write=_torch_export,
    ),
    Format(
        name="ONNX",
        model="challenger",
        loader="onnx_graph",
        file="model.onnx",
        needs_extra="torch",
        needs_modules=("onnx", "onnxruntime", "onnxscript", "torch"),
        loads_with=("onnxruntime",),
        risk="a graph of known operators, no code; the parser is native, so keep it up to date",
        write=_onnx,
    ),
    Format(
        name="SavedModel",
        model="challenger",
        loader="saved_model",
        file="saved_model.pb",
        needs_extra="torch",
        needs_modules=("torch",),
        loads_with=None,
        risk="a graph is a program: its operators read and write files, some as soon as it loads",
        write=savedmodel.write,
    ),
)


def formats() -> tuple[Format, ...]:
    """All formats, in the order of the table: the champion's, then the challenger's.

    >>> [each.label for each in formats()][:2]
    ['pickle (champion)', 'joblib (champion)']
    """
    return _FORMATS
