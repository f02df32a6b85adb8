"""Notebooks executed in child processes: results, files, limits, and nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from mlref.errors import FileWriteError, NotebookError
from mlref.runtime.process import Limits, ManagedProcess, start
from mlref.study import runner
from mlref.study.results import NotebookResult

Processes = Callable[[], list[str]]
WriteNotebook = Callable[..., Path]
MLREF = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from mlref.cli import main; main()"
)
BLOCK = "import threading\nfrom pathlib import Path\nPath(out, 'here').touch()\n"
BLOCK += "threading.Event().wait()"


@dataclass
class Seen:
    """A watcher that remembers what it is told."""

    events: list[tuple[str, str]] = field(default_factory=list)
    at_cell: Callable[[], None] = lambda: None

    def started(self, name: str) -> None:
        """Remember it."""
        self.events.append((name, "started"))

    def cell(self, name: str, *, index: int, total: int, label: str) -> None:
        """Remember it, then do what the test wants."""
        self.events.append((name, f"{index}/{total} {label}"))
        self.at_cell()

    def page(self, name: str) -> None:
        """Remember it."""
        self.events.append((name, "page"))

    def finished(self, result: NotebookResult) -> None:
        """Remember it."""
        self.events.append((result.name, result.status))

    def tick(self) -> None:
        """Time passes."""


@dataclass
class Batch:
    """One run of three notebooks."""

    sources: list[Path]
    before: list[bytes]
    out: Path
    results: tuple[NotebookResult, ...]
    seen: Seen


@pytest.fixture(scope="module")
def batch(
    tmp_path_factory: pytest.TempPathFactory,
    notebook: WriteNotebook,
    parameters_cell: tuple[str, str],
) -> Batch:
    """A notebook that passes, one that fails and one whose kernel ends, two at a time."""
    folder = tmp_path_factory.mktemp("batch {braces}")
    sources = [
        notebook(
            folder / "notebooks" / "00_good.ipynb",
            "# Good",
            parameters_cell,
            "## An error *on purpose*",
            ("1 / 0", "raises-exception"),
            "import os\nfrom pathlib import Path\n"
            "Path(out, 'seed').write_text(f\"{seed!r} {os.environ['PYTHONHASHSEED']}\")",
        ),
        notebook(
            folder / "notebooks" / "01_bad.ipynb",
            parameters_cell,
            ("1 / 0", "raises-exception"),
            "x = 1\nraise ValueError('no such carrier')",
            "never = True",
        ),
        notebook(folder / "notebooks" / "02_gone.ipynb", parameters_cell, "import os; os._exit(3)"),
    ]
    before = [path.read_bytes() for path in sources]
    seen = Seen()
    results = runner.run(sources, out=folder / "out", parameters={"seed": 7}, jobs=2, watcher=seen)
    return Batch(sources, before, folder / "out", results, seen)


def test_it_goes_on_after_a_failure(batch: Batch) -> None:
    """Each notebook has its result, in the order given, whatever became of the others."""
    found = [(one.name, one.status) for one in batch.results]
    assert found == [("00_good", "passed"), ("01_bad", "failed"), ("02_gone", "crashed")]


def test_a_failure_tells_the_cell_and_the_error(batch: Batch) -> None:
    """The failing cell is the one that raised, not one that is tagged raises-exception."""
    failure = batch.results[1].failure
    assert failure is not None
    assert failure.source == "x = 1\nraise ValueError('no such carrier')"
    assert (failure.ename, failure.evalue) == ("ValueError", "no such carrier")
    assert (failure.cell, batch.results[1].cells_total) == (4, 5)  # papermill adds one cell
    assert batch.results[1].cells_done == 3


def test_a_traceback_has_no_colours(batch: Batch) -> None:
    """The last lines of the traceback are plain text."""
    failure = batch.results[1].failure
    assert failure is not None
    assert failure.traceback[-1] == "ValueError: no such carrier"
    assert "\x1b" not in "".join(failure.traceback)


def test_a_kernel_that_ends_is_a_crash(batch: Batch) -> None:
    """A kernel that is gone is told with its exit status and the cell that ran."""
    failure = batch.results[2].failure
    assert failure is not None
    assert failure.evalue == "the kernel ended with exit status 3"
    assert failure.source == "import os; os._exit(3)"


def test_parameters_reach_the_notebook(batch: Batch) -> None:
    """A parameter keeps its type, `out` is below the run's, and the hash seed is fixed."""
    assert (batch.out / "runs" / "seed").read_text() == "7 0"


def test_executed_copies_and_pages_are_written(batch: Batch) -> None:
    """There is a copy and a page for each notebook, the failed ones included."""
    names = sorted(path.name for path in (batch.out / "notebooks").iterdir())
    stems = [path.stem for path in batch.sources]
    assert names == sorted(f"{stem}{end}" for stem in stems for end in (".html", ".ipynb"))


def test_a_page_loads_no_script_from_elsewhere(batch: Batch) -> None:
    """A page without formulas and widgets has no script element with an address."""
    page = (batch.out / "notebooks" / "00_good.html").read_text()
    assert "An error" in page
    assert "<script src=" not in page


