"""NVIDIA's own client of the Open Inference Protocol against a real server process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mlref.artifact import Artifact
from mlref.targets import Local

http = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is in the extra dev")
utils = pytest.importorskip("tritonclient.utils")

DATATYPES = {"float32": "FP32", "int64": "INT64", "string": "BYTES"}


@pytest.fixture(scope="module", params=["colours", "digits", "champion"])
def artifact(request: pytest.FixtureRequest) -> Artifact:
    """Every dtype; a matrix of floats; the flights, text and numbers with holes."""
    case = request.getfixturevalue(request.param)
    return case if isinstance(case, Artifact) else case.artifact


@pytest.fixture(scope="module")
def client(artifact: Artifact) -> Iterator[Any]:
    """A client of a server that has this model."""
    with Local().deploy(artifact) as endpoint:
        url = endpoint.describe().url
        assert url is not None
        with http.InferenceServerClient(url.removeprefix("http://")) as connected:
            yield connected


def _rows(artifact: Artifact, count: int) -> dict[str, np.ndarray]:
    """Golden rows as the client takes them, repeated where there are too few."""
    order = np.arange(count) % len(artifact.golden.instances)
    arrays = artifact.inputs.decode(artifact.golden.columns).arrays
    return {
        column.name: arrays[column.name][order].reshape(count, *(column.shape or (1,)))
        for column in artifact.inputs
    }


def _golden(artifact: Artifact, count: int) -> np.ndarray:
    order = np.arange(count) % len(artifact.golden.instances)
    output = artifact.manifest.output.shape or (1,)
    return artifact.golden.predictions[order].reshape(count, *output)


def _inputs(artifact: Artifact, rows: dict[str, np.ndarray], *, binary: bool) -> list[Any]:
    found = []
    for column in artifact.inputs:
        values = rows[column.name]
        tensor = http.InferInput(column.name, list(values.shape), DATATYPES[column.dtype])
        found.append(tensor.set_data_from_numpy(values, binary_data=binary))
    return found


def _output(artifact: Artifact, *, binary: bool) -> list[Any]:
    return [http.InferRequestedOutput(artifact.manifest.output.name, binary_data=binary)]


def test_the_client_finds_server_and_model_alive_and_ready(artifact: Artifact, client: Any) -> None:
    """A model or a version that is not there is not ready."""
    name, version = artifact.manifest.name, artifact.manifest.version
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(name)
    assert client.is_model_ready(name, version)
    assert not client.is_model_ready("nobody")
    assert not client.is_model_ready(name, "0.0.0-none")


def test_the_metadata_describe_the_tensors_that_are_sent(artifact: Artifact, client: Any) -> None:
    """Names, datatypes and shapes are those of the schema, with -1 for the rows."""
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    told = client.get_model_metadata(artifact.manifest.name)
    assert told["versions"] == [artifact.manifest.version]
    rows = _rows(artifact, 1)
    expected = [
        (column.name, DATATYPES[column.dtype], [-1, *rows[column.name].shape[1:]])
        for column in artifact.inputs
    ]
    assert [(t["name"], t["datatype"], t["shape"]) for t in told["inputs"]] == expected
    assert [t["name"] for t in told["outputs"]] == [artifact.manifest.output.name]
    (entry,) = client.get_model_repository_index()
    assert (entry["name"], entry["state"]) == (artifact.manifest.name, "READY")


@pytest.mark.parametrize("count", [1, 3, 100])
@pytest.mark.parametrize("binary_output", [False, True])
def test_binary_tensors_give_the_golden_predictions(
    artifact: Artifact, client: Any, count: int, *, binary_output: bool
) -> None:
    """Missing values are NaN and empty elements, as the client writes them."""
    result = client.infer(
        artifact.manifest.name,
        _inputs(artifact, _rows(artifact, count), binary=True),
        request_id="7",
        outputs=_output(artifact, binary=binary_output),
    )
    got = result.as_numpy(artifact.manifest.output.name)
    np.testing.assert_allclose(got, _golden(artifact, count), rtol=1e-5, atol=1e-5)
    assert got.shape == _golden(artifact, count).shape
    assert result.get_response()["id"] == "7"
    assert result.get_response()["model_version"] == artifact.manifest.version


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("binary_output", [False, True])
def test_json_tensors_give_the_golden_predictions(
    artifact: Artifact, client: Any, count: int, *, binary_output: bool
) -> None:
    """The rows that JSON can hold as this client writes it: it has no word for a missing one."""
    rows = _rows(artifact, len(artifact.golden.instances))
    whole = np.ones(len(artifact.golden.instances), dtype=bool)
    for column in artifact.inputs:
        there = [_is_there(value, nullable=column.nullable) for value in rows[column.name]]
        whole &= np.array(there)
    assert whole.any()
    order = np.flatnonzero(whole)[np.arange(count) % int(whole.sum())]
    result = client.infer(
        artifact.manifest.name,
        _inputs(artifact, {name: values[order] for name, values in rows.items()}, binary=False),
        model_version=artifact.manifest.version,
        outputs=_output(artifact, binary=binary_output),
    )
    got = result.as_numpy(artifact.manifest.output.name)
    expected = _golden(artifact, len(artifact.golden.instances))[order]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def _is_there(value: np.ndarray, *, nullable: bool) -> bool:
    if value.dtype.kind == "O":
        return not nullable or bool(value[0])
    return not bool(np.isnan(value).any())


def test_without_outputs_the_client_gets_bytes(artifact: Artifact, client: Any) -> None:
    """It then asks for "binary_data_output" of the whole request."""
    rows = _inputs(artifact, _rows(artifact, 2), binary=True)
    result = client.infer(artifact.manifest.name, rows, priority=3, timeout=10**6)
    output = result.get_output(artifact.manifest.output.name)
    assert output["parameters"] == {
        "binary_data_size": 4 * int(np.prod(_golden(artifact, 2).shape))
    }
    got = result.as_numpy(artifact.manifest.output.name)
    np.testing.assert_allclose(got, _golden(artifact, 2), rtol=1e-5, atol=1e-5)


def test_json_and_binary_tensors_may_be_mixed(colours: Artifact) -> None:
    """Text as JSON, numbers as bytes, in one request."""
    rows = _rows(colours, 3)
    mixed = [
        _inputs(colours, rows, binary=each.dtype != "string")[place]
        for place, each in enumerate(colours.inputs)
    ]
    with Local().deploy(colours) as endpoint:
        url = endpoint.describe().url
        assert url is not None
        with http.InferenceServerClient(url.removeprefix("http://")) as connected:
            got = connected.infer("colours", mixed).as_numpy("price")
    np.testing.assert_allclose(got, _golden(colours, 3), rtol=1e-5)


def test_a_wrong_datatype_is_an_error_that_says_so(artifact: Artifact, client: Any) -> None:
    """The client raises its own error, with the server's text and status."""
    rows = _rows(artifact, 2)
    inputs = _inputs(artifact, rows, binary=True)
    name = artifact.inputs.names[-1]
    wide = rows[name].astype(np.float64)
    tensor = http.InferInput(name, list(wide.shape), "FP64")
    inputs[-1] = tensor.set_data_from_numpy(wide)
    with pytest.raises(utils.InferenceServerException) as caught:
        client.infer(artifact.manifest.name, inputs)
    assert caught.value.status() == "400"
    assert f"{name}: datatype must be FP32, got 'FP64'" in caught.value.message()


def test_an_unknown_model_and_an_unknown_output_are_errors(artifact: Artifact, client: Any) -> None:
    """404 for the model, 400 for the output, each with the names that there are."""
    inputs = _inputs(artifact, _rows(artifact, 1), binary=True)
    with pytest.raises(utils.InferenceServerException, match=artifact.manifest.name) as caught:
        client.infer("nobody", inputs)
    assert caught.value.status() == "404"
    wanted = [http.InferRequestedOutput("nothing")]
    with pytest.raises(utils.InferenceServerException, match=artifact.manifest.output.name):
        client.infer(artifact.manifest.name, inputs, outputs=wanted)
