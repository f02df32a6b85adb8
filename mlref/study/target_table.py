"""One model on every target: the same golden rows, the time of a request, the size.

Each target deploys the artefact, must give its golden predictions, and is timed with requests of
one row. A target that this machine does not have (no Docker, say) shows why in one line; one that
is there and fails is a problem of the run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mlref import tables
from mlref.artifact import Artifact
from mlref.runtime.clock import Clock, SystemClock
from mlref.runtime.files import write_text
from mlref.study.results import CheckResult
from mlref.targets import Endpoint, Target

__all__ = ["DEFAULT_TIMING", "Row", "Timing", "check", "markdown", "measure", "render"]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How a target is measured."""

    ready_timeout_s: float = 120.0  # seconds until the first answer
    warmup: int = 20  # requests that are not counted
    requests: int = 200  # requests of one row each
    limit_s: float = 20.0  # seconds after which fewer requests must do


DEFAULT_TIMING = Timing()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One target's line. Without a reason and a problem, it was measured."""

    target: str
    p50_ms: float | None = None  # median time of a request of one row, in milliseconds
    size_bytes: int | None = None
    matched: int | None = None  # golden rows that it predicted as expected
    golden: int | None = None  # golden rows that there are
    reason: str | None = None  # why it is not available here
    problem: str | None = None  # why it failed


def measure(
    targets: Iterable[Target],
    artifact: Artifact,
    *,
    timing: Timing = DEFAULT_TIMING,
    clock: Clock | None = None,
) -> list[Row]:
    """One row for each target, in their order; no failure of a target ends the measuring.

    Args:
        targets: where to deploy; see `mlref.targets`.
        artifact: what to deploy; its golden rows are the requests.
        timing: how often and how long.
        clock: tells the time; None means the system's.
    """
    rows = []
    for target in targets:
        try:
            rows.append(_row(target, artifact, timing, clock or SystemClock()))
        except Exception as error:  # noqa: BLE001 - whatever a target raises is its line in the table
            message = (str(error) or "no message").splitlines()[0]
            rows.append(Row(target=target.name, problem=f"{type(error).__name__}: {message}"))
    return rows


def _row(target: Target, artifact: Artifact, timing: Timing, clock: Clock) -> Row:
    """One target's line."""
    reason = target.available()
    if reason is not None:
        return Row(target=target.name, reason=reason)
    count = len(artifact.golden.instances)
    with target.deploy(artifact) as endpoint:
        endpoint.wait_ready(timing.ready_timeout_s)
        matched = artifact.golden.matched(endpoint.predict(artifact.golden.columns))
        return Row(
            target=target.name,
            p50_ms=_p50_ms(endpoint, artifact, timing, clock),
            size_bytes=endpoint.describe().size_bytes,
            matched=matched,
            golden=count,
            problem=None if matched == count else f"{matched} of {count} golden rows matched",
        )


def _p50_ms(endpoint: Endpoint, artifact: Artifact, timing: Timing, clock: Clock) -> float:
    """The median time of a request of one row; the golden rows take turns."""
    columns = artifact.golden.columns
    rows = [
        {name: values[index : index + 1] for name, values in columns.items()}
        for index in range(len(artifact.golden.instances))
    ]
    times_s: list[float] = []
    deadline = clock.monotonic() + timing.limit_s
    for number in range(timing.warmup + timing.requests):
        began = clock.monotonic()
        endpoint.predict(rows[number % len(rows)])
        ended = clock.monotonic()
        if number >= timing.warmup:
            times_s.append(ended - began)
        if ended > deadline and times_s:
            break
    return statistics.median(times_s) * 1000


def render(rows: Sequence[Row]) -> Table:
    """The table for a terminal."""
    table = Table(title="One model, every target", title_justify="left", box=None, pad_edge=False)
    table.add_column("target", no_wrap=True)
    for heading in ("p50", "size", "golden rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold", style="dim")
    for row in rows:
        style = "red" if row.problem else ("dim" if row.reason else "")
        table.add_row(*_texts(row), style=style)
    return table


def markdown(rows: Sequence[Row]) -> str:
    """The table for targets.md, with a newline at the end."""
    columns = ("target", "p50", "size", "golden rows", "note")
    return tables.Table(columns, tuple(_texts(row) for row in rows)).to_markdown() + "\n"


def _texts(row: Row) -> tuple[str, str, str, str, str]:
    """The five cells of a line."""
    note = row.problem or (f"not here: {row.reason}" if row.reason else "")
    return (
        row.target,
        "-" if row.p50_ms is None else f"{row.p50_ms:.2f} ms",
        "-" if row.size_bytes is None else f"{row.size_bytes / 1e6:.2f} MB",
        "-" if row.golden is None else f"{row.matched}/{row.golden}",
        note,
    )


def check(
    out: Path,
    console: Console,
    *,
    targets: Iterable[Target],
    artifact: Artifact,
    timing: Timing = DEFAULT_TIMING,
) -> CheckResult:
    """Measure all targets, show the table, save it as `out`/targets.md.

    Args:
        out: an existing folder.
        console: where the table is shown.
        targets: see `measure`.
        artifact: see `measure`.
        timing: how often and how long.

    Returns:
        One problem for each target that failed; the rows as details.

    Raises:
        FileWriteError: targets.md could not be saved.
    """
    began = time.monotonic()
    rows = measure(targets, artifact, timing=timing)
    console.print(render(rows))
    write_text(out / "targets.md", markdown(rows))
    return CheckResult(
        name="targets",
        seconds=time.monotonic() - began,
        problems=tuple(f"{row.target}: {row.problem}" for row in rows if row.problem),
        noun="target",
        total=sum(row.reason is None for row in rows),
        details={"rows": [asdict(row) for row in rows]},
    )
