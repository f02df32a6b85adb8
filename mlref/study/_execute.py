"""The child process that executes one notebook with papermill and reports how far it is.

It takes one argument, a JSON object (see `main`), and reports these objects to its parent:

    {"event": "kernel", "pid": 4711}                               the kernel has been started
    {"event": "cell", "index": 3, "total": 24, "label": "...", "source": "..."}    a cell begins
    {"event": "page"}                                     the cells are done, the page is written
    {"event": "end", "status": "failed", "cpu_seconds": 1.5, "done": 2, "failure": {...}}

The kernel runs in a session of its own, so it is ended by name here: on SIGTERM, and when the
parent is gone. If this process is killed, the parent ends the kernel that was reported to it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlref.runtime.files import write_text
from mlref.runtime.lazy import extra
from mlref.runtime.process import die_with_parent, report

__all__ = ["main"]

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FORMULA = re.compile(r"\$(?=\S)[^$\n]*\S\$(?!\d)|\$\$|\\\(|\\\[|\\begin\{")
_TRACEBACK_LINES = 12
_SOURCE_CHARACTERS = 4000
_LABEL_CHARACTERS = 120


class _Watch:
    """What is known about the notebook while it runs; nbclient calls its methods."""

    def __init__(self) -> None:
        self.notebook: Any = None
        self.order: dict[int, int] = {}  # the cell's position -> which of the code cells, from 1
        self.current: int | None = None  # which of the code cells is running
        self.source = ""
        self.done = 0
        self.kernel_ended: int | None = None

    def on_notebook_start(self, notebook: Any) -> None:
        """The kernel is ready; the parameters have been injected."""
        self.notebook = notebook
        code = [index for index, cell in enumerate(notebook.cells) if _is_code(cell)]
        self.order = {index: position for position, index in enumerate(code, start=1)}

    def on_cell_start(self, cell: Any, cell_index: int) -> None:
        """A cell begins, perhaps one of text."""
        if not _is_code(cell):
            return
        self.current = self.order[cell_index]
        self.source = cell.source[:_SOURCE_CHARACTERS]
        report(
            event="cell",
            index=self.current,
            total=len(self.order),
            label=_label(self.notebook.cells, cell_index),
            source=self.source,
        )

    def on_cell_executed(self, cell: Any, execute_reply: Any, **_arguments: Any) -> None:
        """A cell has ended."""
        went_well = execute_reply["content"]["status"] == "ok"
        self.done += went_well or "raises-exception" in cell.metadata.get("tags", [])

    def failure(self, ename: str, evalue: str, traceback: str = "") -> dict[str, Any]:
        """The report of what went wrong in the current cell."""
        lines = _ANSI.sub("", traceback).splitlines()
        return {
            "cell": self.current,
            "source": self.source,
            "ename": ename,
            "evalue": _ANSI.sub("", evalue),
            "traceback": lines[-_TRACEBACK_LINES:],
        }


def _is_code(cell: Any) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip())


def _label(cells: Any, index: int) -> str:
    """The nearest heading above a cell, or else the cell's first line."""
    for cell in reversed(cells[:index]):
        headings = re.findall(r"^#{1,6} +(.+)$", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and headings:
            return re.sub(r"[*`]", "", headings[-1])[:_LABEL_CHARACTERS]
    return str(cells[index].source.strip().splitlines()[0][:_LABEL_CHARACTERS])


def _kernel_manager(watch: _Watch) -> type[Any]:
    """A kernel manager that reports the kernel's process id and remembers how it ended."""
    from jupyter_client.manager import AsyncKernelManager

    class KernelManager(AsyncKernelManager):
        async def start_kernel(self, **arguments: Any) -> None:  # type: ignore[override]
            await super().start_kernel(**arguments)
            report(event="kernel", pid=getattr(self.provisioner, "pid", None))

        async def is_alive(self) -> bool:  # type: ignore[override]
            process = getattr(self.provisioner, "process", None)
            alive = await super().is_alive()
            if process is not None and not alive:
                watch.kernel_ended = process.poll()
            return bool(alive)

    return KernelManager


def _execute(job: dict[str, Any], watch: _Watch) -> dict[str, Any]:
    """Run the notebook; the fields of the last report."""
    import nbclient.exceptions
    import papermill

    try:
        papermill.execute_notebook(
            _literally(job["notebook"]),
            _literally(job["copy"]),
            parameters=job["parameters"],
            cwd=job["cwd"],
            progress_bar=False,
            extra_arguments=["--log-level=ERROR"],  # it warns that loopback is not encrypted
            start_timeout=job["kernel_timeout_s"],
            kernel_manager_class=_kernel_manager(watch),
            on_notebook_start=watch.on_notebook_start,
            on_cell_start=watch.on_cell_start,
            on_cell_executed=watch.on_cell_executed,
        )
    except papermill.PapermillExecutionError as error:
        if not any(_raised(cell) for cell in watch.notebook.cells):
            _forgive(watch.notebook, Path(job["copy"]))
            return {"status": "passed"}
        found = watch.failure(error.ename, error.evalue, "\n".join(error.traceback))
        return {"status": "failed", "failure": found}
    except nbclient.exceptions.DeadKernelError:
        found = watch.failure("DeadKernelError", f"the kernel {_ending(watch.kernel_ended)}")
        return {"status": "crashed", "failure": found}
    return {"status": "passed"}


def _raised(cell: Any) -> bool:
    """Whether a cell raised without being expected to."""
    return cell.get("metadata", {}).get("papermill", {}).get("exception") is True


def _forgive(notebook: Any, copy: Path) -> None:
    """Save a copy without papermill's error marks: a cell tagged raises-exception may raise."""
    from papermill.execute import remove_error_markers
    from papermill.iorw import write_ipynb

    write_ipynb(remove_error_markers(notebook), str(copy))


def _literally(path: str) -> str:
    """A path that papermill, which fills in fields in braces, leaves as it is."""
    return path.replace("{", "{{").replace("}", "}}")


def _ending(status: int | None) -> str:
    """How the kernel ended, in words."""
    if status is None:
        return "died"
    if status >= 0:
        return f"ended with exit status {status}"
    name = signal.Signals(-status).name
    return f"was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _write_html(copy: Path, page: Path, *, images: str) -> None:
    """Save the executed notebook as one page, images inside, that asks no other host for scripts.

    Only a notebook with formulas keeps the address of MathJax.
    """
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(copy, as_version=4)
    texts = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    exporter = HTMLExporter(embed_images=True, require_js_url="")
    if not _FORMULA.search(texts):
        exporter.mathjax_url = ""
    body, _ = exporter.from_notebook_node(
        notebook, resources={"metadata": {"name": copy.stem, "path": images}}
    )
    write_text(
        page, body.replace('<script src=""></script>', "").replace('<script src=""> </script>', "")
    )


def _kill_descendants() -> None:
    """End the kernel and all that it has started, whatever session they are in."""
    import psutil

    with suppress(psutil.Error):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                process.kill()


def _cpu_seconds() -> float:
    """CPU time of the kernel and its children, once they have been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Execute one notebook.

    The argument is a JSON object: notebook, copy and page are paths (page may be null: no HTML),
    parameters a name-value object, cwd the kernel's working directory, kernel_timeout_s the
    seconds in which the kernel must start.
    """
    job = json.loads(sys.argv[1])
    watch = _Watch()

    def end(_number: int, _frame: object) -> None:
        """Stop at once: nothing here is worth finishing."""
        _kill_descendants()
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        report(event="end", status="stopped", cpu_seconds=_cpu_seconds(), done=watch.done)
        os._exit(128 + signal.SIGTERM)

    with extra("notebooks"):
        import psutil  # noqa: F401 - loaded now, not while the process is being ended
    signal.signal(signal.SIGTERM, end)
    die_with_parent(_kill_descendants)
    with extra("notebooks"):
        fields = _execute(job, watch)
    if job["page"]:
        report(event="page")
        try:
            _write_html(Path(job["copy"]), Path(job["page"]), images=job["cwd"])
        except Exception as error:  # noqa: BLE001 - a cell's own failure says more than the page's
            found = watch.failure(type(error).__name__, f"no page could be written: {error}")
            fields = {"status": "failed", "failure": found} | fields | {"status": "failed"}
    report(event="end", cpu_seconds=_cpu_seconds(), done=watch.done, **fields)


if __name__ == "__main__":
    main()
