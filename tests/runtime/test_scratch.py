"""Temporary folders whose process may be killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlref.runtime.scratch import Scratch

HOLD = """
import sys, threading
from mlref.runtime.scratch import Scratch
print(Scratch("mlref-test-").path, flush=True)
threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_a_folder_is_gone_after_its_block(temporary: Path) -> None:
    """With all that lies in it; closing it again is no error."""
    scratch = Scratch("mlref-test-")
    with scratch as folder:
        (folder / "a").mkdir()
        assert folder.parent == temporary
    assert list(temporary.iterdir()) == []
    scratch.close()


def test_what_a_killed_process_has_left_is_removed_by_the_next(temporary: Path) -> None:
    """And not before: as long as it lives, its folder is left alone."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        with Scratch("mlref-test-"):
            assert folder.is_dir()
        process.kill()
    assert folder.is_dir()
    with Scratch("mlref-test-") as mine:
        assert list(temporary.iterdir()) == [mine]


def test_folders_of_another_kind_and_those_of_nobody_are_left_alone(temporary: Path) -> None:
    """Another prefix, and one without the file."""
    (temporary / "mlref-other-1").mkdir()
    (temporary / "mlref-other-1/.lock").touch()
    (temporary / "mlref-test-1").mkdir()
    with Scratch("mlref-test-"):
        pass
    assert {each.name for each in temporary.iterdir()} == {"mlref-other-1", "mlref-test-1"}


def test_two_live_side_by_side() -> None:
    """Neither removes the other."""
    with Scratch("mlref-test-") as one, Scratch("mlref-test-") as two:
        assert one.is_dir()
        assert two.is_dir()
