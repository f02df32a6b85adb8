"""The workers of a variant, without processes: as many as desired, and the right one picked."""

from __future__ import annotations

import pytest

from mlref.aws.local.hosting.fleet import Fleet
from mlref.aws.local.hosting.workers import WorkerError


class FakeWorker:
    """A worker that does nothing; the processes have tests of their own."""

    def __init__(self, number: int) -> None:
        self.name = f"i-{number}"
        self.port = number
        self.alive = True
        self.stopped = False

    def log(self) -> str:
        """What it printed."""
        return ""

    def stop(self) -> None:
        """End."""
        self.alive = False
        self.stopped = True


class Launches:
    """Gives workers, and fails where it is told to."""

    def __init__(self, *, failing: int | None = None) -> None:
        self.made: list[FakeWorker] = []
        self.failing = failing

    def __call__(self) -> FakeWorker:
        """The next one."""
        number = len(self.made) + 1
        if number == self.failing:
            raise WorkerError("did not pass the ping health check")
        self.made.append(FakeWorker(number))
        return self.made[-1]


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
