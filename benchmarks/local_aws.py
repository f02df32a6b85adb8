"""What the local AWS costs on top of the model, and what it does under load.

    python benchmarks/local_aws.py           two minutes; writes docs/local-aws-benchmark.md
    python benchmarks/local_aws.py --no-write

Five trials, each with the flights model behind a real-time endpoint:

- overhead: one row through the endpoint, and through the same server asked directly, in turns;
- load: invocations a second that one worker answers through the endpoint, and directly;
- start: from nothing to the first answer;
- crowd: 500 clients at once on two variants, whose answers differ; each answer is checked;
- death: one of two workers is killed (SIGKILL) while eight clients press.

The peer is moto's own server. It keeps what is created, but it has no model: an invocation gets a
canned answer. So its latency is that of a control plane without any data plane.

The exit status tells whether every gate is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from moto_peer import moto

from mlref import artifact, aws, flights, models, targets
from mlref.aws.hosted import Hosted, host
from mlref.aws.local.cloud import Cloud
from mlref.runtime import files
from mlref.serving.load import LoadReport, press, start_load
from mlref.tables import Table

__all__ = ["main"]

_PAGE = Path(__file__).parents[1] / "docs" / "local-aws-benchmark.md"
_ROUNDS, _REQUESTS = 15, 200
_BOTO3_CALLS = 300
_LOAD_CLIENTS, _LOAD_S = 8, 4.0
_STARTS = 5
_CROWD = 500
_KILLS = 5
_KILL_CLIENTS = 8
_OK, _UNAVAILABLE = 200, 503
_WAIT_S = 30.0
_SAME = 1e-6  # two sums of the same floats may differ by less
_SIGNED = {
    "authorization": "AWS4-HMAC-SHA256 Credential=test/20260105/us-east-1/sagemaker/aws4_request, "
    "SignedHeaders=host, Signature=0"
}


@dataclass(frozen=True)
class Gate:
    """A figure, what it must be at most (or at least), and what was measured.

    Attributes:
        name: of the figure, with its unit.
        value: measured.
        limit: of the gate.
        least: whether the limit is a least, not a most.
    """

    name: str
    value: float
    limit: float
    least: bool = False

    @property
    def kept(self) -> bool:
        """Whether the figure keeps the limit."""
        return self.value >= self.limit if self.least else self.value <= self.limit

    def row(self) -> tuple[str, float, str, str]:
        """The gate as a row of the table."""
        sign = "at least" if self.least else "at most"
        verdict = "kept" if self.kept else "NOT kept"
        return (self.name, round(self.value, 2), f"{sign} {self.limit:g}", verdict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 if every gate is kept, 1 if not."""
    parser = argparse.ArgumentParser(description="What the local AWS costs, and does under load.")
    parser.add_argument("--no-write", dest="write", action="store_false")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        gates, details = _measure(Path(folder))
    table = Table(("figure", "measured", "gate", "verdict"), tuple(gate.row() for gate in gates))
    print(table)
    print(details)
    if given.write:
        files.write_text(_PAGE, _page(table, details))
    return int(not all(gate.kept for gate in gates))


def _measure(folder: Path) -> tuple[list[Gate], Table]:
    one = _champion(folder / "one", flights.TRAINING_MONTHS)
    two = _champion(folder / "two", flights.TRAINING_MONTHS[:1])
    latency, rates = _latencies(one)
    starts = [_start(one) for _ in range(_STARTS)]
    crowd = _crowd(one, two)
    deaths = [_death(one) for _ in range(_KILLS)]
    overhead = latency["endpoint"] - latency["directly"]
    first = statistics.median(sum(each.values()) for each in starts)
    gates = [
        Gate("overhead of the data plane, ms at p50", overhead, 1.0),
        Gate("invocations a second, one worker", rates["endpoint"], 200, least=True),
        Gate("from nothing to the first answer, s", first, 5.0),
        Gate(f"of {_CROWD} at once: lost", crowd["lost"], 0),
        Gate(f"of {_CROWD} at once: by the wrong variant", crowd["wrong"], 0),
        Gate("a worker killed: lost without an answer", max(d["lost"] for d in deaths), 0),
        Gate("a worker killed: not retryable", max(d["final"] for d in deaths), 0),
        Gate(
            "a worker killed: failed, of 8 in flight",
            max(d["failed"] for d in deaths),
            _KILL_CLIENTS,
        ),
    ]
    rows = [
        ("one row, p50 ms: the server asked directly", latency["directly"]),
        ("one row, p50 ms: through the endpoint", latency["endpoint"]),
        ("one row, p50 ms: moto's server, canned answer", latency["moto"]),
        ("one row with boto3, p50 ms: through the endpoint", latency["boto3"]),
        ("one row with boto3, p50 ms: moto's server, canned answer", latency["boto3 on moto"]),
        ("eight clients, answers a second: the server asked directly", rates["directly"]),
        ("eight clients, answers a second: through the endpoint", rates["endpoint"]),
        ("eight clients, answers a second: moto's server, canned", rates["moto"]),
    ]
    names = {"cloud": "the local AWS answers", "endpoint": "the endpoint is in service"}
    names["call"] = "the first answer is there"
    for name, words in names.items():
        rows.append((f"start, s: until {words}", statistics.median(s[name] for s in starts)))
    rows += [
        ("500 at once, s until the last answer", crowd["seconds"]),
        ("a worker killed, s until two run again", max(d["healed"] for d in deaths)),
        ("a worker killed, invocations beside it", min(d["answered"] for d in deaths)),
    ]
    return gates, Table(("what", "measured"), tuple((n, round(v, 3)) for n, v in rows))


