"""Azure's own inference server runs our scoring script, in the environment that it pins."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlref.artifact import TOLERANCE, Artifact
from mlref.runtime import process
from mlref.serving.protocols.azure import score_script

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "build/envs/azure/bin/azmlinfsrv"
READY_TIMEOUT_S = 90.0


def _free_port() -> int:
    """A port that was free a moment ago.

    Our own servers take port 0 and report what they were given. This one is not ours: it accepts
    neither 0 nor a socket, and tells nobody. Should another program take the port meanwhile, the
    server ends and `wait_ready` fails with its log: the test cannot pass by mistake.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def azure(champion: Any, require: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the running server, which has the champion as its registered model."""
    import httpx

    require("azure", SERVER.exists(), "run `make azure`")
    folder = tmp_path_factory.mktemp("azure")
    (folder / "score.py").write_text(score_script())
    port = _free_port()
    command = [SERVER, "--entry_script", folder / "score.py", "--port", str(port)]
    command += ["--model_dir", champion.artifact.folder]
    environment = {"AML_APP_ROOT": str(folder), "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    with (
        process.start(command, name="azmlinfsrv", env=environment, cwd=folder) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
    ):

        def answers() -> bool:
            try:
                return client.get("/").is_success
            except httpx.TransportError:
                return False

        server.wait_ready(answers, READY_TIMEOUT_S)
        yield client


def _golden(artifact: Artifact) -> dict[str, Any]:
    return {"instances": [dict(row) for row in artifact.golden.instances]}


def test_the_health_probe_answers(azure: Any) -> None:
    """GET / is what Azure asks before it sends traffic."""
    response = azure.get("/")
    assert (response.status_code, response.text) == (200, "Healthy")


def test_golden_rows_are_answered(azure: Any, champion: Any) -> None:
    """The same predictions as everywhere, from the onnxruntime of Azure's environment."""
    response = azure.post("/score", json=_golden(champion.artifact))
    body = response.json()
    assert response.status_code == 200
    golden = champion.artifact.golden.predictions
    np.testing.assert_allclose(body["predictions"], golden, atol=TOLERANCE)
    assert body["model"] == {"name": "flights", "version": "1.0.0"}


def test_real_flights_as_lists_are_answered(azure: Any, champion: Any) -> None:
    """A hundred rows in the schema's order."""
    columns = champion.head(100)
    rows = [
        [None if isinstance(value, float) and np.isnan(value) else value for value in row]
        for row in zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True)
    ]
    response = azure.post("/score", json={"instances": rows})
    np.testing.assert_allclose(response.json()["predictions"], champion.expected[:100], atol=1e-5)


@pytest.mark.parametrize("body", [b"", b"{", b'{"columns": {}}'])
def test_a_bad_body_is_refused_and_not_a_crash(azure: Any, body: bytes) -> None:
    """422 with our refusal: the request's fault, not the script's."""
    response = azure.post("/score", content=body)
    assert response.status_code == 422
    assert response.headers["x-ms-run-function-failed"] == "False"
    assert set(response.json()) == {"error", "problems"}


def test_a_bad_row_is_refused_with_every_problem(azure: Any, champion: Any) -> None:
    """A word for a number and a missing column, each named with its row."""
    rows = _golden(champion.artifact)["instances"]
    name, other = champion.artifact.inputs.names[-1], champion.artifact.inputs.names[-2]
    rows[1][name] = "high"
    del rows[0][other]
    response = azure.post("/score", content=json.dumps({"instances": rows}))
    found = {(each["kind"], each["column"]): each["rows"] for each in response.json()["problems"]}
    assert response.status_code == 422
    assert found == {("WrongType", name): [1], ("MissingColumn", other): [0]}


def test_its_environment_is_not_ours(azure: Any) -> None:
    """The server really runs elsewhere: with a Python that has no FastAPI beside it."""
    assert azure.get("/").status_code == 200
    packages = {path.name for path in (SERVER.parents[1] / "lib").glob("python*/site-packages/*")}
    assert "azureml_inference_server_http" in packages
    assert not {"fastapi", "orjson", "uvicorn"} & packages
    assert Path(sys.executable).parent != SERVER.parent
    assert os.access(SERVER, os.X_OK)
