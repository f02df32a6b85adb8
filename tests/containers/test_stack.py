"""A stack of two replicas: what it answers, and what is lost when a replica ends."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlref import artifact, containers, errors
from mlref.containers import compose, engine, keeper
from mlref.containers.stack import Replica, Stack
from mlref.serving import Client
from mlref.serving.load import Load, start_load

_ANSWERED = 'sum by (instance) (mlref_requests_total{route="/v1/predict", status="200"})'
_CACHE = 'sum by (instance) (mlref_cache_requests_total{result="%s"})'
_BODIES = [
    json.dumps({"columns": {"colour": ["red"], "count": [count], "extra": [0.5]}}).encode()
    for count in range(500)
]
_ENOUGH = 300  # requests before, and after, a replica ends


@pytest.fixture(scope="module")
def stack(service: containers.Image, require: Callable[[str, bool, str], None]) -> Iterator[Stack]:
    """A stack that each test leaves with two replicas that answer."""
    reason = compose.available()
    require("compose", reason is None, str(reason))
    with compose.up(service) as running:
        yield running


def _comes(condition: Callable[[], bool], within_s: float) -> bool:
    """Whether it holds, now or within so many seconds."""
    end, event = time.monotonic() + within_s, threading.Event()
    while not (holds := condition()) and time.monotonic() < end:
        event.wait(0.05)
    return holds


def _wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    assert _comes(condition, timeout_s), "the condition did not hold in time"


def _by_replica(stack: Stack, expression: str) -> dict[str, float]:
    """Address of the replica -> value."""
    return {each.labels["instance"]: each.value for each in stack.query(expression)}


def _addresses(stack: Stack) -> list[str]:
    return sorted(replica.address for replica in stack.replicas())


def _access_log(stack: Stack) -> list[dict[str, Any]]:
    """What nginx wrote of each request for a prediction."""
    lines = stack.logs("nginx", lines=100_000).splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in found if "/v1/predict" in each["request"]]


def _asked_twice(stack: Stack, answers: str) -> int:
    """How many requests went to two replicas, and got these answers."""
    return sum(each["answers"] == answers for each in _access_log(stack))


def _container(client: Any, stack: Stack, service: str) -> Any:
    labels = [f"{keeper.PROJECT_LABEL}={stack.project}", f"com.docker.compose.service={service}"]
    return client.containers.list(filters={"label": labels})[0]


def _dbsize(redis: Any) -> int:
    """How many answers the Redis in this container keeps."""
    return int(redis.exec_run(["redis-cli", "dbsize"]).output)


def _ask(stack: Stack, count: int) -> None:
    with Client(stack.url) as client:
        client.predict({"colour": ["blue"], "count": [count], "extra": [None]})


def test_it_answers_as_the_artefact_does(stack: Stack, colours: artifact.Artifact) -> None:
    """The same numbers come through nginx as out of this process."""
    with Client(stack.url) as client:
        golden = colours.golden.columns
        assert np.array_equal(client.predict(golden).predictions, colours.predict(golden))


def test_prometheus_finds_each_replica(stack: Stack) -> None:
    """It asks the replicas themselves, and not whichever nginx would choose."""
    expected = dict.fromkeys(_addresses(stack), 1.0)
    assert len(expected) == 2
    _wait_until(lambda: _by_replica(stack, 'up{job="model"}') == expected)


def test_both_replicas_get_requests(stack: Stack) -> None:
    """Requests take turns: of ten, one after the other, each replica answers five."""
    _wait_until(lambda: sorted(_by_replica(stack, "up")) == _addresses(stack))
    before = len(_access_log(stack))
    for count in range(10):
        _ask(stack, count)
    _wait_until(lambda: len(_access_log(stack)) == before + 10)
    taken = [each["replicas"] for each in _access_log(stack)[before:]]
    assert sorted(taken) == sorted(5 * _addresses(stack))
    _wait_until(lambda: sum(_by_replica(stack, _ANSWERED).values()) >= 10)
    assert min(_by_replica(stack, _ANSWERED).values()) >= 5


def test_what_one_replica_has_answered_the_other_need_not(stack: Stack, docker_client: Any) -> None:
    """The second request for the same rows goes to the other replica, and Redis has the answer.

    A replica that finds the Redis slow leaves it alone for a while, as it should; on a busy machine
    that happens to these two. So rows are asked for until one answer was kept, and found again.
    """
    redis = _container(docker_client, stack, "redis")
    rows = itertools.count(len(_BODIES))

    def keeps_one() -> bool:
        count, size, lines = next(rows), _dbsize(redis), len(_access_log(stack))
        _ask(stack, count)
        if not _comes(lambda: _dbsize(redis) == size + 1, within_s=2):
            return False
        before = _by_replica(stack, _CACHE % "hit")
        _ask(stack, count)
        _wait_until(lambda: len(_access_log(stack)) == lines + 2)
        first, second = [each["replicas"] for each in _access_log(stack)[-2:]]
        assert first != second
        expected = {**before, second: before.get(second, 0) + 1}
        return _comes(lambda: _by_replica(stack, _CACHE % "hit") == expected, within_s=10)

    _wait_until(lambda: len(_by_replica(stack, _CACHE % "hit")) == 2)
    assert _comes(keeps_one, within_s=90)


def test_counts_are_not_for_clients(stack: Stack) -> None:
    """Through nginx they would be those of a replica that chance has chosen."""
    with pytest.raises(urllib.error.HTTPError, match="404") as raised:
        urllib.request.urlopen(f"{stack.url}/metrics", timeout=5)  # noqa: S310 - an address of our own
    raised.value.close()


def test_only_nginx_is_reached_and_only_from_this_machine(stack: Stack, docker_client: Any) -> None:
    """No other part has a port, and those of nginx are ports of loopback."""
    label = f"{keeper.PROJECT_LABEL}={stack.project}"
    found = docker_client.containers.list(filters={"label": label})
    ports = [port for each in found for port in each.attrs["NetworkSettings"]["Ports"].values()]
    bound = [address["HostIp"] for port in ports if port for address in port]
    assert (len(found), bound) == (5, ["127.0.0.1"] * 2)


@pytest.mark.parametrize("part", ["model", "nginx", "redis", "prometheus"])
def test_each_part_may_do_no_more_than_it_must(stack: Stack, docker_client: Any, part: str) -> None:
    """The kernel says of its first process: no capability, no way to one, not root."""
    pid = _container(docker_client, stack, part).attrs["State"]["Pid"]
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {words[0].rstrip(":"): words[1] for words in map(str.split, lines) if words[1:]}
    assert status["Uid"] == "10001"
    assert (int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, "1")


@pytest.mark.parametrize("part", ["model", "redis", "prometheus"])
def test_only_nginx_is_on_a_network_with_a_way_out(
    stack: Stack, docker_client: Any, part: str
) -> None:
    """The others share one from which, and to which, the daemon passes nothing on."""
    found = _container(docker_client, stack, part).attrs["NetworkSettings"]["Networks"]
    internal = [docker_client.networks.get(name).attrs["Internal"] for name in found]
    assert internal == [True]


def _pressed(stack: Stack) -> Load:
    return start_load(stack.url, "/v1/predict", _BODIES, concurrency=8)


def _after_the_end(stack: Stack, load: Load, before: int) -> None:
    """Return once nginx has tried to reach the replica that is gone, and much was answered."""
    _wait_until(lambda: _asked_twice(stack, "504, 200") > before)
    load.wait_answered(load.answered + _ENOUGH)


def _share(stack: Stack, replica: Replica) -> int:
    return sum(each["replicas"] == replica.address for each in _access_log(stack))


@contextlib.contextmanager
def _one_that_ends(stack: Stack) -> Iterator[Replica]:
    """A replica that the block may end; afterwards it runs again, whatever came of it."""
    first, _ = stack.replicas()
    try:
        yield first
    finally:
        if not stack.replicas()[0].state.running:
            stack.start(first)


def test_a_replica_that_is_killed_under_load_costs_no_request(stack: Stack) -> None:
    """What it had begun, and what comes while nobody knows yet, the other replica answers."""
    asked, silent = _asked_twice(stack, "502, 200"), _asked_twice(stack, "504, 200")
    with _one_that_ends(stack) as first:
        with _pressed(stack) as load:
            load.wait_answered(_ENOUGH)
            assert min(_share(stack, each) for each in stack.replicas()) > _ENOUGH // 3
            stack.kill(first)
            _after_the_end(stack, load, silent)
        report = load.stop()
        assert (report.lost, report.timed_out, report.refused) == (0, 0, 0)
        assert report.statuses == {200: report.sent}
        assert report.sent >= 2 * _ENOUGH
        assert _asked_twice(stack, "502, 200") > asked  # some were on their way: asked again
        assert stack.replicas()[0].state.exit_code == 137
    _wait_until(lambda: len(_by_replica(stack, 'up{job="model"} == 1')) == 2)


def test_a_replica_that_is_stopped_under_load_costs_no_request(stack: Stack) -> None:
    """It finishes what it has begun, and ends by itself; a deployment is no event for clients."""
    silent = _asked_twice(stack, "504, 200")
    with _one_that_ends(stack) as first:
        with _pressed(stack) as load:
            load.wait_answered(_ENOUGH)
            state = stack.stop(first)
            _after_the_end(stack, load, silent)
        report = load.stop()
        assert (report.lost, report.timed_out, report.refused) == (0, 0, 0)
        assert report.statuses == {200: report.sent}
        assert state.exit_code == 0


def test_a_replica_that_comes_back_under_load_costs_no_request(stack: Stack) -> None:
    """Nobody is told to go on before nginx has only workers that know where it is."""
    with _one_that_ends(stack) as first:
        stack.stop(first)
        stack.start(first)
        with _pressed(stack) as load:
            load.wait_answered(_ENOUGH)
        report = load.stop()
        assert (report.lost, report.timed_out, report.refused) == (0, 0, 0)


def test_a_replica_that_came_back_gets_requests(stack: Stack) -> None:
    """Where it is now is looked up again."""
    with _one_that_ends(stack) as first:
        stack.kill(first)
        _wait_until(lambda: stack.replicas()[0].address == "")
    now, before = stack.replicas()[0], len(_access_log(stack))
    for count in range(4):
        _ask(stack, count)
    _wait_until(lambda: len(_access_log(stack)) == before + 4)
    assert now.address in {each["replicas"] for each in _access_log(stack)[before:]}


def test_a_replica_that_is_none_is_told(stack: Stack) -> None:
    """The daemon's reason is told, and where to look."""
    nobody = dataclasses.replace(stack.replicas()[0], id="0123456789ab")
    with pytest.raises(errors.ContainerError, match=r"cannot kill model-1: No such container"):
        stack.kill(nobody)


