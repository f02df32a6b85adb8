"""Packing, loading and using an artefact's folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from mlref import errors
from mlref.artifact.graph import Graph, model_bytes, open_graph, predictions_dtype
from mlref.artifact.manifest import (
    MANIFEST,
    Manifest,
    Output,
    canonical,
    json_values,
    label,
    sha256,
    text_of,
)
from mlref.runtime import clock, files
from mlref.runtime.lazy import version_of
from mlref.schema import OnUnknown, Rows, Schema

__all__ = ["TOLERANCE", "Artifact", "Golden", "load", "pack"]

TOLERANCE = 1e-5
"""The largest difference from a golden prediction that counts as the same answer: absolute, and
relative to the golden prediction where that is larger than 1, as a regression's may be."""

MODEL, GOLDEN = "model.onnx", "golden.json"
_LIBRARIES = ("numpy", "onnxruntime")


@dataclass(frozen=True, eq=False)
class Golden:
    """Rows and the predictions that belong to them.

    Attributes:
        instances: n rows, each a mapping of column name -> value (None is missing).
        predictions: float32 (or int64) array of shape (n, *output.shape).
    """

    instances: tuple[Mapping[str, Any], ...]
    predictions: np.ndarray

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The rows turned into columns, as `Artifact.predict` and the wire take them."""
        return {name: [row[name] for row in self.instances] for name in self.instances[0]}

    def matched(self, predictions: np.ndarray, *, tolerance: float = TOLERANCE) -> int:
        """How many rows of `predictions` (shape (n, ...)) lie within the tolerance."""
        if np.shape(predictions) != self.predictions.shape:
            return 0
        difference = _difference(np.asarray(predictions), self.predictions)
        return int((difference.reshape(len(difference), -1) <= tolerance).all(axis=1).sum())


@dataclass(frozen=True, eq=False)
class Artifact:
    """A verified artefact, ready to answer. Made by `load` or `pack`; safe to share by threads."""

    folder: Path
    manifest: Manifest
    golden: Golden
    digest: str
    graph: Graph

    def __repr__(self) -> str:
        told = [f"{self.manifest.name} {self.manifest.version}"]
        with suppress(OSError):  # the folder may be gone by now
            told.append(_size(self.size_bytes))
        return f"<Artifact {', '.join(told)}, sha256 {self.digest[:12]}…>"

    @property
    def size_bytes(self) -> int:
        """The size of the whole folder, in bytes."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    @property
    def inputs(self) -> Schema:
        """The columns that the model takes."""
        return self.manifest.inputs

    def predict(self, rows: Rows, *, on_unknown: OnUnknown = "impute") -> np.ndarray:
        """The model's answer for each row.

        Args:
            rows: column name -> n values each (mapping or DataFrame), or a list of n rows, each a
                mapping of column name -> value; raw: no preprocessing.
            on_unknown: "impute" lets the graph handle an unknown category, "error" refuses it.

        Returns:
            float32 array of shape (n, *output.shape), int64 where the graph gives whole numbers;
            n may be 0.

        Raises:
            InvalidInputError: the rows do not fit the schema; it lists every problem.
        """
        decoded = self.inputs.decode(rows, on_unknown=on_unknown, allow_empty=True)
        return self.predict_arrays(decoded.arrays, decoded.n_rows)

    def predict_arrays(self, arrays: Mapping[str, np.ndarray], n_rows: int) -> np.ndarray:
        """The same for rows that `Schema.decode` has checked already."""
        if n_rows == 0:
            dtype = predictions_dtype(self.graph.output_dtype)
            return np.empty((0, *self.graph.output_shape), dtype)
        return self.graph.run(arrays, n_rows)

    def verify_golden(self) -> int:
        """The number of golden rows, all answered within the tolerance by this machine.

        Raises:
            ArtifactParityError: the answers differ; the message says by how much.
        """
        _check_parity(self.predict(self.golden.columns), self.golden.predictions)
        return len(self.golden.instances)