def _champion(folder: Path, months: Any) -> artifact.Artifact:
    """The flights model, trained on some months."""
    model = models.train_champion(flights.load(months))
    test = flights.load(flights.SERVING_MONTHS)
    evaluation = models.evaluate(model, test.iloc[::20])
    return models.pack_model(folder, model, version="1.0.0", evaluation=evaluation)


def _body(packed: artifact.Artifact) -> bytes:
    return json.dumps({"instances": [packed.golden.instances[0]]}).encode()


def _latencies(packed: artifact.Artifact) -> tuple[dict[str, float], dict[str, float]]:
    """Median milliseconds of a row, and answers a second, of each place, in turns."""
    body = _body(packed)
    with targets.Local().deploy(packed) as direct, aws.start() as cloud, moto() as moto_url:
        hosted = host(aws.session(at=cloud), packed)
        path = f"/endpoints/{hosted.name}/invocations"
        places = {
            "directly": (direct.describe().url or "", "/invocations"),
            "endpoint": (cloud.url, path),
            "moto": (moto_url, path),
        }
        times: dict[str, list[float]] = {name: [] for name in places}
        for number in range(_ROUNDS + 1):
            for name, (url, where) in places.items():
                report = _pressed(url, where, body, clients=1, requests=_REQUESTS)
                if number:  # the first round warms up
                    times[name] += list(report.latencies_ms[_OK])
        rates: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(3):
            for name, (url, where) in places.items():
                report = _pressed(url, where, body, clients=_LOAD_CLIENTS, seconds=_LOAD_S)
                rates[name].append(len(report.latencies_ms[_OK]) / report.seconds)
        latency = {name: statistics.median(values) for name, values in times.items()}
        latency |= _with_boto3(hosted, body, {"boto3": cloud.url, "boto3 on moto": moto_url})
        return latency, {name: statistics.median(values) for name, values in rates.items()}


def _pressed(
    url: str,
    path: str,
    body: bytes,
    *,
    clients: int,
    requests: int | None = None,
    seconds: float | None = None,
) -> LoadReport:
    """What became of a load; an answer that is none of success ends the benchmark."""
    report = press(
        url, path, body, concurrency=clients, requests=requests, seconds=seconds, headers=_SIGNED
    )
    if set(report.statuses) != {_OK} or report.lost or report.timed_out:
        raise RuntimeError(f"{url}{path} answered with {report.statuses}, lost {report.lost}")
    return report


def _with_boto3(hosted: Hosted, body: bytes, urls: Mapping[str, str]) -> dict[str, float]:
    """Median milliseconds of boto3's invoke_endpoint at each address, in turns."""
    clients = {name: _client("sagemaker-runtime", url) for name, url in urls.items()}
    times: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(_BOTO3_CALLS):
        for name, client in clients.items():
            begin = time.perf_counter()
            answer = client.invoke_endpoint(
                EndpointName=hosted.name, ContentType="application/json", Body=body
            )
            answer["Body"].read()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) * 1e3 for name, values in times.items()}


def _client(service: str, url: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - both servers take any
    )


def _start(packed: artifact.Artifact) -> dict[str, float]:
    """Seconds until a local AWS answers, until its endpoint does, and of the first call."""
    begin = time.perf_counter()
    with aws.start() as cloud:
        answers = time.perf_counter()
        hosted = host(aws.session(at=cloud), packed)
        ready = time.perf_counter()
        answer = hosted.client.invoke_endpoint(
            EndpointName=hosted.name, ContentType="application/json", Body=_body(packed)
        )
        answer["Body"].read()
        done = time.perf_counter()
    return {"cloud": answers - begin, "endpoint": ready - answers, "call": done - ready}


