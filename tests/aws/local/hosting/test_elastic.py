"""The workers of a serverless variant, without processes: who is started, kept and ended."""

from __future__ import annotations

import asyncio
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
