"""The workers of a variant, without processes: as many as desired, and the right one picked."""

from __future__ import annotations

import threading

import pytest
from support.plant import Launches, goes_on, working
from support.waiting import until

from mlref.aws.local.hosting.fleet import Fleet
from mlref.aws.local.hosting.workers import WorkerError


def test_it_grows_and_shrinks_to_what_is_desired() -> None:
    """The workers that go are stopped, the others are left alone."""
    launches = Launches()
    fleet = Fleet("e/A", launches, 0)
    fleet.resize(3)
    assert len(fleet) == 3
    fleet.resize(1)
    assert [worker.stopped for worker in launches.made] == [False, True, True]
    fleet.stop()
    assert len(fleet) == 0
    assert launches.made[0].stopped


def test_a_worker_that_died_is_replaced_once() -> None:
    """And its end is told, so that its log can be kept."""
    launches, ended = Launches(), []
    fleet = Fleet("e/A", launches, 0, on_end=ended.append)
    fleet.resize(2)
    launches.made[0].alive = False
    assert fleet.lost()
    fleet.settle()
    fleet.settle()
    assert [slot.worker.name for slot in fleet.slots] == ["i-2", "i-3"]
    assert ended == [launches.made[0]]


def test_the_one_with_least_to_do_is_picked() -> None:
    """By requests in flight; one that is gone is never picked."""
    fleet = Fleet("e/A", Launches(), 0)
    fleet.resize(3)
    fleet.slots[0].in_flight = 2
    fleet.slots[1].in_flight = 1
    fleet.slots[2].gone = True
    assert fleet.pick() is fleet.slots[1]


def test_the_most_requests_at_a_time_are_counted_for_each_worker() -> None:
    """Since it was last asked; those that go on count again."""
    fleet = Fleet("e/A", Launches(), 0)
    assert fleet.peak() == 0
    fleet.resize(2)
    for slot in fleet.slots:
        fleet.begin(slot)
        fleet.begin(slot)
    fleet.begin(fleet.slots[0])
    for _ in range(2):
        fleet.give(fleet.slots[0])
    assert (fleet.peak(), fleet.peak()) == (2.5, 1.5)


def test_without_workers_none_is_picked() -> None:
    """Neither before the first nor after the last."""
    assert Fleet("e/A", Launches(), 0).pick() is None


def test_a_worker_that_does_not_get_ready_is_an_error_and_the_others_stay() -> None:
    """Whoever asked decides what becomes of them."""
    fleet = Fleet("e/A", Launches(failing=2), 0)
    with pytest.raises(WorkerError, match="ping"):
        fleet.resize(2)
    assert len(fleet) == 1


def test_a_stopped_fleet_starts_nothing() -> None:
    """Also if it is healed afterwards."""
    launches = Launches()
    fleet = Fleet("e/A", launches, 0)
    fleet.stop()
    fleet.desired = 2
    fleet.settle()
    assert launches.made == []


def test_a_worker_that_goes_answers_what_it_has_begun() -> None:
    """It gets nothing new, and is stopped when the last answer is there; an idle one at once."""
    launches = Launches()
    fleet = Fleet("e/A", launches, 0)
    fleet.resize(3)
    busy = fleet.slots[1]
    fleet.begin(busy)
    with working(lambda: fleet.resize(1)) as thread:
        until(lambda: launches.made[2].stopped)
        assert busy.gone
        assert not launches.made[1].stopped
        assert len(fleet) == 1
        fleet.settle()  # meanwhile others may be replaced
        assert goes_on(thread)
        fleet.give(busy)
    assert [worker.stopped for worker in launches.made] == [False, True, True]


def test_all_may_answer_before_they_end() -> None:
    """When an update replaces them; when their endpoint is deleted, nobody waits for them."""
    launches = Launches()
    fleets = [Fleet("e/A", launches, 0) for _ in range(2)]
    for fleet in fleets:
        fleet.resize(1)
        fleet.begin(fleet.slots[0])
    (slot,) = fleets[0].slots
    with working(lambda: fleets[0].stop(drain=True)) as thread:
        assert goes_on(thread)
        assert not launches.made[0].stopped
        fleets[0].give(slot)
    fleets[1].stop()
    assert launches.alive == 0


def test_nobody_waits_for_an_answer_for_ever() -> None:
    """There is a limit; and when all ends, none waits any more."""
    launches, hurry = Launches(), threading.Event()
    fleet = Fleet("e/A", launches, 0, drain_s=0.05)
    fleet.resize(1)
    fleet.begin(fleet.slots[0])
    fleet.stop(drain=True)
    assert launches.made[0].stopped
    fleet = Fleet("e/A", launches, 0, hurry=hurry)
    fleet.resize(1)
    fleet.begin(fleet.slots[0])
    with working(lambda: fleet.stop(drain=True)) as thread:
        assert goes_on(thread)
        hurry.set()
    assert launches.made[1].stopped
