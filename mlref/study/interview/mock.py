"""A mock interview: five questions in one time, a follow-up after each, a report at the end.

    mock_interview(Desk.of(store, console, typist), minutes=45, generator=random.Random(0))

Cards that are due, that were never answered or that have weak points are drawn more often. Only
typing counts against the time: it is shown, and the report says when it was exceeded. The interview
stands in the progress, and is gone on with where it was left.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mlref.errors import FileWriteError, ResourceNotFoundError
from mlref.runtime import files
from mlref.study.interview.card import Card, Point
from mlref.study.interview.draft import Draft, mock_place, set_aside
from mlref.study.interview.mock_report import report_text
from mlref.study.interview.prompting import clock_text
from mlref.study.interview.rounds import (
    Desk,
    attempt,
    compose,
    confirm,
    is_yes,
    kept_draft,
    show_question,
    show_weak,
    tell_notices,
    told,
)
from mlref.study.interview.schedule import abandon, due_at, record
from mlref.study.interview.sitting import FOLDER, Answered, Sitting, kept_sitting
from mlref.study.learner.progress import CardProgress, State

__all__ = ["QUESTIONS", "draw", "follow_up", "mock_interview"]

QUESTIONS = 5
"""So many cards are drawn."""

_DUE, _NEW, _OTHER = 4, 3, 1  # how often a card is drawn, beside another one
_MOST_WEAK = 3  # a card is drawn at most so much more often for its weak points


def draw(
    state: State,
    cards: Sequence[Card],
    now: datetime,
    generator: random.Random,
    count: int = QUESTIONS,
) -> list[Card]:
    """Different cards by chance: rather those that are due, never answered, or weak.

    Args:
        state: tells which those are.
        cards: to draw from.
        now: decides what is due.
        generator: decides the rest.
        count: how many; all, if there are fewer.
    """
    left, drawn = list(cards), list[Card]()
    while left and len(drawn) < count:
        weights = [_weight(state.cards.get(card.name), now) for card in left]
        card = generator.choices(left, weights)[0]
        left.remove(card)
        drawn.append(card)
    return drawn


def follow_up(
    card: Card, missed: Sequence[Point], state: State, generator: random.Random
) -> tuple[str, str]:
    """The question that is asked next, and what stands behind it.

    It is about the weakest point: one that was missed in earlier interviews too, then the one with
    the most weight. Where that point has no question of its own, one of the card's is asked.

    Args:
        card: what was answered.
        missed: the points that were missed.
        state: tells how often; the answer is entered already.
        generator: chooses among the card's own questions.
    """
    weak = state.cards.get(card.name, CardProgress()).weak
    points = sorted(missed, key=lambda each: (weak.get(each.id, 0) <= 1, -each.weight))
    if points and points[0].follow_up:
        return points[0].follow_up, points[0].text
    if not card.follow_ups:
        return "", ""
    chosen = generator.choice(card.follow_ups)
    return chosen.question, chosen.hint


def mock_interview(desk: Desk, *, minutes: float, generator: random.Random) -> Path | None:
    """Go on with a mock interview, or begin one; the path of its report, None if nothing was said.

    Args:
        desk: the progress, the console, who types, the cards.
        minutes: the time for all answers of a new interview.
        generator: draws the cards.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; all is kept.
        EOFError: nobody types any more; all is kept.
        LearnerError: the progress cannot be read.
        FileWriteError: something could not be saved.
        MissingExtraError: the libraries of the extra "study" are not installed.
    """
    sitting = _kept(desk)
    if sitting is not None and not _goes_on(desk, sitting):
        _close(desk, sitting)
        _finish(desk, sitting)
        desk.say()
        sitting = None
    if sitting is None:
        sitting = _begin(desk, minutes, generator)
    while not _is_over(desk, sitting):
        _ask(desk, sitting, generator)
    return _finish(desk, sitting)


def _weight(progress: CardProgress | None, now: datetime) -> int:
    due = due_at(progress)
    if progress is None or due is None:
        return _NEW
    return (_DUE if due <= now else _OTHER) + min(len(progress.weak), _MOST_WEAK)


def _kept(desk: Desk) -> Sitting | None:
    """The interview that is going on; one that is not understood is set aside."""
    try:
        sitting = kept_sitting(desk.store)
        for name in sitting.cards if sitting else ():
            desk.card(name)
    except (ValueError, ResourceNotFoundError) as error:
        set_aside(desk.store, "mock", desk.store.read().mock or {}, error)
        with desk.store.update() as state:
            state.mock = None
        sitting = None
    tell_notices(desk)
    return sitting


def _goes_on(desk: Desk, sitting: Sitting) -> bool:
    """Whether the learner goes on with an interview, and does not end it."""
    done, total = len(sitting.answers), len(sitting.cards)
    left = clock_text(max(sitting.left_s, 0.0))
    desk.say(f"A mock interview of {sitting.started[:16].replace('T', ' ')} UTC is going on:")
    desk.say(f"{done} of {total} questions are answered, {left} minutes are left.")
    if is_yes(desk, "Go on with it?", default=True):
        return True
    desk.say("Ended here, its report holds what was answered, and a new one begins.")
    return not is_yes(desk, "End it?", default=False)


def _close(desk: Desk, sitting: Sitting) -> None:
    """End an interview; what was being typed is kept, in its report or in the history."""
    draft = kept_draft(desk, mock_place)
    if draft is None:
        return
    with desk.store.update() as state:
        if draft.phase == "following" and sitting.answers:
            _reply(sitting.answers[-1], draft)
        elif draft.text.strip():
            abandon(state, draft.card, draft.text, draft.seconds, desk.store.clock.now())
        sitting.put(state)
        mock_place.put(state, None)


def _begin(desk: Desk, minutes: float, generator: random.Random) -> Sitting:
    """A new interview, which is in the progress from now on."""
    state, now = desk.store.read(), desk.store.clock.now()
    cards = draw(state, desk.cards, now, generator)
    show_weak(desk, state, cards)
    names = [card.name for card in cards]
    report = _report_name(desk.store.folder, now)
    sitting = Sitting(now.isoformat(), minutes, report, names)
    with desk.store.update() as state:
        state.mock = {**sitting.to_dict(), "draft": None}
    desk.say()
    desk.say(f"Mock interview: {len(names)} questions, {minutes:g} minutes of typing.", "bold")
    desk.say("Each has one follow-up question. Ctrl-C leaves; the same command goes on.")
    return sitting


def _report_name(folder: Path, now: datetime) -> str:
    """Where the report goes: a name that is not taken yet."""
    name, number = f"{now:%Y-%m-%d-%H%M}", 1
    while (folder / FOLDER / f"{name}.md").exists():
        number += 1
        name = f"{now:%Y-%m-%d-%H%M}-{number}"
    return f"{FOLDER}/{name}.md"


def _is_over(desk: Desk, sitting: Sitting) -> bool:
    """Whether nothing more is asked; between two questions, the learner may leave."""
    if kept_draft(desk, mock_place) is not None:
        return False
    done, total = len(sitting.answers), len(sitting.cards)
    if done == total or (
        sitting.left_s <= 0 and not is_yes(desk, "The time is over. Go on?", default=True)
    ):
        return True
    if done:
        desk.say()
        desk.say(f"{done} of {total} answered, {clock_text(sitting.left_s)} left.")
        desk.typist.ask("Enter for the next question, Ctrl-C to leave:")
    return False


def _ask(desk: Desk, sitting: Sitting, generator: random.Random) -> None:
    """One question from where it is to the end of its follow-up."""
    draft = kept_draft(desk, mock_place)
    if draft is None:
        draft = Draft(sitting.cards[len(sitting.answers)])
        mock_place.save(desk.store, draft)
    if draft.phase != "following":
        draft = _main(desk, sitting, draft, generator)
    if draft.question:
        draft = _following(desk, sitting, draft)
    with desk.store.update() as state:
        if sitting.answers:
            _reply(sitting.answers[-1], draft)
        sitting.put(state)
        mock_place.put(state, None)


def _main(desk: Desk, sitting: Sitting, draft: Draft, generator: random.Random) -> Draft:
    """The answer to a question, confirmed and entered; the draft of its follow-up."""
    card, number = desk.card(draft.card), len(sitting.answers) + 1
    place = f"{number} of {len(sitting.cards)}"
    show_question(desk, card, f"Question {place}")
    if draft.phase == "typing":
        draft = compose(desk, mock_place, draft, limit_s=sitting.left_s, note=place)
    draft = confirm(desk, mock_place, draft)
    with desk.store.update() as state:
        reviewed = record(state, card, attempt(draft), desk.store.clock.now())
        question, hint = follow_up(card, reviewed.missed, state, generator)
        answered = Answered(
            card=card.name,
            text=draft.text,
            seconds=draft.seconds,
            score=reviewed.score,
            ticked=list(draft.ticked),
            missed=[point.id for point in reviewed.missed],
            red_flags=list(draft.flags),
            question=question,
            hint=hint,
        )
        sitting.answers.append(answered)
        sitting.put(state)
        draft = Draft(card.name, "following", question=question, hint=hint)
        mock_place.put(state, draft)
    desk.say(told(reviewed, desk.store.clock.now()))
    return draft


def _following(desk: Desk, sitting: Sitting, draft: Draft) -> Draft:
    """The answer to a follow-up question."""
    place = f"{len(sitting.answers)} of {len(sitting.cards)}, follow-up"
    card = replace(desk.card(draft.card), question=draft.question)
    show_question(desk, card, f"Question {place}")
    draft = compose(desk, mock_place, draft, limit_s=sitting.left_s, note=place)
    if draft.hint:
        desk.say(f"What stands behind it: {draft.hint}")
    return draft


def _reply(answered: Answered, draft: Draft) -> None:
    answered.reply, answered.reply_seconds = draft.text, draft.seconds


def _finish(desk: Desk, sitting: Sitting) -> Path | None:
    """Write the report, then let go of the interview."""
    path = None
    if sitting.answers:
        path = desk.store.folder / sitting.report
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise FileWriteError(
                error.errno, f"this folder cannot be made ({error.strerror})", str(path.parent)
            ) from error
        state = desk.store.read()
        files.write_text(path, report_text(sitting, desk.cards, state, desk.store.folder))
    with desk.store.update() as state:
        state.mock = None
    desk.say()
    if path is None:
        desk.say("Nothing was answered, so there is no report.")
    else:
        desk.say(f"The interview is over. Overall score: {sitting.score:.0%}.", "bold")
        desk.say(f"The report: {sitting.report}")
    return path
