"""The figures that a notebook records: committed with the run that measured them."""

from pathlib import Path

import pytest
from nbformat import NotebookNode
from support.notebooks import CELLS, STEM, pretend, refuse, write_source

import nb
import nb_files
from mlref.errors import NotebookError
from mlref.study.percent import Cell

RECORDING = [*CELLS[:3], Cell("code", (), 'figures = Recorder("07_topic", out=out)')]


def recording(text: str, *, cpu_s: float = 1.0) -> nb.Runner:
    """A runner without a kernel whose run records some figures."""

    def run(notebook: NotebookNode, folder: Path) -> float:
        written = folder / "build" / "runs" / "evidence" / f"{STEM}.json"
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text, encoding="utf-8")
        return pretend(cpu_s=cpu_s)(notebook, folder)

    return run


def test_execute_commits_the_figures_of_the_run(tmp_path: Path) -> None:
    """What the run recorded lies in evidence/, byte for byte; the next run replaces it."""
    write_source(tmp_path, *RECORDING)
    for text in ('{"é": 1}\n', '{"é": 2}\n'):
        nb.execute(tmp_path, STEM, force=True, runner=recording(text))
        (path,) = (tmp_path / "evidence").iterdir()
        assert path.name == f"{STEM}.json"
        assert path.read_text(encoding="utf-8") == text


def test_figures_of_an_earlier_run_are_not_committed(tmp_path: Path) -> None:
    """A run that records nothing leaves evidence/ alone, whatever an earlier run left behind."""
    write_source(tmp_path, *CELLS)
    recording("old")(nb_files.build_notebook(CELLS), tmp_path)
    nb.execute(tmp_path, STEM, runner=pretend())
    assert not (tmp_path / "evidence").exists()


def test_figures_of_a_refused_run_are_not_committed(tmp_path: Path) -> None:
    """A run over its budget commits neither notebook nor figures."""
    write_source(tmp_path, *RECORDING)
    nb.execute(tmp_path, STEM, runner=recording("good"))
    with pytest.raises(NotebookError, match="over the budget"):
        nb.execute(tmp_path, STEM, force=True, runner=recording("bad", cpu_s=26))
    assert (tmp_path / "evidence" / f"{STEM}.json").read_text(encoding="utf-8") == "good"


def test_execute_runs_again_what_lost_its_figures(tmp_path: Path) -> None:
    """Unchanged code is run when it records figures that are not there."""
    write_source(tmp_path, *RECORDING)
    nb.execute(tmp_path, STEM, runner=recording("1"))
    assert "as last executed" in nb.execute(tmp_path, STEM, runner=refuse)
    nb_files.evidence_path(tmp_path, STEM).unlink()
    nb.execute(tmp_path, STEM, runner=recording("2"))
    assert nb_files.evidence_path(tmp_path, STEM).read_text(encoding="utf-8") == "2"
