"""What an answer costs: CPU time of our model server and of its peers around the same model.

    python benchmarks/serving.py                                   everything; about 25 minutes
    python benchmarks/serving.py --quick --servers ours-lane,fastapi-async --rows 1 --no-write

Peers run in environments of their own, which `make bench-peers` sets up; one that is not installed
is left out with a line. Writes docs/serving-benchmark.md with its picture, and every sample into
build/bench/serving.json. The exit status tells whether every gate that was measured is kept.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from serving_bench import load, report, workload
from serving_bench.figures import TARGETS, Cell, Figures
from serving_bench.running import FailedError, Running
from serving_bench.servers import ROOT, SERVERS, Server

__all__ = ["main"]

_BUILD = ROOT / "build" / "bench"
_PAGE = ROOT / "docs" / "serving-benchmark.md"
_PICTURE = ROOT / "docs" / "images" / "serving-benchmark.png"
_SECONDS, _WARM_UP_S = 2.0, 0.5
_QUICK_SECONDS, _QUICK_WARM_UP_S = 0.7, 0.2
_LEAST_S = 0.2  # CPU time is counted in ticks of 10 ms
_START_S = 5.0  # on average
_OVERHEAD_S = 0.5  # starting wrk twice, and waiting until the server is idle


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 if every gate measured is kept, 1 if not, 2 without wrk."""
    given = _given(arguments)
    if (reason := load.missing()) is not None:
        print(reason)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends the servers
    chosen, left_out = _available(given.servers)
    load_before = os.getloadavg()[0]
    figures = Figures({server.name: server.kind for server in SERVERS})
    _announce(given, len(chosen))
    for model in given.models:
        left_out |= _measure_model(given, model, chosen, figures)
    run = report.Run(
        models=given.models,
        rows=given.rows,
        concurrencies=given.concurrency,
        rounds=given.rounds,
        seconds=given.seconds,
        versions={server.name: server.versions() for server in chosen},
        left_out=left_out,
        day=datetime.now(UTC).date(),
        load_before=load_before,
    )
    _tell(figures, run)
    if given.write:
        _write(figures, run)
    verdicts = [target.verdict(figures, model) for model in given.models for target in TARGETS]
    return int(any(verdict.gate_met is False for verdict in verdicts))


def _available(names: Iterable[str]) -> tuple[list[Server], dict[str, str]]:
    """The servers that can be started, and why the others cannot."""
    chosen, left_out = [], {}
    for server in SERVERS:
        if server.name not in names:
            continue
        reason = server.unavailable()
        if reason is None:
            chosen.append(server)
        else:
            left_out[server.name] = reason
            print(f"{server.name}: left out: {reason}", flush=True)
    return chosen, left_out


def _announce(given: argparse.Namespace, servers: int) -> None:
    starts = len(given.models) * servers
    loads = starts * len(given.rows) * len(given.concurrency) * given.rounds
    load_s = given.seconds + given.warm_up_s + _OVERHEAD_S
    minutes = (starts * _START_S + loads * load_s) / 60
    print(f"{starts} starts and {loads} loads: about {minutes:.1f} min", flush=True)


def _measure_model(
    given: argparse.Namespace, model: str, servers: Sequence[Server], figures: Figures
) -> dict[str, str]:
    """Measure every server around one model; tells which failed, and why."""
    work = workload.make(model, _BUILD / "artifacts", given.rows)
    failed: dict[str, str] = {}

    def fail(server: Server, error: Exception) -> None:
        failed[f"{server.name}, {model} model"] = f"failed: {error}"
        print(f"{server.name}: FAILED: {error}", flush=True)

    with ExitStack() as stack:
        running = []
        for server in servers:
            try:
                running.append(stack.enter_context(Running(server, work)))
            except FailedError as error:
                fail(server, error)
            else:
                print(f"{model}: {server.title} answers, and rightly", flush=True)
        _rounds(given, work, running, figures, fail)
    return failed


