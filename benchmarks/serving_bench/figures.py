"""Samples, what they come to, and the verdict on each target.

A ratio between two servers is taken within each round, in which they were measured one soon after
the other, and told as the median over the rounds with the smallest and the largest.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from serving_bench.load import Load

__all__ = ["LOADED", "TARGETS", "Cell", "Figures", "Range", "Sample", "Target", "Verdict"]

LOADED = 64
"""The concurrency that the targets are about."""

_ONE, _MANY = 1, 100


@dataclass(frozen=True, order=True)
class Cell:
    """One load: which model, how many rows in a request, how many connections."""

    model: str
    rows: int
    concurrency: int


@dataclass(frozen=True)
class Sample:
    """One server under one load in one round.

    Attributes:
        cpu_us: CPU-microseconds, user and system, of all its processes for an answer.
        rps: answers in a second.
        p50_ms: median time to an answer.
        p99_ms: its 99th percentile.
        answered: answers of status 2xx or 3xx; all above is about them.
        refused: answers of another status.
        broken: connections refused or broken, and requests without an answer in time.
    """

    cpu_us: float
    rps: float
    p50_ms: float
    p99_ms: float
    answered: int
    refused: int
    broken: int

    @classmethod
    def of(cls, seen: Load, cpu_s: float) -> Self:
        """A sample from at least one answer and the CPU time that the server used meanwhile."""
        return cls(
            cpu_us=cpu_s * 1e6 / seen.answered,
            rps=seen.answered / seen.seconds,
            p50_ms=seen.p50_ms,
            p99_ms=seen.p99_ms,
            answered=seen.answered,
            refused=seen.refused,
            broken=seen.broken,
        )


@dataclass(frozen=True)
class Range:
    """The median of a few values, with the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """The range of at least one value."""
        given = list(values)
        return cls(statistics.median(given), min(given), max(given))


class Figures:
    """Everything that was measured.

    Attributes:
        samples: cell -> server -> one sample for each round.
        ort_us: (model, rows) -> CPU-microseconds of the bare model, one for each round.
        kinds: server -> what it is compared as.
    """

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.kinds = dict(kinds)
        self.samples: dict[Cell, dict[str, dict[int, Sample]]] = {}
        self.ort_us: dict[tuple[str, int], dict[int, float]] = {}

    def add(self, cell: Cell, server: str, round_: int, sample: Sample) -> None:
        """Keep a sample."""
        self.samples.setdefault(cell, {}).setdefault(server, {})[round_] = sample

    def add_ort(self, model: str, rows: int, round_: int, cpu_us: float) -> None:
        """Keep the bare model's cost."""
        self.ort_us.setdefault((model, rows), {})[round_] = cpu_us

    def of(self, cell: Cell, server: str) -> Sequence[Sample]:
        """The samples of a server under a load; none if it was not measured."""
        return list(self.samples.get(cell, {}).get(server, {}).values())

    def median(self, cell: Cell, server: str, what: str) -> float | None:
        """The median over the rounds of one attribute of `Sample`."""
        values = [getattr(sample, what) for sample in self.of(cell, server)]
        return statistics.median(values) if values else None

    def ratio(self, cell: Cell, over: str, under: str, what: str = "cpu_us") -> Range | None:
        """One server's figure over another's, within each round that has both."""
        servers = self.samples.get(cell, {})
        above, below = servers.get(over, {}), servers.get(under, {})
        rounds = sorted(set(above) & set(below))
        values = [getattr(above[n], what) / getattr(below[n], what) for n in rounds]
        return Range.of(values) if values else None

    def over_ort(self, cell: Cell, server: str) -> Range | None:
        """A server's CPU time over the bare model's for the same rows."""
        bare = self.ort_us.get((cell.model, cell.rows), {})
        samples = self.samples.get(cell, {}).get(server, {})
        values = [samples[n].cpu_us / bare[n] for n in sorted(set(samples) & set(bare))]
        return Range.of(values) if values else None

    def best_ml_server(self, cell: Cell) -> str | None:
        """The ML server that answers most requests in a second."""
        rates = {
            server: self.median(cell, server, "rps") or 0.0
            for server in self.samples.get(cell, {})
            if self.kinds[server] == "ml server"
        }
        return max(rates, key=rates.__getitem__, default=None)


