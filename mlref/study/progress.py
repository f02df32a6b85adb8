"""How far the notebooks are, on the terminal: bars for people, plain lines for logs.

A terminal gets a bar for each running notebook with its current cell, the time it has taken and
the estimated time that remains, and a line for all of them. Elsewhere (CI, a pipe) two lines for
each notebook must do: one when it starts, one when it ends.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from mlref.study.results import NotebookResult, Status
from mlref.study.runner import Watcher

__all__ = ["duration", "outcome", "remaining_s", "shown"]

MARKS: dict[Status, tuple[str, str]] = {
    "passed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "crashed": ("✗", "bold red"),
    "timeout": ("✗", "bold red"),
    "stopped": ("-", "yellow"),
}
"""The sign and the style of each outcome; the word stands beside it for those without colours."""


def shown(console: Console, *, total: int) -> AbstractContextManager[Watcher]:
    """A watcher that shows the progress of `total` notebooks, as the console allows."""
    if console.is_terminal:
        return _Bars(console, total)
    return nullcontext(_Lines(console, total))


def duration(seconds: float) -> str:
    """A time as people read it.

    >>> duration(3.21), duration(75), duration(3700)
    ('3.2 s', '1 min 15 s', '1 h 01 min')
    """
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def remaining_s(elapsed_s: float, fraction: float) -> float | None:
    """The estimated time to the end, if the rest goes as fast as what is done.

    Args:
        elapsed_s: seconds since the start.
        fraction: the part that is done, in [0, 1].

    Returns:
        Seconds, or None while nothing is done.

    >>> remaining_s(30.0, 0.75)
    10.0
    """
    return elapsed_s * (1 - fraction) / fraction if fraction > 0 else None


def outcome(result: NotebookResult) -> Text:
    """One line that tells how a notebook ended."""
    mark, style = MARKS[result.status]
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{mark} {result.status:<8}", style)
    line.append(result.name, "bold")
    line.append(f"  {_cells(result)}  {duration(result.seconds)}")
    if result.cpu_seconds is not None:
        line.append(f"  (cpu {duration(result.cpu_seconds)})", "dim")
    return line


def _cells(result: NotebookResult) -> str:
    """How many cells ran; how many there are is known from the first cell on."""
    if result.cells_total or result.passed:
        return f"{result.cells_done}/{result.cells_total} cells"
    return "before its first cell"


class _Lines:
    """Plain lines for a log."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._started = 0

    def started(self, name: str) -> None:
        self._started += 1
        self._console.print(
            f"[{self._started}/{self._total}] {name}", markup=False, highlight=False
        )

    def cell(self, name: str, *, index: int, total: int, label: str) -> None:
        """A log is not told each cell."""

    def page(self, name: str) -> None:
        """Nor that the page is written."""

    def finished(self, result: NotebookResult) -> None:
        self._console.print(outcome(result), soft_wrap=True)

    def tick(self) -> None:
        """A log has no clock to move on."""


class _Clock(ProgressColumn):
    """Elapsed time, and the estimate of what remains."""

    def render(self, task: Task) -> Text:
        elapsed_s = task.elapsed or 0.0
        left_s = remaining_s(elapsed_s, (task.completed / task.total) if task.total else 0.0)
        left = f"{_short(left_s)} left" if left_s is not None else ""
        return Text(f"{_short(elapsed_s)}  {left:>10}")


def _short(seconds: float) -> str:
    """Minutes and seconds, for a column of fixed width."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:2d}:{rest:02d}"


@dataclass
class _Narrower:
    """What it holds, a few columns narrower: the ^C that a terminal echoes must break no line."""

    content: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The content."""
        yield Constrain(self.content, options.max_width - len("^C") - 1)


class _Rows(Progress):
    """Bars that leave a margin."""

    def get_renderable(self) -> RenderableType:
        """All rows."""
        return _Narrower(super().get_renderable())


class _Bars(AbstractContextManager["_Bars"]):
    """Bars on a terminal."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._progress = _Rows(
            TextColumn(
                "{task.description}",
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=3),
            ),
            BarColumn(bar_width=10),
            TextColumn("{task.fields[count]:>5}", table_column=Column(no_wrap=True)),
            _Clock(table_column=Column(no_wrap=True)),
            TextColumn(
                "{task.fields[label]}",
                markup=False,
                style="dim",
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=2),
            ),
            console=console,
            transient=True,
            auto_refresh=False,  # a second thread could draw while a line is being printed
            expand=True,
        )
        self._total = total
        self._ended = 0
        self._failed = 0
        self._stopped = 0
        self._tasks: dict[str, TaskID] = {}
        self._parts: dict[str, float] = {}  # how far each running notebook is, in [0, 1]
        self._all = self._progress.add_task(
            "all notebooks", total=total, count=f"0/{total}", label=""
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def started(self, name: str) -> None:
        self._tasks[name] = self._progress.add_task(name, total=None, count="", label="starting")

    def cell(self, name: str, *, index: int, total: int, label: str) -> None:
        self._progress.update(
            self._tasks[name],
            total=total,
            completed=index - 1,
            count=f"{index}/{total}",
            label=label,
        )
        self._parts[name] = (index - 1) / total
        self._show_all()

    def page(self, name: str) -> None:
        self._progress.update(self._tasks[name], label="writing the page")
        self._progress.refresh()

    def finished(self, result: NotebookResult) -> None:
        if result.name in self._tasks:
            self._progress.remove_task(self._tasks.pop(result.name))
        self._parts.pop(result.name, None)
        self._ended += 1
        self._failed += result.status not in {"passed", "stopped"}
        self._stopped += result.status == "stopped"
        self._console.print(outcome(result))
        self._show_all()

    def tick(self) -> None:
        self._progress.refresh()

    def _show_all(self) -> None:
        counts = {"failed": self._failed, "stopped": self._stopped}
        self._progress.update(
            self._all,
            completed=self._ended + sum(self._parts.values()),
            count=f"{self._ended}/{self._total}",
            label=", ".join(f"{count} {word}" for word, count in counts.items() if count),
        )
        self._progress.refresh()
