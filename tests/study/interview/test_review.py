"""What is due."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.console import Console
from support.drilling import CARDS, NOW

from mlref.study.interview.review import render, review
from mlref.study.interview.schedule import Attempt, record
from mlref.study.learner.progress import ExerciseProgress, State

LATER = (NOW + timedelta(days=1)).isoformat()


def _state(*days: int) -> State:
    """The first cards have a date so many days from now."""
    state = State()
    for card, each in zip(CARDS, days, strict=False):
        state.card(card.name).schedule = {"due": (NOW + timedelta(days=each)).isoformat()}
    return state


def _rows(state: State) -> list[tuple[str, str]]:
    return [(step.what[:7], step.when) for step in review(state, CARDS, NOW).steps]


def test_what_is_due_comes_first_then_new_then_later() -> None:
    """Each with when, and how."""
    found = review(_state(-1, 3, 1), CARDS, NOW)
    assert [(step.what, step.when) for step in found.steps] == [
        ("card 01 Deployment steps", "now"),
        ("3 cards never answered", "new"),
        ("card 03 SageMaker", "tomorrow"),
        ("card 02 Containers", "in 3 days"),
    ]
    assert found.steps[0].command == "mlref drill --topic 01"


def test_the_last_rating_is_told() -> None:
    """Its name and score."""
    state = State()
    record(state, CARDS[0], Attempt("", 1.0, ("alpha",)), NOW)
    step = next(each for each in review(state, CARDS, NOW).steps if each.what.startswith("card"))
    assert step.before == "Hard, 50%"


@pytest.mark.parametrize(
    ("exercise", "shown"),
    [
        (ExerciseProgress(solution_seen=NOW.isoformat()), True),
        (ExerciseProgress(solution_seen=NOW.isoformat(), passed=LATER), True),
        (ExerciseProgress(solution_seen=LATER, passed=NOW.isoformat()), False),
        (ExerciseProgress(passed=NOW.isoformat()), False),
    ],
)
def test_a_solution_that_was_looked_up_is_to_be_repeated(
    exercise: ExerciseProgress,
    shown: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Unless the exercise had been solved before."""
    state = _state(5, 5, 5, 5, 5, 5)
    state.labs = {"01_deployment_steps": {"refuse_tampering": exercise}}
    found = review(state, CARDS, NOW)
    commands = [step.command for step in found.steps]
    assert ("mlref labs reset 01 refuse_tampering" in commands) is shown


@pytest.mark.parametrize(
    ("state", "command"),
    [
        (State(draft={"card": "01_deployment_steps"}), "mlref drill"),
        (State(mock={"minutes": 30.0}), "mlref drill --mock 30"),
        (State(mock={}), "mlref drill --mock 45"),
        (_state(-1), "mlref drill --due"),
        (_state(1), "mlref drill"),
        (_state(1, 1, 1, 1, 1, 1), "mlref drill --mock 45"),
        (State(), "mlref drill"),
    ],
)
def test_the_next_command_is_exact(state: State, command: str) -> None:
    """What was begun, then what is due, then what is new, then a mock interview."""
    assert review(state, CARDS, NOW).next == command


def test_every_weak_point_is_listed() -> None:
    """The drill shows three and sends the learner here for the rest."""
    state = State()
    for card in CARDS:
        state.card(card.name).weak = {point.id: 1 for point in card.points}
    expected = sum(len(card.points) for card in CARDS)
    assert expected > 5
    assert len(review(state, CARDS, NOW).weak) == expected


def test_a_review_fits_80_columns_without_colours() -> None:
    """Nothing is cut off: words tell everything."""
    state = _state(-1)
    state.card(CARDS[0].name).weak = {"alpha": 1}
    state.labs = {
        "01_deployment_steps": {"refuse_tampering": ExerciseProgress(solution_seen=LATER)}
    }
    console = Console(file=io.StringIO(), width=80, no_color=True)
    render(console, review(state, CARDS, NOW))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    assert "mlref labs reset 01 refuse_tampering\n" in shown
    assert "01 missed once: Say alpha of 01" in shown
    assert "next: mlref drill --due" in shown
