"""What a container costs: size, start, latency and rebuilding, beside the bare process.

    python benchmarks/containers.py          two minutes; writes docs/containers-benchmark.md
    python benchmarks/containers.py --no-write

Process and containers serve the same artefact and take turns, so that what else the machine does
meets all of them. Ready is from the start to the first 200 of /health/ready; of this, Docker is
the part until it says that the container is started, in which our code does not run yet. Cold is a
build without the builder's memory, wheels and base at hand. The exit status tells whether every
gate is kept.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import mlref
from mlref import artifact, containers, flights, models, targets
from mlref.containers.images import Flavour
from mlref.runtime import files
from mlref.tables import Table

__all__ = ["main"]

_PAGE = Path(__file__).parents[1] / "docs" / "containers-benchmark.md"
_STARTS = 9
_ROUNDS, _REQUESTS = 15, 300
_BUILDS = 3
_MB = 1e6

_Start = AbstractContextManager[tuple[float, float]]
"""A place that serves: when Docker had started it (0 without Docker) and when it was ready."""


@dataclass(frozen=True)
class Gate:
    """A figure, what it must be at most, and what it shall be."""

    name: str
    value: float
    gate: float
    ambition: float | None = None

    def row(self) -> tuple[str, float, float, float | None, str]:
        """The gate as a row of the table."""
        verdict = "kept" if self.value <= self.gate else "NOT kept"
        return (self.name, round(self.value, 3), self.gate, self.ambition, verdict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 if every gate is kept, 1 if not, 2 without Docker."""
    parser = argparse.ArgumentParser(description="What a container costs beside a process.")
    parser.add_argument("--no-write", dest="write", action="store_false")
    given = parser.parse_args(arguments)
    if (reason := containers.available()) is not None:
        print(reason)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        gates, details = _measure(Path(folder))
    table = Table(
        ("figure", "measured", "gate", "ambition", "verdict"), tuple(g.row() for g in gates)
    )
    print(table)
    print(details)
    if given.write:
        files.write_text(_PAGE, _page(table, details))
    return int(any(gate.value > gate.gate for gate in gates))


def _measure(folder: Path) -> tuple[list[Gate], Table]:
    packed = _champion(folder / "flights")
    base = containers.base_image(tell=print)
    images = {flavour: _built(packed, flavour, base) for flavour in ("service", "minimal")}
    ready = _ready(packed, images)
    latency = _latency(packed, images)
    cold, change = _rebuild(packed, base, folder)
    rows: list[tuple[str, float | None, float, float, float, float | None]]
    rows = [("process", None, *ready["process"], latency["process"], None)]
    for name, image in images.items():
        megabytes = round(image.size_bytes / _MB, 1)
        with containers.run(image) as container:
            container.wait_ready()
            memory = round(container.memory_bytes() / _MB, 1)
        rows.append((name, megabytes, *ready[name], latency[name], memory))
    details = Table(
        ("what", "MB", "ready s", "of which Docker s", "p50 ms", "RSS MB"),
        tuple((n, mb, round(r, 3), round(d, 3), round(p, 3), rss) for n, mb, r, d, p, rss in rows),
    )
    gates = [
        Gate("service image, MB", images["service"].size_bytes / _MB, 330, 250),
        Gate("minimal image, MB", images["minimal"].size_bytes / _MB, 185, 150),
        Gate("ready time, service / process", ready["service"][0] / ready["process"][0], 1.2),
        Gate("ready time, minimal / process", ready["minimal"][0] / ready["process"][0], 1.2),
        Gate("p50, service / process", latency["service"] / latency["process"], 1.15),
        Gate("p50, minimal / process", latency["minimal"] / latency["process"], 1.15),
        Gate("build after a change of code / cold", change / cold, 0.1),
    ]
    return gates, details


def _champion(folder: Path) -> artifact.Artifact:
    model = models.train_champion(flights.load(flights.TRAINING_MONTHS))
    months = flights.load(flights.SERVING_MONTHS)
    evaluation = models.evaluate(model, months.iloc[::20])
    return models.pack_model(folder, model, version="1.0.0", evaluation=evaluation)


