"""Build, execute, check and pull the notebooks.

A notebook is edited as notebooks/src/NN_topic.py (see percent.py) and read as
notebooks/NN_topic.ipynb, which is generated, executed and committed:

    python tools/nb.py build   [NN ...]   regenerate; outputs stay while the code is unchanged
    python tools/nb.py execute [NN ...]   build, then run those whose code changed (FORCE=1: all)
    python tools/nb.py check   [NN ...]   compare with the source and apply the house rules; no run
    python tools/nb.py pull     NN ...    bring an edit made in JupyterLab back into the source

Without numbers, each but `pull` takes all notebooks. What is wrong is printed one problem a line,
and the exit status is then 1. Cells are counted from 1.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import io
import json
import os
import re
import sys
import tempfile
import tokenize
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from mlref.errors import MlrefError, NotebookError
from mlref.runtime.files import write_text
from percent import Cell, PercentError, parse, write

ROOT = Path(__file__).resolve().parents[1] / "notebooks"
CELL_TIMEOUT_S = 300
CPU_BUDGET_S = 25.0
SIZE_LIMIT_BYTES = 300_000
MOST_CODE_CELLS = 25
MOST_CODE_LINES = 25
MOST_FUNCTIONS = 2
PARAMETERS = {
    "cloud": "local",
    "quick": True,
    "seed": 0,
    "max_spend_usd": 0.0,
    "out": "build/runs",
}
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}

STEM = re.compile(r"(?P<number>\d\d)_[a-z0-9]+(_[a-z0-9]+)*")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
MYST = re.compile(r"^[\s>]*(:::|(```+|~~~+)\s*\{)", re.MULTILINE)
LOCAL_PORT = r"(?:127\.0\.0\.1|0\.0\.0\.0|localhost|\[::1?\]):(?!0+\b)\d+"
VOLATILE = (
    (
        re.compile(r"\bat 0x[0-9a-f]+|\b0x[0-9a-f]{9,12}\b", re.IGNORECASE),
        "an object address",
        "print what the object holds, or end the cell with `_ = ...`",
    ),
    (
        re.compile(r"(?<![\w.~-])/(?:home|root|tmp|usr|Users|var/folders)/|\b[C-F]:\\+\w"),
        "an absolute path",
        "print the path relative to `out`, or only its name",
    ),
    (re.compile(LOCAL_PORT), "a port", "do not print the address"),
)
"""What differs on the next machine or in the next run: pattern, its name, what to do."""

Runner = Callable[[NotebookNode, Path], float]
"""Executes a notebook in place, with a working directory; returns the CPU seconds it took."""


class Problem(NamedTuple):
    """One thing that is wrong. `cell` counts from 1; 0 means the notebook as a whole."""

    cell: int
    message: str


# Files


def source_path(root: Path, stem: str) -> Path:
    """The percent-format source of a notebook."""
    return root / "src" / f"{stem}.py"


def notebook_path(root: Path, stem: str) -> Path:
    """The generated notebook."""
    return root / f"{stem}.ipynb"


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


# Build


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


def build(root: Path, stem: str) -> str:
    """Regenerate one notebook and say what became of its outputs."""
    notebook = build_notebook(load_cells(source_path(root, stem)))
    path = notebook_path(root, stem)
    outcome = "new, not executed"
    if path.exists():
        committed = load_notebook(path)
        kept = keep_outputs(notebook, committed)
        outcome = "outputs kept" if kept else "code changed, outputs dropped; execute it"
        outcome = outcome if is_executed(notebook) or not kept else "not executed"
    return f"{display(path)}: {save(path, notebook)}, {outcome}"


def save(path: Path, notebook: NotebookNode) -> str:
    """Write the notebook unless it is there already, byte for byte: "written" or "unchanged"."""
    text = to_text(notebook)
    if path.exists() and path.read_bytes() == text.encode():
        return "unchanged"
    write_text(path, text)
    return "written"


# Execute


def run_in_kernel(notebook: NotebookNode, folder: Path) -> float:
    """Execute the notebook in place, in a new Python kernel.

    Args:
        notebook: gets the outputs.
        folder: the kernel's working directory.

    Returns:
        CPU seconds of the kernel and of the children that it waited for.

    Raises:
        NotebookError: a cell failed, ran too long or ended the kernel; holds its source.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    reached = 0

    def on_cell_start(cell: NotebookNode, cell_index: int) -> None:  # noqa: ARG001 called by name
        nonlocal reached
        reached = cell_index + 1

    before_s = _children_cpu_s()
    with tempfile.TemporaryDirectory() as ipython_folder:
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT_S,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            on_cell_start=on_cell_start,
            extra_arguments=["--Application.log_level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
        )
        try:
            client.execute(env=_kernel_environment(ipython_folder))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise NotebookError(f"cell {reached} failed\n{ANSI.sub('', str(error))}") from error
    return _children_cpu_s() - before_s


