"""The Keras twin, in TensorFlow's own environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from mlref.errors import ProcessError
from mlref.serialization import compare, formats, savedmodel

LABEL = "SavedModel (challenger)"


def test_the_variable_names_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLREF_TENSORFLOW_PYTHON comes before any environment that was built."""
    monkeypatch.setenv(savedmodel.VARIABLE, "/opt/tf/bin/python")
    assert savedmodel.interpreter() == Path("/opt/tf/bin/python")


def test_the_working_directory_may_hold_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed mlref finds build/envs/tensorflow below the folder it is run in."""
    place = tmp_path / "build/envs/tensorflow/bin/python"
    place.parent.mkdir(parents=True)
    place.touch()
    monkeypatch.delenv(savedmodel.VARIABLE, raising=False)
    monkeypatch.setattr(savedmodel, "_CHECKOUT", tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    assert savedmodel.interpreter() is None  # not finished: no stamp
    (place.parents[1] / ".ready").touch()
    assert savedmodel.interpreter() == place


def test_without_tensorflow_the_line_says_how_to_get_it(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is there, without figures, and names the command."""
    monkeypatch.setattr(savedmodel, "interpreter", lambda: None)
    found = compare(
        trained.champion, trained.challenger, trained.rows, tmp_path, chosen=formats()[-1:]
    )
    assert "make tensorflow" in found[LABEL].unavailable
    assert found[LABEL].executes_code is None
    assert "make tensorflow" in str(found)
    assert not list(tmp_path.iterdir())


def test_a_python_without_tensorflow_is_an_error_of_ours(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what was missing in that environment."""
    monkeypatch.setenv(savedmodel.VARIABLE, sys.executable)
    monkeypatch.setitem(savedmodel.fresh._QUIET, "PYTHONPATH", str(tmp_path))
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError('no tensorflow')")
    with pytest.raises(ProcessError, match="build failed: ModuleNotFoundError: no tensorflow"):
        savedmodel.write(trained.challenger, tmp_path / "model")


def test_the_twin_is_loaded_by_tensorflow_alone(comparison: Any, require: Any) -> None:
    """Neither PyTorch, nor scikit-learn, nor mlref is needed to answer from raw columns."""
    row = comparison[LABEL]
    require("tensorflow", row.unavailable is None, row.unavailable)
    assert any(name.startswith("tensorflow") for name in row.needs.chosen)
    assert not {"torch", "scikit-learn", "pandas", "mlref"} & set(row.needs.names)


def test_a_saved_model_is_a_folder(comparison: Any, require: Any) -> None:
    """The graph and its variables lie in files of their own, and all of them count."""
    row = comparison[LABEL]
    require("tensorflow", row.unavailable is None, row.unavailable)
    assert row.size_bytes > 50_000
    assert row.cold_load_ms > row.load_ms > 0
