"""Notebooks for the tests of their command: cells, sources, runs without a kernel."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

import nb
import nb_files
import nb_rules
from mlref.study.percent import Cell, write

STEM = "07_topic"
ABOUT = "*Ten minutes. Prerequisite: none. Next: nothing.*"
TITLE = Cell("markdown", (), f"# A title\n\n{ABOUT}\n\nText.")
PARAMETERS = Cell(
    "code",
    ("parameters",),
    'cloud = "local"\nquick = True\nseed = 0\nmax_spend_usd = 0.0\nout = "build/runs"',
)
PROSE = Cell("markdown", ("note",), "Prose.\n\n> A note.")
SUM = Cell("code", (), "1 + 1")
CELLS = [TITLE, PARAMETERS, PROSE, SUM]


def write_source(root: Path, *cells: Cell, stem: str = STEM) -> Path:
    """Write a source with some cells."""
    path = nb_files.source_path(root, stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write(cells), encoding="utf-8")
    return path


def pretend(*outputs: NotebookNode, cpu_s: float = 1.0) -> nb.Runner:
    """A runner without a kernel: it counts the code cells and gives the last one some outputs."""

    def run(notebook: NotebookNode, _folder: Path) -> float:
        cells = nb_files.code_cells(notebook)
        for count, (_, cell) in enumerate(cells, 1):
            cell.execution_count = count
            cell.metadata["execution"] = {"iopub.status.busy": "2001-01-01T00:00:00Z"}
        cells[-1][1].outputs = list(outputs)
        notebook.metadata["language_info"] = {"name": "python"}
        return cpu_s

    return run


def refuse(_notebook: NotebookNode, _folder: Path) -> float:
    """A runner that must not be called."""
    raise AssertionError("executed")


def stream(text: str) -> NotebookNode:
    """What a cell printed."""
    return new_output("stream", name="stdout", text=text)


def result(**data: Any) -> NotebookNode:
    """The value of a cell; `text_html` stands for text/html."""
    formats = {mime.replace("_", "/"): value for mime, value in data.items()}
    return new_output("execute_result", data=formats, execution_count=2)


def execute(root: Path, *cells: Cell, outputs: tuple[NotebookNode, ...] = ()) -> Path:
    """Write a source and execute it without a kernel."""
    write_source(root, *cells)
    nb.execute(root, STEM, runner=pretend(*outputs))
    return nb_files.notebook_path(root, STEM)


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit the JSON of a notebook in place, in the layout that build writes."""
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def problems_of(root: Path) -> list[str]:
    """The problems of the one notebook, without its name."""
    prefix = f"{nb_files.display(nb_files.notebook_path(root, STEM))}: "
    lines = nb_rules.check(root, STEM)
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]
