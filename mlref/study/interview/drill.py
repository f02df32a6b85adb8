"""The drill: answer one question as in an interview, compare with the rubric, come back in time.

    drill(Desk.of(store, console, typist), topic="1")

A round goes from typing to confirming to the history. How far it is stands in the progress all the
while, so a round that was left by Ctrl-C, or by a crash, is gone on with where it was. An answer
that is not gone on with stays in the history, without a rating.
"""

from __future__ import annotations

from mlref.study.interview.card import Card
from mlref.study.interview.draft import Draft, drill_place
from mlref.study.interview.prompting import clock_text
from mlref.study.interview.rounds import (
    Desk,
    attempt,
    compose,
    confirm,
    is_yes,
    kept_draft,
    show_question,
    show_reviewed,
    show_weak,
    tell_notices,
)
from mlref.study.interview.schedule import abandon, due_at, due_cards, new_cards, record

__all__ = ["ANSWER_S", "choose_card", "drill"]

ANSWER_S = 300.0
"""The time for an answer, in seconds: two minutes of speech take about five to type."""


def drill(desk: Desk, *, topic: str | None = None, only_due: bool = False) -> None:
    """Go on with an unfinished answer, or ask a card; with `only_due`, all that are due.

    Args:
        desk: the progress, the console, who types, the cards.
        topic: number or name of the card to ask; None means the one that is due longest, else a
            new one, else the one that is due next.
        only_due: ask whatever is due, one after the other, and nothing else.

    Raises:
        ResourceNotFoundError: no card has this number or name.
        KeyboardInterrupt: Ctrl-C was pressed; the answer is kept.
        EOFError: nobody types any more; the answer is kept.
        LearnerError: the progress cannot be read.
        FileWriteError: something could not be saved.
        MissingExtraError: the libraries of the extra "study" are not installed.
    """
    asked = None if topic is None else desk.card(topic)
    draft = kept_draft(desk, drill_place)
    tell_notices(desk)
    if draft is not None and _goes_on(desk, draft):
        show_weak(desk, desk.store.read(), [desk.card(draft.card)])
        _round(desk, draft)
        if not only_due and (asked is None or asked.name == draft.card):
            return
    if only_due:
        _all_due(desk)
        return
    card = asked or choose_card(desk)
    _tell_of_mock(desk)
    show_weak(desk, desk.store.read(), [card])
    _begin(desk, card)


def choose_card(desk: Desk) -> Card:
    """The card that is due longest, else the first new one, else the one that is due next.

    Raises:
        LearnerError: the progress cannot be read.
    """
    state, now = desk.store.read(), desk.store.clock.now()
    first = [*due_cards(state, desk.cards, now), *new_cards(state, desk.cards)]
    if first:
        return first[0]
    return min(desk.cards, key=lambda card: due_at(state.cards[card.name]) or now)


def _goes_on(desk: Desk, draft: Draft) -> bool:
    """Whether an unfinished answer is gone on with; if not, it is in the history afterwards."""
    card = desk.card(draft.card)
    if not draft.text.strip() and draft.phase == "typing":
        with desk.store.update() as state:  # nothing was typed, so there is nothing to keep
            drill_place.put(state, None)
        return False
    desk.say(f"You have an unfinished answer to {card.number}, {card.title}:")
    where = "its points are to be confirmed" if draft.phase != "typing" else "not finished"
    desk.say(f"{draft.words} words in {clock_text(draft.seconds)}, {where}.")
    if is_yes(desk, "Go on with it?", default=True):
        return True
    desk.say("Put away, it stays in the history of your progress, without a rating.")
    if not is_yes(desk, "Put it away?", default=False):
        return True
    with desk.store.update() as state:
        abandon(state, card.name, draft.text, draft.seconds, desk.store.clock.now())
        drill_place.put(state, None)
    return False


def _tell_of_mock(desk: Desk) -> None:
    """Say that a mock interview waits, if one does."""
    if desk.store.read().mock is not None:
        desk.say("A mock interview is going on, too; `mlref drill --mock 45` goes on with it.")
        desk.say()


def _all_due(desk: Desk) -> None:
    """Ask every card that is due."""
    asked = 0
    while due := due_cards(desk.store.read(), desk.cards, desk.store.clock.now()):
        if asked:
            desk.say()
            cards = "1 more card is" if len(due) == 1 else f"{len(due)} more cards are"
            desk.typist.ask(f"{cards} due. Enter goes on, Ctrl-C leaves:")
        else:
            show_weak(desk, desk.store.read(), due)
        _begin(desk, due[0])
        asked += 1
    if not asked:
        _tell_nothing_due(desk)


def _tell_nothing_due(desk: Desk) -> None:
    state = desk.store.read()
    dates = [due for card in desk.cards if (due := due_at(state.cards.get(card.name)))]
    if dates:
        desk.say(f"No card is due. The next one is on {min(dates):%Y-%m-%d}.")
    else:
        desk.say("No card is due, as none was answered yet.")
    desk.say("Answer one now: mlref drill")


def _begin(desk: Desk, card: Card) -> None:
    """A round from its start."""
    draft = Draft(card.name)
    drill_place.save(desk.store, draft)
    _round(desk, draft)


def _round(desk: Desk, draft: Draft) -> None:
    """A round from where it is to its end."""
    card = desk.card(draft.card)
    show_question(desk, card, f"Question {card.number}: {card.title}")
    if draft.phase == "typing":
        desk.say("Type your answer as you would say it. Esc and then Enter, or Ctrl-D, ends it.")
        draft = compose(desk, drill_place, draft, limit_s=ANSWER_S, note=f"{card.number}")
    draft = confirm(desk, drill_place, draft)
    with desk.store.update() as state:
        reviewed = record(state, card, attempt(draft), desk.store.clock.now())
        drill_place.put(state, None)
    show_reviewed(desk, card, reviewed)