def _crowd(one: artifact.Artifact, two: artifact.Artifact) -> dict[str, float]:
    """500 at once, two of three for a variant that they name: lost, and by another variant."""
    rows = [dict(row) for row in one.golden.instances]
    expected = {"A": _predicted(one, rows), "B": _predicted(two, rows)}
    alike = sum(a == b for a, b in zip(expected["A"], expected["B"], strict=True))
    if alike:
        raise RuntimeError(f"{alike} of {len(rows)} rows do not tell the variants apart")
    bodies = [json.dumps({"instances": [row]}).encode() for row in rows]
    with aws.start(seed=0) as cloud:
        url = f"{cloud.url}/endpoints/{_shared(cloud, one, two)}/invocations"
        begin = time.perf_counter()
        answers = asyncio.run(_ask_all(url, bodies))
        seconds = time.perf_counter() - begin
    lost = wrong = 0
    for answer in answers:
        if answer.status != _OK:
            lost += 1
            continue
        row = answer.number % len(rows)
        got = json.loads(answer.body)["predictions"][0]
        right = math.isclose(got, expected[answer.variant][row], abs_tol=_SAME)
        wrong += not right or answer.asked not in {None, answer.variant}
    return {"lost": lost + _CROWD - len(answers), "wrong": wrong, "seconds": seconds}


def _predicted(packed: artifact.Artifact, rows: list[dict[str, Any]]) -> list[float]:
    """What a model says without any server."""
    with targets.InProcess().deploy(packed) as endpoint:
        return [float(value) for value in endpoint.predict(rows)]


def _shared(cloud: Cloud, *packed: artifact.Artifact) -> str:
    """An endpoint with a variant of each artefact; returns its name."""
    session = aws.session(at=cloud)
    sagemaker = session.client("sagemaker")
    listed = [
        {
            "VariantName": letter,
            "ModelName": host(session, each).name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        for letter, each in zip("AB", packed, strict=True)
    ]
    sagemaker.create_endpoint_config(EndpointConfigName="shared", ProductionVariants=listed)
    sagemaker.create_endpoint(EndpointName="shared", EndpointConfigName="shared")
    waiter = sagemaker.get_waiter("endpoint_in_service")
    waiter.wait(EndpointName="shared", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return "shared"


@dataclass(frozen=True)
class _Answer:
    """What one of the crowd got."""

    number: int
    asked: str | None
    status: int
    variant: str
    body: bytes


async def _ask_all(url: str, bodies: Sequence[bytes]) -> list[_Answer]:
    """Each on a connection of its own, and all at once."""
    import aiohttp

    limit = aiohttp.ClientTimeout(total=_WAIT_S)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=limit
    ) as client:

        async def ask(number: int) -> _Answer:
            asked = (None, "A", "B")[number % 3]
            headers = {**_SIGNED, "content-type": "application/json"}
            headers |= {"x-amzn-sagemaker-target-variant": asked} if asked else {}
            body = bodies[number % len(bodies)]
            async with client.post(url, data=body, headers=headers) as answer:
                variant = answer.headers.get("x-amzn-invoked-production-variant", "")
                return _Answer(number, asked, answer.status, variant, await answer.read())

        found = await asyncio.gather(*map(ask, range(_CROWD)), return_exceptions=True)
    return [each for each in found if isinstance(each, _Answer)]


def _death(packed: artifact.Artifact) -> dict[str, float]:
    """One of two workers is killed under load: what failed, and when two run again."""
    with aws.start() as cloud:
        hosted = host(aws.session(at=cloud), packed, instances=2)
        path = f"/endpoints/{hosted.name}/invocations"
        body = _body(packed)
        with start_load(cloud.url, path, body, concurrency=_KILL_CLIENTS, headers=_SIGNED) as load:
            load.wait_answered(500)
            victim, *_ = before = _workers(cloud)
            os.kill(victim, signal.SIGKILL)
            begin = time.perf_counter()
            while len({*_workers(cloud)} - {victim}) < len(before):
                if time.perf_counter() - begin > _WAIT_S:
                    raise RuntimeError("the worker that was killed is not replaced")
                threading.Event().wait(0.02)
            healed = time.perf_counter() - begin
            load.wait_answered(2_000)
        report = load.stop()
    failed = {status: count for status, count in report.statuses.items() if status != _OK}
    final = sum(count for status, count in failed.items() if status != _UNAVAILABLE)
    lost = report.lost + report.timed_out + report.refused
    answered = report.statuses[_OK]
    return {
        "lost": lost, "final": final, "failed": sum(failed.values()), "healed": healed,
        "answered": answered,
    }  # fmt: skip


def _workers(cloud: Cloud) -> list[int]:
    """The processes of the workers."""
    return [each.pid for each in psutil.Process(cloud.pid).children()]


def _page(table: Table, details: Table) -> str:
    day = datetime.now(UTC).date().isoformat()
    return (
        "# What the local AWS costs, and what it does under load\n\n"
        f"Measured on {day} by `python benchmarks/local_aws.py`; two cores, shared by clients, "
        "local AWS and workers. What is compared took turns in the same run.\n\n"
        f"{table.to_markdown()}\n\n{details.to_markdown()}\n\n"
        "The overhead is what routing, the choice of a variant, metrics and the way to the worker "
        "cost: one more hop on loopback. moto's own server is the peer for what needs no model: it "
        "keeps what is created and gives a canned answer to every invocation, so its latency holds "
        "no model's time.\n\n"
        "A worker that is killed takes at most the invocations with it that it was answering. Each "
        "of them gets a 503, on which boto3 tries again by itself; no connection breaks.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
