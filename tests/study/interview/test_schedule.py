"""Scores, ratings and dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import fsrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.drilling import CARDS, NOW

from mlref.study.interview import schedule
from mlref.study.interview.schedule import Attempt
from mlref.study.learner.progress import CardProgress, State

CARD = CARDS[0]
IDS = [point.id for point in CARD.points]


@pytest.mark.parametrize(
    ("ticked", "flags", "expected"),
    [
        ([], [], 0.0),
        (["alpha"], [], 0.5),
        (["alpha", "beta"], [], 5 / 6),
        (IDS, [], 1.0),
        (IDS, ["moon"], 0.9),
        ([], ["moon"], 0.0),
        (["alpha", "alpha", "unknown"], [], 0.5),
    ],
)
def test_the_score_is_the_weight_of_what_was_said(
    ticked: list[str], flags: list[str], expected: float
) -> None:
    """Weights of ticked points in all weights, less something for each red flag."""
    assert schedule.score(CARD, ticked, flags) == pytest.approx(expected)


@given(ticked=st.sets(st.sampled_from(IDS)), more=st.sampled_from(IDS))
def test_saying_more_never_lowers_the_score(ticked: set[str], more: str) -> None:
    """A further point does not make the score smaller, nor the rating worse."""
    less, most = schedule.score(CARD, ticked), schedule.score(CARD, {*ticked, more})
    assert less <= most
    assert schedule.rating(less) <= schedule.rating(most)


@pytest.mark.parametrize(
    ("score", "name"),
    [(0.0, "Again"), (0.349, "Again"), (0.35, "Hard"), (0.55, "Good"), (0.79, "Good"),
     (0.8, "Easy"), (1.0, "Easy")],
)  # fmt: skip
def test_a_score_becomes_a_rating(score: float, name: str) -> None:
    """The thresholds belong to the better rating."""
    assert schedule.RATINGS[schedule.rating(score)] == name


@pytest.mark.parametrize(("score", "name"), [(1.0, "Hard"), (0.4, "Hard"), (0.1, "Again")])
def test_a_red_flag_leaves_hard_at_best(score: float, name: str) -> None:
    """Whoever says something wrong has not answered well, and not worse than before either."""
    assert schedule.RATINGS[schedule.rating(score, has_red_flag=True)] == name


def test_the_ratings_are_those_of_fsrs() -> None:
    """Names and numbers agree with the library's."""
    assert {each.value: each.name for each in fsrs.Rating} == schedule.RATINGS


@pytest.mark.parametrize(("rating", "days"), [(1, 1), (2, 1), (3, 2), (4, 8)])
def test_the_first_date_is_that_of_fsrs(rating: int, days: int) -> None:
    """FSRS-6 begins with a stability of 0.2, 1.3, 2.3 and 8.3 days: its published parameters."""
    found = schedule.next_review(CardProgress(), rating, NOW)
    assert fsrs.Card.from_dict(found).due == NOW + timedelta(days=days)


def test_the_same_answers_give_the_same_dates() -> None:
    """Nothing is drawn by chance, and the interval grows with each good answer."""

    def dates() -> list[str]:
        progress, now, found = CardProgress(), NOW, []
        for _ in range(4):
            progress.schedule = schedule.next_review(progress, 3, now)
            found.append(progress.schedule["due"])
            now = fsrs.Card.from_dict(progress.schedule).due  # type: ignore[arg-type]
        return found

    assert dates() == dates()
    assert sorted(set(dates())) == dates()


@pytest.mark.parametrize("broken", [{}, {"due": 3}, {"card_id": "x", "state": 99}])
def test_a_schedule_that_fsrs_does_not_understand_is_begun_anew(broken: dict[str, object]) -> None:
    """A schedule of another program is no reason to refuse an answer."""
    found = schedule.next_review(CardProgress(schedule=broken), 3, NOW)
    assert found == schedule.next_review(CardProgress(), 3, NOW)


def test_an_attempt_is_entered() -> None:
    """History, schedule and weak points hold what was answered, and survive the file."""
    state = State()
    result = schedule.record(state, CARD, Attempt("alpha", 61.04, ("alpha",)), NOW)
    kept = State.from_dict(state.to_dict()).cards[CARD.name]
    assert kept.reviews == [
        {
            "at": NOW.isoformat(),
            "seconds": 61.0,
            "rating": 2,
            "score": 0.5,
            "answer": "alpha",
            "ticked": ["alpha"],
            "missed": ["beta", "gamma"],
            "red_flags": [],
        }
    ]
    assert result.due == NOW + timedelta(days=1)
    assert schedule.due_at(kept) == result.due.replace(hour=0, minute=0, second=0, microsecond=0)
    assert [point.id for point in result.missed] == ["beta", "gamma"]


def test_a_point_is_weak_until_it_is_made() -> None:
    """Misses are counted; making the point forgets them; a point that is gone is forgotten."""
    state = State()
    state.card(CARD.name).weak = {"alpha": 2, "gone": 5}
    schedule.record(state, CARD, Attempt("", 1.0, ("gamma",)), NOW)
    assert state.card(CARD.name).weak == {"alpha": 3, "beta": 1}
    schedule.record(state, CARD, Attempt("", 1.0, ("alpha", "gamma")), NOW)
    assert state.card(CARD.name).weak == {"beta": 2}


def test_the_weakest_points_come_first() -> None:
    """By how often they were missed, then by weight."""
    state = State()
    state.card(CARDS[0].name).weak = {"gamma": 1, "alpha": 1}
    state.card(CARDS[1].name).weak = {"beta": 3}
    found = [(each.card.number, each.point.id) for each in schedule.weak_points(state, CARDS)]
    assert found == [("02", "beta"), ("01", "alpha"), ("01", "gamma")]


def test_cards_are_due_in_the_order_of_their_dates() -> None:
    """Due is what has reached its date; what was never rated is new, abandoned or not."""
    state = State()
    for card, days in ((CARDS[0], -1), (CARDS[1], -2), (CARDS[2], 0), (CARDS[3], 1)):
        state.card(card.name).schedule = {"due": (NOW + timedelta(days=days)).isoformat()}
    schedule.abandon(state, CARDS[4].name, "text", 3.0, NOW)
    assert schedule.due_cards(state, CARDS, NOW) == [CARDS[1], CARDS[0], CARDS[2]]
    assert schedule.new_cards(state, CARDS) == [CARDS[4], CARDS[5]]


def test_an_answer_of_the_evening_is_due_in_the_morning() -> None:
    """What comes back "tomorrow" is due from the start of that day."""
    state, evening = State(), datetime(2013, 1, 1, 20, tzinfo=UTC)
    schedule.record(state, CARD, Attempt("alpha", 1.0, ("alpha",)), evening)
    assert schedule.due_cards(state, [CARD], evening + timedelta(hours=3)) == []
    assert schedule.due_cards(state, [CARD], evening + timedelta(hours=12)) == [CARD]


def test_an_abandoned_answer_is_kept_without_a_rating() -> None:
    """It stands in the history, and neither the last rating nor the date comes from it."""
    state = State()
    schedule.record(state, CARD, Attempt("alpha", 1.0, ("alpha",)), NOW)
    before = dict(state.card(CARD.name).schedule or {})
    schedule.abandon(state, CARD.name, "half a sen", 3.0, NOW)
    kept = State.from_dict(state.to_dict()).cards[CARD.name]
    assert kept.reviews[-1]["answer"] == "half a sen"
    assert kept.reviews[-1]["rating"] is None
    assert (schedule.last_rated(kept) or {})["answer"] == "alpha"
    assert kept.schedule == before
