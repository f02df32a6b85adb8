"""What the progress has to say reaches whoever typed the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlref.cli._store import opened_store
from mlref.errors import LabError, NoLearnerFolderError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's folder, in which we are; its progress is damaged."""
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mlref").mkdir()
    (tmp_path / ".mlref/progress.json").write_text("{")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_notices_are_told_when_the_command_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """That a damaged progress was set aside is told before the error, beside the output."""

    def command() -> None:
        with opened_store() as store:
            store.read()
            raise LabError("not solved yet")

    with pytest.raises(LabError, match="not solved yet"):
        command()
    said = capsys.readouterr()
    assert said.err.startswith("note: the progress could not be read")
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_nothing_is_told_when_there_is_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A progress that is whole, or not there yet, has nothing to say."""
    (folder / ".mlref/progress.json").unlink()
    with opened_store() as store:
        store.read()
    assert capsys.readouterr() == ("", "")


def test_without_a_folder_the_next_step_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything else is done."""
    monkeypatch.setenv("MLREF_FOLDER", str(tmp_path / "other"))
    with pytest.raises(NoLearnerFolderError, match="mlref init"), opened_store():
        pytest.fail(f"nothing can be kept in {folder}")
