"""What is known of a learner, as values: labs, notebooks read, cards, and what is going on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mlref.study.learner import _fields

__all__ = ["FORMAT", "CardProgress", "ExerciseProgress", "State"]

FORMAT = "mlref-progress/1"


@dataclass
class ExerciseProgress:
    """One exercise of a lab.

    Attributes:
        passed: the moment of the first pass.
        attempts: how often it was graded.
        hints: how many of its hints were seen.
        solution_seen: the moment when the solution was first shown.
    """

    passed: str | None = None
    attempts: int = 0
    hints: int = 0
    solution_seen: str | None = None

    @classmethod
    def from_dict(cls, values: Any, place: str) -> ExerciseProgress:
        """The same from JSON values.

        Raises:
            ValueError: a value is of the wrong type; the message names its place.
        """
        found = _fields.record(values, place)
        seen = found.get("solution_seen")
        return cls(
            passed=_fields.optional(found.get("passed"), f"{place}.passed", _fields.moment),
            attempts=_fields.count(found.get("attempts", 0), f"{place}.attempts"),
            hints=_fields.count(found.get("hints", 0), f"{place}.hints"),
            solution_seen=_fields.optional(seen, f"{place}.solution_seen", _fields.moment),
        )


@dataclass
class CardProgress:
    """One interview card.

    Attributes:
        schedule: what the scheduler knows of it, as `fsrs.Card.to_dict()` gives it.
        reviews: each answer with its moment `at`, `seconds`, `rating`, `score` and what was heard.
        weak: rubric point -> how often it was missed since it was last made.
    """

    schedule: dict[str, Any] | None = None
    reviews: list[dict[str, Any]] = field(default_factory=list)
    weak: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Any, place: str) -> CardProgress:
        """The same from JSON values.

        Raises:
            ValueError: a value is of the wrong type; the message names its place.
        """
        found = _fields.record(values, place)
        return cls(
            schedule=_fields.mapping(found.get("schedule"), f"{place}.schedule"),
            reviews=_fields.reviews(found.get("reviews", []), f"{place}.reviews"),
            weak=_fields.table(found.get("weak", {}), f"{place}.weak", _fields.count),
        )


@dataclass
class State:
    """All that is known of a learner. What `Store.update` yields may be changed.

    Attributes:
        labs: lab -> exercise -> progress.
        read: a notebook's stem -> the moment when it was marked as read.
        cards: card -> progress.
        draft: the answer that is being typed in `mlref drill`.
        mock: the mock interview that is going on.
        shipped: relative path -> SHA-256 of what `mlref init` wrote there.
    """

    labs: dict[str, dict[str, ExerciseProgress]] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)
    cards: dict[str, CardProgress] = field(default_factory=dict)
    draft: dict[str, Any] | None = None
    mock: dict[str, Any] | None = None
    shipped: dict[str, str] = field(default_factory=dict)

    def exercise(self, lab: str, name: str) -> ExerciseProgress:
        """The progress of an exercise, which is there to be changed afterwards."""
        return self.labs.setdefault(lab, {}).setdefault(name, ExerciseProgress())

    def card(self, name: str) -> CardProgress:
        """The progress of a card, which is there to be changed afterwards."""
        return self.cards.setdefault(name, CardProgress())

    def to_dict(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> State:
        """The state from JSON values; a key that this format does not have is dropped.

        Raises:
            ValueError: it is of another format, or a value is of the wrong type; the message names
                its place.
        """
        found = _fields.record(values, "the progress")
        if found.get("format") != FORMAT:
            raise ValueError(f"format must be {FORMAT!r}, got {found.get('format')!r:.60}")

        def exercises(each: Any, place: str) -> dict[str, ExerciseProgress]:
            return _fields.table(each, place, ExerciseProgress.from_dict)

        return cls(
            labs=_fields.table(found.get("labs", {}), "labs", exercises),
            read=_fields.table(found.get("read", {}), "read", _fields.moment),
            cards=_fields.table(found.get("cards", {}), "cards", CardProgress.from_dict),
            draft=_fields.mapping(found.get("draft"), "draft"),
            mock=_fields.mapping(found.get("mock"), "mock"),
            shipped=_fields.table(found.get("shipped", {}), "shipped", _fields.text),
        )