@dataclass(frozen=True)
class Verdict:
    """What became of a target.

    Attributes:
        text: the target, with the peer's name where it was chosen by its figures.
        got: the ratio; None if it was not measured.
        gate: what must be reached.
        ambition: what is aimed at.
        gate_met: None if it was not measured.
        ambition_met: likewise.
        bound: "at least" or "at most".
        note: what else counts; "" for nothing.
    """

    text: str
    got: Range | None
    gate: float
    ambition: float
    gate_met: bool | None
    ambition_met: bool | None
    bound: str
    note: str = ""


@dataclass(frozen=True)
class Target:
    """A ratio to reach at `LOADED` connections.

    Attributes:
        rows: in each request.
        ours: our server.
        peer: the server that it is compared with; "ort" for the bare model, "best ml server" for
            the one with the highest rate.
        gate: what must be reached.
        ambition: what is aimed at.
    """

    rows: int
    ours: str
    peer: str
    gate: float
    ambition: float

    def verdict(self, figures: Figures, model: str) -> Verdict:
        """Whether the target is met for a model."""
        cell = Cell(model, self.rows, LOADED)
        rows = "1 row" if self.rows == _ONE else f"{self.rows} rows"
        text = f"{rows}, {self.ours}: "
        if self.peer == "ort":
            got = figures.over_ort(cell, self.ours)
            return self._judged(f"{text}total CPU over pure ONNX Runtime", got, at_most=True)
        if self.peer == "best ml server":
            return self._against_best(figures, cell, text)
        got = figures.ratio(cell, self.peer, self.ours)
        text += f"CPU of {self.peer} over ours"
        return self._judged(text, got)

    def _against_best(self, figures: Figures, cell: Cell, text: str) -> Verdict:
        """The rate against the best ML server's, at a lower 99th percentile."""
        best = figures.best_ml_server(cell)
        got = figures.ratio(cell, self.ours, best, "rps") if best else None
        text += f"req/s over the best ML server's ({best or 'none measured'}), at lower p99"
        if best is None or got is None:
            return self._judged(text, None)
        ours_ms = figures.median(cell, self.ours, "p99_ms") or 0.0
        best_ms = figures.median(cell, best, "p99_ms") or 0.0
        note = f"p99 {ours_ms:.3g} against {best_ms:.3g} ms"
        return self._judged(text, got, also=ours_ms < best_ms, note=note)

    def _judged(
        self,
        text: str,
        got: Range | None,
        *,
        at_most: bool = False,
        also: bool = True,
        note: str = "",
    ) -> Verdict:
        def met(bound: float) -> bool | None:
            if got is None:
                return None
            return also and (got.median <= bound if at_most else got.median >= bound)

        bound = "at most" if at_most else "at least"
        gate, ambition = self.gate, self.ambition
        return Verdict(text, got, gate, ambition, met(gate), met(ambition), bound, note)


TARGETS = (
    Target(_ONE, "ours-lane", "fastapi-async", 4.5, 7),
    Target(_ONE, "ours-asgi", "fastapi-async", 3, 7),
    Target(_ONE, "ours-lane", "fastapi-def", 8, 20),
    Target(_ONE, "ours-lane", "hello", 0.9, 1.2),
    Target(_ONE, "ours-asgi", "hello", 0.55, 1.2),
    Target(_ONE, "ours-lane", "robyn", 2, 4),
    Target(_ONE, "ours-lane", "best ml server", 10, 30),
    Target(_MANY, "ours-lane", "fastapi-async", 4, 6),
    Target(_MANY, "ours-lane", "mlserver", 5, 10),
    Target(_MANY, "ours-lane", "ort", 2.8, 1.8),
    Target(_MANY, "ours-binary", "ort", 2.8, 1.8),
)
