"""A notebook in a real kernel, cell by cell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient


def execute(folder: Path, sources: Sequence[str], *, timeout_s: float = 120) -> list[Any]:
    """The cells of a notebook after a kernel in a folder has executed them; errors are kept."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    client = NotebookClient(
        notebook, timeout=timeout_s, kernel_name="python3", allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    with _quiet():
        client.execute()
    return notebook.cells


@contextmanager
def _quiet() -> Iterator[None]:
    """The kernel's own warnings about debuggers are not the test's subject."""
    before = os.environ.get("PYDEVD_DISABLE_FILE_VALIDATION")
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYDEVD_DISABLE_FILE_VALIDATION"]


def shown(cell: Any) -> str:
    """All that a cell shows, as plain text; errors by name and text."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "error":
            parts.append(f"{output.ename}: {output.evalue}")
        elif output.output_type == "stream":
            parts.append(output.text)
        else:
            parts += [str(output.data.get(kind, "")) for kind in ("text/html", "text/plain")]
    return "\n".join(parts)
