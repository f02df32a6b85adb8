"""Azure's scoring script, called as Azure's server calls it."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlref import errors
from mlref.artifact import Artifact
from mlref.serving.protocols import azure

GOLDEN = {"columns": {"colour": ["red", "blue"], "count": [3, 4], "extra": [0.5, None]}}
REPLY = {
    "predictions": [3.5, 8.0],  # red 1 x 3 + 0.5; blue 2 x 4, nothing on top
    "model": {"name": "colours", "version": "0.1.0"},
    "warnings": [],
}


@pytest.fixture(autouse=True)
def _unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with a module that has loaded nothing."""
    monkeypatch.setattr(azure, "_LOADED", {})


@pytest.mark.parametrize(
    "raw_data",
    [json.dumps(GOLDEN), json.dumps(GOLDEN).encode(), GOLDEN],
    ids=["text", "bytes", "object"],
)
def test_a_body_is_answered(colours: Artifact, raw_data: Any) -> None:
    """Text, bytes and what the JSON says give the same reply, which JSON can hold."""
    azure.init({"AZUREML_MODEL_DIR": str(colours.folder)})
    reply = azure.run(raw_data)
    assert json.loads(json.dumps(reply, allow_nan=False)) == REPLY


def test_instances_may_be_lists(colours: Artifact) -> None:
    """Rows in the schema's order, and a warning for what was imputed."""
    azure.init({"AZUREML_MODEL_DIR": str(colours.folder)})
    reply = azure.run('{"instances": [["green", 5, 2]]}')
    assert reply["predictions"] == [52.0]
    assert reply["warnings"] == ["colour: 1 unknown category imputed"]


def test_the_artifact_may_lie_below_the_model_folder(colours: Artifact, tmp_path: Path) -> None:
    """Azure mounts a registered model in a folder below AZUREML_MODEL_DIR."""
    shutil.copytree(colours.folder, tmp_path / "colours" / "1")
    azure.init({"AZUREML_MODEL_DIR": str(tmp_path)})
    assert azure.run(GOLDEN) == REPLY


@pytest.mark.parametrize(
    "raw_data", ["", "{", '{"data": []}', "\ud800", b"\xff", {"instances": []}]
)
def test_rows_that_do_not_fit_are_our_error(colours: Artifact, raw_data: Any) -> None:
    """Where Azure's server is not installed, the error that lists every problem."""
    azure.init({"AZUREML_MODEL_DIR": str(colours.folder)})
    with pytest.raises(errors.InvalidInputError):
        azure.run(raw_data)


def test_a_start_without_a_model_is_told(tmp_path: Path) -> None:
    """The variable is named; a folder without an artefact is, too; so is a forgotten init()."""
    with pytest.raises(errors.ResourceNotFoundError, match="AZUREML_MODEL_DIR"):
        azure.init({})
    with pytest.raises(errors.ArtifactMissingFileError, match="no artefact"):
        azure.init({"AZUREML_MODEL_DIR": str(tmp_path)})
    with pytest.raises(errors.EndpointError, match="init"):
        azure.run(GOLDEN)


def test_the_script_defines_the_two_functions() -> None:
    """It is Python, and all it does is to import init and run."""
    tree = ast.parse(azure.score_script())
    (statement,) = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert statement.module == azure.__name__
    assert [alias.name for alias in statement.names] == ["init", "run"]


def test_nothing_of_the_server_is_needed(colours: Artifact) -> None:
    """With FastAPI, uvicorn, orjson and all the like out of reach, the script answers."""
    absent = (
        "anyio", "fastapi", "httptools", "httpx", "onnx", "orjson", "pandas", "prometheus_client",
        "pydantic", "redis", "simdjson", "sklearn", "starlette", "uvicorn", "uvloop",
    )  # fmt: skip
    lines = [
        "import sys",
        f"sys.modules.update(dict.fromkeys({absent!r}))",
        azure.score_script(),
        f"init({{'AZUREML_MODEL_DIR': {str(colours.folder)!r}}})",
        f"print(run({json.dumps(GOLDEN)!r}) == {REPLY!r})",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("True", "", 0)
