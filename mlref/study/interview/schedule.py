"""When a card comes back: from the points that were made to a score, a rating and a date.

    result = record(state, card, Attempt(text, seconds, ticked, red_flags), now)
    result.score, RATINGS[result.rating], result.due

The learner says which points were made; nothing here reads the answer. The score is the weight of
those points in all weights, less something for each red flag. It becomes one of the four ratings of
FSRS, a published scheduler (Ye et al. 2022, "A Stochastic Shortest Path Algorithm for Optimizing
Spaced Repetition Scheduling"), which sets the date. The same answers give the same dates.

What was missed is remembered as weak until it is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlref.runtime.lazy import extra
from mlref.study.interview.card import Card, Point
from mlref.study.learner.progress import CardProgress, State

__all__ = [
    "RATINGS",
    "THRESHOLDS",
    "Attempt",
    "Reviewed",
    "Thresholds",
    "WeakPoint",
    "abandon",
    "due_at",
    "due_cards",
    "last_rated",
    "new_cards",
    "next_review",
    "rating",
    "record",
    "score",
    "weak_points",
]

RATINGS = {1: "Again", 2: "Hard", 3: "Good", 4: "Easy"}
"""The ratings of FSRS."""

_AGAIN, _HARD, _GOOD, _EASY = RATINGS


@dataclass(frozen=True)
class Thresholds:
    """From which score on a rating is given, and what a red flag costs.

    A card holds more points than fit into one answer, so a good answer need not make them all.
    """

    hard: float = 0.35  # below it: Again
    good: float = 0.55
    easy: float = 0.8
    red_flag_cost: float = 0.1  # taken off the score, for each
    red_flag_rating: int = _HARD  # the best that is left with a red flag


THRESHOLDS = Thresholds()
"""Those that are used."""


@dataclass(frozen=True)
class Attempt:
    """An answer, as the learner judged it.

    Attributes:
        text: what was typed.
        seconds: how long that took.
        ticked: the ids of the points that were made.
        red_flags: the ids of the wrong statements that were made.
    """

    text: str
    seconds: float
    ticked: tuple[str, ...] = ()
    red_flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reviewed:
    """What became of an attempt: score in [0, 1], rating 1 to 4, points missed, the next date."""

    score: float
    rating: int
    missed: tuple[Point, ...]
    due: datetime


@dataclass(frozen=True)
class WeakPoint:
    """A point that was missed so many times since it was last made."""

    card: Card
    point: Point
    times: int

    def __str__(self) -> str:
        """One line: the card's number, how often it was missed, what to say."""
        often = "once" if self.times == 1 else f"{self.times} times"
        return f"{self.card.number} missed {often}: {self.point.text}"


def score(
    card: Card,
    ticked: Iterable[str],
    red_flags: Iterable[str] = (),
    *,
    thresholds: Thresholds = THRESHOLDS,
) -> float:
    """How much of a good answer was said, in [0, 1].

    Args:
        card: tells the points and their weights.
        ticked: the ids of the points that were made.
        red_flags: the ids of the wrong statements that were made.
        thresholds: tells what a wrong statement costs.
    """
    made = set(ticked)
    whole = sum(point.weight for point in card.points)
    part = sum(point.weight for point in card.points if point.id in made)
    cost = thresholds.red_flag_cost * len(set(red_flags))
    return max(0.0, (part / whole if whole else 0.0) - cost)


def rating(score: float, *, has_red_flag: bool = False, thresholds: Thresholds = THRESHOLDS) -> int:
    """The rating for a score: 1 Again, 2 Hard, 3 Good, 4 Easy.

    Args:
        score: in [0, 1].
        has_red_flag: whether something wrong was said, too: then Hard is the best that is left.
        thresholds: where the ratings begin.
    """
    steps = (thresholds.hard, thresholds.good, thresholds.easy)
    reached = _AGAIN + sum(score >= step for step in steps)
    return min(reached, thresholds.red_flag_rating) if has_red_flag else reached


