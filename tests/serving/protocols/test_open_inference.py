"""The Open Inference Protocol: its codec by vectors of the specification, its routes by asking."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.tensors import colour_tensors, in_bytes, infer_request

import mlref
from mlref import errors
from mlref.artifact import Artifact
from mlref.serving.exchange import Block, Request
from mlref.serving.protocols.open_inference import Infer, model_of

PRICES = np.array([3.5, 8.0], dtype=np.float32)


@pytest.fixture(scope="module")
def codec(colours: Artifact) -> Infer:
    """The codec of the hand-written graph over every dtype."""
    return Infer(colours)


def _answer(codec: Infer, request: Request, predictions: np.ndarray = PRICES) -> Any:
    return codec.write(predictions, codec.read(request))


def test_a_request_of_the_specification_is_answered_like_its_example(codec: Infer) -> None:
    """The id comes back; the output has name, shape, datatype and row-major data."""
    body = b"""
    {
      "id" : "42",
      "inputs" : [
        {"name" : "count", "shape" : [ 2, 1 ], "datatype" : "INT64", "data" : [ 3, 4 ]},
        {"name" : "extra", "shape" : [ 2 ], "datatype" : "FP32", "data" : [ 0.5, null ]},
        {"name" : "colour", "shape" : [ 2, 1 ], "datatype" : "BYTES", "data" : [["red"], ["blue"]]}
      ],
      "outputs" : [ {"name" : "price"} ]
    }"""
    reply = _answer(codec, infer_request(body))
    assert (reply.status, reply.content_type) == (200, b"application/json")
    assert json.loads(reply.body) == {
        "model_name": "colours",
        "model_version": "0.1.0",
        "id": "42",
        "outputs": [{"name": "price", "shape": [2, 1], "datatype": "FP32", "data": [3.5, 8.0]}],
    }


def test_a_binary_request_of_the_specification_is_answered_in_bytes(
    codec: Infer, colours: Artifact
) -> None:
    """Bytes follow the JSON object in the order of the tensors, there and back."""
    head = {
        "inputs": [
            {"name": "colour", "shape": [2, 1], "datatype": "BYTES",
             "parameters": {"binary_data_size": 15}},
            {"name": "count", "shape": [2, 1], "datatype": "INT64",
             "parameters": {"binary_data_size": 16}},
            {"name": "extra", "shape": [2, 1], "datatype": "FP32",
             "parameters": {"binary_data_size": 8}},
        ],
        "outputs": [{"name": "price", "parameters": {"binary_data": True}}],
    }  # fmt: skip
    tail = (
        b"\x03\0\0\0red\x04\0\0\0blue"
        b"\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0"
        b"\0\0\0\x3f\0\0\xc0\x7f"  # 0.5 and NaN
    )
    request = infer_request(head, tail)
    arrays = codec.read(request).arrays(colours.inputs)
    assert arrays["colour"].tolist() == ["red", "blue"]
    assert arrays["count"].tolist() == [3, 4]
    np.testing.assert_array_equal(arrays["extra"], np.array([0.5, np.nan], np.float32))
    reply = _answer(codec, request)
    ((name, length),) = reply.headers
    size = int(length)
    assert (reply.content_type, name) == (
        b"application/octet-stream",
        b"inference-header-content-length",
    )
    assert json.loads(reply.body[:size])["outputs"] == [
        {
            "name": "price",
            "shape": [2, 1],
            "datatype": "FP32",
            "parameters": {"binary_data_size": 8},
        }
    ]
    assert reply.body[size:] == struct.pack("<2f", 3.5, 8.0)


@pytest.mark.parametrize(
    ("document", "binary"),
    [
        ({}, False),
        ({"parameters": {"binary_data_output": True}}, True),
        ({"outputs": [{"name": "price", "parameters": {"binary_data": True}}]}, True),
        ({"outputs": [{"name": "price"}], "parameters": {"binary_data_output": True}}, True),
        (
            {
                "outputs": [{"name": "price", "parameters": {"binary_data": False}}],
                "parameters": {"binary_data_output": True},
            },
            False,
        ),
        ({"outputs": []}, False),
        ({"parameters": {"priority": 1, "timeout": 5, "note": "x", "flag": True}}, False),
    ],
)
def test_an_output_is_binary_when_asked(codec: Infer, document: Any, *, binary: bool) -> None:
    """The parameter of the output goes before that of the request; without either it is JSON."""
    reply = _answer(codec, infer_request({"inputs": colour_tensors(), **document}))
    assert (reply.content_type == b"application/octet-stream") == binary


@pytest.mark.parametrize("ident", ["", "42", 'a"b\\', "é✓", "urn:uuid:1", "\ud800"])
def test_an_id_comes_back_as_it_was(codec: Infer, ident: str) -> None:
    """Whatever text it is, also one that UTF-8 cannot hold."""
    reply = _answer(codec, infer_request({"id": ident, "inputs": colour_tensors()}))
    assert json.loads(reply.body)["id"] == ident


def test_unknown_categories_are_told_in_the_reply(codec: Infer) -> None:
    """As the parameter "warnings", a text, since parameters hold no lists."""
    tensors = colour_tensors()
    tensors[0]["data"] = ["green", "red"]
    reply = _answer(codec, infer_request({"inputs": tensors}))
    assert json.loads(reply.body)["parameters"] == {
        "warnings": "colour: 1 unknown category imputed"
    }
    strict = {"inputs": tensors, "parameters": {"on_unknown": "error"}}
    with pytest.raises(errors.InvalidInputError) as caught:
        codec.read(infer_request(strict))
    assert [type(each) for each in caught.value.exceptions] == [errors.UnknownCategoryError]


@pytest.mark.parametrize("length", ["", "x", "-1", "9" * 19, "9" * 5000, "\u00b2", "1 2"])
def test_the_length_of_the_json_object_must_be_possible(codec: Infer, length: str) -> None:
    """A header that is no number of bytes of the body is refused, with both numbers."""
    with pytest.raises(errors.InvalidInputError) as caught:
        codec.read(infer_request({"inputs": colour_tensors()}, length=length))
    assert "Inference-Header-Content-Length must be" in str(caught.value)


def test_a_length_that_cuts_the_object_is_refused(codec: Infer) -> None:
    """What is left of the object is not JSON."""
    with pytest.raises(errors.InvalidInputError) as caught:
        codec.read(infer_request({"inputs": colour_tensors()}, length="20"))
    assert "a request must be JSON" in str(caught.value)


def test_bytes_without_the_header_are_refused_with_advice(codec: Infer) -> None:
    """The message names the header that is missing."""
    told, data = in_bytes("extra", np.array([[-1.5]], np.float32))
    request = infer_request({"inputs": [told]}, data)
    plain = Request(request.method, request.path, request.headers[:2], request.body)
    with pytest.raises(errors.InvalidInputError) as caught:
        codec.read(plain)
    assert "Inference-Header-Content-Length" in str(caught.value)


def test_a_compressed_body_is_refused(codec: Infer) -> None:
    """With 415: it could become anything when unpacked."""
    request = infer_request({"inputs": colour_tensors()})
    request.headers = [*request.headers, (b"content-encoding", b"gzip")]
    with pytest.raises(errors.RequestRefusedError, match="uncompressed") as caught:
        codec.read(request)
    assert caught.value.status == 415


def test_a_refusal_names_all_problems_and_shows_the_first() -> None:
    """Clients show "error" alone, so it says what is wrong; "problems" holds every one."""
    problems = [errors.WrongTypeError("count: no", column="count"), errors.EmptyInputError("none")]
    group = errors.InvalidInputError(problems)
    reply = Infer.refuse(Infer.status_of(group), group.message, problems)
    body = json.loads(reply.body)
    assert reply.status == 400
    assert body["error"] == "the input does not fit the schema: 2 problems: count: no"
    assert [problem["kind"] for problem in body["problems"]] == ["WrongType", "EmptyInput"]


def test_classes_of_several_numbers_keep_their_shape(digits: Any) -> None:
    """An output of shape (10,) is [n, 10], flat in row-major order."""
    codec = Infer(digits.artifact)
    predictions = np.arange(20, dtype=np.float32).reshape(2, 10)
    block = Block(2, [], context=codec.read(_images(2)).context)
    (output,) = json.loads(codec.write(predictions, block).body)["outputs"]
    assert (output["shape"], output["data"]) == ([2, 10], [float(n) for n in range(20)])


def _images(count: int) -> Request:
    images = np.full((count, 64), 1.5, np.float32)
    told, data = in_bytes("pixels", images)
    return infer_request({"inputs": [told]}, data)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v2/models/flights/infer", ("flights", None)),
        ("/v2/models/a.b_c-1/versions/1.0.0/infer", ("a.b_c-1", "1.0.0")),
        ("/v2/models/versions/infer", ("versions", None)),
        ("/v2/models//infer", None),
        ("/v2/models/a/b/infer", None),
        ("/v2/models/a/versions/infer", None),
        ("/v2/models/a/infer/", None),
        ("/v2/models/a/infer\n", None),
        ("/v2/models/ä/infer", None),
        ("/v2/models/a", None),
    ],
)
def test_a_path_tells_model_and_version(path: str, found: Any) -> None:
    """Only the whole path of the protocol does."""
    assert model_of(path) == found


Ask = Callable[..., Any]


def test_the_server_tells_that_it_lives_and_is_ready(colours_app: Any, ask: Ask) -> None:
    """By its status, as probes look at it."""
    assert ask(colours_app, "GET", "/v2/health/live").status == 200
    assert ask(colours_app, "GET", "/v2/health/ready").status == 200


def test_a_server_without_a_model_lives_but_is_not_ready(ask: Ask) -> None:
    """A load balancer must not send it requests."""
    from mlref.serving import create_app

    app = create_app()
    assert ask(app, "GET", "/v2/health/live").status == 200
    assert ask(app, "GET", "/v2/health/ready").status == 503
    assert ask(app, "GET", "/v2/models/colours/ready").status == 404
    assert ask(app, "POST", "/v2/repository/index").body == []


def test_the_server_tells_its_name_and_extensions(colours_app: Any, ask: Ask) -> None:
    """With the version of mlref."""
    assert ask(colours_app, "GET", "/v2").body == {
        "name": "mlref",
        "version": mlref.__version__,
        "extensions": ["binary_tensor_data"],
    }


@pytest.mark.parametrize("path", ["/v2/models/colours", "/v2/models/colours/versions/0.1.0"])
def test_a_model_tells_its_inputs_and_outputs(colours_app: Any, ask: Ask, path: str) -> None:
    """Rows are -1; single values have a dimension of 1, as in the graph."""
    assert ask(colours_app, "GET", path).body == {
        "name": "colours",
        "versions": ["0.1.0"],
        "platform": "onnx_onnxv1",
        "inputs": [
            {"name": "colour", "datatype": "BYTES", "shape": [-1, 1]},
            {"name": "count", "datatype": "INT64", "shape": [-1, 1]},
            {"name": "extra", "datatype": "FP32", "shape": [-1, 1]},
        ],
        "outputs": [{"name": "price", "datatype": "FP32", "shape": [-1, 1]}],
    }


@pytest.mark.parametrize("path", ["/v2/models/colours", "/v2/models/colours/versions/0.1.0"])
def test_a_model_is_ready(colours_app: Any, ask: Ask, path: str) -> None:
    """Its name, version and readiness."""
    answer = ask(colours_app, "GET", f"{path}/ready")
    assert answer.status == 200
    assert answer.body == {"name": "colours", "version": "0.1.0", "ready": True}


@pytest.mark.parametrize("path", ["/v2/models/no", "/v2/models/colours/versions/9"])
def test_an_unknown_model_is_404_everywhere(colours_app: Any, ask: Ask, path: str) -> None:
    """The text names what there is."""
    for answer in (
        ask(colours_app, "GET", path),
        ask(colours_app, "GET", f"{path}/ready"),
        ask(colours_app, "POST", f"{path}/infer", content=b"{}"),
    ):
        assert answer.status == 404
        assert "colours" in answer.body["error"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": true}'])
def test_the_index_lists_every_model(colours_app: Any, ask: Ask, body: bytes) -> None:
    """Name, version and state, whatever form the request has."""
    assert ask(colours_app, "POST", "/v2/repository/index", content=body).body == [
        {"name": "colours", "version": "0.1.0", "state": "READY", "reason": ""}
    ]


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"ready": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_request_for_the_index_is_refused(
    colours_app: Any, ask: Ask, body: bytes
) -> None:
    """With 400 and what the body must be."""
    answer = ask(colours_app, "POST", "/v2/repository/index", content=body)
    assert answer.status == 400
    assert "must be empty" in answer.body["error"]


def test_predictions_come_through_the_application(colours_app: Any, ask: Ask) -> None:
    """The golden rows give the golden prices; a wrong datatype gives 400 and says so."""
    document = {"id": "7", "inputs": colour_tensors()}
    answer = ask(colours_app, "POST", "/v2/models/colours/infer", json=document)
    assert (answer.status, answer.body["id"]) == (200, "7")
    assert answer.body["outputs"][0]["data"] == [3.5, 8.0]
    document["inputs"][1]["datatype"] = "INT32"  # type: ignore[index]
    refused = ask(colours_app, "POST", "/v2/models/colours/versions/0.1.0/infer", json=document)
    assert refused.status == 400
    assert "count: datatype must be INT64, got 'INT32'" in refused.body["error"]
    assert [problem["column"] for problem in refused.body["problems"]] == ["count"]
