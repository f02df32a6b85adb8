"""One image, every cloud: the same bytes answer as each platform asks."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support.lambda_api import runtime_api

from mlref import containers
from mlref.artifact import TOLERANCE, Artifact

http = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is in the extra dev")


@pytest.fixture(scope="module")
def image(colours: Artifact) -> containers.Image:
    """The image, built once; it holds the prices of colours."""
    reason = containers.available()
    if reason is not None:
        required = "docker" in os.environ.get("MLREF_REQUIRE", "").split(",")
        (pytest.fail if required else pytest.skip)(f"docker: {reason}")
    return containers.build(colours)


def _golden(artifact: Artifact, answers: Any) -> None:
    """The answers are the golden predictions."""
    got = np.asarray(answers, dtype=np.float32).reshape(artifact.golden.predictions.shape)
    assert np.abs(got - artifact.golden.predictions).max() <= TOLERANCE


def test_sagemaker_starts_it_with_serve_and_a_model_of_its_own(
    image: containers.Image, digits: Any, tmp_path: Path
) -> None:
    """`docker run IMAGE serve` with /opt/ml/model mounted: the mounted model answers."""
    shutil.copytree(digits.artifact.folder, tmp_path / "model")
    mounts = {tmp_path / "model": "/opt/ml/model"}
    with containers.run(image, ["serve"], mounts=mounts) as container:
        container.wait_ready(path="/ping")
        body = json.dumps({"columns": digits.artifact.golden.columns})
        headers = {"Content-Type": "application/json"}
        answer = httpx.post(f"{container.url}/invocations", content=body, headers=headers)
    assert answer.status_code == 200
    _golden(digits.artifact, answer.json()["predictions"])


def test_vertex_names_port_and_routes(image: containers.Image, colours: Artifact) -> None:
    """The AIP_ variables decide where it listens and which paths answer."""
    variables = {
        "AIP_HTTP_PORT": "9090",
        "AIP_HEALTH_ROUTE": "/alive",
        "AIP_PREDICT_ROUTE": "/ask",
        "AIP_STORAGE_URI": "/opt/ml/model",
    }
    with containers.run(image, environment=variables, port=9090) as container:
        container.wait_ready(path="/alive")
        body = {"instances": [dict(row) for row in colours.golden.instances]}
        answer = httpx.post(f"{container.url}/ask", json=body)
    assert answer.status_code == 200
    _golden(colours, answer.json()["predictions"])


def test_cloud_run_names_the_port(image: containers.Image) -> None:
    """PORT decides where it listens."""
    with containers.run(image, environment={"PORT": "7070"}, port=7070) as container:
        container.wait_ready()
        assert httpx.get(f"{container.url}/health").json()["status"] == "ok"


def test_a_client_of_the_open_inference_protocol_is_answered(
    image: containers.Image, colours: Artifact
) -> None:
    """KServe's protocol V2, asked by NVIDIA's own client."""
    with containers.run(image) as container:
        container.wait_ready(path="/v2/health/ready")
        arrays = colours.inputs.decode(colours.golden.columns).arrays
        kinds = {"float32": "FP32", "int64": "INT64", "string": "BYTES"}
        inputs = []
        for column in colours.inputs:
            values = arrays[column.name].reshape(-1, *(column.shape or (1,)))
            tensor = http.InferInput(column.name, list(values.shape), kinds[column.dtype])
            inputs.append(tensor.set_data_from_numpy(values))
        with http.InferenceServerClient(container.url.removeprefix("http://")) as client:
            name = client.get_model_metadata("colours")["outputs"][0]["name"]
            _golden(colours, client.infer("colours", inputs).as_numpy(name))


def test_lambda_asks_for_events(image: containers.Image, colours: Artifact) -> None:
    """With the command `lambda` it fetches events from the Runtime API and answers them."""
    with runtime_api() as api:
        variables = {"AWS_LAMBDA_RUNTIME_API": api.address}
        options: dict[str, Any] = {"environment": variables, "network": "host"}
        with containers.run(image, ["lambda"], drain_timeout_s=2, **options):
            outcome = api.invoke({"columns": colours.golden.columns})
    assert not outcome.failed
    _golden(colours, outcome.payload["predictions"])
