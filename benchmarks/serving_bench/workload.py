"""What is served: two models as artefacts, and many different rows to ask them about.

`flights` is the champion on real flights: text columns, numbers, and gaps in most rows. `matrix` is
a network of 30-256-256-1 units on one column of 30 numbers, the friendliest case for any server.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mlref import artifact, errors
from mlref.schema import Column, Schema

__all__ = ["BODIES", "MODELS", "Columns", "Workload", "make", "ort_cpu_us"]

Columns = Mapping[str, list[Any]]

BODIES = 200
"""Different requests for each number of rows: no cache can answer them all from one."""

MODELS = ("flights", "matrix")

_WIDTHS = (30, 256, 256, 1)
_SEED = 0
_ORT_S = 0.25  # seconds that the bare model is timed


@dataclass(frozen=True, eq=False)
class Workload:
    """A model and the rows to ask it about.

    Attributes:
        name: of the model.
        artifact: the model.
        bodies: number of rows -> `BODIES` sets of columns, each with that many rows.
    """

    name: str
    artifact: artifact.Artifact
    bodies: Mapping[int, tuple[Columns, ...]]


def make(name: str, folder: Path, rows: tuple[int, ...]) -> Workload:
    """The workload of a model; its artefact is packed in `folder` unless it is there already.

    Args:
        name: one of `MODELS`.
        folder: where the artefacts are kept between runs.
        rows: numbers of rows in a request.
    """
    pack = {"flights": _pack_flights, "matrix": _pack_matrix}[name]
    try:
        packed = artifact.load(folder / name)
    except errors.ArtifactError:
        packed = pack(folder / name)
    source = {"flights": _flights, "matrix": _matrix}[name](packed, BODIES * max(rows))
    bodies = {
        count: tuple(
            {column: values[start : start + count] for column, values in source.items()}
            for start in range(0, BODIES * count, count)
        )
        for count in rows
    }
    return Workload(name, packed, bodies)


def ort_cpu_us(workload: Workload, rows: int) -> float:
    """CPU-microseconds of this process for one bare `session.run` on arrays that are ready."""
    graph = workload.artifact.graph
    feeds = list(_feeds(workload, rows))
    for feed in feeds:
        graph.session.run([graph.output], feed)
    calls, began = 0, time.process_time()
    while (passed := time.process_time() - began) < _ORT_S:
        for feed in feeds:
            graph.session.run([graph.output], feed)
        calls += len(feeds)
    return passed / calls * 1e6


def _feeds(workload: Workload, rows: int) -> Iterator[dict[str, np.ndarray]]:
    packed = workload.artifact
    for columns in workload.bodies[rows]:
        decoded = packed.inputs.decode(columns)
        yield {
            name: decoded.arrays[name].reshape(rows, 1) if upright else decoded.arrays[name]
            for name, upright in packed.graph.ranks.items()
        }


def _pack_flights(folder: Path) -> artifact.Artifact:
    from mlref import models

    return models.pack_champion(folder, overwrite=folder.exists())


def _flights(packed: artifact.Artifact, count: int) -> Columns:
    """Real flights of the months after the training, in a seeded order."""
    from mlref import flights

    frame = flights.load(flights.SERVING_MONTHS).sample(count, random_state=_SEED)
    return {name: _plain(frame[name].to_numpy()) for name in packed.inputs.names}


def _matrix(packed: artifact.Artifact, count: int) -> Columns:
    (column,) = packed.inputs.names
    values = np.random.default_rng(_SEED).standard_normal((count, _WIDTHS[0]), np.float32)
    return {column: [_plain(row) for row in values]}


def _plain(values: np.ndarray) -> list[Any]:
    """The values as JSON has them: the shortest text of each number, None where it is missing."""
    if values.dtype.kind != "f":
        return [str(value) for value in values]
    return [None if np.isnan(value) else float(str(value)) for value in values.astype(np.float32)]


def _pack_matrix(folder: Path) -> artifact.Artifact:
    """The artefact of a network with seeded random weights."""
    from onnx import TensorProto, checker, helper, numpy_helper

    generator = np.random.default_rng(_SEED)
    nodes, weights, values = [], [], "x"
    layers = list(itertools.pairwise(_WIDTHS))
    for number, (width, units) in enumerate(layers):
        matrix = generator.standard_normal((width, units), np.float32) / np.float32(width**0.5)
        last = number == len(layers) - 1
        product = "y" if last else f"product{number}"
        weights.append(numpy_helper.from_array(matrix, f"weights{number}"))
        weights.append(numpy_helper.from_array(np.zeros(units, np.float32), f"bias{number}"))
        inputs = [values, f"weights{number}", f"bias{number}"]
        nodes.append(helper.make_node("Gemm", inputs, [product]))
        if not last:
            values = f"hidden{number}"
            nodes.append(helper.make_node("Relu", [product], [values]))
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, _WIDTHS[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, _WIDTHS[-1]])],
        weights,
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    checker.check_model(model)
    golden = generator.standard_normal((8, _WIDTHS[0]), np.float32)
    return artifact.pack(
        folder,
        model=model,
        name="matrix",
        version="1.0.0",
        inputs=Schema((Column("x", shape=(_WIDTHS[0],)),)),
        golden={"x": golden},
        expected=_by_hand(golden, [numpy_helper.to_array(weight) for weight in weights]),
        created=datetime(2013, 1, 1, tzinfo=UTC),
        overwrite=folder.exists(),
    )


def _by_hand(rows: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """What the network gives, by NumPy alone."""
    for number in range(0, len(weights), 2):
        rows = (np.maximum(rows, 0) if number else rows) @ weights[number] + weights[number + 1]
    return rows[:, 0]
