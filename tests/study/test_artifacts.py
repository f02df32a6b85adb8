"""Artefact folders are found, and anything else is told what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlref.errors import ArtifactMissingFileError, ResourceNotFoundError
from mlref.study import artifacts


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """What notebooks left: two artefacts, a temporary one, a folder of other things."""
    for name in ("01/challenger", "01/champion", "01/.champion-0a1b", "01/formats"):
        (tmp_path / name).mkdir(parents=True)
        if name != "01/formats":
            (tmp_path / name / "manifest.json").touch()
    return tmp_path


def test_artefacts_are_found_below_a_folder(runs: Path) -> None:
    """One and two levels below; temporary folders and other ones do not count."""
    both = [runs / "01" / "challenger", runs / "01" / "champion"]
    assert artifacts.below(runs) == both
    assert artifacts.below(runs / "01") == both


def test_the_champion_is_the_one_to_serve(runs: Path) -> None:
    """A champion comes first, then any other; where there is none, there is none to name."""
    assert artifacts.to_serve(runs) == runs / "01" / "champion"
    (runs / "01" / "champion" / "manifest.json").unlink()
    assert artifacts.to_serve(runs) == runs / "01" / "challenger"
    assert artifacts.to_serve(runs / "nothing") is None


def test_an_artefact_is_not_refused(runs: Path) -> None:
    """Nor is a folder without any artefact: loading it says what is missing."""
    artifacts.refuse_others(runs / "01" / "champion")
    artifacts.refuse_others(runs / "01" / "formats")


def test_nothing_a_file_and_a_folder_of_artefacts_are_refused(runs: Path) -> None:
    """Each message says what the path is, and which artefacts are near."""
    with pytest.raises(ResourceNotFoundError, match="/nothing: no such folder"):
        artifacts.refuse_others(runs / "nothing")
    with pytest.raises(ArtifactMissingFileError, match="that is a file, an artefact is a folder"):
        artifacts.refuse_others(runs / "01" / "champion" / "manifest.json")
    with pytest.raises(
        ArtifactMissingFileError, match="the artefacts below it are challenger, champion"
    ):
        artifacts.refuse_others(runs / "01")
