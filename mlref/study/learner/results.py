"""What the grader found, kept in the learner's progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlref.study.grading import LabResult
    from mlref.study.labs.lab import Exercise
    from mlref.study.learner.state import Store

__all__ = ["next_hint", "record", "record_hint", "record_solution"]

_UNTRIED = {"todo", "missing"}


def record(store: Store, result: LabResult) -> None:
    """Keep a result: an attempt for each answer that was begun, and the moment of a first pass.

    Raises:
        LearnerError: the progress cannot be read.
        FileWriteError: it could not be saved.
    """
    tried = [each for each in result.exercises if each.status not in _UNTRIED]
    if not tried:
        return
    with store.update() as state:
        for each in tried:
            progress = state.exercise(result.lab, each.exercise)
            progress.attempts += 1
            if each.passed and progress.passed is None:
                progress.passed = store.now()


def next_hint(exercise: Exercise, seen: int) -> int:
    """Which hint comes after so many that were seen, counted from 1; after the last, it again."""
    return min(seen + 1, len(exercise.hints))


def record_hint(store: Store, lab: str, exercise: str, *, number: int) -> None:
    """Keep that a hint was seen.

    Args:
        store: the learner's progress.
        lab: the lab's name, "01_deployment_steps".
        exercise: the exercise's name.
        number: which hint, counted from 1. Seeing one again does not count.

    Raises:
        LearnerError: the progress cannot be read.
        FileWriteError: it could not be saved.
    """
    with store.update() as state:
        progress = state.exercise(lab, exercise)
        progress.hints = max(progress.hints, number)


def record_solution(store: Store, lab: str, exercise: str) -> None:
    """Keep that a solution was shown; the first time counts.

    Args:
        store: the learner's progress.
        lab: the lab's name, "01_deployment_steps".
        exercise: the exercise's name.

    Raises:
        LearnerError: the progress cannot be read.
        FileWriteError: it could not be saved.
    """
    with store.update() as state:
        progress = state.exercise(lab, exercise)
        progress.solution_seen = progress.solution_seen or store.now()
