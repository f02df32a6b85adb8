"""The workers of a serverless variant, without processes: who is started, kept and ended."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import Any

import pytest
from support.aws import world
from support.plant import Launches, working
from support.waiting import until

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.elastic import Elastic
from mlref.aws.local.hosting.fleet import Slot
from mlref.aws.local.hosting.workers import WorkerError


def _elastic(launch: Any, *, most: int = 2, warm: int = 0) -> Elastic:
    clock = world().clock
    return Elastic("e/A", launch, most=most, warm=warm, clock=clock, setup=lambda _: None)


def _taken(fleet: Elastic) -> Slot:
    return asyncio.run(fleet.take())


def test_the_limit_can_be_raised_and_lowered() -> None:
    """A request beyond it is throttled; idle workers do not count as requests."""
    fleet = _elastic(Launches(), most=1)
    first = _taken(fleet)
    with pytest.raises(AwsError, match="1 requests are being answered") as caught:
        _taken(fleet)
    assert (caught.value.code, caught.value.status) == ("ThrottlingException", 429)
    fleet.allow(2, 0)
    second = _taken(fleet)
    fleet.give(second)
    fleet.give(first)
    fleet.allow(1, 0)
    _taken(fleet)
    with pytest.raises(AwsError, match="1 requests are being answered"):
        _taken(fleet)


def test_workers_that_are_always_there_can_be_added() -> None:
    """They wait, are taken first, and stay; one that does not get ready is an error."""
    launches = Launches(failing=3)
    fleet = _elastic(launches, most=5)
    fleet.allow(5, 2)
    assert len(fleet) == 2
    assert _taken(fleet).worker in launches.made
    assert len(launches.made) == 2
    with pytest.raises(WorkerError, match="ping"):
        fleet.allow(5, 3)
    assert (len(fleet), fleet.desired) == (2, 3)


def test_one_that_does_not_get_ready_leaves_the_limit_as_it_is() -> None:
    """It is no request that is being answered, and none more is allowed for it."""
    launches = Launches(failing=1)
    fleet = _elastic(launches, most=1)
    with pytest.raises(WorkerError, match="ping"):
        fleet.allow(1, 1)
    launches.failing = None
    _taken(fleet)
    with pytest.raises(AwsError, match="1 requests are being answered"):
        _taken(fleet)


def test_requests_are_answered_while_others_get_ready() -> None:
    """Those that are always there start together, and are no requests; the limit stays."""
    launches, go, numbers = Launches(), threading.Event(), itertools.count()
    both = threading.Barrier(3, timeout=10)

    def launch() -> Any:
        if next(numbers) < 2:
            both.wait()
            assert go.wait(10)
        return launches()

    fleet = _elastic(launch, most=2)
    with working(lambda: fleet.allow(2, 2)):
        both.wait()
        taken = [_taken(fleet), _taken(fleet)]
        with pytest.raises(AwsError, match="2 requests are being answered"):
            _taken(fleet)
        go.set()
    with pytest.raises(AwsError, match="2 requests are being answered"):
        _taken(fleet)
    for slot in taken:
        fleet.give(slot)
    assert {_taken(fleet).worker, _taken(fleet).worker} <= set(launches.made)
    assert len(launches.made) == 4


def test_the_end_waits_only_for_those_that_are_just_being_started() -> None:
    """The others of those that are always to be there are not begun any more."""
    launches, begun, go = Launches(), threading.Event(), threading.Event()

    def launch() -> Any:
        begun.set()
        assert go.wait(10)
        return launches()

    fleet = _elastic(launch, most=50)
    with working(lambda: fleet.allow(50, 50)):
        assert begun.wait(10)
        with working(lambda: fleet.stop(drain=True)):
            until(lambda: fleet._stopped)
            go.set()
    assert 0 < len(launches.made) < 50
    assert (len(fleet), launches.alive) == (0, 0)


def test_it_has_no_instances() -> None:
    """Whoever asks for some gets none, so that it still scales to zero."""
    launches = Launches()
    with pytest.raises(WorkerError, match="serverless and has no instances"):
        _elastic(launches).resize(3)
    assert launches.made == []


def test_who_answers_may_end_it_first() -> None:
    """The others are stopped at once, and nobody is taken any more."""
    launches = Launches()
    fleet = _elastic(launches)
    busy, idle = _taken(fleet), _taken(fleet)
    fleet.give(idle)
    with working(lambda: fleet.stop(drain=True)):
        until(lambda: launches.made[1].stopped)
        assert not launches.made[0].stopped
        with pytest.raises(AwsError, match="try again"):
            _taken(fleet)
        fleet.give(busy)
    assert launches.alive == 0
    with pytest.raises(AwsError, match="try again"):
        _taken(fleet)


def test_a_worker_that_is_just_being_started_is_ended_with_the_others() -> None:
    """Its request came before the end."""
    launches, begun, go = Launches(), threading.Event(), threading.Event()

    def launch() -> Any:
        begun.set()
        assert go.wait(10)
        return launches()

    fleet = _elastic(launch)
    with working(lambda: _taken(fleet)):
        assert begun.wait(10)
        with working(fleet.stop):
            go.set()
    assert len(launches.made) == 1
    assert launches.alive == 0