def _kernel_environment(ipython_folder: str) -> dict[str, str]:
    """This process's environment without what would make the outputs a person's own."""
    personal = {"MPLBACKEND", "COLUMNS", "LINES"}
    shared = {name: value for name, value in os.environ.items() if name not in personal}
    return {**shared, "PYTHONHASHSEED": "0", "IPYTHONDIR": ipython_folder}


def _children_cpu_s() -> float:
    """CPU seconds of all children that have ended so far."""
    import resource  # not on Windows, where `check` and `build` still work

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def execute(
    root: Path,
    stem: str,
    *,
    force: bool = False,
    budget_s: float = CPU_BUDGET_S,
    runner: Runner = run_in_kernel,
) -> str:
    """Build one notebook and run it if its code changed since it was last executed.

    Args:
        root: the notebooks' folder, and the working directory of the run.
        stem: the notebook, `NN_topic`.
        force: run it in any case.
        budget_s: CPU seconds that the run may take.
        runner: executes a notebook in place and returns its CPU seconds.

    Returns:
        What was done, with the CPU seconds.

    Raises:
        NotebookError: a cell failed or the run was over its budget. The file is untouched.
    """
    path = notebook_path(root, stem)
    cells = load_cells(source_path(root, stem))
    notebook = build_notebook(cells)
    kept = path.exists() and keep_outputs(notebook, load_notebook(path))
    if kept and not force and is_executed(notebook) and not list(check_errors(notebook)):
        return f"{display(path)}: {save(path, notebook)}, its code is as last executed"
    run = build_notebook(cells)
    try:
        cpu_s = runner(run, root)
    except NotebookError as error:
        raise NotebookError(f"{display(path)}: {error}") from error
    if cpu_s > budget_s:
        raise NotebookError(
            f"{display(path)}: {cpu_s:.1f} CPU-s, over the budget of {budget_s:g}, not saved; "
            "make it do less when quick is True, or pass --budget-s"
        )
    executed = build_notebook(cells)  # the kernel has added metadata to the one that was run
    keep_outputs(executed, run)
    return f"{display(path)}: {save(path, executed)}, executed in {cpu_s:.1f} CPU-s"


# Check


def check_files(root: Path) -> Iterator[str]:
    """Files that do not belong: odd names, two for one number, one half of a pair."""
    sources = {path.stem for path in root.glob("src/*.py")}
    notebooks = {path.stem for path in root.glob("*.ipynb")}
    by_number = defaultdict(list)
    for stem in sorted(sources | notebooks):
        path = notebook_path(root, stem) if stem in notebooks else source_path(root, stem)
        if match := STEM.fullmatch(stem):
            by_number[match["number"]].append(stem)
        else:
            yield f"{display(path)}: not named NN_topic, in small letters; rename or delete it"
        if stem not in sources:
            yield (
                f"{display(path)}: it has no source {display(source_path(root, stem))}; "
                "pull the notebook, or delete it"
            )
        if stem not in notebooks:
            yield (
                f"{display(path)}: it has no notebook {display(notebook_path(root, stem))}; "
                "execute it"
            )
    for number, stems in by_number.items():
        if len(stems) > 1:
            names = ", ".join(stems)
            yield f"{display(root)}: number {number} stands for {names}; keep one"


def check(root: Path, stem: str) -> list[str]:
    """Every problem of one notebook, each on one line; half a pair is left to `check_files`."""
    path = notebook_path(root, stem)
    problems: list[Problem] = []
    built = None
    try:
        if source_path(root, stem).exists():
            built = build_notebook(load_cells(source_path(root, stem)))
            problems += check_shape(built)
        if path.exists():
            committed = load_notebook(path)
            if built is not None:
                problems += check_in_sync(committed, built, text=path.read_bytes().decode())
            problems += check_run(committed)
            problems += check_errors(committed)
            problems += check_outputs(committed, repository=root.resolve().parent)
            problems += check_size(path.stat().st_size)
    except NotebookError as error:
        return [*_lines(path, problems), str(error)]
    return _lines(path, problems)


