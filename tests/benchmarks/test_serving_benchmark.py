"""The parts of the serving benchmark that calculate; nothing is timed here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from serving_bench import figures, load, report, wires, workload
from serving_bench.figures import Cell, Figures, Range, Sample, Target
from serving_bench.servers import SERVERS

from mlref.artifact import Artifact

ONE, MANY = Cell("flights", 1, 64), Cell("flights", 100, 64)
KINDS = {server.name: server.kind for server in SERVERS}
WRK = """\
Running 10m test @ http://127.0.0.1:8000
  1 threads and 64 connections
  2291 requests in 1.01s, 300.00KB read
  Non-2xx or 3xx responses: 91

{"duration_us": 1010000, "requests": 2291, "connect": 1, "read": 2, "write": 3, "timeout": 4, \
"status": 91, "p50_us": 26100, "p99_us": 91500}
"""


def sample(cpu_us: float, rps: float = 100.0, p99_ms: float = 9.0) -> Sample:
    """A sample of which most does not matter."""
    return Sample(
        cpu_us=cpu_us, rps=rps, p50_ms=1.0, p99_ms=p99_ms, answered=100, refused=0, broken=0
    )


def measured(samples: Mapping[Cell, Mapping[str, list[Sample]]]) -> Figures:
    """Figures that hold these samples, one for each round."""
    found = Figures(KINDS)
    for cell, servers in samples.items():
        for server, rounds in servers.items():
            for number, each in enumerate(rounds):
                found.add(cell, server, number, each)
    return found


def test_what_wrk_prints_is_read() -> None:
    """Answers are the requests without those of an error status; broken ones are added up."""
    expected = load.Load(
        seconds=1.01, answered=2200, refused=91, broken=10, p50_ms=26.1, p99_ms=91.5
    )
    assert load.parse(WRK) == expected


def test_wrk_without_a_summary_is_an_error_that_tells_what_it_said() -> None:
    """What wrk prints instead of a summary is in the error."""
    with pytest.raises(load.LoadError, match="unable to connect"):
        load.parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_requests_are_saved_with_their_lengths(tmp_path: Path) -> None:
    """The script finds each request by its length, whatever bytes it has."""
    load.write_requests(tmp_path / "requests.bin", [b"a\nb", b"\x00\xff"])
    assert (tmp_path / "requests.bin").read_bytes() == b"3\na\nb2\n\x00\xff"


def test_a_sample_counts_answers_alone() -> None:
    """CPU time and rate are told for an answer; everything else is an error."""
    got = Sample.of(load.parse(WRK), cpu_s=0.22)
    assert (got.cpu_us, got.answered) == (pytest.approx(100), 2200)
    assert (got.refused, got.broken) == (91, 10)
    assert got.rps == pytest.approx(2200 / 1.01)


def test_a_ratio_is_taken_within_each_round() -> None:
    """A round in which the machine was slow for both counts like any other."""
    found = measured(
        {ONE: {"hello": [sample(50), sample(500)], "ours-lane": [sample(100), sample(1000)]}}
    )
    assert found.ratio(ONE, "hello", "ours-lane") == Range(0.5, 0.5, 0.5)


def test_a_round_that_one_server_lacks_does_not_count() -> None:
    """A server that failed in a later round is compared in the rounds that it has."""
    found = measured({ONE: {"hello": [sample(50)], "ours-lane": [sample(100), sample(1)]}})
    assert found.ratio(ONE, "hello", "ours-lane") == Range(0.5, 0.5, 0.5)


def test_what_was_not_measured_has_no_ratio() -> None:
    """A server, or a load, that was left out gives None."""
    found = measured({ONE: {"ours-lane": [sample(100)]}})
    assert found.ratio(ONE, "hello", "ours-lane") is None
    assert found.ratio(MANY, "hello", "ours-lane") is None
    assert found.over_ort(ONE, "ours-lane") is None


@pytest.mark.parametrize(
    ("cpu_us", "gate", "ambition"), [(100, False, False), (20, True, False), (10, True, True)]
)
def test_a_target_is_met_from_its_bound_on(cpu_us: float, gate: bool, ambition: bool) -> None:  # noqa: FBT001
    """100 over 20 is 5: at the gate, below the ambition of 10."""
    found = measured({ONE: {"robyn": [sample(100)], "ours-lane": [sample(cpu_us)]}})
    verdict = Target(1, "ours-lane", "robyn", 5, 10).verdict(found, "flights")
    assert (verdict.gate_met, verdict.ambition_met) == (gate, ambition)


def test_the_cost_over_the_bare_model_must_be_small() -> None:
    """Twice the bare model's cost keeps a bound of 2.8 and misses one of 1.8."""
    found = measured({MANY: {"ours-lane": [sample(400)]}})
    found.add_ort("flights", 100, 0, 200.0)
    verdict = Target(100, "ours-lane", "ort", 2.8, 1.8).verdict(found, "flights")
    assert (verdict.got, verdict.gate_met, verdict.ambition_met) == (Range(2, 2, 2), True, False)


