"""The notebooks' files: where they lie, how they are read, built and saved."""

from __future__ import annotations

import copy
import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from mlref.errors import NotebookError
from mlref.runtime.files import write_text
from mlref.study.percent import Cell, PercentError, parse

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
STEM = re.compile(r"(?P<number>\d\d)_[a-z0-9]+(_[a-z0-9]+)*")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def source_path(root: Path, stem: str) -> Path:
    """The percent-format source of a notebook."""
    return root / "src" / f"{stem}.py"


def notebook_path(root: Path, stem: str) -> Path:
    """The generated notebook."""
    return root / f"{stem}.ipynb"


def evidence_path(root: Path, stem: str) -> Path:
    """The committed figures of a notebook."""
    return root / "evidence" / f"{stem}.json"


def select(root: Path, numbers: Sequence[str] = ()) -> list[str]:
    """The stems (`NN_topic`) of the notebooks meant by some numbers.

    Args:
        root: the notebooks' folder.
        numbers: such as "7", "07" or "07_cost"; none means all.

    Raises:
        NotebookError: no such folder, or a number without a notebook (the message lists those that
            exist).
    """
    if not root.is_dir():
        raise NotebookError(
            f"{display(root)}: no such folder; pass the notebooks' folder as --root"
        )
    paths = [*root.glob("*.ipynb"), *root.glob("src/*.py")]
    stems = sorted({path.stem for path in paths if STEM.fullmatch(path.stem)})
    chosen = set()
    for number in numbers:
        found = {stem for stem in stems if number == stem or number.zfill(2) == stem[:2]}
        if not found:
            known = ", ".join(stems) or "none"
            raise NotebookError(f"no notebook {number!r} in {display(root)}; there are: {known}")
        chosen |= found
    return sorted(chosen) if numbers else stems


def display(path: Path) -> str:
    """The path as a person types it: relative to the working directory where it lies below."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def load_cells(path: Path) -> list[Cell]:
    """The cells of a source.

    Raises:
        NotebookError: no such file, or not the percent format.
    """
    if not path.exists():
        raise NotebookError(f"{display(path)}: no such source; write it, or pull the notebook")
    try:
        cells = parse(path.read_bytes().decode("utf-8"))
    except (PercentError, UnicodeDecodeError) as error:
        raise NotebookError(f"{display(path)}: {error}") from error
    if not cells:
        raise NotebookError(f"{display(path)}: no cells; begin with a title cell")
    return cells


def load_notebook(path: Path) -> NotebookNode:
    """A notebook, validated.

    Raises:
        NotebookError: no such file, or not a notebook of format 4.
    """
    if not path.exists():
        raise NotebookError(f"{display(path)}: no such notebook; build it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells without an id get one; `check` compares ids
            notebook = nbformat.v4.reads(path.read_bytes().decode("utf-8"))
            nbformat.validate(notebook)
    except (ValueError, TypeError, AttributeError, nbformat.ValidationError) as error:
        reason = str(error).partition("\n")[0]
        raise NotebookError(
            f"{display(path)}: not a notebook of format 4 ({reason}); delete it, then execute"
        ) from error
    return notebook


def to_text(notebook: NotebookNode) -> str:
    """The notebook as the file holds it: indent 1, sources as lists of lines, a final line feed."""
    text: str = nbformat.v4.writes(notebook)
    return text.rstrip("\n") + "\n"


def build_notebook(cells: Sequence[Cell]) -> NotebookNode:
    """A notebook of some cells, without outputs; equal cells give equal bytes.

    A cell's id is made of its kind and source, so inserting a cell leaves the other ids alone.
    """
    seen: Counter[str] = Counter()
    nodes = []
    for cell in cells:
        digest = hashlib.sha256(f"{cell.kind}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] += 1
        new = nbformat.v4.new_code_cell if cell.kind == "code" else nbformat.v4.new_markdown_cell
        nodes.append(
            new(
                cell.source,
                id=digest if seen[digest] == 1 else f"{digest}-{seen[digest]}",
                metadata={"tags": list(cell.tags)} if cell.tags else {},
            )
        )
    return nbformat.v4.new_notebook(cells=nodes, metadata={"kernelspec": dict(KERNELSPEC)})


def code_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    """The code cells with their numbers among all cells, counted from 1."""
    return [(n, cell) for n, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]


def same_code(one: NotebookNode, other: NotebookNode) -> bool:
    """Whether both have the same code cells, in the same order."""
    first, second = ([cell.source for _, cell in code_cells(nb)] for nb in (one, other))
    return first == second


def is_executed(notebook: NotebookNode) -> bool:
    """Whether the code cells were executed once each, from the first to the last."""
    counts = [cell.execution_count for _, cell in code_cells(notebook)]
    return counts == list(range(1, len(counts) + 1))


def keep_outputs(built: NotebookNode, committed: NotebookNode) -> bool:
    """Copy the outputs of the committed notebook while the code is the same; whether it was."""
    if not same_code(built, committed):
        return False
    for (_, new), (_, old) in zip(code_cells(built), code_cells(committed), strict=True):
        new.outputs = copy.deepcopy(old.outputs)
        new.execution_count = old.execution_count
    clean_outputs(built)
    return True


def clean_outputs(notebook: NotebookNode) -> None:
    """Drop from the outputs what differs from run to run or lives only in the kernel.

    Those are transient fields, metadata that describe none of the formats, widget views (their
    state is not saved), and the frames of a traceback outside the notebook (they hold paths).
    """
    for _, cell in code_cells(notebook):
        for output in cell.outputs:
            output.pop("transient", None)
            if "data" in output:
                output.data.pop("application/vnd.jupyter.widget-view+json", None)
                kept = {key: value for key, value in output.metadata.items() if key in output.data}
                output.metadata = NotebookNode(kept)
            if output.output_type == "error":
                output.traceback = [
                    part for part in output.traceback if not ANSI.sub("", part).startswith("File ")
                ]


def save(path: Path, notebook: NotebookNode) -> str:
    """Write the notebook unless it is there already, byte for byte: "written" or "unchanged"."""
    text = to_text(notebook)
    if path.exists() and path.read_bytes() == text.encode():
        return "unchanged"
    write_text(path, text)
    return "written"
