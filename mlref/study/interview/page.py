"""The drill on a page: what is to be seen, as JSON values, and the messages that change it.

    page = Page(Desk.of(store, console, typist), find_card("1"))
    page.receive({"kind": "typed", "text": "First ...", "seconds": 12.5, "serial": 1})
    page.view()["phase"]

It goes the way of `mlref drill`: typing, confirming, recorded, each step kept in the same progress
before the next one. Whoever shows the page only shows: what was heard, the score and the record are
made here. A message that could not be obeyed changes nothing but `problem`, which says why.
"""

from __future__ import annotations

import string
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from typing import Any

from mlref.errors import EvidenceError, LearnerError, MlrefError
from mlref.evidence import Evidence
from mlref.study.interview.card import Card, Point
from mlref.study.interview.draft import Draft, alone, drill_place
from mlref.study.interview.drill import ANSWER_S, choose_card
from mlref.study.interview.listen import Span
from mlref.study.interview.prompting import clock_text
from mlref.study.interview.render import figures_of, rubric_notes
from mlref.study.interview.rounds import SHOWN_MISSED, Desk, attempt, kept_draft, told
from mlref.study.interview.rubric import Rubric
from mlref.study.interview.schedule import RATINGS, THRESHOLDS, Reviewed, abandon, record, score
from mlref.study.learner.progress import CardProgress, State

__all__ = ["Page"]

_ELSEWHERE = (
    "The answer that is kept was changed, recorded or put away elsewhere, by another page or by "
    "`mlref drill`. What you do here is not kept. Copy your text, then run this cell again to go "
    "on with what is kept."
)


