"""The command that writes the example's manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlref.containers.kubernetes import EXAMPLE, render
from mlref.containers.kubernetes.__main__ import main


def test_it_writes_the_example_and_tells_each_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each file, in the folder that was named."""
    assert main([str(tmp_path)]) == 0
    told = [str(Path(line).relative_to(tmp_path)) for line in capsys.readouterr().out.splitlines()]
    assert told == list(render(EXAMPLE))


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file stands where a folder belongs: exit status 1."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base/serviceaccount.yaml").mkdir()
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