def pack(
    folder: str | os.PathLike[str],
    *,
    model: Any,
    name: str,
    version: str,
    inputs: Schema,
    golden: Rows,
    expected: Any,
    output: str | None = None,
    created: datetime | None = None,
    metrics: Mapping[str, Any] | None = None,
    training_data: Mapping[str, Any] | None = None,
    libraries: Sequence[str] = (),
    licence: str = "",
    overwrite: bool = False,
) -> Artifact:
    """A new artefact folder around an ONNX graph.

    Args:
        folder: where; must not exist yet unless `overwrite`. Written whole or not at all.
        model: the graph as bytes, as an onnx ModelProto, or the path of a file; weights inside.
        name: name of the model: 1 to 100 letters a-z, digits, ".", "_" and "-".
        version: version of the model, of the same signs; best like "1.0.0".
        inputs: the columns it takes; names and dtypes must be those of the graph.
        golden: n >= 1 rows, among them, where they can occur, a missing value and an unknown
            category.
        expected: the original model's predictions for them, shape (n,) or (n, classes). Not the
            graph's own: the comparison is the proof of the conversion.
        output: which of the graph's outputs is the prediction; not needed when there is only one.
        created: when (aware); default SOURCE_DATE_EPOCH, else now.
        metrics: JSON values, for instance {"auc": {"2013-04": 0.66}}; NumPy's numbers will do.
        training_data: the same, to identify the data.
        libraries: distributions whose installed versions are worth recording.
        licence: of the model.
        overwrite: replace an artefact that is there already.

    Returns:
        The artefact, as `load` gives it.

    Raises:
        ArtifactSchemaError: the graph is not one, has other inputs than `inputs`, or tells paths;
            or the manifest cannot hold a name, a metric (NaN, say) or a library.
        ArtifactParityError: the graph does not give `expected` within `TOLERANCE`.
        InvalidInputError: the golden rows do not fit `inputs`.
        ArtifactExistsError: the folder exists and `overwrite` is false, or it is no artefact.
        TypeError: the model is no graph in any form: convert it first.
        FileWriteError: it could not be saved; nothing is left behind.
    """
    target = Path(folder)
    _check_free(target, overwrite=overwrite)
    data = model_bytes(model)
    graph = open_graph(data, inputs, output)
    rows = _instances(inputs, golden)
    answers = _answers(expected, predictions_dtype(graph.output_dtype))
    given = {column: [row[column] for row in rows] for column in inputs.names}
    decoded = inputs.decode(given)
    _check_parity(graph.run(decoded.arrays, decoded.n_rows), answers)
    golden_bytes = canonical({"instances": rows, "predictions": answers.tolist()})
    manifest = Manifest(
        name=label("name", name, example="flights"),
        version=label("version", version, example="1.0.0"),
        created=clock.created_at(created, clock.SystemClock()).strftime("%Y-%m-%dT%H:%M:%SZ"),
        inputs=inputs,
        output=Output(graph.output, graph.output_dtype, graph.output_shape),
        files={MODEL: sha256(data), GOLDEN: sha256(golden_bytes)},
        metrics=json_values(metrics or {}, "metrics"),
        training_data=json_values(training_data or {}, "training_data"),
        libraries={lib: _version(lib) for lib in sorted({*_LIBRARIES, *libraries})},
        licence=text_of("licence", licence),
    )
    contents = {MODEL: data, GOLDEN: golden_bytes, MANIFEST: manifest.to_bytes()}
    _write_folder(target, contents)
    return load(target)


def load(folder: str | os.PathLike[str], *, digest: str | None = None) -> Artifact:
    """The artefact in a folder, every byte of it verified.

    Args:
        folder: an artefact folder.
        digest: the digest that it must have (`Artifact.digest`), when you know it.

    Raises:
        ArtifactMissingFileError: the folder, or a file that the manifest names, is absent.
        ArtifactTamperedError: a file's bytes are not those that were packed.
        ArtifactStrayFileError: there is a file that the manifest does not name.
        ArtifactSchemaError: another format, or the graph's inputs are not the manifest's.
    """
    where = Path(folder)
    data = _read(where, MANIFEST)
    if digest is not None and sha256(data) != digest:
        text = f"{MANIFEST} has digest {sha256(data)}, expected {digest}: this is another artefact"
        raise errors.ArtifactTamperedError(text, file=MANIFEST)
    manifest = Manifest.from_bytes(data)
    missing = {MODEL, GOLDEN} - set(manifest.files)
    if missing:
        text = f"{MANIFEST} does not list {', '.join(sorted(missing))}"
        raise errors.ArtifactSchemaError(text, file=MANIFEST)
    for path in sorted(where.iterdir()):
        if path.name != MANIFEST and path.name not in manifest.files:
            text = f"{path.name} is not named in {MANIFEST}; remove it or get the artefact again"
            raise errors.ArtifactStrayFileError(text, file=path.name)
    contents = {name: _read(where, name) for name in manifest.files}
    for name, expected in manifest.files.items():
        if sha256(contents[name]) != expected:
            text = (
                f"{name} was changed after it was packed (SHA-256 differs); get the artefact again"
            )
            raise errors.ArtifactTamperedError(text, file=name)
    golden = _golden(contents[GOLDEN], manifest)
    graph = open_graph(contents[MODEL], manifest.inputs, manifest.output.name)
    if (graph.output_dtype, graph.output_shape) != (manifest.output.dtype, manifest.output.shape):
        given = f"{graph.output_dtype}{list(graph.output_shape)}"
        text = f"{MODEL} gives {given}, not what {MANIFEST} says"
        raise errors.ArtifactSchemaError(text, file=MODEL)
    return Artifact(where, manifest, golden, sha256(data), graph)


def _size(size_bytes: int) -> str:
    small = size_bytes < 10_000  # noqa: PLR2004 - 0.01 MB
    return f"{size_bytes / 1e3:.1f} kB" if small else f"{size_bytes / 1e6:.2f} MB"