def _rounds(
    given: argparse.Namespace,
    work: workload.Workload,
    running: list[Running],
    figures: Figures,
    fail: Callable[[Server, Exception], None],
) -> None:
    """Measure each server under each load in each round; one that fails is measured no more."""
    generator = random.Random(given.seed)  # noqa: S311 - an order, not a secret
    cells = [Cell(work.name, rows, c) for rows in given.rows for c in given.concurrency]
    for number in range(given.rounds):
        for rows in given.rows:
            figures.add_ort(work.name, rows, number, workload.ort_cpu_us(work, rows))
        generator.shuffle(cells)
        for cell in cells:
            generator.shuffle(running)
            for server in list(running):
                try:
                    sample = server.measure(
                        cell.rows,
                        cell.concurrency,
                        seconds=given.seconds,
                        warm_up_s=given.warm_up_s,
                    )
                except (FailedError, load.LoadError) as error:
                    running.remove(server)
                    fail(server.server, error)
                else:
                    figures.add(cell, server.server.name, number, sample)
        print(f"{work.name}: round {number + 1} of {given.rounds} done", flush=True)


def _tell(figures: Figures, run: report.Run) -> None:
    for model in run.models:
        for rows in run.rows:
            print(f"\n{model}, rows in a request: {rows}")
            print(report.server_table(figures, model, rows, run.concurrencies))
        print(f"\n{model}: targets")
        print(report.target_table(figures, model))


def _write(figures: Figures, run: report.Run) -> None:
    _PICTURE.parent.mkdir(parents=True, exist_ok=True)
    _PAGE.write_text(report.document(figures, run))
    report.picture(figures, run, _PICTURE)
    (_BUILD / "serving.json").write_text(report.raw(figures, run))
    for path in (_PAGE, _PICTURE, _BUILD / "serving.json"):
        print(f"wrote {path.relative_to(ROOT)}")


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says, with its defaults filled in."""
    known = [server.name for server in SERVERS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--servers", type=_names(known), default=known, help=f"of: {', '.join(known)}")
    add("--models", type=_names(workload.MODELS), default=list(workload.MODELS))
    add("--rows", type=_numbers, default=[1, 100], help="in a request (default: 1,100)")
    add("--concurrency", type=_numbers, default=[1, 16, 64], help="(default: 1,16,64)")
    add("--rounds", type=int, default=3, help="(default: 3)")
    add("--seconds", type=float, help=f"of each load (default: {_SECONDS:g})")
    add("--warm-up-s", type=float, help=f"before each load (default: {_WARM_UP_S:g})")
    add("--seed", type=int, default=0, help="of the order in which servers are loaded")
    add("--quick", action="store_true", help=f"loads of {_QUICK_SECONDS:g} s")
    add("--no-write", dest="write", action="store_false", help="leave docs/ as it is")
    given = parser.parse_args(arguments)
    if given.seconds is None:
        given.seconds = _QUICK_SECONDS if given.quick else _SECONDS
    if given.warm_up_s is None:
        given.warm_up_s = _QUICK_WARM_UP_S if given.quick else _WARM_UP_S
    if given.rounds < 1 or given.seconds < _LEAST_S:
        parser.error(f"--rounds must be at least 1 and --seconds at least {_LEAST_S:g}")
    return given


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    """A parser of names with commas between them, all of them known."""

    def names(text: str) -> list[str]:
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in known]
        if unknown:
            text = f"no {', '.join(unknown)}; there are {', '.join(known)}"
            raise argparse.ArgumentTypeError(text)
        return chosen

    return names


def _numbers(text: str) -> list[int]:
    """Whole numbers with commas between them, each at least 1, in rising order."""
    try:
        numbers = sorted({int(word) for word in text.split(",")})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1:
        raise argparse.ArgumentTypeError(f"must be like 1,16,64, got {text!r}")
    return numbers


if __name__ == "__main__":
    sys.exit(main())