def _lines(path: Path, problems: Sequence[Problem]) -> list[str]:
    """The problems as they are printed, in the order of the cells."""
    return [
        f"{display(path)}: cell {cell}: {message}" if cell else f"{display(path)}: {message}"
        for cell, message in sorted(problems, key=lambda problem: problem.cell)
    ]


def check_in_sync(committed: NotebookNode, built: NotebookNode, *, text: str) -> Iterator[Problem]:
    """The committed notebook without its outputs is what its source gives, byte for byte.

    Args:
        committed: the notebook as it was read.
        built: the notebook of the source.
        text: the committed file.
    """
    advice = "build it, or pull it first if you edited the notebook"
    old, new = _without_outputs(committed), _without_outputs(built)
    if len(old.cells) != len(new.cells):
        yield Problem(0, f"{len(old.cells)} cells, its source has {len(new.cells)}; {advice}")
    for number, (is_cell, should_cell) in enumerate(zip(old.cells, new.cells, strict=False), 1):
        for key in ("cell_type", "source", "metadata", "id"):
            if is_cell.get(key) != should_cell[key]:
                yield Problem(number, f"its {key} differs from the source; {advice}")
                return
    if len(old.cells) == len(new.cells) and (
        to_text(old) != to_text(new) or to_text(committed) != text
    ):
        yield Problem(0, f"its metadata or layout is not what build writes; {advice}")


def _without_outputs(notebook: NotebookNode) -> NotebookNode:
    """A copy as it was before it was executed."""
    bare = copy.deepcopy(notebook)
    for _, cell in code_cells(bare):
        cell.outputs = []
        cell.execution_count = None
    return bare


def check_run(notebook: NotebookNode) -> Iterator[Problem]:
    """The code cells were executed from 1 to n, without a gap."""
    for position, (number, cell) in enumerate(code_cells(notebook), 1):
        if cell.execution_count != position:
            got = "not executed" if cell.execution_count is None else f"[{cell.execution_count}]"
            yield Problem(number, f"its run is {got}, should be [{position}]; execute the notebook")
            return


def check_errors(notebook: NotebookNode) -> Iterator[Problem]:
    """No cell ended in an error unless it is tagged so."""
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            tagged = "raises-exception" in cell.metadata.get("tags", [])
            if output.output_type == "error" and not tagged:
                yield Problem(
                    number,
                    f"it ended in {output.ename}; repair it, "
                    "or tag it raises-exception if that is its point",
                )


def check_outputs(notebook: NotebookNode, *, repository: Path) -> Iterator[Problem]:
    """No output holds what only this machine or this run knows.

    Args:
        notebook: the executed notebook.
        repository: a folder whose path no output may name.
    """
    here = re.compile(rf"(?<![\w.-]){re.escape(str(repository))}(?![\w-])")
    checks = [*VOLATILE, (here, "the repository's path", VOLATILE[1][2])]
    for number, cell in code_cells(notebook):
        text = "\n".join(part for output in cell.outputs for part in output_texts(output))
        for pattern, name, advice in checks:
            if match := pattern.search(text):
                start, end = max(match.start() - 20, 0), match.end() + 20
                seen = " ".join(text[start:end].split())
                yield Problem(number, f"{name} in its output ({seen!r}); {advice}")


def output_texts(output: NotebookNode) -> list[str]:
    """All that a reader sees of an output as text, without terminal colours."""
    if output.output_type == "stream":
        return [ANSI.sub("", output.text)]
    if output.output_type == "error":
        return [ANSI.sub("", part) for part in [output.evalue, *output.traceback]]
    texts = []
    for mime, value in output.data.items():
        if isinstance(value, str) and mime.startswith("text/"):
            texts.append(ANSI.sub("", value))
        elif not isinstance(value, str):
            texts.append(json.dumps(value, ensure_ascii=False))
    return texts


def check_size(size_bytes: int) -> Iterator[Problem]:
    """The file is small enough to be read on the web."""
    if size_bytes >= SIZE_LIMIT_BYTES:
        yield Problem(
            0,
            f"{size_bytes / 1000:.0f} kB, should be under {SIZE_LIMIT_BYTES // 1000}; "
            "draw fewer or plainer pictures, print less",
        )


