"""The figures as Markdown, as a picture, and as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mlref import plotting
from mlref.runtime.lazy import version_of
from mlref.tables import Table
from serving_bench.figures import LOADED, TARGETS, Cell, Figures, Range, Sample, Verdict
from serving_bench.servers import SERVERS
from serving_bench.workload import BODIES

__all__ = ["Run", "document", "machine", "picture", "raw", "server_table", "target_table"]

_TITLES = {server.name: server.title for server in SERVERS}
_BASE = "fastapi-async"
_PAGE = Path(__file__).with_name("page.md")
_COLOURS = {"ours": plotting.COLOURS[0], "limit": plotting.COLOURS[6]}
_OTHERS = "#B0B0B0"
_LEAST_US, _ROOM = 10.0, 4.0  # where the logarithmic axes begin; room for the figures


@dataclass(frozen=True)
class Run:
    """How the figures were measured.

    Attributes:
        models: in the order in which they are told.
        rows: numbers of rows in a request.
        concurrencies: numbers of connections.
        rounds: how often each server was measured under each load.
        seconds: how long each time.
        versions: server -> what it runs on.
        left_out: server -> why it was not measured.
        day: when.
        load_before: the machine's load average of one minute when it began, None if unknown.
    """

    models: Sequence[str]
    rows: Sequence[int]
    concurrencies: Sequence[int]
    rounds: int
    seconds: float
    versions: Mapping[str, Mapping[str, str | None]]
    left_out: Mapping[str, str]
    day: date
    load_before: float | None = None


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "ONNX Runtime": str(version_of("onnxruntime")),
    }


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def target_table(figures: Figures, model: str) -> Table:
    """The targets of a model, each with what was measured and whether it is met."""
    verdicts = [target.verdict(figures, model) for target in TARGETS]
    columns = ("target", "measured (range)", "gate", "gate met", "ambition", "ambition met")
    return Table(columns, tuple(_target_row(verdict) for verdict in verdicts))


def _target_row(verdict: Verdict) -> tuple[str, ...]:
    note = f"; {verdict.note}" if verdict.note else ""
    measured = "not measured" if verdict.got is None else f"{_range(verdict.got)}{note}"
    words = {True: "met", False: "NOT MET", None: "-"}
    gate, ambition = (f"{verdict.bound} {v:g}" for v in (verdict.gate, verdict.ambition))
    return (
        verdict.text, measured, gate, words[verdict.gate_met], ambition,
        words[verdict.ambition_met],
    )  # fmt: skip


def server_table(figures: Figures, model: str, rows: int, concurrencies: Sequence[int]) -> Table:
    """One line for each server, the cheapest under the heaviest load first."""
    cells = [Cell(model, rows, concurrency) for concurrency in concurrencies]
    top = cells[-1]
    names = {name for cell in cells for name in figures.samples.get(cell, {})}
    columns = (
        "server",
        *(f"CPU µs, c={cell.concurrency}" for cell in cells),
        f"range, c={top.concurrency}",
        "FastAPI async / it",
        f"req/s, c={top.concurrency}",
        *(f"p50 ms, c={cell.concurrency}" for cell in _ends(cells)),
        f"p99 ms, c={top.concurrency}",
        "errors",
    )
    order = sorted(names, key=lambda name: figures.median(top, name, "cpu_us") or math.inf)
    return Table(columns, tuple(_server_row(figures, cells, name) for name in order))


def _server_row(figures: Figures, cells: Sequence[Cell], name: str) -> tuple[str, ...]:
    samples = figures.of(cells[-1], name)
    costs = [sample.cpu_us for sample in samples]
    spread = f"{min(costs):,.0f} to {max(costs):,.0f}" if costs else "-"
    ratio = figures.ratio(cells[-1], _BASE, name)

    def median(cell: Cell, what: str, digits: str = ",.0f") -> str:
        value = figures.median(cell, name, what)
        return "-" if value is None else format(value, digits)

    return (
        _TITLES[name],
        *(median(cell, "cpu_us") for cell in cells),
        spread,
        "-" if ratio is None else f"{ratio.median:.2f}",
        median(cells[-1], "rps"),
        *(median(cell, "p50_ms", ",.3g") for cell in _ends(cells)),
        median(cells[-1], "p99_ms", ",.3g"),
        _errors([sample for cell in cells for sample in figures.of(cell, name)]),
    )


def _errors(samples: Sequence[Sample]) -> str:
    """The shares of requests, under all loads, that were refused or got no answer."""
    counts = {
        "refused": sum(sample.refused for sample in samples),
        "broken": sum(sample.broken for sample in samples),
    }
    everything = sum(counts.values()) + sum(sample.answered for sample in samples)
    told = [f"{count / everything:.2%} {kind}" for kind, count in counts.items() if count]
    return ", ".join(told) or "0"


def _ends(cells: Sequence[Cell]) -> list[Cell]:
    """The lightest and the heaviest load, which may be one."""
    return list(dict.fromkeys((cells[0], cells[-1])))


def document(figures: Figures, run: Run) -> str:
    """The page for docs/: the method, the targets, a table for each load, the versions."""
    told = machine()
    if run.load_before is not None:
        told["load average before"] = f"{run.load_before:.1f}"
    parts = [
        _PAGE.read_text().format(
            bodies=BODIES,
            rounds=run.rounds,
            seconds=run.seconds,
            day=run.day.isoformat(),
            machine="\n".join(f"- {name}: {value}" for name, value in told.items()),
        )
    ]
    for model in run.models:
        parts += [f"## Targets: {model} model", target_table(figures, model).to_markdown()]
    for model in run.models:
        for rows in run.rows:
            parts += _load_section(figures, run, model, rows)
    versions = tuple(
        (_TITLES[name], ", ".join(f"{package} {found}" for package, found in packages.items()))
        for name, packages in run.versions.items()
    )
    parts += ["## Versions", Table(("server", "runs on"), versions).to_markdown()]
    if run.left_out:
        lines = [f"- {name}: {reason.splitlines()[0]}" for name, reason in run.left_out.items()]
        parts += ["## Not measured", "\n".join(lines)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _load_section(figures: Figures, run: Run, model: str, rows: int) -> list[str]:
    """The servers' table for a model and a number of rows, under its heading."""
    parts = [f"## Servers: {model} model, {_rows(rows)} in a request"]
    bare = figures.ort_us.get((model, rows))
    if bare:
        cost = _range(Range.of(bare.values()))
        parts.append(f"ONNX Runtime alone, in a process of its own: {cost} CPU µs.")
    return [*parts, server_table(figures, model, rows, run.concurrencies).to_markdown()]