def _golden(data: bytes, manifest: Manifest) -> Golden:
    try:
        values = json.loads(data)
        rows = tuple(values["instances"])
        answers = np.asarray(values["predictions"], predictions_dtype(manifest.output.dtype))
        names = set(manifest.inputs.names)
        if not all(isinstance(row, dict) and set(row) == names for row in rows):
            raise ValueError(f"a row has other columns than {', '.join(manifest.inputs.names)}")
        if not rows or answers.shape != (len(rows), *manifest.output.shape):
            raise ValueError(f"{len(rows)} rows, predictions of shape {answers.shape}")
    except (KeyError, TypeError, ValueError) as error:
        text = f"{GOLDEN} does not hold golden rows: {error!r}"
        raise errors.ArtifactSchemaError(text, file=GOLDEN) from error
    return Golden(rows, answers)


def _instances(inputs: Schema, rows: Rows) -> list[dict[str, Any]]:
    """The rows as JSON values: float32 numbers by their shortest text, None where missing."""
    decoded = inputs.decode(rows)
    columns = {}
    for column in inputs:
        values = decoded.arrays[column.name]
        if column.dtype == "float32":
            values = np.array([_plain(v) for v in values.ravel()], dtype=object).reshape(
                values.shape
            )
        listed = values.tolist()
        if column.dtype == "string" and column.nullable:
            listed = [value or None for value in listed]
        columns[column.name] = listed
    return [{n: columns[n][row] for n in inputs.names} for row in range(decoded.n_rows)]


def _plain(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(str(value))


def _version(library: str) -> str:
    version = version_of(library)
    if version is None:
        text = f"libraries names {library!r}, which is not installed; give the names that pip uses"
        raise errors.ArtifactSchemaError(text, file=MANIFEST)
    return version


def _answers(expected: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """The predictions in the graph's dtype; as float32 where that cannot hold them."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            given = np.asarray(expected)
            if given.dtype.kind in "iufb" and np.array_equal(given.astype(dtype), given):
                return given.astype(dtype)
            return given.astype(np.float32)
    except (TypeError, ValueError) as error:
        text = f"expected must be an array of numbers: {error}"
        raise errors.ArtifactParityError(text, file=GOLDEN) from error


def _check_parity(got: np.ndarray, expected: np.ndarray) -> None:
    if got.shape != expected.shape:
        text = f"{MODEL} gives predictions of shape {got.shape}, expected {expected.shape}"
        raise errors.ArtifactParityError(text, file=MODEL)
    difference = _difference(got, expected)
    if not bool((difference <= TOLERANCE).all()):
        worst = int(np.argmax(difference.reshape(len(difference), -1).max(axis=1)))
        text = (
            f"{MODEL} differs from the golden predictions by {np.max(difference):.2g} in row "
            f"{worst}, allowed is {TOLERANCE:g}: the conversion is wrong, or the rows are others"
        )
        raise errors.ArtifactParityError(text, file=MODEL)


def _difference(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """By how much each prediction is off, as `TOLERANCE` counts it; NaN where either is none.

    Whole numbers, classes for instance, are the same or off by at least 1.
    """
    if got.dtype.kind == expected.dtype.kind == "i":
        return np.asarray(got != expected, dtype=float)
    wide = expected.astype(float)
    with np.errstate(invalid="ignore"):  # infinity less infinity: no prediction matches that
        return np.asarray(np.abs(got.astype(float) - wide) / np.maximum(1, np.abs(wide)))


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    if Path(name).name != name or "\0" in name:
        raise errors.ArtifactSchemaError(f"{MANIFEST} names a path, {name!r}", file=MANIFEST)
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        text = f"{name} is missing in {folder}; get the artefact again"
        raise errors.ArtifactMissingFileError(text, file=name) from error


def _check_free(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not overwrite:
        text = f"{target} exists; pass overwrite=True or choose another folder"
        raise errors.ArtifactExistsError(text, file=target.name)
    known = {MODEL, GOLDEN, MANIFEST}
    if not (target / MANIFEST).is_file() or {path.name for path in target.iterdir()} - known:
        text = f"{target} exists and is no artefact; choose another folder"
        raise errors.ArtifactExistsError(text, file=target.name)


def _write_folder(target: Path, contents: Mapping[str, bytes]) -> None:
    """All files or none: written beside the target, then moved into its place."""
    target = target.resolve()  # what a link points to is replaced, the link stays
    fresh, old = (target.with_name(f".{target.name}-{secrets.token_hex(4)}") for _ in range(2))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir()
        for name, data in contents.items():
            files.write_bytes(fresh / name, data)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    except BaseException as error:
        if old.exists() and not target.exists():  # also when Ctrl-C came between the two
            old.rename(target)
        if not isinstance(error, OSError) or isinstance(error, errors.FileWriteError):
            raise
        reason = f"not saved ({error.strerror}); choose another place"
        raise errors.FileWriteError(error.errno, reason, str(target)) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
