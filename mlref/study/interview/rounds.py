"""The steps that a drill and a mock interview have in common: typing, confirming, looking back.

Each step keeps what it has in the progress before it goes on, so it can be left at any point.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlref.errors import EvidenceError, ResourceNotFoundError
from mlref.evidence import Evidence
from mlref.study.interview.card import Card, all_cards, find_card
from mlref.study.interview.draft import Draft, Place, set_aside
from mlref.study.interview.prompting import Typist
from mlref.study.interview.render import figures_of, rubric_notes
from mlref.study.interview.rubric import HELP, Rubric
from mlref.study.interview.schedule import RATINGS, Attempt, Reviewed, weak_points
from mlref.study.learner.progress import CardProgress, State
from mlref.study.learner.state import Store

__all__ = [
    "SHOWN_MISSED",
    "Desk",
    "attempt",
    "compose",
    "confirm",
    "days_until",
    "is_yes",
    "kept_draft",
    "print_item",
    "show_question",
    "show_reviewed",
    "show_weak",
    "tell_notices",
    "told",
]

_SHOWN_WEAK = 3
SHOWN_MISSED = 5
"""How many of the points that were missed are shown at once."""


@dataclass(frozen=True)
class Desk:
    """What a drill needs: the progress, a console, somebody who types, the cards."""

    store: Store
    console: Console
    typist: Typist
    cards: tuple[Card, ...]

    @classmethod
    def of(cls, store: Store, console: Console, typist: Typist) -> Desk:
        """A desk with mlref's own cards.

        Args:
            store: the learner's progress.
            console: where everything is shown.
            typist: where answers come from.

        Raises:
            CardError: a card is not what it must be.
        """
        return cls(store, console, typist, tuple(all_cards()))

    def card(self, name: str) -> Card:
        """The card of this name or number.

        Raises:
            ResourceNotFoundError: there is none.
        """
        return find_card(name, self.cards)

    def say(self, text: str = "", style: str = "") -> None:
        """Print a line; nothing in it is markup."""
        self.console.print(Text(text, style))

    def item(self, text: str) -> None:
        """Print an item of a list, its lines below each other."""
        print_item(self.console, text)


def print_item(console: Console, text: str) -> None:
    """Print an item of a list, its lines below each other."""
    grid = Table.grid(padding=(0, 1))
    grid.add_row(" -", Text(text))
    console.print(grid)


def kept_draft(desk: Desk, place: Place) -> Draft | None:
    """The draft that is kept in a place; one that is not understood is set aside.

    Raises:
        LearnerError: the progress cannot be read.
        FileWriteError: it could not be set aside.
    """
    values = place.get(desk.store.read())
    if values is None:
        return None
    try:
        draft = Draft.from_dict(values)
        desk.card(draft.card)
    except (ValueError, ResourceNotFoundError) as error:
        set_aside(desk.store, "draft", values, error)
        with desk.store.update() as state:
            place.put(state, None)
        return None
    return draft


def compose(desk: Desk, place: Place, draft: Draft, *, limit_s: float, note: str) -> Draft:
    """A draft with the text that was typed; it is kept all the while.

    Args:
        desk: who types, and where it is kept.
        place: where in the progress.
        draft: what there is so far.
        limit_s: the time that there is, in seconds.
        note: stands in the toolbar.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the draft is kept.
        EOFError: nobody types any more; the draft is kept.
        FileWriteError: it could not be saved.
    """

    def save(text: str, seconds: float) -> None:
        place.save(desk.store, replace(draft, text=text, seconds=round(seconds, 1)))

    typed = desk.typist.compose(
        draft.text, seconds=draft.seconds, limit_s=limit_s, save=save, note=note
    )
    desk.say()
    return replace(draft, text=typed.text, seconds=round(typed.seconds, 1))


def confirm(desk: Desk, place: Place, draft: Draft) -> Draft:
    """The draft after the learner has said which points were made.

    Args:
        desk: who is asked.
        place: where the draft is kept.
        draft: an answer that is finished; one in the phase "typing" gets its suggestions first.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; what was changed is kept.
        EOFError: nobody is there to confirm; likewise.
        FileWriteError: it could not be saved.
    """
    card = desk.card(draft.card)
    rubric = Rubric.of(card, draft.text)
    weak = desk.store.read().cards.get(card.name, CardProgress()).weak
    if draft.phase == "typing":
        draft = rubric.suggested(draft)
        place.save(desk.store, draft)
    rubric.show(desk.console, draft, tuple(weak))
    desk.say(HELP)
    while reply := desk.typist.ask("Change, or Enter to confirm:"):
        if reply == "?":
            rubric.show(desk.console, draft, tuple(weak))
            continue
        try:
            changed = rubric.changed(draft, reply)
        except ValueError as error:
            desk.say(str(error))
            continue
        place.save(desk.store, changed)
        rubric.show_changes(desk.console, draft, changed)
        draft = changed
    return draft


def attempt(draft: Draft) -> Attempt:
    """A confirmed draft as an attempt."""
    return Attempt(draft.text, draft.seconds, draft.ticked, draft.flags)


def is_yes(desk: Desk, question: str, *, default: bool) -> bool:
    """Whether the answer is yes; where nobody can be asked, the default.

    Args:
        desk: who is asked.
        question: without the choices.
        default: what Enter alone means.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        EOFError: nobody types any more.
    """
    if not desk.typist.interactive:
        return default
    choices = "[Y/n]" if default else "[y/N]"
    while reply := desk.typist.ask(f"{question} {choices}").lower():
        if reply in {"y", "yes", "n", "no"}:
            return reply in {"y", "yes"}
        desk.say("Please type y or n.")
    return default


def tell_notices(desk: Desk) -> None:
    """Print what the store has to say to the learner, once."""
    for notice in desk.store.notices:
        desk.say(f"note: {notice}")
    desk.store.notices.clear()


def show_question(desk: Desk, card: Card, heading: str) -> None:
    """Print what is asked, and how to answer.

    Args:
        desk: has the console.
        card: what is asked.
        heading: stands above.
    """
    desk.say()
    desk.say(heading, "bold")
    desk.console.print(Padding(Text(card.question, "bold"), (0, 0, 0, 2)))
    desk.say()


def show_weak(desk: Desk, state: State, asked: Collection[Card]) -> None:
    """Print what was missed before; of the cards that are asked now, only how much.

    Args:
        desk: has the console.
        state: tells the weak points.
        asked: the cards that are asked now: their points would give the answers away.
    """
    weak = weak_points(state, desk.cards)
    own = [each for each in weak if each.card in asked]
    others = [each for each in weak if each not in own]
    if others:
        desk.say("Weak points from before", "bold")
    for each in others[:_SHOWN_WEAK]:
        desk.item(str(each))
    if len(others) > _SHOWN_WEAK:
        desk.say(f"  and {len(others) - _SHOWN_WEAK} more: mlref review")
    if own:
        points = "1 point" if len(own) == 1 else f"{len(own)} points"
        desk.say(f"Of what is asked now, you missed {points} before. The rubric will mark them.")


def show_reviewed(desk: Desk, card: Card, reviewed: Reviewed) -> None:
    """Print the 30-second answer, what was missed with its evidence, the score, the next date.

    Args:
        desk: has the console.
        card: what was asked.
        reviewed: what became of it.
    """
    desk.say()
    desk.say("The 30-second answer", "bold")
    desk.console.print(Padding(Text(" ".join(card.short_answer.split())), (0, 0, 0, 2)))
    _show_missed(desk, card, reviewed)
    desk.say()
    desk.say(f"The whole card: mlref cards show {card.number}")
    desk.say(told(reviewed, desk.store.clock.now()), "bold")


def _show_missed(desk: Desk, card: Card, reviewed: Reviewed) -> None:
    """The most important points that were missed, each with its evidence and its source."""
    missed = sorted(reviewed.missed, key=lambda each: -each.weight)
    if not missed:
        return
    desk.say()
    desk.say("What you missed, and what it rests on", "bold")
    figures = _figures(desk, card)
    for point in missed[:SHOWN_MISSED]:
        desk.item("\n".join((point.text, *rubric_notes(point, figures))))
    if len(missed) > SHOWN_MISSED:
        desk.say(f"  and {len(missed) - SHOWN_MISSED} more")


def told(reviewed: Reviewed, now: datetime) -> str:
    """Score, rating and next date in a line.

    Args:
        reviewed: what became of an answer.
        now: the moment.
    """
    when = f"{reviewed.due:%Y-%m-%d} ({days_until(reviewed.due, now)})"
    return f"Score {reviewed.score:.0%}: {RATINGS[reviewed.rating]}. Asked again on {when}."


def days_until(due: datetime, now: datetime) -> str:
    """How far off a date is, in words."""
    days = (due.date() - now.date()).days
    if days <= 0:
        return "today" if days == 0 else f"{-days} days ago" if days < -1 else "yesterday"
    return "tomorrow" if days == 1 else f"in {days} days"


def _figures(desk: Desk, card: Card) -> Evidence | None:
    try:
        return figures_of(card)
    except EvidenceError as error:
        desk.say(f"note: {error}")
        return None