def _rows(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"


def _range(got: Range) -> str:
    return f"{got.median:.3g} ({got.low:.3g} to {got.high:.3g})"


def raw(figures: Figures, run: Run) -> str:
    """Every sample as JSON."""
    samples = [
        {**asdict(cell), "server": server, "round": number, **asdict(sample)}
        for cell, servers in sorted(figures.samples.items())
        for server, rounds in servers.items()
        for number, sample in rounds.items()
    ]
    bare = [
        {"model": model, "rows": rows, "round": number, "cpu_us": cpu_us}
        for (model, rows), rounds in figures.ort_us.items()
        for number, cpu_us in rounds.items()
    ]
    told = {"machine": machine(), "versions": run.versions, "left_out": run.left_out}
    return json.dumps({**told, "bare_model": bare, "samples": samples}, indent=1)


def picture(figures: Figures, run: Run, path: Path) -> None:
    """Save the CPU time of an answer as bars: one plot for each model and number of rows."""
    from matplotlib.figure import Figure

    concurrency = LOADED if LOADED in run.concurrencies else max(run.concurrencies)
    cells = [[Cell(model, rows, concurrency) for rows in run.rows] for model in run.models]
    count = max(len(figures.samples.get(cell, {})) for row in cells for cell in row)
    with plotting.style():
        size = (5.6 * len(run.rows), (1.0 + 0.27 * count) * len(run.models))
        figure = Figure(figsize=size)
        grid = figure.subplots(len(run.models), len(run.rows), squeeze=False)
        for row, axes_row in zip(cells, grid, strict=True):
            for cell, axes in zip(row, axes_row, strict=True):
                _bars(figures, cell, axes)
        figure.savefig(path, metadata={"Software": None})


def _bars(figures: Figures, cell: Cell, axes: Any) -> None:
    """One plot: a bar for each server with its figure, ours and the limit in colours."""
    costs = {
        name: figures.median(cell, name, "cpu_us") or math.inf
        for name in figures.samples.get(cell, {})
    }
    names = sorted(costs, key=costs.__getitem__, reverse=True)
    values = [costs[name] for name in names]
    colours = [_COLOURS.get(figures.kinds[name], _OTHERS) for name in names]
    bars = axes.barh([_TITLES[name] for name in names], values, color=colours)
    axes.bar_label(bars, labels=[f"{value:,.0f}" for value in values], padding=3)
    axes.set(
        xscale="log",
        xlabel="CPU µs for an answer; less is better",
        title=f"{cell.model}, {_rows(cell.rows)}, {cell.concurrency} connections",
    )
    axes.set_xlim(_LEAST_US, max(values, default=_LEAST_US) * _ROOM)
    axes.grid(axis="y", visible=False)
