"""Where models come from, and how they come and go while the server serves."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlref.artifact import Artifact, pack
from mlref.errors import ArtifactError, ArtifactMissingFileError, UnknownModelError
from mlref.runtime import process
from mlref.serving import Client, create_app
from mlref.serving.load import start_load
from mlref.serving.sources import Sources

BODY = b'{"columns": {"colour": ["red"], "count": [3], "extra": [0.5]}}'


def _copy(colours: Artifact, folder: Path, version: str) -> Artifact:
    """The same graph under another version."""
    return pack(
        folder,
        model=(colours.folder / "model.onnx").read_bytes(),
        name="colours",
        version=version,
        inputs=colours.inputs,
        golden=list(colours.golden.instances),
        expected=colours.golden.predictions,
        created=datetime(2021, 1, int(version.partition(".")[0]), tzinfo=UTC),
    )


def test_a_repository_is_read_with_the_oldest_first(colours: Artifact, tmp_path: Path) -> None:
    """Artefacts are ordered by the day on which they were made; other folders are passed over."""
    _copy(colours, tmp_path / "a", "2.0.0")
    _copy(colours, tmp_path / "b", "1.0.0")
    (tmp_path / "notes").mkdir()
    found = Sources([], repository=tmp_path).load()
    assert [each.manifest.version for each in found] == ["1.0.0", "2.0.0"]


def test_what_cannot_be_read_is_told(colours: Artifact, tmp_path: Path) -> None:
    """No folder at all, a digest for several, and a repository that is not there."""
    with pytest.raises(ValueError, match="at least one"):
        Sources([])
    with pytest.raises(ValueError, match="one artefact"):
        Sources([colours.folder], repository=tmp_path, digest="0")
    with pytest.raises(ArtifactMissingFileError, match="is no folder"):
        Sources([], repository=tmp_path / "none").load()


def test_a_reload_brings_what_is_new_and_takes_what_is_gone(
    colours: Artifact, tmp_path: Path
) -> None:
    """A new version becomes the current one, an unchanged one is left alone, a lost one goes."""
    _copy(colours, tmp_path / "one", "1.0.0")
    sources = Sources([], repository=tmp_path)
    engine = create_app(*sources.load()).engine
    first = engine.repository.find()
    assert sources.reload(engine) == []
    assert engine.repository.find() is first
    _copy(colours, tmp_path / "two", "2.0.0")
    assert [line.split(",")[0] for line in sources.reload(engine)] == ["colours 2.0.0 loaded"]
    assert engine.repository.find().version == "2.0.0"
    shutil.rmtree(tmp_path / "one")
    assert sources.reload(engine) == ["colours 1.0.0 removed"]
    assert engine.repository.versions("colours") == ("2.0.0",)


def test_a_damaged_folder_changes_nothing(colours: Artifact, damaged: Path, tmp_path: Path) -> None:
    """A reload that meets a tampered artefact leaves the models as they are."""
    repository = tmp_path / "repository"
    _copy(colours, repository / "one", "1.0.0")
    sources = Sources([], repository=repository)
    engine = create_app(*sources.load()).engine
    shutil.copytree(damaged, repository / "bad")
    _copy(colours, repository / "two", "2.0.0")
    with pytest.raises(ArtifactError, match="changed after it was packed"):
        sources.reload(engine)
    assert engine.repository.versions("colours") == ("1.0.0",)
    with pytest.raises(UnknownModelError, match="no folder of this server"):
        Sources([colours.folder]).reload(engine, "other")


def test_models_are_loaded_and_unloaded_over_http(
    ask: Any, colours: Artifact, tmp_path: Path
) -> None:
    """The repository extension: load, unload, an unknown name, and a server without it."""
    _copy(colours, tmp_path / "one", "1.0.0")
    sources = Sources([], repository=tmp_path)
    app = create_app(*sources.load(), admin=sources)
    _copy(colours, tmp_path / "two", "2.0.0")
    loaded = ask(app, "POST", "/v2/repository/models/colours/load")
    assert loaded.status == 200
    assert loaded.body["changes"][0].startswith("colours 2.0.0 loaded")
    assert ask(app, "POST", "/v1/predict", content=BODY).body["model"]["version"] == "2.0.0"
    assert ask(app, "POST", "/v2/repository/models/no/load").status == 404
    assert ask(app, "POST", "/v2/repository/models/colours/unload").status == 200
    assert ask(app, "POST", "/v1/predict", content=BODY).status == 503
    assert ask(app, "GET", "/health/ready").status == 503
    assert ask(app, "POST", "/v2/repository/models/colours/load").status == 200
    assert ask(app, "GET", "/health/ready").status == 200
    closed = create_app(colours)
    assert ask(closed, "POST", "/v2/repository/models/colours/load").status == 404


def test_sighup_swaps_the_model_under_load_without_a_lost_request(
    colours: Artifact, tmp_path: Path
) -> None:
    """While 16 clients press, a new version is read from the folder: all answers are 200."""
    _copy(colours, tmp_path / "one", "1.0.0")
    command = [sys.executable, "-m", "mlref.serving", "--repository", str(tmp_path)]
    with process.start(command, name="server") as server:
        url = f"http://127.0.0.1:{server.wait_report()['port']}"
        with Client(url) as client, start_load(url, "/v1/predict", BODY, concurrency=16) as load:
            load.wait_answered(500)
            _copy(colours, tmp_path / "two", "2.0.0")
            os.kill(server.pid, signal.SIGHUP)
            server.wait_ready(lambda: client.model()["version"] == "2.0.0")
            load.wait_answered(load.answered + 500)
        report = load.stop()
    assert set(report.statuses) == {200}
    assert (report.lost, report.timed_out, report.refused) == (0, 0, 0)