def check_shape(notebook: NotebookNode) -> list[Problem]:
    """The rules for the source: title, parameters, plain Markdown, short cells of plain Python."""
    return [
        *check_title(notebook),
        *check_parameters(notebook),
        *check_markdown(notebook),
        *check_code(notebook),
        *check_definitions(notebook),
    ]


def check_title(notebook: NotebookNode) -> Iterator[Problem]:
    """The notebook begins with a title."""
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        yield Problem(1, "not a Markdown cell that begins with `# `; put the title here")


def check_parameters(notebook: NotebookNode) -> Iterator[Problem]:
    """One cell, right after the title, sets the parameters that every notebook has."""
    tagged = [
        number
        for number, cell in enumerate(notebook.cells, 1)
        if "parameters" in cell.metadata.get("tags", [])
    ]
    if len(tagged) != 1:
        yield Problem(0, f"{len(tagged)} cells are tagged parameters; tag exactly one")
        return
    number = tagged[0]
    cell = notebook.cells[number - 1]
    if number != 2 or cell.cell_type != "code":  # noqa: PLR2004 the cell after the title
        yield Problem(number, "tagged parameters; it must be a code cell right after the title")
    if cell.cell_type != "code" or isinstance(tree := _syntax(cell.source), SyntaxError):
        return
    values: dict[str, object] = {}
    for statement in tree.body:
        try:
            values |= _literal_assignment(statement)
        except ValueError:
            yield Problem(
                number,
                f"`{ast.unparse(statement).partition(chr(10))[0]}` does not assign a literal "
                "to a name; parameters do nothing else",
            )
    for name, value in PARAMETERS.items():
        if repr(values.get(name)) != repr(value):
            yield Problem(number, f"{name} is not {_literal(value)}; parameters set it so")


def _literal_assignment(statement: ast.stmt) -> dict[str, object]:
    """The name and value of `name = literal`; ValueError for anything else."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return {name: ast.literal_eval(value)}
    raise ValueError


def _literal(value: object) -> str:
    """A literal as the formatter writes it, with double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def check_markdown(notebook: NotebookNode) -> Iterator[Problem]:
    """Prose is Markdown that JupyterLab renders."""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown" and (match := MYST.search(cell.source)):
            yield Problem(
                number,
                f"MyST syntax {match[0].strip()!r}, which JupyterLab does not render; "
                "use a block quote or a plain fence",
            )


def check_code(notebook: NotebookNode) -> Iterator[Problem]:
    """Code is few short cells of plain Python."""
    cells = code_cells(notebook)
    if len(cells) > MOST_CODE_CELLS:
        yield Problem(0, f"{len(cells)} code cells, at most {MOST_CODE_CELLS}; join or drop some")
    for number, cell in cells:
        if (count := cell.source.count("\n") + 1) > MOST_CODE_LINES:
            yield Problem(
                number,
                f"{count} lines, at most {MOST_CODE_LINES}; split it, or move logic to mlref",
            )
        tree = _syntax(cell.source)
        if isinstance(tree, SyntaxError):
            yield Problem(
                number,
                f"not plain Python (line {tree.lineno}: {tree.msg}); repair it; "
                "magics and shell commands do not work everywhere",
            )
            continue
        for line in _trailing_semicolons(cell.source):
            yield Problem(
                number, f"line {line} ends with `;`, which nbval ignores; write `_ = ...`"
            )


def _trailing_semicolons(source: str) -> Iterator[int]:
    """The lines whose last token is a semicolon."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    line_ends = {tokenize.NEWLINE, tokenize.COMMENT, tokenize.ENDMARKER}
    for token, following in pairwise(tokens):
        if token.type == tokenize.OP and token.string == ";" and following.type in line_ends:
            yield token.start[0]


def check_definitions(notebook: NotebookNode) -> Iterator[Problem]:
    """Few functions and no classes: what is worth a definition is worth a test, in mlref."""
    functions = 0
    for number, cell in code_cells(notebook):
        tree = _syntax(cell.source)
        for node in () if isinstance(tree, SyntaxError) else ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                yield Problem(number, f"it defines class {node.name}; move it to mlref")
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions += 1
                if functions > MOST_FUNCTIONS:
                    yield Problem(
                        number,
                        f"{node.name} is function {functions} of the notebook, "
                        f"at most {MOST_FUNCTIONS}; move it to mlref",
                    )


def _syntax(source: str) -> ast.Module | SyntaxError:
    """The syntax tree of a cell, where `await` may stand outside functions, or what is wrong."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # the linter's business
        try:
            tree: ast.Module = compile(source, "<cell>", "exec", flags=flags, dont_inherit=True)
        except SyntaxError as error:
            return error
    return tree


