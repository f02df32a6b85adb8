"""The complete reader of inference requests: every wrong thing is refused, with its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.tensors import colour_tensors, in_bytes, infer_request, tensor

from mlref import errors
from mlref.artifact import Artifact
from mlref.serving.protocols.fast_tensors import FastTensors
from mlref.serving.protocols.infer_request import InferReader

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def reader(colours: Artifact) -> InferReader:
    """The reader of the hand-written graph over every dtype."""
    model = {"name": "colours", "version": "0.1.0"}
    return InferReader(colours.inputs, model=model, output="price")


def _problems(reader: InferReader, head: Any, tail: bytes = b"") -> list[tuple[str, str]]:
    """Kind and message of each problem."""
    data = head if isinstance(head, bytes) else json.dumps(head).encode()
    with pytest.raises(errors.InvalidInputError) as caught:
        reader(data, memoryview(tail))
    problems: Any = caught.value.exceptions
    return [(each.as_dict()["kind"], str(each)) for each in problems]


def _put(place: int, **fields: Any) -> Change:
    return lambda document: document["inputs"][place].update(fields)


def _top(**fields: Any) -> Change:
    return lambda document: document.update(fields)


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (_put(0, name="color"), "ExtraColumn", "color is not a column of this model"),
        (_put(0, name="color"), "MissingColumn", "colour is missing; the inputs are colour, count"),
        (_put(0, name="count"), "ExtraColumn", "count stands more than once"),
        (_put(0, name=7), "MalformedRequest", "inputs[0] needs a name, got 7"),
        (_put(0, name=["x"]), "MalformedRequest", "inputs[0] needs a name, got ['x']"),
        (_put(1, datatype="INT32"), "WrongType", "count: datatype must be INT64, got 'INT32'"),
        (_put(1, datatype=None), "WrongType", "count: datatype must be INT64, got None"),
        (_put(1, shape=[2, 2]), "WrongLength", "count: shape must be [n, 1] for n rows"),
        (_put(1, shape=[]), "WrongLength", "count: shape must be [n, 1] for n rows, got []"),
        (_put(1, shape=[3, 1]), "WrongLength", "count: shape [3, 1] needs 3 values, got 2"),
        (_put(1, shape=[-2, 1]), "WrongLength", "count: shape must be [n, 1]"),
        (_put(1, shape=[2, -1]), "WrongLength", "count: shape must be [n, 1]"),
        (_put(1, shape=[0, 1], data=[]), "EmptyInput", "count: has no rows"),
        (_put(1, shape=[2.0, 1]), "MalformedRequest", "count: shape must be [n, 1]"),
        (_put(1, shape=[True, 1]), "MalformedRequest", "count: shape must be [n, 1]"),
        (_put(1, shape="2"), "MalformedRequest", "count: shape must be [n, 1]"),
        (_put(1, shape=[10**400, 1]), "WrongLength", "values, got 2"),
        (_put(1, data=[3]), "WrongLength", "shape [2, 1] needs 2 values, got 1"),
        (_put(1, data=[[3], [4, 5]]), "WrongLength", "nested as its shape [2, 1] says (row 1)"),
        (_put(1, data=[[3], 4]), "WrongLength", "nested as its shape [2, 1] says (row 1)"),
        (_put(1, data=[[[3]], [[4]]]), "WrongLength", "nested as its shape [2, 1] says (rows 0"),
        (_put(1, shape=[2], data=[[3], [4]]), "WrongLength", "nested as its shape [2] says"),
        (_put(1, data="34"), "WrongType", "count: data must be a list, got '34'"),
        (_put(1, data=["3", 4]), "WrongType", "count must be a whole number, got '3' (row 0)"),
        (_put(1, data=[True, 4]), "WrongType", "count must be a whole number, got True (row 0)"),
        (_put(1, data=[3.5, 4]), "WrongType", "count must be a whole number, got 3.5 (row 0)"),
        (_put(1, data=[None, 4]), "MissingValue", "count is not nullable"),
        (_put(1, data=[3, 1001]), "OutOfRange", "count must lie between 0 and 1000"),
        (_put(1, data=[3, 2**64]), "NotFinite", "count must be a finite int64"),
        (_put(2, data=[1e39, 0]), "NotFinite", "extra must be a finite float32"),
        (_put(2, data=[float("nan"), 0]), "NotFinite", "extra must be a finite float32, got NaN"),
        (_put(2, data=["1.5", 0]), "WrongType", "extra must be a number, got '1.5' (row 0)"),
        (_put(0, data=["red", 1]), "WrongType", "colour must be text, got 1 (row 1)"),
        (_put(0, data=["red", None]), "MissingValue", "colour is not nullable"),
        (_put(0, shape=[1], data=["red"]), "WrongLength", "the same number of rows"),
        (_put(0, extra=1), "MalformedRequest", "'extra' is not part of inputs[0]"),
        (_put(0, parameters=[]), "MalformedRequest", "the parameters of inputs[0] must be an obj"),
        (_put(0, parameters={"a": [1]}), "MalformedRequest", "'a' of inputs[0] must be text"),
        (
            _put(0, parameters={"binary_data_size": -1}),
            "MalformedRequest",
            "binary_data_size of inputs[0] must be a number of bytes, got -1",
        ),
        (
            _put(0, parameters={"binary_data_size": 0}),
            "MalformedRequest",
            'needs either "data" or the parameter "binary_data_size", got both',
        ),
        (
            _put(0, parameters={"shared_memory_region": "r"}),
            "MalformedRequest",
            "shared memory is not offered",
        ),
        (_top(inputs={}), "MalformedRequest", "inputs must be a list of objects"),
        (_top(inputs=[1]), "MalformedRequest", "inputs must be a list of objects"),
        (_top(inputs=[]), "MissingColumn", "colour is missing"),
        (_top(id=7), "MalformedRequest", "id must be text, got 7"),
        (_top(model_name="x"), "MalformedRequest", "model_name must be colours or left out"),
        (_top(model_version=1), "MalformedRequest", "model_version must be 0.1.0 or left out"),
        (_top(columns={}), "MalformedRequest", "'columns' is not part of a request; allowed are"),
        (_top(parameters=3), "MalformedRequest", "the parameters of the request must be an obj"),
        (_top(parameters={"a": None}), "MalformedRequest", "'a' of the request must be text"),
        (
            _top(parameters={"binary_data_output": 1}),
            "MalformedRequest",
            "binary_data_output must be true or false, got 1",
        ),
        (
            _top(parameters={"on_unknown": "drop"}),
            "MalformedRequest",
            'on_unknown must be "impute" or "error", got \'drop\'',
        ),
        (_top(outputs="price"), "MalformedRequest", "outputs must be a list of objects"),
        (
            _top(outputs=[{"name": "cost"}]),
            "MalformedRequest",
            "outputs[0] must name an output of this model, price, got 'cost'",
        ),
        (
            _top(outputs=[{"name": "price"}, {"name": "price"}]),
            "MalformedRequest",
            "outputs must name price once",
        ),
        (
            _top(outputs=[{"name": "price", "shape": [2]}]),
            "MalformedRequest",
            "'shape' is not part of outputs[0]",
        ),
        (
            _top(outputs=[{"name": "price", "parameters": {"binary_data": "yes"}}]),
            "MalformedRequest",
            "binary_data must be true or false, got 'yes'",
        ),
        (
            _top(outputs=[{"name": "price", "parameters": {"classification": 3}}]),
            "MalformedRequest",
            "must not ask for classification",
        ),
    ],
)
def test_what_is_wrong_is_refused_by_name(
    reader: InferReader, colours: Artifact, change: Change, kind: str, text: str
) -> None:
    """The complete reader names it, and the short way does not take it for right."""
    document = {"inputs": colour_tensors()}
    change(document)
    problems = _problems(reader, document)
    assert [found for found in problems if found[0] == kind and text in found[1]], problems
    head = infer_request(document).body
    assert FastTensors(colours.inputs, output="price")(head) is None


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"", "a request must be JSON"),
        (b"{", "a request must be JSON"),
        (b"[1]", "a request must be a JSON object, got [1]"),
        (b'{"inputs": "\xff"}', "byte 12 is not; say in Inference-Header-Content-Length"),
        (b"[" * 100_000, "must not be nested that deeply"),
        (b'{"inputs": [], "inputs": []}', "'inputs' stands more than once in a request"),
        (
            b'{"inputs": [{"name": "count", "data": [1], "data": [2]}]}',
            "'data' stands more than once in inputs[0]",
        ),
        (
            b'{"inputs": [], "parameters": {"a": 1, "a": 2}}',
            "'a' stands more than once in the parameters of the request",
        ),
        (b'{"inputs": [], "id": ' + b"1" * 5000 + b"}", "id must be text"),
    ],
)
def test_what_is_no_request_at_all_is_refused(reader: InferReader, head: bytes, text: str) -> None:
    """JSON that is broken, or says a thing twice."""
    assert any(text in message for _, message in _problems(reader, head))


def test_all_problems_are_named_at_once(reader: InferReader) -> None:
    """Those of the request, of tensors and of values, in one answer."""
    document = {
        "id": 1,
        "inputs": [
            tensor("colour", "FP32", [2, 1], ["red", "blue"]),
            tensor("count", "INT64", [2, 1], [-1, 4]),
            tensor("weight", "FP32", [2, 1], [1, 2]),
        ],
        "outputs": [{"name": "cost"}],
    }
    assert [kind for kind, _ in _problems(reader, document)] == [
        "MalformedRequest",
        "MalformedRequest",
        "MissingColumn",
        "ExtraColumn",
        "WrongType",
        "OutOfRange",
    ]


@pytest.mark.parametrize(
    ("size", "tail", "text"),
    [
        (8, b"\0" * 7, "are 8 bytes together, the body has 7 behind"),
        (8, b"\0" * 9, "are 8 bytes together, the body has 9 behind"),
        (8, b"", "the body has 0; is Inference-Header-Content-Length"),
        (12, b"\0" * 12, "shape [2, 1] of FP32 is 8 bytes, binary_data_size is 12"),
        (2**70, b"\0" * 8, "the body has 8 behind"),
    ],
)
def test_sizes_must_add_up(reader: InferReader, size: int, tail: bytes, text: str) -> None:
    """Too few bytes, bytes left over, or others than the shape needs are refused."""
    tensors = colour_tensors()
    del tensors[2]["data"]
    tensors[2]["parameters"] = {"binary_data_size": size}
    problems = _problems(reader, {"inputs": tensors}, tail)
    assert len(problems) == 1
    assert text in problems[0][1]


def test_json_and_bytes_may_stand_in_one_request(reader: InferReader, colours: Artifact) -> None:
    """Bytes belong to the tensors that say so, in their order."""
    told, data = in_bytes("extra", np.array([[0.5], [np.nan]], np.float32))
    counts, more = in_bytes("count", np.array([[3], [4]]))
    document = {"inputs": [told, colour_tensors()[0], counts]}
    block = reader(json.dumps(document).encode(), memoryview(data + more))
    arrays = block.arrays(colours.inputs)
    assert arrays["count"].tolist() == [3, 4]
    assert arrays["colour"].tolist() == ["red", "blue"]
    np.testing.assert_array_equal(arrays["extra"], np.array([0.5, np.nan], np.float32))


def test_what_the_path_says_may_be_repeated(reader: InferReader) -> None:
    """Clients send the model's name and version in the body, too."""
    more = {"model_name": "colours", "model_version": "0.1.0", "inputs": colour_tensors()}
    assert reader(json.dumps(more).encode(), memoryview(b"")).n_rows == 2


def test_a_hundred_strange_inputs_make_a_short_answer(reader: InferReader) -> None:
    """The first of them are named, the others are counted."""
    strange = [tensor(f"x{n}", "FP32", [2], [1, 2]) for n in range(100)]
    problems = _problems(reader, {"inputs": colour_tensors() + strange})
    assert len(problems) < 30
    assert any("and 80 more of this kind" in text for _, text in problems)
