"""An ONNX graph seen through a schema: which graphs fit, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mlref import errors
from mlref.artifact import Artifact
from mlref.schema import Column, Schema

FLOAT, INT, TEXT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


@pytest.mark.parametrize("shape", [[None], ["n"], [None, 1], ["n", 1], [None, None]])
def test_shapes_of_a_scalar(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any], shape: list[Any]
) -> None:
    """A column of scalars fits a graph that takes (n,) or (n, 1); predictions are (n,)."""
    graph = identity(shape, out_shape=[shape[0], 1] if len(shape) == 2 else None)
    made = packed_identity(graph, [1, 2, 3])
    assert made.manifest.output.shape == ()
    assert made.predict({"x": [4, 5]}).tolist() == [4, 5]
    assert made.predict({"x": []}).shape == (0,)


@pytest.mark.parametrize("size", [64, "width", None])
def test_shapes_of_a_matrix(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any], size: Any
) -> None:
    """A column of 64 numbers fits a graph that takes (n, 64) or leaves the width open."""
    rows = np.random.default_rng(0).random((3, 64), dtype="f4")
    graph = identity([None, size], out_shape=[None, 64])
    made = packed_identity(graph, rows, Column("x", shape=(64,)))
    assert made.manifest.output.shape == (64,)
    np.testing.assert_array_equal(made.predict({"x": rows}), rows)
    assert made.predict({"x": []}).shape == (0, 64)


@pytest.mark.parametrize(
    ("kind", "dtypes", "values"),
    [
        (TensorProto.DOUBLE, ("float64", "float32"), [0.5, -1]),
        (INT, ("int64", "int64"), [3, -1]),
        (FLOAT, ("float32", "float32"), [0]),
    ],
)
def test_dtypes_of_the_output(
    packed_identity: Callable[..., Artifact],
    identity: Callable[..., Any],
    kind: int,
    dtypes: tuple[str, str],
    values: list[float],
) -> None:
    """The manifest tells the graph's dtype; answers are float32, or int64 where the graph's are."""
    made = packed_identity(identity([None], out=kind), values)
    answers = made.predict({"x": values})
    assert (made.manifest.output.dtype, answers.dtype) == dtypes
    assert answers.tolist() == values
    assert made.predict({"x": []}).dtype == dtypes[1]


BIG = 2**53 + 1  # neither float32 nor float64 can hold it


def test_whole_predictions_keep_every_digit(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any]
) -> None:
    """A class or an identifier is not rounded: not in the golden rows, not in an answer."""
    made = packed_identity(identity([None], INT), [BIG, -BIG], Column("x", "int64"))
    assert made.golden.predictions.tolist() == [BIG, -BIG]
    assert made.predict({"x": [BIG]}).tolist() == [BIG]
    assert made.verify_golden() == 2


def test_whole_predictions_have_no_tolerance(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any]
) -> None:
    """Off by one is wrong, also where it is less than the tolerance of a float."""
    graph, column = identity([None], INT), Column("x", "int64")
    with pytest.raises(errors.ArtifactParityError, match="differs from the golden predictions"):
        packed_identity(graph, [BIG], column, expected=[BIG - 1])
    with pytest.raises(errors.ArtifactParityError, match="differs from the golden predictions"):
        packed_identity(graph, [3], column, expected=[3.5])
    made = packed_identity(graph, [3, 10**7], column, expected=[3.0, 1e7])
    assert made.golden.matched(np.array([3, 10**7 + 1])) == 1


def test_whole_numbers_reach_the_graph(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any]
) -> None:
    """An int64 column fits a graph that takes int64."""
    made = packed_identity(identity([None], INT), [1, 2], Column("x", "int64"))
    assert made.predict({"x": [7]}).tolist() == [7]


@pytest.mark.parametrize(
    ("column", "graph", "message"),
    [
        (Column("x"), ([None], TensorProto.DOUBLE), "takes x as float64"),
        (Column("x"), ([None], INT), "takes x as int64"),
        (Column("x", "int64"), ([None], FLOAT), "the schema says int64"),
        (Column("x", "string"), ([None], FLOAT), "the schema says string"),
        (Column("x"), ([None, 2], FLOAT), "takes x as float32"),
        (Column("x", shape=(2,)), ([None], FLOAT), r"of shape \(n, 2\)"),
        (Column("x", shape=(2,)), ([None, 3], FLOAT), r"of shape \(n, 2\)"),
        (Column("x"), ([1], FLOAT), "always 1 rows"),
        (Column("x", shape=(2,)), ([3, 2], FLOAT), "dynamic first dimension"),
        (Column("y"), ([None], FLOAT), "takes the inputs x; the schema has y"),
    ],
)
def test_a_graph_that_does_not_fit(
    packed: Callable[..., Artifact],
    identity: Callable[..., Any],
    column: Column,
    graph: tuple[list[Any], int],
    message: str,
) -> None:
    """Another dtype, shape or name than the schema's is refused before any row is tried."""
    value: Any = "1" if column.dtype == "string" else np.ones((1, *column.shape), dtype=int)
    rows = {column.name: [value] if isinstance(value, str) else value}
    with pytest.raises(errors.ArtifactSchemaError, match=message) as caught:
        packed(model=identity(*graph), inputs=Schema((column,)), golden=rows, expected=[1])
    assert caught.value.file == "model.onnx"