@pytest.mark.parametrize(("p99_ms", "met"), [(5.0, True), (50.0, False)])
def test_the_best_ml_server_is_beaten_at_a_lower_p99_alone(p99_ms: float, met: bool) -> None:  # noqa: FBT001
    """The ML server with the highest rate counts; twenty times its rate is void at a higher p99."""
    servers = {
        "litserve": [sample(1, rps=100, p99_ms=9)],
        "ray": [sample(1, rps=10, p99_ms=1)],
        "robyn": [sample(1, rps=1e6)],  # no ML server
        "ours-lane": [sample(1, rps=2000, p99_ms=p99_ms)],
    }
    target = Target(1, "ours-lane", "best ml server", 10, 30)
    verdict = target.verdict(measured({ONE: servers}), "flights")
    assert (verdict.got, verdict.gate_met) == (Range(20, 20, 20), met)
    assert "litserve" in verdict.text


def test_targets_that_were_not_measured_are_neither_met_nor_missed() -> None:
    """An empty run gives a table without a verdict."""
    verdicts = [target.verdict(Figures(KINDS), "flights") for target in figures.TARGETS]
    assert {verdict.gate_met for verdict in verdicts} == {None}
    assert "not measured" in str(report.target_table(Figures(KINDS), "flights"))


def test_targets_name_servers_that_there_are() -> None:
    """Each target compares servers of the list, or the two that are chosen otherwise."""
    known = {*KINDS, "ort", "best ml server"}
    assert {name for each in figures.TARGETS for name in (each.ours, each.peer)} <= known


def test_the_page_holds_the_figures_and_what_was_left_out() -> None:
    """Every server, ratio, verdict and reason stands in the Markdown."""
    found = measured(
        {ONE: {"fastapi-async": [sample(900), sample(902)], "ours-lane": [sample(100)] * 2}}
    )
    run = report.Run(
        models=["flights"],
        rows=[1],
        concurrencies=[64],
        rounds=2,
        seconds=2.0,
        versions={"fastapi-async": {"fastapi": "0.165.0"}},
        left_out={"robyn": "robyn not installed; make bench-peers\nand more"},
        day=date(2013, 1, 1),
    )
    page = report.document(found, run)
    assert "| FastAPI, async def | 901 | 900 to 902 | 1.00 |" in page
    assert "| mlref, protocol lane | 100 | 100 to 100 | 9.01 |" in page
    assert "9.01 (9 to 9.02) | at least 4.5 | met | at least 7 | met |" in page
    assert "fastapi 0.165.0" in page
    assert "- robyn: robyn not installed; make bench-peers\n" in page
    assert len(json.loads(report.raw(found, run))["samples"]) == 4


def test_errors_are_told_by_their_kind() -> None:
    """Of 2301 requests 91 were refused and 10 broken: 3.95 % and 0.43 %."""
    found = measured({ONE: {"ours-lane": [Sample.of(load.parse(WRK), cpu_s=0.22)]}})
    (row,) = report.server_table(found, "flights", 1, [64]).rows
    assert row[-1] == "3.95% refused, 0.43% broken"


def test_a_server_that_is_not_installed_says_how_to_get_it() -> None:
    """A peer without its environment is left out with the command that brings it."""
    (robyn,) = (server for server in SERVERS if server.name == "robyn")
    absent = dataclasses.replace(robyn, environment="nobody-made-this")
    assert absent.unavailable() == "robyn, orjson not installed; make bench-peers"


def test_a_request_is_whole() -> None:
    """Line, headers, an empty line, and the body in the length announced."""
    got = wires.raw_request("/v1/predict", 80, b"{}", {"Content-Type": "application/json"})
    head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:80\r\nContent-Type: application/json\r\n"
    assert got == head + b"Content-Length: 2\r\n\r\n{}"


def test_binary_tensors_are_those_of_a_real_client(colours: Artifact) -> None:
    """The bytes behind the JSON are those that Triton's own client sends; a gap is NaN."""
    from tritonclient import http

    rows = {"colour": ["red", "blå"], "count": [3, 4], "extra": [0.5, None]}
    arrays = {
        "colour": ("BYTES", np.array(["red", "blå"], object)),
        "count": ("INT64", np.array([3, 4])),
        "extra": ("FP32", np.array([0.5, np.nan], np.float32)),
    }
    inputs = []
    for name, (datatype, values) in arrays.items():
        inputs.append(http.InferInput(name, [2], datatype))
        inputs[-1].set_data_from_numpy(values, binary_data=True)
    expected, split = http.InferenceServerClient.generate_request_body(inputs)
    body, headers = wires.BINARY.encode(colours, rows)
    length = int(headers["Inference-Header-Content-Length"])
    assert body[length:] == expected[split:]
    assert json.loads(body[:length])["inputs"] == json.loads(expected[:split])["inputs"]


def test_the_matrix_model_is_packed_with_its_rows(tmp_path: Path) -> None:
    """All bodies differ, and the artefact's answers are those of the same sums by NumPy."""
    work = workload.make("matrix", tmp_path, (1, 3))
    assert {count: len(bodies) for count, bodies in work.bodies.items()} == {
        1: workload.BODIES,
        3: workload.BODIES,
    }
    assert len({json.dumps(body) for body in work.bodies[3]}) == workload.BODIES
    assert work.artifact.verify_golden() == 8
    assert work.artifact.predict(work.bodies[3][0]).shape == (3,)
