"""Where resources are found, in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlref import resources
from mlref.errors import ResourceNotFoundError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder as an installed wheel has it."""
    package = tmp_path / "site-packages" / "mlref"
    (package / "_resources" / "notebooks" / "evidence").mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    return package


def test_in_a_checkout_they_lie_beside_the_package() -> None:
    """The tests run from a checkout: its folders are found."""
    assert resources.checkout() == ROOT
    assert resources.folder("notebooks") == ROOT / "notebooks"


def test_in_a_wheel_they_lie_inside_the_package(installed: Path) -> None:
    """Without a pyproject.toml beside it, the package holds its resources."""
    assert resources.checkout() is None
    assert resources.folder("notebooks") == installed / "_resources" / "notebooks"
    assert resources.folder("evidence") == installed / "_resources" / "notebooks" / "evidence"


def test_cards_are_part_of_the_package_itself(installed: Path) -> None:
    """Cards lie in the same place in a wheel."""
    (installed / "study" / "cards").mkdir(parents=True)
    assert resources.folder("cards") == installed / "study" / "cards"


def test_a_neighbour_called_notebooks_is_not_ours(installed: Path) -> None:
    """A folder of another package in site-packages is not taken for ours."""
    (installed.parent / "notebooks").mkdir()
    assert resources.folder("notebooks").is_relative_to(installed)


def test_an_absent_kind_names_what_is_there(installed: Path) -> None:
    """The message tells what was found."""
    assert installed.is_dir()
    with pytest.raises(
        ResourceNotFoundError, match=r"labs are not in .*; found: notebooks, evidence"
    ):
        resources.folder("labs")


def test_an_unknown_kind_names_the_known() -> None:
    """A kind that does not exist is refused with those that do."""
    with pytest.raises(ResourceNotFoundError, match=r"one of notebooks, .*, got 'note'"):
        resources.folder("note")


def test_notebooks_are_numbered_and_in_order(tmp_path: Path) -> None:
    """Only NN_topic.ipynb counts: no copies, checkpoints or scratch files."""
    for name in ("10_last.ipynb", "00_start_here.ipynb", "scratch.ipynb", "01_x-Copy1.ipynb"):
        (tmp_path / name).touch()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "00_start_here.ipynb").touch()
    names = [path.name for path in resources.notebooks(tmp_path)]
    assert names == ["00_start_here.ipynb", "10_last.ipynb"]


def test_a_folder_without_notebooks_is_an_error(tmp_path: Path) -> None:
    """No notebook at all is told with the folder."""
    with pytest.raises(ResourceNotFoundError, match="no notebook NN_topic"):
        resources.notebooks(tmp_path)