@pytest.fixture
def two_outputs(make_graph: Callable[..., Any]) -> Any:
    """A graph that gives x and 2x."""
    nodes = [
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Add", ["x", "x"], ["double"]),
    ]
    kind = (FLOAT, [None])
    return make_graph(nodes, {"x": kind}, {"same": kind, "double": kind})


def test_several_outputs(packed_identity: Callable[..., Artifact], two_outputs: Any) -> None:
    """Which of several outputs is the prediction must be said; then it is that one."""
    with pytest.raises(errors.ArtifactSchemaError, match=r"outputs same, double; .*output="):
        packed_identity(two_outputs, [1, 2])
    made = packed_identity(two_outputs, [1, 2], expected=[2, 4], output="double")
    assert made.predict({"x": [5]}).tolist() == [10]


def test_an_output_that_is_not_there(
    packed_identity: Callable[..., Artifact], two_outputs: Any
) -> None:
    """A wrong name of the output is told with the right ones."""
    with pytest.raises(errors.ArtifactSchemaError, match="no output 'label'; it has same, double"):
        packed_identity(two_outputs, [1], output="label")


def test_a_zipmap(packed_identity: Callable[..., Artifact], make_graph: Callable[..., Any]) -> None:
    """A converter's list of dictionaries is refused, with the option that avoids it."""
    node = helper.make_node(
        "ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"]
    )
    graph = make_graph([node], {"x": (FLOAT, [None, 2])}, {})
    kind = helper.make_map_type_proto(TEXT, helper.make_tensor_type_proto(FLOAT, None))
    info = helper.make_value_info("y", helper.make_sequence_type_proto(kind))
    graph.graph.output.append(info)
    with pytest.raises(errors.ArtifactSchemaError, match=r'options=\{"zipmap": False\}'):
        packed_identity(graph, [[1, 2]], Column("x", shape=(2,)))


def test_labels_as_text(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any]
) -> None:
    """Text is no prediction."""
    with pytest.raises(errors.ArtifactSchemaError, match="it must be a numeric tensor"):
        packed_identity(identity([None], out=TEXT), [1])


def test_an_output_of_open_width(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any]
) -> None:
    """An output must say how many numbers it gives for a row."""
    with pytest.raises(errors.ArtifactSchemaError, match="all but the first must be fixed"):
        packed_identity(identity([None, "k"]), [[1, 2]], Column("x", shape=(2,)))


