"""What the grader found, as it is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlref.runtime.clock import ManualClock
from mlref.study.grading import ExerciseResult, LabResult, Status
from mlref.study.labs.lab import Lab
from mlref.study.learner import results
from mlref.study.learner.progress import ExerciseProgress
from mlref.study.learner.state import Store

LAB = "01_deployment_steps"


@pytest.fixture
def clock() -> ManualClock:
    """A clock in 2013."""
    return ManualClock(datetime(2013, 1, 1, tzinfo=UTC))


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Store:
    """The progress of a new folder."""
    return Store(tmp_path, clock=clock)


def _result(**statuses: Status) -> LabResult:
    exercises = tuple(ExerciseResult(LAB, name, status) for name, status in statuses.items())
    return LabResult(LAB, "Deployment steps", exercises)


def _progress(store: Store, name: str) -> ExerciseProgress:
    return store.read().labs[LAB][name]


def test_the_first_pass_counts(store: Store, clock: ManualClock) -> None:
    """A failure is an attempt; passing again does not move the moment."""
    for status in ("failed", "passed", "passed"):
        results.record(store, _result(share=status))
        clock.advance(60)
    assert _progress(store, "share") == ExerciseProgress("2013-01-01T00:01:00+00:00", attempts=3)


def test_a_failure_after_a_pass_does_not_take_the_pass_away(store: Store) -> None:
    """What was solved once stays solved."""
    for status in ("passed", "error"):
        results.record(store, _result(share=status))
    assert _progress(store, "share").passed is not None


def test_an_answer_that_was_not_begun_is_no_attempt(store: Store) -> None:
    """Neither is one that is missing; nothing is written for them alone."""
    results.record(store, _result(share="todo", leaks="missing"))
    assert not store.path.exists()
    results.record(store, _result(share="todo", leaks="failed"))
    assert set(store.read().labs[LAB]) == {"leaks"}


@pytest.mark.parametrize(("seen", "number"), [(0, 1), (2, 3), (3, 3), (9, 3)])
def test_hints_come_in_order_and_the_last_one_stays(seen: int, number: int, lab: Lab) -> None:
    """Also for a progress that counts more hints than there are."""
    assert results.next_hint(lab.exercises[0], seen) == number


def test_a_hint_counts_once(store: Store) -> None:
    """Seeing the first one again after the second leaves two."""
    for number in (1, 2, 1):
        results.record_hint(store, LAB, "share", number=number)
    assert _progress(store, "share").hints == 2


def test_the_first_look_at_a_solution_counts(store: Store, clock: ManualClock) -> None:
    """The second one does not move the moment."""
    for _ in range(2):
        results.record_solution(store, LAB, "share")
        clock.advance(60)
    assert _progress(store, "share").solution_seen == "2013-01-01T00:00:00+00:00"