def _built(packed: artifact.Artifact, flavour: Flavour, base: str) -> containers.Image:
    return containers.build(packed, flavour=flavour, base=base, tell=print)


def _ready(
    packed: artifact.Artifact, images: dict[str, containers.Image]
) -> dict[str, tuple[float, float]]:
    """Median seconds from the start to the first answer, and those of them that are Docker's."""
    places: dict[str, Callable[[], _Start]] = {"process": lambda: _start_process(packed)}
    places |= {name: partial(_start, image) for name, image in images.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in places}
    for _ in range(_STARTS):
        for name, start in places.items():
            begin = time.perf_counter()
            with start() as (started, ready):
                times[name].append((ready - begin, max(0.0, started - begin)))
    return {
        name: (statistics.median(r for r, _ in pairs), statistics.median(s for _, s in pairs))
        for name, pairs in times.items()
    }


@contextmanager
def _start_process(packed: artifact.Artifact) -> Iterator[tuple[float, float]]:
    with targets.Local().deploy(packed):
        yield 0.0, time.perf_counter()


@contextmanager
def _start(image: containers.Image) -> Iterator[tuple[float, float]]:
    with containers.run(image) as container:
        started = time.perf_counter()
        container.wait_ready()
        yield started, time.perf_counter()


def _latency(packed: artifact.Artifact, images: dict[str, containers.Image]) -> dict[str, float]:
    """Median milliseconds of one row, over one kept connection each, in turns."""
    body = json.dumps({"instances": [packed.golden.instances[0]]}).encode()
    with ExitStack() as stack:
        endpoint = stack.enter_context(targets.Local().deploy(packed))
        urls = {"process": endpoint.describe().url or ""}
        for name, image in images.items():
            container = stack.enter_context(containers.run(image))
            container.wait_ready()
            urls[name] = container.url
        connections = {name: _connect(url) for name, url in urls.items()}
        times: dict[str, list[float]] = {name: [] for name in urls}
        for number in range(_ROUNDS + 1):
            for name, connection in connections.items():
                measured = [_ask(connection, body) for _ in range(_REQUESTS)]
                times[name] += measured if number else []  # the first round warms up
    return {name: statistics.median(values) * 1e3 for name, values in times.items()}


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port)


def _ask(connection: http.client.HTTPConnection, body: bytes) -> float:
    begin = time.perf_counter()
    connection.request("POST", "/v1/predict", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != http.client.OK:
        raise RuntimeError(f"the server answered with {answer.status}")
    return time.perf_counter() - begin


def _rebuild(packed: artifact.Artifact, base: str, folder: Path) -> tuple[float, float]:
    """Median seconds of a build without the builder's memory, and after a change of code."""
    package = folder / "mlref"
    shutil.copytree(Path(mlref.__file__).parent, package)
    cold, change = [], []
    for number in range(_BUILDS):
        image = containers.build(packed, base=base, package=package, cached=False)
        cold.append(image.seconds)
        with (package / "errors.py").open("a") as file:
            file.write(f"# change {number}\n")
        changed = containers.build(packed, base=base, package=package)
        change.append(changed.seconds)
    return statistics.median(cold), statistics.median(change)


def _page(table: Table, details: Table) -> str:
    day = datetime.now(UTC).date().isoformat()
    return (
        "# What a container costs\n\n"
        f"Measured on {day} by `python benchmarks/containers.py`; two cores, shared. Ratios are of "
        "medians of the same run, in which process and containers took turns.\n\n"
        f"{table.to_markdown()}\n\n{details.to_markdown()}\n\n"
        "The base is made from the Python that runs here: 38 MB. On `python:3.11-slim` each image "
        "is larger by the difference of the two bases.\n\nOf a container's ready time, `of which "
        "Docker s` passes before any line of the image runs: Docker makes namespaces, network and "
        "mounts. The rest is the server's own start, the same as in a process.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