class Page:
    """One answer after the other, from the question to the record.

    Args:
        desk: the progress and the cards; its console and typist are not used.
        card: what is asked; None means an unfinished answer's card, or the one whose turn it is.
        unkept: why nothing is kept, and what to do about it; "" if the progress is kept.

    Attributes:
        problem: why the last message was not obeyed; "" if it was.
    """

    def __init__(self, desk: Desk, card: Card | None = None, *, unkept: str = "") -> None:
        self.problem = ""
        self._desk = desk
        self._unkept = unkept
        self._step = self._heard_of = 0
        self._other: Draft | None = None
        self._reviewed: Reviewed | None = None
        self._seen: dict[str, Any] | None = None
        self._draft = Draft((card or desk.cards[0]).name)
        self._open(card)

    def _open(self, card: Card | None) -> None:
        """Go on with an unfinished answer, or begin one."""
        found = kept_draft(self._desk, drill_place)
        self._seen = _draft_in(self._desk.store.read())
        if found is not None and _is_begun(found):
            if card is None or found.card == card.name:
                self._draft = found
                return
            self._other = found
        self._draft = Draft((card or choose_card(self._desk)).name)

    @property
    def phase(self) -> str:
        """What the page is about: "asking", "typing", "confirming" or "recorded"."""
        if self._other is not None:
            return "asking"
        if self._reviewed is not None:
            return "recorded"
        return "typing" if self._draft.phase == "typing" else "confirming"

    def receive(self, message: Mapping[str, Any]) -> None:
        """Do what a message says; `view` shows what became of it.

        Kinds: `typed` and `done` (with text, seconds, serial), `tick` (with id, flag, on),
        `record`, `next`; and while another answer waits, `go_on` and `put_away`.

        Raises:
            ValueError: there is no such kind, or a part of the message is not what it must be.
        """
        kinds: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "typed": self._typed,
            "done": self._done,
            "tick": self._ticked,
            "record": self._record,
            "next": self._next,
            "go_on": self._go_on,
            "put_away": self._put_away,
        }
        kind, serial = message.get("kind"), _serial(message, self._heard_of)
        if not isinstance(kind, str) or kind not in kinds:
            raise ValueError(f"kind must be one of {', '.join(kinds)}, got {kind!r:.40}")
        self.problem = ""
        try:
            kinds[kind](message)
        except MlrefError as error:
            self.problem = str(error)
        self._heard_of = serial

    def _typed(self, message: Mapping[str, Any]) -> None:
        if self.phase != "typing":
            return
        self._draft = _with_text(self._draft, message)
        self._keep(self._draft)

    def _done(self, message: Mapping[str, Any]) -> None:
        if self.phase != "typing":
            return
        self._draft = _with_text(self._draft, message)
        self._draft = self._rubric().suggested(self._draft)
        self._step += 1
        self._keep(self._draft)  # what cannot be kept is looked at all the same

    def _ticked(self, message: Mapping[str, Any]) -> None:
        if self.phase != "confirming":
            return
        name, on = str(message.get("id")), message.get("on") is True
        part = "flags" if message.get("flag") is True else "ticked"
        rest = tuple(each for each in getattr(self._draft, part) if each != name)
        after = (*rest, name) if on else rest
        if part == "flags":
            self._draft = replace(self._draft, flags=after)
        else:
            self._draft = replace(self._draft, ticked=after)
        self._keep(self._draft)

    def _record(self, _: Mapping[str, Any]) -> None:
        if self.phase != "confirming":
            return
        store = self._desk.store
        with self._alone(), store.update() as state:
            if self._seen is not None:  # else it was never kept, and is nobody else's
                self._refuse_foreign(state)
            done = record(state, self._card, attempt(self._draft), store.clock.now())
            if self._is_ours(state):
                drill_place.put(state, None)
        self._reviewed, self._seen = done, None
        self._step += 1

    def _next(self, _: Mapping[str, Any]) -> None:
        if self.phase != "recorded":
            return
        self._open(None)
        self._reviewed = None
        self._step += 1

    def _go_on(self, _: Mapping[str, Any]) -> None:
        if self._other is None:
            return
        self._draft, self._other = self._other, None
        self._step += 1

    def _put_away(self, _: Mapping[str, Any]) -> None:
        other, store = self._other, self._desk.store
        if other is None:
            return
        with self._alone(), store.update() as state:
            self._refuse_foreign(state)
            abandon(state, other.card, other.text, other.seconds, store.clock.now())
            drill_place.put(state, None)
        self._other = self._seen = None
        self._step += 1

    def _keep(self, draft: Draft) -> None:
        """Keep the draft in the progress; one in which nothing was typed is no draft."""
        kept = draft if _is_begun(draft) else None
        with self._alone(), self._desk.store.update() as state:
            self._refuse_foreign(state)
            drill_place.put(state, kept)
        self._seen = None if kept is None else kept.to_dict()

    def _alone(self) -> Any:
        """A block in which no drill in a terminal is open: it would lose what it has."""
        return nullcontext() if self._unkept else alone(self._desk.store)

    def _is_ours(self, state: State) -> bool:
        """Whether the draft in the progress, or its absence, is what this page left there."""
        return _draft_in(state) == self._seen

    def _refuse_foreign(self, state: State) -> None:
        if not self._is_ours(state):
            raise LearnerError(_ELSEWHERE)

    @property
    def _card(self) -> Card:
        return self._desk.card(self._draft.card)

    def _rubric(self) -> Rubric:
        return Rubric.of(self._card, self._draft.text)

    def view(self) -> dict[str, Any]:
        """What is to be seen: JSON values, the same for the same page.

        `step` changes when there is something else to show than before, `saved` is the serial of
        the last message that was understood.
        """
        card, phase = self._card, self.phase
        seen = {
            "phase": phase,
            "step": self._step,
            "saved": self._heard_of,
            "problem": self.problem,
            "kept": not self._unkept,
            "notices": [*([self._unkept] if self._unkept else []), *self._desk.store.notices],
            "card": card.name,
            "heading": f"Question {card.number}: {card.title}",
            "question": card.question,
            "text": self._draft.text,
            "seconds": self._draft.seconds,
        }
        parts = {
            "asking": self._asking,
            "typing": self._typing,
            "confirming": self._confirming,
            "recorded": self._recorded,
        }
        return seen | parts[phase]()

    def _asking(self) -> dict[str, Any]:
        other = self._other or self._draft
        card = self._desk.card(other.card)
        words = f"{other.words} words in {clock_text(other.seconds)}"
        about = f"You have an unfinished answer to {card.number}, {card.title}: {words}."
        return {"about": about}

    def _typing(self) -> dict[str, Any]:
        weak = len(self._weak())
        points = "1 point" if weak == 1 else f"{weak} points"
        about = f"You missed {points} of it before. The rubric will mark them." if weak else ""
        return {"about": about, "limit_s": ANSWER_S}

    def _confirming(self) -> dict[str, Any]:
        rubric, draft, weak = self._rubric(), self._draft, self._weak()
        points = [
            {
                "id": point.id,
                "text": point.text,
                "weight": point.weight,
                "heard": rubric.quoted(rubric.heard.points.get(point.id, ())),
                "weak": point.id in weak,
                "on": point.id in draft.ticked,
            }
            for point in self._card.points
        ]
        flags = [
            {
                "id": flag.id,
                "text": flag.text,
                "correction": flag.correction,
                "heard": rubric.quoted(rubric.heard.red_flags[flag.id]),
                "on": flag.id in draft.flags,
            }
            for flag in rubric.flags
        ]
        reached = score(self._card, draft.ticked, draft.flags)
        count = f"{len(draft.ticked)} of {len(points)} points are ticked"
        cost = f", {THRESHOLDS.red_flag_cost:.0%} off for each red flag" if draft.flags else ""
        return {
            "about": rubric.about,
            "length": f"{draft.words} words in {clock_text(draft.seconds)}",
            "pieces": _pieces(rubric),
            "points": points,
            "flags": flags,
            "tally": f"{count}{cost}: {reached:.0%}.",
        }

    def _recorded(self) -> dict[str, Any]:
        reviewed, card = self._reviewed, self._card
        if reviewed is None:
            raise ValueError("nothing was recorded")
        figures, problem = _figures(card)
        missed = sorted(reviewed.missed, key=lambda point: -point.weight)
        measured = [p for p in card.points if p.claim is not None and p not in missed]
        return {
            "told": self._told(reviewed),
            "short_answer": " ".join(card.short_answer.split()),
            "missed": [_resting(point, figures) for point in missed[:SHOWN_MISSED]],
            "missed_more": [_resting(point, figures) for point in missed[SHOWN_MISSED:]],
            "measured": [_resting(point, figures) for point in measured],
            "about": problem or f"The whole card: mlref cards show {card.number}",
        }

    def _told(self, reviewed: Reviewed) -> str:
        """Score, rating and, where it is kept, the next date."""
        if self._unkept:
            return f"Score {reviewed.score:.0%}: {RATINGS[reviewed.rating]}. It is not kept."
        return told(reviewed, self._desk.store.clock.now())

    def _weak(self) -> Mapping[str, int]:
        """The points of the card that were missed before."""
        known = {point.id for point in self._card.points}
        weak = self._desk.store.read().cards.get(self._card.name, CardProgress()).weak
        return {name: times for name, times in weak.items() if times and name in known}