def test_an_expected_error_leaves_no_mark(batch: Batch) -> None:
    """The copy of a notebook that passed carries no error banner of papermill's."""
    assert "papermill-error" not in (batch.out / "notebooks" / "00_good.ipynb").read_text()


def test_the_notebooks_are_not_touched(batch: Batch) -> None:
    """Nothing is written where the notebooks lie."""
    assert [path.read_bytes() for path in batch.sources] == batch.before
    folder = batch.sources[0].parent
    assert sorted(folder.iterdir()) == batch.sources


def test_the_watcher_is_told_every_step(batch: Batch) -> None:
    """Start, each code cell under its heading, the page, end."""
    assert [event for name, event in batch.seen.events if name == "00_good"] == [
        "started",
        "1/4 Good",
        "2/4 Good",
        "3/4 An error on purpose",
        "4/4 An error on purpose",
        "page",
        "passed",
    ]


def test_cpu_time_is_measured(batch: Batch) -> None:
    """The kernel's CPU time is known, and no longer than two busy cores could make it."""
    for result in batch.results:
        assert result.cpu_seconds is not None
        assert 0.05 < result.cpu_seconds < 4 * result.seconds


def test_the_time_limit_ends_a_notebook(
    tmp_path: Path, notebook: WriteNotebook, parameters_cell: tuple[str, str], processes: Processes
) -> None:
    """A notebook that takes too long is ended, with all of its processes."""
    path = notebook(tmp_path / "00_slow.ipynb", parameters_cell, BLOCK)
    (result,) = runner.run([path], out=tmp_path / "out", timeout_s=3.0)
    assert result.status == "timeout"
    assert result.failure is not None
    assert "not done after 3 s" in result.failure.evalue
    assert processes() == []


def test_a_killed_child_leaves_no_kernel(
    tmp_path: Path, notebook: WriteNotebook, parameters_cell: tuple[str, str], processes: Processes
) -> None:
    """A kill -9 of the process that runs papermill is a crash, and ends the kernel, too."""
    path = notebook(tmp_path / "00_block.ipynb", parameters_cell, BLOCK)
    running: list[str] = []

    def kill() -> None:
        running.extend(processes())
        for process in psutil.Process().children():
            with suppress(psutil.ZombieProcess):  # another test's child, not reaped yet
                if "mlref.study._execute" in process.cmdline():
                    process.kill()

    (result,) = runner.run([path], out=tmp_path / "out", watcher=Seen(at_cell=kill))
    assert any("ipykernel" in line for line in running)
    assert result.status == "crashed"
    assert result.failure is not None
    assert "-9" in result.failure.evalue
    assert processes() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_runner_leaves_nothing(
    number: signal.Signals,
    tmp_path: Path,
    notebook: WriteNotebook,
    parameters_cell: tuple[str, str],
    processes: Processes,
) -> None:
    """Ctrl-C is told as such; after it, and after kill -9, no kernel and no child runs."""
    notebook(tmp_path / "nb" / "00_block.ipynb", parameters_cell, BLOCK)
    notebook(tmp_path / "nb" / "01_next.ipynb", parameters_cell)
    out = tmp_path / "out"
    command = ["run", "--notebooks", str(tmp_path / "nb"), "--out", str(out)]
    with start([sys.executable, "-c", MLREF, *command], name="mlref", limits=Limits()) as mlref:
        mlref.wait_ready((out / "runs" / "here").exists, timeout_s=60)
        assert any("ipykernel" in line for line in processes())
        os.kill(mlref.pid, number)
        status = mlref.wait(30)
        _wait_for(lambda: processes() == [], mlref)
    if number == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 130
        assert "0 of 2 notebooks passed" in mlref.log_tail()
        assert '"stopped"' in (out / "summary.json").read_text()


def _wait_for(condition: Callable[[], bool], process: ManagedProcess) -> None:
    """Poll a condition for as long as the poller inside a kernel may take."""
    assert process._wait_until(condition, 15.0)


def test_an_unknown_parameter_stops_everything(
    tmp_path: Path, notebook: WriteNotebook, parameters_cell: tuple[str, str]
) -> None:
    """Before anything runs, the message names the parameters that there are."""
    path = notebook(tmp_path / "00_good.ipynb", parameters_cell)
    with pytest.raises(NotebookError, match="no parameter 'sed'; it has: seed, quick, out"):
        runner.run([path], out=tmp_path / "out", parameters={"sed": 1})
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_stops_everything(
    tmp_path: Path, notebook: WriteNotebook, parameters_cell: tuple[str, str]
) -> None:
    """Nothing runs where nothing can be written."""
    path = notebook(tmp_path / "00_good.ipynb", parameters_cell)
    (tmp_path / "file").touch()
    seen = Seen()
    with pytest.raises(FileWriteError, match="the folder cannot be made"):
        runner.run([path], out=tmp_path / "file", watcher=seen)
    assert seen.events == []


@pytest.mark.parametrize(("jobs", "timeout_s"), [(0, 1.0), (1, 0.0)])
def test_limits_must_make_sense(tmp_path: Path, jobs: int, timeout_s: float) -> None:
    """No notebook at a time, or no time at all, is refused."""
    with pytest.raises(ValueError, match="jobs must be at least 1"):
        runner.run([], out=tmp_path, jobs=jobs, timeout_s=timeout_s)
