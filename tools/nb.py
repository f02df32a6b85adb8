"""Build, execute, check and pull the notebooks.

A notebook is edited as notebooks/src/NN_topic.py (see mlref.study.percent) and read as
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
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from nbformat import NotebookNode

from mlref.errors import MlrefError, NotebookError
from mlref.runtime.files import write_bytes, write_text
from mlref.study.percent import Cell, PercentError, write
from nb_files import (
    ANSI,
    build_notebook,
    display,
    evidence_path,
    is_executed,
    keep_outputs,
    load_cells,
    load_notebook,
    notebook_path,
    save,
    select,
    source_path,
)
from nb_rules import PARAMETERS, check, check_errors, check_evidence, check_files

ROOT = Path(__file__).resolve().parents[1] / "notebooks"
CELL_TIMEOUT_S = 300
CPU_BUDGET_S = 25.0
CPU_BUDGETS_S = {
    # Nine formats, each loaded in a fresh process with its libraries; a server under load.
    "01_deployment_steps": 100.0,
    # Two dozen containers and their clients; the builder's own time is the daemon's.
    "02_containers": 40.0,
    # Two training jobs, nine workers, some thousand requests.
    "03_sagemaker": 150.0,
}

Runner = Callable[[NotebookNode, Path], float]
"""Executes a notebook in place, with a working directory; returns the CPU seconds it took."""


# Build


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
    budget_s: float | None = None,
    runner: Runner = run_in_kernel,
) -> str:
    """Build one notebook and run it if its code changed since it was last executed.

    The figures that the run recorded are copied to `evidence/`, to be committed with the notebook.

    Args:
        root: the notebooks' folder, and the working directory of the run.
        stem: the notebook, `NN_topic`.
        force: run it in any case.
        budget_s: CPU seconds that the run may take; None is what the notebook is granted.
        runner: executes a notebook in place and returns its CPU seconds.

    Returns:
        What was done, with the CPU seconds.

    Raises:
        NotebookError: a cell failed or the run was over its budget. Notebook and evidence are
            untouched.
    """
    path, evidence = notebook_path(root, stem), evidence_path(root, stem)
    cells = load_cells(source_path(root, stem))
    notebook = build_notebook(cells)
    kept = path.exists() and keep_outputs(notebook, load_notebook(path))
    problems = [*check_errors(notebook), *check_evidence(notebook, evidence)]
    if kept and not force and is_executed(notebook) and not problems:
        return f"{display(path)}: {save(path, notebook)}, its code is as last executed"
    run = build_notebook(cells)
    recorded = root / str(PARAMETERS["out"]) / "evidence" / f"{stem}.json"
    before = _stamp(recorded)
    try:
        cpu_s = runner(run, root)
    except NotebookError as error:
        raise NotebookError(f"{display(path)}: {error}") from error
    limit_s = CPU_BUDGETS_S.get(stem, CPU_BUDGET_S) if budget_s is None else budget_s
    if cpu_s > limit_s:
        raise NotebookError(
            f"{display(path)}: {cpu_s:.1f} CPU-s, over the budget of {limit_s:g}, not saved; "
            "make it do less when quick is True, or pass --budget-s"
        )
    executed = build_notebook(cells)  # the kernel has added metadata to the one that was run
    keep_outputs(executed, run)
    if _stamp(recorded) not in {before, None}:
        evidence.parent.mkdir(exist_ok=True)
        write_bytes(evidence, recorded.read_bytes())
    return f"{display(path)}: {save(path, executed)}, executed in {cpu_s:.1f} CPU-s"


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes whenever a file is written anew; None while there is none."""
    if not path.is_file():
        return None
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


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
                help=f"CPU seconds that a notebook may take (default: mostly {CPU_BUDGET_S:g})",
            )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
