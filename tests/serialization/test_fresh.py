"""Loading in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from mlref.errors import ArtifactError, InvalidInputError, ProcessError
from mlref.serialization import formats, fresh


@pytest.fixture
def pickled(trained: Any, tmp_path: Path) -> Path:
    """A saved pipeline."""
    formats()[0].save(trained.champion, tmp_path / "pickle")
    return tmp_path / "pickle"


def test_a_library_that_was_not_named_cannot_be_imported(trained: Any, pickled: Path) -> None:
    """Without scikit-learn a pickle of it does not load, though scikit-learn is installed here."""
    with pytest.raises(ArtifactError, match="No module named 'sklearn'"):
        fresh.load(
            "pickle_file", pickled, trained.champion.inputs, trained.rows, loads_with=["pandas"]
        )


def test_a_damaged_file_is_an_error_of_ours(trained: Any, tmp_path: Path) -> None:
    """The message names the loader, the folder and what the library said."""
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match=r"onnx_graph cannot load .*InvalidProtobuf"):
        fresh.load("onnx_graph", tmp_path, trained.champion.inputs, trained.rows)


def test_an_absent_file_is_an_error_of_ours(trained: Any, tmp_path: Path) -> None:
    """A folder without the model is refused as well."""
    with pytest.raises(ArtifactError, match="FileNotFoundError"):
        fresh.load("pickle_file", tmp_path, trained.champion.inputs, trained.rows)


def test_rows_are_checked_before_a_process_is_started(trained: Any, tmp_path: Path) -> None:
    """Rows that do not fit the schema are refused as everywhere."""
    with pytest.raises(InvalidInputError):
        fresh.load("onnx_graph", tmp_path, trained.champion.inputs, {"temp": [1.0]})


def test_repeats_must_be_positive(trained: Any, tmp_path: Path) -> None:
    """No median without a measurement."""
    with pytest.raises(ValueError, match="at least 1, got 0"):
        fresh.load("onnx_graph", tmp_path, trained.champion.inputs, trained.rows, repeats=0)


def test_functions_of_a_script_are_called_in_order(tmp_path: Path) -> None:
    """Each result comes back; what one call left, the next one finds."""
    script = tmp_path / "script.py"
    script.write_text("seen = []\ndef add(value):\n    seen.append(value)\n    return seen\n")
    calls = [("add", {"value": 1}), ("add", {"value": 2})]
    assert fresh.call(Path(sys.executable), script, calls) == [[1], [1, 2]]


def test_a_failing_script_tells_its_error(tmp_path: Path) -> None:
    """The function's name and exception are in the message."""
    script = tmp_path / "script.py"
    script.write_text("def fail():\n    raise KeyError('why')\n")
    with pytest.raises(ProcessError, match=r"script\.py: fail failed: KeyError: 'why'"):
        fresh.call(Path(sys.executable), script, [("fail", {})])


def test_no_interpreter_is_an_error_of_ours(tmp_path: Path) -> None:
    """A script that needs an environment is not run in any other."""
    with pytest.raises(ProcessError, match="no Python"):
        fresh.call(None, tmp_path / "script.py", [("f", {})])
