"""What becomes of requests when a server is stopped, overloaded, or sent far too much.

Each server answers the flights model. Three trials:

- SIGTERM while 64 clients on kept connections press, five times over: requests that were sent and
  never answered, and the time until the process has ended.
- A body of 64 MiB, whose length is announced: the answer, by how much memory grew, and what one
  other client waited for its predictions meanwhile.
- Overload: 1,000 clients for some seconds, beside 64 clients on the same server: what those waited
  who were answered, as a ratio, and what became of the others.

Everything happens on 127.0.0.1, one server at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import psutil
from serving_bench import workload as workloads
from serving_bench.running import FailedError, Running
from serving_bench.servers import SERVERS

from mlref.errors import EndpointError
from mlref.serving.load import press, start_load
from mlref.serving.probes import send_raw
from mlref.serving.raw_http import request_bytes
from mlref.tables import Table

NAMES = ("ours-lane", "ours-asgi", "fastapi-async", "flask", "robyn", "litserve")
STOPS = 5
CLIENTS, CROWD = 64, 1000
HTTP_OK = 200
HUGE_BYTES = 64 * 2**20
EXIT_LIMIT_S = 15.0


def stopped(server: Any, workload: Any, bodies: list[bytes]) -> dict[str, Any]:
    """Requests lost in each of five ends, and the longest time that one took."""
    lost, seconds = [], []
    for _ in range(STOPS):
        with Running(server, workload) as running:
            with start_load(running.url, running.path, bodies, concurrency=CLIENTS) as load:
                load.wait_answered(1000)
                began = time.perf_counter()
                os.kill(running.pid, signal.SIGTERM)
                running.wait_end(EXIT_LIMIT_S)
                seconds.append(time.perf_counter() - began)
            report = load.stop()
            lost.append(report.lost + report.timed_out)
    ended = max(seconds)
    return {
        "lost at SIGTERM": " ".join(map(str, lost)),
        "ended after s": round(ended, 1) if ended < EXIT_LIMIT_S else f"not in {EXIT_LIMIT_S:g}",
    }


def sent_too_much(running: Running, bodies: list[bytes]) -> dict[str, Any]:
    """The answer to a huge body, the growth of memory, and what another client waited."""
    process = psutil.Process(running.pid)
    family = [process, *process.children(recursive=True)]

    def memory() -> int:
        return sum(each.memory_info().rss for each in family)

    press(running.url, running.path, bodies, concurrency=4, requests=200)
    before = most = memory()
    request = request_bytes(running.path, b'{"columns":' + b" " * HUGE_BYTES + b"}")
    with ThreadPoolExecutor(1) as beside:
        with start_load(running.url, running.path, bodies, concurrency=1, timeout_s=60) as load:
            answer = beside.submit(send_raw, running.url, request, timeout_s=60)
            while wait([answer], timeout=0.005).not_done:
                most = max(most, memory())
        report = load.stop()
        try:
            status: Any = answer.result().status
        except EndpointError:
            status = "none"
    grown_mb = (most - before) / 1e6
    return {
        "64 MiB": status,
        "memory +MB": round(grown_mb, 1),
        "others' p99 ms": round(report.percentile_ms(99), 1),
    }


def crowded(running: Running, bodies: list[bytes], seconds: float) -> dict[str, Any]:
    """What was waited in a crowd, by those who were answered."""
    calm = press(running.url, running.path, bodies, concurrency=CLIENTS, seconds=seconds)
    crowd = press(running.url, running.path, bodies, concurrency=CROWD, seconds=seconds)
    statuses = {status: n for status, n in crowd.statuses.items() if status != HTTP_OK}
    return {
        "p99 ms, 64": round(calm.p99_ms, 1),
        "p99 ms, 1000": round(crowd.p99_ms, 1),
        "ratio": round(crowd.p99_ms / calm.p99_ms, 2),
        "answered/s": round(crowd.ok / crowd.seconds),
        "refused": json.dumps(statuses) if statuses else "none",
        "told when": crowd.told_to_wait,
        "lost": crowd.lost + crowd.timed_out,
    }


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", default=",".join(NAMES), help="separated by commas")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load")
    given = parser.parse_args()
    folder = Path(__file__).resolve().parents[1] / "build" / "bench" / "artifacts"
    workload = workloads.make("flights", folder, (1,))
    bodies = [json.dumps({"columns": dict(each)}).encode() for each in workload.bodies[1]]
    ends, floods, crowds = [], [], []
    by_name = {server.name: server for server in SERVERS}
    for name in given.servers.split(","):
        server = by_name[name]
        reason = server.unavailable()
        if reason is not None:
            print(f"{server.title}: left out, {reason}")
            continue
        title = {"server": server.title}
        try:
            with Running(server, workload) as running:
                crowds.append(title | crowded(running, bodies, given.seconds))
                floods.append(title | sent_too_much(running, bodies))
            ends.append(title | stopped(server, workload, bodies))
        except (FailedError, EndpointError) as error:
            print(f"{server.title}: {error}")
        print(f"{server.title}: done", file=sys.stderr)
    for records in (ends, floods, crowds):
        print(Table.of(records), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
