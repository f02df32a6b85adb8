"""A mock interview that is going on, as it is kept in the progress.

    {"started": "...", "minutes": 45.0, "report": "mock-interviews/2026-11-25-1745.md",
     "cards": ["01_deployment_steps", ...], "answers": [{...}], "draft": {...} or null}

An answer stands in `answers` once its points are confirmed; while the draft is "following", the
last of them still waits for the answer to its follow-up question.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from mlref.study.learner.progress import State
from mlref.study.learner.state import Store

__all__ = ["FOLDER", "Answered", "Sitting", "kept_sitting"]

FOLDER = "mock-interviews"
"""Where the reports go, in the learner's folder."""

_REPORT = re.compile(rf"{FOLDER}/[\w-]+\.md")
_TEXTS = ("card", "text", "question", "hint", "reply")
_NUMBERS = ("seconds", "score", "reply_seconds")
_LISTS = ("ticked", "missed", "red_flags")


@dataclass
class Answered:
    """A question that was answered, and its follow-up.

    Attributes:
        card: the card's name.
        text: the answer.
        seconds: how long it took.
        score: in [0, 1].
        ticked: the ids of the points that were made.
        missed: those that were not.
        red_flags: the ids of the wrong statements.
        question: the follow-up question; "" if none was asked.
        hint: what stands behind that question.
        reply: the answer to it.
        reply_seconds: how long that took.
    """

    card: str
    text: str
    seconds: float
    score: float
    ticked: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    red_flags: list[str] = field(default_factory=list)
    question: str = ""
    hint: str = ""
    reply: str = ""
    reply_seconds: float = 0.0


@dataclass
class Sitting:
    """A mock interview: when it began, its time, its cards, what was answered until now.

    Attributes:
        started: the moment, ISO.
        minutes: the time for all answers together.
        report: where the report goes, relative to the learner's folder.
        cards: the names of the cards, in the order in which they are asked.
        answers: what was answered.
    """

    started: str
    minutes: float
    report: str
    cards: list[str]
    answers: list[Answered] = field(default_factory=list)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Sitting:
        """The interview in JSON values.

        Raises:
            ValueError: something is absent or of the wrong type.
        """
        try:
            kept = {name: values[name] for name in ("started", "minutes", "report", "cards")}
            answers = [_answered(each) for each in values["answers"]]
            datetime.fromisoformat(kept["started"])
            kept["minutes"] = float(kept["minutes"])
            kept["cards"] = [str(name) for name in kept["cards"]]
            if not _REPORT.fullmatch(kept["report"]):  # also one in a folder of somebody else's
                raise ValueError(f"report must be {FOLDER}/NAME.md, got {kept['report']!r:.60}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"it does not hold what a mock interview needs: {error}") from error
        return cls(**kept, answers=answers)

    def to_dict(self) -> dict[str, Any]:
        """The interview as JSON values, without a draft."""
        return asdict(self)

    def put(self, state: State) -> None:
        """Keep it in a state that is being changed; a draft that is there stays."""
        draft = (state.mock or {}).get("draft")
        state.mock = {**self.to_dict(), "draft": draft}

    @property
    def spent_s(self) -> float:
        """Seconds of typing so far, in the answers that are finished."""
        return sum(each.seconds + each.reply_seconds for each in self.answers)

    @property
    def left_s(self) -> float:
        """Seconds that are left; below 0 when the time is over."""
        return self.minutes * 60 - self.spent_s

    @property
    def score(self) -> float:
        """The mean of the scores so far, in [0, 1]."""
        scores = [each.score for each in self.answers]
        return sum(scores) / len(scores) if scores else 0.0


def _answered(values: Mapping[str, Any]) -> Answered:
    """An answer in JSON values, each of the type that it must have."""
    found = Answered(**values)
    wrong = [name for name in _TEXTS if not isinstance(getattr(found, name), str)]
    wrong += [name for name in _NUMBERS if not _is_number(getattr(found, name))]
    wrong += [name for name in _LISTS if not isinstance(getattr(found, name), list)]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} of an answer is of the wrong type")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def kept_sitting(store: Store) -> Sitting | None:
    """The mock interview that is going on; None if there is none.

    Raises:
        ValueError: what is kept cannot be understood.
        LearnerError: the progress cannot be read.
    """
    values = store.read().mock
    return None if values is None else Sitting.from_dict(values)