# Pull


def pull(root: Path, stem: str) -> str:
    """Bring the cells of the notebook back into its source, and say what was done.

    Empty cells are left out, and so are spaces at the ends of Markdown lines. The blank lines
    between cells stay as they are between cells that did not change.

    Raises:
        NotebookError: no such notebook, a raw cell, an attachment, or a line that the percent
            format would take for a marker. The source is untouched.
    """
    path, target = notebook_path(root, stem), source_path(root, stem)
    cells = []
    for number, node in enumerate(load_notebook(path).cells, 1):
        if node.cell_type == "raw":
            raise NotebookError(
                f"{display(path)}: cell {number}: a raw cell; make it Markdown or delete it"
            )
        if node.get("attachments"):
            names = ", ".join(node.attachments)
            raise NotebookError(
                f"{display(path)}: cell {number}: attachments ({names}); draw pictures in code"
            )
        source = node.source
        if node.cell_type == "markdown":
            source = "\n".join(line.rstrip() for line in source.split("\n"))
        if source := source.strip("\n"):
            cells.append(Cell(node.cell_type, tuple(node.metadata.get("tags", [])), source))
    gaps = {}
    if target.exists():
        gaps = {pair: pair[0].gap for pair in pairwise(load_cells(target))}
    cells = [
        *(replace(one, gap=gaps.get((one, other), 1)) for one, other in pairwise(cells)),
        *cells[-1:],
    ]
    try:
        text = write(cells)
    except PercentError as error:
        raise NotebookError(f"{display(path)}: {error}") from error
    if target.exists() and target.read_bytes() == text.encode():
        return f"{display(target)}: unchanged, {len(cells)} cells"
    target.parent.mkdir(exist_ok=True)
    write_text(target, text)
    return f"{display(target)}: written, {len(cells)} cells; run the formatter, then execute it"


# Command line


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all went well, 1 when there is a problem, 2 for wrong usage."""
    arguments = _parser().parse_args(argv)
    root: Path = arguments.root
    try:
        stems = select(root, arguments.numbers)
        if arguments.command == "check":
            return _check_all(root, stems)
    except MlrefError as error:
        print(error, file=sys.stderr)
        return 1
    actions: dict[str, Callable[[str], str]] = {
        "build": lambda stem: build(root, stem),
        "pull": lambda stem: pull(root, stem),
        "execute": lambda stem: execute(
            root,
            stem,
            force=arguments.force,
            budget_s=arguments.budget_s,
        ),
    }
    failed = 0
    for stem in stems:
        try:
            print(actions[arguments.command](stem), flush=True)
        except MlrefError as error:
            failed += 1
            print(error, file=sys.stderr, flush=True)
    return int(failed > 0)


def _check_all(root: Path, stems: Sequence[str]) -> int:
    """Print every problem of the folder and of the notebooks."""
    problems = [*check_files(root), *(line for stem in stems for line in check(root, stem))]
    for line in problems:
        print(line)
    print(f"{len(stems)} notebooks checked, {len(problems)} problems")
    return int(bool(problems))


def _parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="nb.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in {
        "build": "regenerate the notebooks from their sources",
        "execute": "build, and run those whose code changed",
        "check": "compare with the sources and apply the house rules",
        "pull": "bring edits made in JupyterLab back into the sources",
    }.items():
        command = commands.add_parser(name, help=text, description=text)
        nargs = "+" if name == "pull" else "*"
        command.add_argument("numbers", nargs=nargs, metavar="NN", help="such as 07; none for all")
        command.add_argument("--root", type=Path, default=ROOT, help="the notebooks' folder")
        if name == "execute":
            command.add_argument(
                "--force",
                action="store_true",
                default=os.environ.get("FORCE", "0") not in {"", "0"},
                help="run also what did not change; the same as FORCE=1",
            )
            command.add_argument(
                "--budget-s",
                type=float,
                default=CPU_BUDGET_S,
                help="CPU seconds that a notebook may take (default: %(default)g)",
            )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