def next_review(progress: CardProgress, rating: int, now: datetime) -> dict[str, Any]:
    """The schedule after a rating, as it is kept in the progress; `due` in it is the next date.

    The steps within a day that FSRS has for vocabulary are left out: an answer of five minutes is
    practised once a day.

    Args:
        progress: what is known of the card; a schedule that FSRS does not understand is begun anew.
        rating: 1 to 4.
        now: the moment of the answer.

    Raises:
        MissingExtraError: fsrs is not installed.
    """
    with extra("study"):
        import fsrs
    scheduler = fsrs.Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    moment = now.astimezone(UTC)
    try:
        known = fsrs.Card.from_dict(progress.schedule or {})  # type: ignore[arg-type]
        after, _ = scheduler.review_card(known, fsrs.Rating(rating), moment)
    except (KeyError, TypeError, ValueError, ArithmeticError):  # none yet, or of another scheduler
        fresh = fsrs.Card(card_id=1, due=moment)
        after, _ = scheduler.review_card(fresh, fsrs.Rating(rating), moment)
    return dict(after.to_dict())


def record(state: State, card: Card, attempt: Attempt, now: datetime) -> Reviewed:
    """Enter an attempt into the progress: history, schedule, weak points.

    Args:
        state: is changed.
        card: what was asked.
        attempt: what was answered; ids that the card does not have do not count.
        now: the moment.

    Raises:
        MissingExtraError: fsrs is not installed.
    """
    progress = state.card(card.name)
    flags = [flag.id for flag in card.red_flags if flag.id in attempt.red_flags]
    made = [point.id for point in card.points if point.id in attempt.ticked]
    missed = tuple(point for point in card.points if point.id not in made)
    reached = score(card, made, flags)
    rated = rating(reached, has_red_flag=bool(flags))
    progress.schedule = next_review(progress, rated, now)
    progress.reviews.append(
        {
            "at": now.isoformat(),
            "seconds": round(attempt.seconds, 1),
            "rating": rated,
            "score": round(reached, 4),
            "answer": attempt.text,
            "ticked": made,
            "missed": [point.id for point in missed],
            "red_flags": flags,
        }
    )
    known = {point.id for point in missed}
    times = {name: count for name, count in progress.weak.items() if name in known}
    progress.weak = {point.id: times.get(point.id, 0) + 1 for point in missed}
    return Reviewed(reached, rated, missed, datetime.fromisoformat(progress.schedule["due"]))


def abandon(state: State, name: str, text: str, seconds: float, now: datetime) -> None:
    """Keep an answer that is not gone on with in the history, without a rating.

    Args:
        state: is changed.
        name: the card's name.
        text: what was typed.
        seconds: how long that took.
        now: the moment.
    """
    review = {"at": now.isoformat(), "seconds": round(seconds, 1), "rating": None, "score": None}
    state.card(name).reviews.append({**review, "answer": text, "abandoned": True})


def due_at(progress: CardProgress | None) -> datetime | None:
    """The day on which a card comes back, from its start (UTC); None for one never rated.

    Whoever answers in the evening and comes back in the morning finds what "tomorrow" promised.
    """
    try:
        due = datetime.fromisoformat(((progress and progress.schedule) or {})["due"])
    except (KeyError, TypeError, ValueError):  # never asked, or of another scheduler
        return None
    moment = due.astimezone(UTC) if due.tzinfo else due.replace(tzinfo=UTC)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def due_cards(state: State, cards: Iterable[Card], now: datetime) -> list[Card]:
    """The cards that are due, the longest due first.

    Args:
        state: tells their dates.
        cards: to choose from.
        now: the moment; a card is due when it has reached its date.
    """
    dates = [(due, card) for card in cards if (due := due_at(state.cards.get(card.name)))]
    return [card for due, card in sorted(dates, key=lambda each: each[0]) if due <= now]


def new_cards(state: State, cards: Iterable[Card]) -> list[Card]:
    """The cards that were never rated, in their order."""
    return [card for card in cards if due_at(state.cards.get(card.name)) is None]


def last_rated(progress: CardProgress | None) -> Mapping[str, Any] | None:
    """The last review that has a rating; None if none has."""
    reviews = progress.reviews if progress else []
    return next((each for each in reversed(reviews) if each.get("rating")), None)


def weak_points(state: State, cards: Sequence[Card]) -> list[WeakPoint]:
    """What was missed and not made since, the most often missed first; then by weight."""
    found = [
        WeakPoint(card, point, times)
        for card in cards
        for point in card.points
        if (times := state.cards.get(card.name, CardProgress()).weak.get(point.id, 0))
    ]
    return sorted(found, key=lambda each: (-each.times, -each.point.weight))
