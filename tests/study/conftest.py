"""Tiny notebooks, and a look at which processes are left of a run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

PARAMETERS = 'seed = 0\nquick = True\nout = "build/runs"'


def write_notebook(path: Path, *cells: str | tuple[str, str]) -> Path:
    """A notebook; a cell is code, code with a tag, or Markdown if it begins with '#'."""
    nodes: list[dict[str, Any]] = []
    for number, cell in enumerate(cells):
        source, tags = (cell, []) if isinstance(cell, str) else (cell[0], [cell[1]])
        node = {"id": f"cell-{number}", "metadata": {"tags": tags}, "source": source}
        if source.startswith("#"):
            nodes.append({"cell_type": "markdown", **node})
        else:
            nodes.append({"cell_type": "code", "outputs": [], "execution_count": None, **node})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": nodes, "metadata": {"kernelspec": kernel}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**content, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture(scope="session")
def notebook() -> Callable[..., Path]:
    """Writes a notebook: `notebook(path, *cells)`."""
    return write_notebook


@pytest.fixture(scope="session")
def parameters_cell() -> tuple[str, str]:
    """The cell that every notebook has."""
    return PARAMETERS, "parameters"


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Lists the runner's children and kernels that run for this test, by their command lines.

    The children are told paths below tmp_path, the kernels the place of their connection file.
    """
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

    def running() -> list[str]:
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            line = " ".join(process.info["cmdline"] or [])
            ours = "ipykernel" in line or "mlref.study._execute" in line
            if ours and str(tmp_path) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {line}")
        return found

    return running