def test_a_question_that_is_none_is_told(stack: Stack) -> None:
    """Prometheus' own words are part of the error."""
    with pytest.raises(errors.ContainerError, match="parse error"):
        stack.query("sum by (")


@pytest.mark.parametrize(("expression", "kind"), [("1 + 1", "scalar"), ("up[1m]", "matrix")])
def test_an_answer_that_is_no_instant_vector_is_told(
    stack: Stack, expression: str, kind: str
) -> None:
    """Numbers and ranges have no labels with one value; the message says what has."""
    with pytest.raises(errors.ContainerError, match=f"gives a {kind}, expected an instant vector"):
        stack.query(expression)


def test_a_service_that_is_none_is_told(stack: Stack) -> None:
    """Lines are asked for by the names of the file."""
    with pytest.raises(errors.ContainerError, match="has no service 'mysql'"):
        stack.logs("mysql")


def test_all_of_it_is_labelled_as_ours(stack: Stack, docker_client: Any) -> None:
    """Containers and networks are found by the label of the house."""
    labels = {"label": [f"{engine.LABEL}=mlref", f"{keeper.PROJECT_LABEL}={stack.project}"]}
    assert len(docker_client.containers.list(filters=labels)) == 5
    assert len(docker_client.networks.list(filters=labels)) == 2