def _with_text(draft: Draft, message: Mapping[str, Any]) -> Draft:
    """A draft with the text and the seconds of a message."""
    text, seconds = message.get("text"), message.get("seconds")
    if isinstance(text, str) and isinstance(seconds, (int, float)) and _is_finite(seconds):
        return replace(draft, text=text, seconds=round(max(float(seconds), 0.0), 1))
    raise ValueError(f"a message must have a text and finite seconds here, got {seconds!r:.40}")


def _is_finite(number: float) -> bool:
    """Whether a number is one that `float` and JSON can hold: no NaN, no infinity, no 10**400."""
    return abs(number) <= sys.float_info.max


def _serial(message: Mapping[str, Any], before: int) -> int:
    """The number of a message; one without a number has that of the message before."""
    serial = message.get("serial", before)
    if isinstance(serial, int):
        return serial
    raise ValueError(f"serial must be a whole number, got {serial!r:.40}")


def _draft_in(state: State) -> dict[str, Any] | None:
    """The draft in the progress; None if there is none, or nothing was typed in it."""
    there = drill_place.get(state) or {}
    is_empty = there.get("phase") == "typing" and not str(there.get("text", "")).strip()
    return None if is_empty else there or None


def _is_begun(draft: Draft) -> bool:
    """Whether there is something in a draft that could be lost."""
    return bool(draft.text.strip()) or draft.phase != "typing"


def _resting(point: Point, figures: Evidence | None) -> dict[str, Any]:
    """A point and what it rests on."""
    return {"id": point.id, "text": point.text, "notes": rubric_notes(point, figures)}


def _figures(card: Card) -> tuple[Evidence | None, str]:
    """The figures under a card, or none and why."""
    try:
        return figures_of(card), ""
    except EvidenceError as error:
        return None, str(error)


def _pieces(rubric: Rubric) -> list[dict[str, str]]:
    """The answer in pieces, each with what was heard in it: "1", "2, a", or ""."""
    named: list[tuple[str, Span]] = []
    for number, point in enumerate(rubric.card.points, 1):
        named += [(str(number), span) for span in rubric.heard.points.get(point.id, ())]
    for letter, flag in zip(string.ascii_lowercase, rubric.flags, strict=False):
        named += [(letter, span) for span in rubric.heard.red_flags[flag.id]]
    cuts = {0, len(rubric.text), *(edge for _, span in named for edge in span)}
    pieces = []
    for start, end in pairwise(sorted(cuts)):
        over = [name for name, span in named if span.start <= start and end <= span.end]
        pieces.append({"text": rubric.text[start:end], "heard": ", ".join(dict.fromkeys(over))})
    return pieces
