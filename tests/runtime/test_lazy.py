"""Optional dependencies: what is said when they are absent, and what is left alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from mlref.errors import MissingExtraError
from mlref.runtime.lazy import extra, installed, version_of

if TYPE_CHECKING:
    from pathlib import Path


def test_missing_module_names_the_command() -> None:
    """The message tells the module, the extra and the command that brings it."""
    with pytest.raises(MissingExtraError) as caught, extra("train"):
        import no_such_module  # noqa: F401
    assert str(caught.value) == (
        "no_such_module is not installed; it comes with the extra 'train': "
        'pip install "mlref[train]"'
    )
    assert caught.value.name == "no_such_module"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_missing_submodule_is_named_in_full() -> None:
    """Of a dotted import, what is named is what is missing."""
    with pytest.raises(MissingExtraError, match=r"^psutil\.no_such"), extra("x"):
        import psutil.no_such  # noqa: F401


def test_caught_as_import_error() -> None:
    """Code that knows nothing of mlref catches it as an ImportError."""
    with pytest.raises(ImportError), extra("train"):
        import no_such_module  # noqa: F401


def test_missing_dependency_of_a_dependency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that lacks a library of its own is cured by the same command."""
    (tmp_path / "half_installed.py").write_text("import its_absent_half\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match="its_absent_half is not installed"), extra("aws"):
        import half_installed  # noqa: F401


def test_present_module_is_imported() -> None:
    """An import that works is left alone."""
    with extra("train"):
        import json
    assert json.loads("1") == 1


def test_own_missing_module_passes_through() -> None:
    """A missing part of mlref is our defect; no pip command cures it."""
    with pytest.raises(ModuleNotFoundError, match="mlref"), extra("train"):
        import mlref.no_such_part  # noqa: F401


def test_missing_part_of_python_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A standard module that this Python was built without is not on PyPI."""
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(ModuleNotFoundError, match="sqlite3"), extra("tracking"):
        import sqlite3  # noqa: F401


def test_broken_library_passes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed library that fails while it loads tells its own story."""
    (tmp_path / "broken_library.py").write_text("raise ImportError('libfoo.so: wrong ELF class')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="wrong ELF class") as caught, extra("train"):
        import broken_library  # noqa: F401
    assert type(caught.value) is ImportError


def test_wrong_name_passes_through() -> None:
    """A name that an installed module does not have is no missing extra."""
    with pytest.raises(ImportError, match="cannot import name") as caught, extra("train"):
        from json import no_such_name  # noqa: F401
    assert not isinstance(caught.value, MissingExtraError)


def test_nested_extras_name_the_inner_one() -> None:
    """Of two blocks the inner one, which knows the import, is named."""
    with pytest.raises(MissingExtraError, match=r"mlref\[inner\]"), extra("outer"), extra("inner"):
        import no_such_module  # noqa: F401


def test_installed_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking finds a module without running it."""
    (tmp_path / "found_not_run.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert installed("found_not_run")
    assert "found_not_run" not in sys.modules


def test_installed_knows_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not there, or is hidden, is not installed."""
    assert not installed("no_such_module")
    monkeypatch.setitem(sys.modules, "json", None)
    assert not installed("json")


def test_folder_is_not_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder named docker beside the notebook does not make docker installed."""
    (tmp_path / "folder_like_a_library").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not installed("folder_like_a_library")


def test_running_script_counts_as_installed() -> None:
    """A module that is loaded, though from no file, can be imported."""
    assert installed("sys")
    assert installed("__main__")


@pytest.mark.parametrize("name", ["os.path", ""])
def test_installed_takes_top_level_names(name: str) -> None:
    """A dotted name would import the package around it; it is refused."""
    with pytest.raises(ValueError, match="top-level"):
        installed(name)


def test_the_version_of_a_distribution() -> None:
    """The installed version by pip's name; None for what is not there, or no name."""
    import numpy as np

    assert version_of("numpy") == np.__version__
    assert version_of("no-such-distribution") is None
    assert version_of("") is None