def test_an_output_of_another_length(
    packed_identity: Callable[..., Artifact], make_graph: Callable[..., Any]
) -> None:
    """A graph that gives one number for all rows is refused: it has no prediction for each."""
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    graph = make_graph([node], {"x": (FLOAT, [None])}, {"y": (FLOAT, [])})
    with pytest.raises(errors.ArtifactSchemaError, match=r"shape \(\) for 2 rows"):
        packed_identity(graph, [1, 2])


def test_an_output_the_wrong_way_round(
    packed_identity: Callable[..., Artifact], make_graph: Callable[..., Any]
) -> None:
    """Predictions that lie across are refused, not read in another order."""
    node = helper.make_node("Transpose", ["x"], ["y"])
    graph = make_graph([node], {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, ["k", 2])})
    with pytest.raises(errors.ArtifactSchemaError, match=r"shape \(2, 3\) for 3 rows"):
        packed_identity(graph, [[1, 2], [3, 4], [5, 6]], Column("x", shape=(2,)))


def test_a_graph_that_fails(
    packed_identity: Callable[..., Artifact], make_graph: Callable[..., Any]
) -> None:
    """What ONNX Runtime cannot compute is told as our error, with its words."""
    node = helper.make_node("Cast", ["x"], ["y"], to=FLOAT)
    graph = make_graph([node], {"x": (TEXT, [None])}, {"y": (FLOAT, [None])})
    with pytest.raises(errors.ArtifactSchemaError, match=r"cannot answer 1 rows: .*Cast"):
        packed_identity(graph, ["no number"], Column("x", "string"), expected=[1])


@pytest.mark.parametrize("model", [b"", b"no graph", b"\x00" * 100])
def test_what_is_no_graph(packed_identity: Callable[..., Artifact], model: bytes) -> None:
    """Bytes that are no ONNX graph are refused as such."""
    with pytest.raises(errors.ArtifactSchemaError, match="not a graph that ONNX Runtime can run"):
        packed_identity(model, [1])


@pytest.mark.parametrize(
    "text",
    [
        "/opt/python/site-packages/torch/nn.py",
        "/home/ann/work/train.py",
        "/home/jörg/train.py",
        "/root/train.py",
        "/tmp/ipykernel_4711/1234.py",  # noqa: S108 - only text
        "/workspace/models/net.py",
        r"C:\Users\Ann Lee\train.py",
        'File "/srv/ann/train", line 3, in forward',
        "dist-packages",
    ],
)
def test_a_graph_that_tells_paths(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any], text: str
) -> None:
    """Metadata with a path of the machine where the graph was made is refused."""
    graph = identity([None])
    graph.graph.node[0].metadata_props.add(key="stack_trace", value=text)
    with pytest.raises(errors.ArtifactSchemaError, match="strip metadata_props"):
        packed_identity(graph, [1])


@pytest.mark.parametrize(
    "text",
    [
        "/layers/layers.0/MatMul",
        "/home/about",
        "/data/users",
        "https://github.com/onnx/onnx/blob/main/onnx/helper.py",
        "made by tools/export.py",
        "C:\\",
    ],
)
def test_text_that_is_no_path(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any], text: str
) -> None:
    """Names of nodes, pages, addresses in the web and relative paths tell nothing and may stay."""
    graph = identity([None])
    graph.graph.node[0].name = text
    graph.graph.node[0].doc_string = text
    assert packed_identity(graph, [1]).predict({"x": [1]}).tolist() == [1]


@pytest.mark.parametrize("name", ["w.bin", "weights/" + "w" * 150], ids=["short", "long"])
def test_weights_in_another_file(
    packed_identity: Callable[..., Artifact],
    make_graph: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """A graph whose weights lie elsewhere is refused, also where they happen to be found."""
    weights = np.arange(3, dtype="f4")
    shape = (FLOAT, [None, 3])
    node = helper.make_node("Add", ["x", "w"], ["y"])
    graph = make_graph([node], {"x": shape}, {"y": shape}, {"w": weights})
    (tmp_path / name).parent.mkdir(exist_ok=True)
    path = tmp_path / "given.onnx"
    onnx.save(graph, path, save_as_external_data=True, location=name, size_threshold=0)
    assert (tmp_path / name).stat().st_size >= weights.nbytes
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.ArtifactSchemaError, match="weights in another file"):
        packed_identity(path, [[0, 0, 0]], Column("x", shape=(3,)), expected=[[0, 1, 2]])


