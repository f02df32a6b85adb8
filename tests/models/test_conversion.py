"""One graph from raw named columns to the probability, which agrees with the Python model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

from mlref import flights, models
from mlref.models.challenger import ChallengerSettings

NAMES = list(flights.FEATURES.names)
BOTH = pytest.mark.parametrize("name", ["champion", "challenger"])


@pytest.fixture(scope="module")
def both(champion: models.Champion, challenger: models.Challenger) -> dict[str, Any]:
    """The Python models by name."""
    return {"champion": champion, "challenger": challenger}


def run(graph: Any, rows: pd.DataFrame) -> np.ndarray:
    """The graph's one output for some rows, straight from ONNX Runtime."""
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    strings = {node.name for node in session.get_inputs() if node.type == "tensor(string)"}
    feed = {
        name: rows[[name]].to_numpy().astype(object if name in strings else np.float32)
        for name in rows
    }
    (answer,) = session.run(None, feed)
    return np.asarray(answer)


@BOTH
def test_the_graph_agrees_with_the_model(
    graphs: dict[str, Any], both: dict[str, Any], hard_rows: pd.DataFrame, name: str
) -> None:
    """10,000 flights with gaps, unseen categories and extremes differ by 1e-5 at most."""
    answer = run(graphs[name], hard_rows)
    assert answer.shape == (10_000,)
    assert np.abs(answer - both[name].predict(hard_rows)).max() <= 1e-5


def test_the_rows_compared_are_hard(hard_rows: pd.DataFrame, training: pd.DataFrame) -> None:
    """All 971 unseen destinations, unseen carriers, gaps of each kind and both bounds are there."""
    assert (~hard_rows["dest"].isin(training["dest"])).sum() == 971
    assert (~hard_rows["carrier"].isin(training["carrier"])).sum() == 100
    weather = [column.name for column in flights.FEATURES if column.nullable]
    assert hard_rows[weather].isna().all(axis=1).sum() >= 100
    assert hard_rows[weather].isna().any().all()
    for column in flights.FEATURES:
        if column.dtype == "float32":
            assert (hard_rows[column.name] == column.low).sum() >= 10
            assert (hard_rows[column.name] == column.high).sum() >= 10


@BOTH
@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_number_of_rows_will_do(
    graphs: dict[str, Any], both: dict[str, Any], hard_rows: pd.DataFrame, name: str, count: int
) -> None:
    """The number of rows is not baked in; one row gives shape (1,)."""
    rows = hard_rows.head(count)
    answer = run(graphs[name], rows)
    assert answer.shape == (count,)
    assert np.abs(answer - both[name].predict(rows)).max() <= 1e-5


@BOTH
def test_the_inputs_are_the_raw_columns(graphs: dict[str, Any], name: str) -> None:
    """15 inputs with the names and dtypes of the schema, each of shape (n, 1)."""
    inputs = graphs[name].graph.input
    dtypes = {"string": onnx.TensorProto.STRING, "float32": onnx.TensorProto.FLOAT}
    assert {each.name: each.type.tensor_type.elem_type for each in inputs} == {
        column.name: dtypes[column.dtype] for column in flights.FEATURES
    }
    for each in inputs:
        rows, width = each.type.tensor_type.shape.dim
        assert not rows.HasField("dim_value")
        assert width.dim_value == 1


@BOTH
def test_the_one_output_is_the_probability(graphs: dict[str, Any], name: str) -> None:
    """`probability`, float32, one number for each row."""
    (output,) = graphs[name].graph.output
    assert output.name == models.conversion.OUTPUT == "probability"
    assert output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert len(output.type.tensor_type.shape.dim) == 1


@BOTH
def test_the_graph_tells_nothing_of_this_machine(graphs: dict[str, Any], name: str) -> None:
    """No path, no source line, no stack trace and no tool's version stand in the bytes."""
    data = graphs[name].SerializeToString()
    words = rb"site-packages|\.py\b|Traceback|File \"|pkg\.torch|stack_trace|/home|/root|/usr|/tmp"
    assert re.findall(words, data) == []
    assert str(Path.cwd()).encode() not in data
    assert (graphs[name].producer_name, graphs[name].producer_version) == ("mlref", "")


@BOTH
def test_the_weights_are_inside(graphs: dict[str, Any], name: str) -> None:
    """No initializer lies in another file."""
    for tensor in graphs[name].graph.initializer:
        assert tensor.data_location == onnx.TensorProto.DEFAULT
        assert not tensor.external_data


@BOTH
def test_converting_again_gives_the_same_bytes(
    graphs: dict[str, Any], both: dict[str, Any], name: str
) -> None:
    """The same model gives the same graph, byte for byte."""
    again = models.to_onnx(both[name])
    assert again.SerializeToString(deterministic=True) == graphs[name].SerializeToString(
        deterministic=True
    )


@BOTH
def test_another_process_gives_the_same_bytes(twins: list[dict[str, Any]], name: str) -> None:
    """Training and converting in two processes gives one graph."""
    first, second = (twin[name]["files"]["model.onnx"] for twin in twins)
    assert first == second


def test_a_challenger_without_flags_is_converted(training: pd.DataFrame) -> None:
    """Where no training row had a gap, no flag is an input; gaps met later are filled anyway."""
    whole = training.dropna().head(1000)
    model = models.train_challenger(whole, settings=ChallengerSettings(epochs=1))
    assert model.preparation.flagged == ()
    rows = training[NAMES].head(500)
    assert rows.isna().any(axis=None)
    assert np.abs(run(models.to_onnx(model), rows) - model.predict(rows)).max() <= 1e-5


@pytest.mark.parametrize("other", [None, "champion", object()])
def test_other_objects_are_refused(other: Any) -> None:
    """What is no model of ours is a TypeError that names its type."""
    with pytest.raises(TypeError, match=f"Champion or a Challenger, got {type(other).__name__}"):
        models.to_onnx(other)
