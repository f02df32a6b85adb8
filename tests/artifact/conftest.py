"""Small graphs, written by hand, and a model of three columns packed from one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlref.artifact import Artifact, pack
from mlref.artifact.manifest import canonical, sha256
from mlref.schema import Column, Schema

INPUTS = Schema(
    (
        Column("a"),
        Column("b", nullable=True),
        Column("c", "string", nullable=True, categories=("UA", "B6")),
    )
)
GOLDEN = {"a": [1.5, 2, 0, -1], "b": [1, None, 0.25, 4], "c": ["UA", "B6", None, "ZZ"]}
EXPECTED = np.array([1.5 + 1 + 10, 2 + 7 + 20, 0 + 0.25 - 1, -1 + 4 - 1])


@pytest.fixture(scope="session")
def make_graph() -> Callable[..., onnx.ModelProto]:
    """A graph from its nodes, inputs and outputs: name -> (element type, shape)."""

    def make(
        nodes: list[onnx.NodeProto],
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        constants: dict[str, Any] | None = None,
    ) -> onnx.ModelProto:
        def infos(values: dict[str, Any]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(name, *value) for name, value in values.items()]

        weights = [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in (constants or {}).items()
        ]
        graph = helper.make_graph(nodes, "graph", infos(inputs), infos(outputs), weights)
        sets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
        return helper.make_model(graph, opset_imports=sets, ir_version=9)

    return make


@pytest.fixture(scope="session")
def identity(make_graph: Callable[..., onnx.ModelProto]) -> Callable[..., onnx.ModelProto]:
    """A graph that gives its one input "x", possibly as another type."""

    def make(
        shape: list[Any],
        kind: int = TensorProto.FLOAT,
        out: int | None = None,
        out_shape: list[Any] | None = None,
    ) -> onnx.ModelProto:
        node = helper.make_node("Cast", ["x"], ["y"], to=kind if out is None else out)
        outputs = {"y": (kind if out is None else out, shape if out_shape is None else out_shape)}
        return make_graph([node], {"x": (kind, shape)}, outputs)

    return make


@pytest.fixture(scope="session")
def model(make_graph: Callable[..., onnx.ModelProto]) -> onnx.ModelProto:
    """The sum of a, b (7 where missing) and c (UA is 10, B6 20, any other carrier -1)."""
    ml = {"domain": "ai.onnx.ml"}
    codes = {"keys_strings": ["UA", "B6"], "values_floats": [10.0, 20.0], "default_float": -1.0}
    filled = {"imputed_value_floats": [7.0], "replaced_value_float": float("nan")}
    nodes = [
        helper.make_node("Imputer", ["b"], ["b_filled"], **ml, **filled),
        helper.make_node("LabelEncoder", ["c"], ["code"], **ml, **codes),
        helper.make_node("Sum", ["a", "b_filled", "code"], ["score"]),
    ]
    kinds = {"a": TensorProto.FLOAT, "b": TensorProto.FLOAT, "c": TensorProto.STRING}
    inputs = {name: (kind, [None, 1]) for name, kind in kinds.items()}
    return make_graph(nodes, inputs, {"score": (TensorProto.FLOAT, [None, 1])})


@pytest.fixture
def packed(model: onnx.ModelProto, tmp_path: Path) -> Callable[..., Artifact]:
    """The model in a folder of its own; options of `pack` may differ."""

    def make(folder: str = "model", **options: Any) -> Artifact:
        usual = {
            "model": model,
            "name": "sum",
            "version": "1.0.0",
            "inputs": INPUTS,
            "golden": GOLDEN,
            "expected": EXPECTED,
            "created": datetime(2013, 1, 1, tzinfo=UTC),
        }
        return pack(tmp_path / folder, **{**usual, **options})

    return make


@pytest.fixture
def packed_identity(packed: Callable[..., Artifact]) -> Callable[..., Artifact]:
    """A model of one column "x" that should give its input."""

    def make(graph: Any, values: Any, column: Column | None = None, **options: Any) -> Artifact:
        inputs = Schema((column or Column("x"),))
        return packed(
            **{"model": graph, "inputs": inputs, "golden": {"x": values}, "expected": values}
            | options
        )

    return make


@pytest.fixture
def forge() -> Callable[..., None]:
    """Change a packed folder as an attacker would: with digests that fit.

    Args: the folder, a change of the manifest's values, and bytes for some of the files.
    """

    def change(folder: Path, edit: Callable[[dict[str, Any]], Any], **contents: bytes) -> None:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        for name, data in contents.items():
            file = {"model": "model.onnx", "golden": "golden.json"}[name]
            (folder / file).write_bytes(data)
            manifest["files"][file] = sha256(data)
        edit(manifest)
        manifest.pop("digest", None)
        manifest["digest"] = sha256(canonical(manifest))
        (folder / "manifest.json").write_bytes(canonical(manifest))

    return change


def names(folder: Path) -> list[str]:
    """All that lies in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(name="names")
def _names() -> Callable[[Path], list[str]]:
    return names