def test_text_passes_unchanged(
    packed_identity: Callable[..., Artifact], make_graph: Callable[..., Any]
) -> None:
    """Text reaches the graph by its characters: accents count, and a NUL does not end it."""
    keys = ["é", "日本", "a"]
    node = helper.make_node(
        "LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml",
        keys_strings=keys, values_floats=[1.0, 2.0, 3.0], default_float=0.0,
    )  # fmt: skip
    graph = make_graph([node], {"x": (TEXT, [None])}, {"y": (FLOAT, [None])})
    values = [*keys, "e", "a\0b", ""]
    packed_identity(graph, values, Column("x", "string"), expected=[1, 2, 3, 0, 0, 0])


DOUBLE = TensorProto.DOUBLE
NARROW = r"convert float64 columns to float32 .*astype\(\"float32\"\).* FloatTensorType"


def test_a_graph_of_doubles(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any]
) -> None:
    """A graph converted from float64 is refused with what to convert before."""
    with pytest.raises(errors.ArtifactSchemaError, match=rf"takes x as float64.*; {NARROW}"):
        packed_identity(identity([None], DOUBLE), [1])


def test_a_graph_of_whole_numbers_gets_no_such_advice(
    packed_identity: Callable[..., Artifact], identity: Callable[..., Any]
) -> None:
    """The advice stands only where float64 is the reason."""
    with pytest.raises(errors.ArtifactSchemaError, match="takes x as int64") as caught:
        packed_identity(identity([None], INT), [1])
    assert "astype" not in str(caught.value)


def test_a_graph_that_mixes_floats_and_doubles(
    packed: Callable[..., Artifact], make_graph: Callable[..., Any]
) -> None:
    """What ONNX Runtime says of it is no help to a beginner; the advice is."""
    node = helper.make_node("Concat", ["a", "b"], ["y"], axis=1)
    kinds = {"a": (FLOAT, [None, 1]), "b": (DOUBLE, [None, 1])}
    graph = make_graph([node], kinds, {"y": (FLOAT, [None, 2])})
    inputs = Schema([Column("a"), Column("b")])
    with pytest.raises(errors.ArtifactSchemaError, match=rf"(?s)ONNX Runtime can run: .*{NARROW}"):
        packed(model=graph, inputs=inputs, golden={"a": [1], "b": [1]}, expected=[[1, 1]])


def test_a_classifier_on_a_frame_of_float64(packed: Callable[..., Artifact]) -> None:
    """scikit-learn's pipeline on a pandas frame, converted as it is, ends in the same advice."""
    import pandas as pd
    from skl2onnx import to_onnx
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame({"a": [0.5, 1.5, 2.5, 3.5], "c": ["UA", "B6", "UA", "B6"]})
    columns = make_column_transformer((OneHotEncoder(), ["c"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1, 0, 1])
    graph = to_onnx(model, frame[:1], options={"zipmap": False})
    with pytest.raises(errors.ArtifactSchemaError, match=rf"(?s){NARROW}"):
        packed(
            model=graph,
            inputs=Schema([Column("a"), Column("c", "string")]),
            golden=frame,
            expected=model.predict_proba(frame),
            output="probabilities",
        )


@pytest.mark.parametrize(
    "model", [object(), 5, None, ["graph"]], ids=["object", "5", "None", "list"]
)
def test_a_model_that_was_not_converted(packed: Callable[..., Artifact], model: Any) -> None:
    """A model of another library is refused by its class, with the call that converts it."""
    with pytest.raises(
        TypeError, match=r"must be an ONNX graph \(bytes.* e\.g\. skl2onnx"
    ) as caught:
        packed(model=model)
    assert f"got {type(model).__name__}; convert it first" in str(caught.value)
