"""A round of the drill, left and gone on with at every point."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.drilling import CARDS, NOW, CutShort, Lines, desk_for, screen, store_in

from mlref.errors import ResourceNotFoundError
from mlref.runtime.clock import ManualClock
from mlref.study.interview.drill import choose_card, drill
from mlref.study.interview.rounds import Desk
from mlref.study.learner.state import Store

NAME = CARDS[0].name
SCRIPT = ["First alpha", "then the moon is cheese", ".", "2 a", "3", ""]
WHOLE = "First alpha\nthen the moon is cheese"


def _left(desk: Desk, **options: Any) -> str:
    """What was printed until Ctrl-C, or the end."""
    with suppress(KeyboardInterrupt, EOFError):
        drill(desk, **options)
    return screen(desk)


def _reviews(store: Store, name: str = NAME) -> list[dict[str, Any]]:
    return store.read().cards[name].reviews


def _due(store: Store, *days: int) -> None:
    """Give the first cards a date so many days from now."""
    with store.update() as state:
        for card, each in zip(CARDS, days, strict=False):
            due = (NOW + timedelta(days=each)).isoformat()
            state.card(card.name).schedule = {"due": due}


def test_a_round_ends_in_the_history(tmp_path: Path) -> None:
    """What the learner confirmed counts: not what was heard."""
    store = store_in(tmp_path)
    drill(desk_for(store, SCRIPT), topic="1")
    (review,) = _reviews(store)
    assert review["answer"] == WHOLE
    assert review["ticked"] == ["alpha", "beta", "gamma"]
    assert review["red_flags"] == []
    assert review["rating"] == 4
    assert store.read().draft is None


def test_a_round_shows_what_there_is_to_learn(tmp_path: Path) -> None:
    """The 30-second answer, what was missed with its source, and the next date."""
    desk = desk_for(store_in(tmp_path), ["nothing", ".", ""])
    drill(desk, topic="01")
    shown = screen(desk)
    assert "What is 01?" in shown
    assert "The 30-second answer In short" in shown
    assert "Say alpha of 01 source: book a" in shown
    assert "Score 0%: Again. Asked again on 2026-03-02 (tomorrow)." in shown


@pytest.mark.parametrize("cut", range(len(SCRIPT)))
def test_ctrl_c_at_any_line_loses_nothing(tmp_path: Path, cut: int) -> None:
    """Left after any line and gone on with, a round gives what it gives in one go."""
    store = store_in(tmp_path)
    _left(desk_for(store, SCRIPT[:cut]), topic="1")
    _left(desk_for(store, SCRIPT[cut:]), topic=None if cut else "1")
    (review,) = _reviews(store)
    assert review["answer"] == WHOLE
    assert review["ticked"] == ["alpha", "beta", "gamma"]
    assert store.read().draft is None


@pytest.mark.parametrize("changes", range(1, 8))
def test_a_crash_after_any_change_loses_nothing(tmp_path: Path, changes: int) -> None:
    """A program that dies right after it saved something has entered the answer once in the end."""
    store_in(tmp_path)
    store = CutShort(tmp_path, clock=ManualClock(NOW))
    store.left = changes
    lines = Lines(SCRIPT)
    _left(desk_for(store, lines), topic="1")
    _left(desk_for(store_in(tmp_path), SCRIPT[lines.used :]), topic="1")
    texts = [review["answer"] for review in _reviews(store)]
    assert texts == [WHOLE]


def test_time_goes_on_where_it_was(tmp_path: Path) -> None:
    """The seconds of an answer that was left count; those between do not."""
    store = store_in(tmp_path)
    with store.update() as state:
        state.draft = {"card": NAME, "phase": "typing", "text": "alpha", "seconds": 30.0}
    drill(desk_for(store, ["beta", ".", ""]))
    (review,) = _reviews(store)
    assert review["seconds"] == 30.0
    assert review["answer"] == "alpha\nbeta"


def test_an_unfinished_answer_is_told(tmp_path: Path) -> None:
    """The learner hears of which question, how much, and in which phase it is."""
    store = store_in(tmp_path)
    _left(desk_for(store, ["three words here"]), topic="1")
    shown = _left(desk_for(store, [], asked=True))
    assert "unfinished answer to 01, Deployment steps: 3 words in 0:00, not finished." in shown


def test_an_answer_is_put_away_only_after_two_questions(tmp_path: Path) -> None:
    """No, and no again, goes on with it: the answer is as it was."""
    store = store_in(tmp_path)
    _left(desk_for(store, ["alpha"]), topic="1")
    _left(desk_for(store, ["n", "n", ".", ""], asked=True))
    assert [review["answer"] for review in _reviews(store)] == ["alpha"]
    assert _reviews(store)[0]["rating"] is not None


def test_an_answer_that_is_put_away_stays_in_the_history(tmp_path: Path) -> None:
    """No, and yes, keeps it without a rating, and asks a card."""
    store = store_in(tmp_path)
    _left(desk_for(store, ["alpha"]), topic="1")
    shown = _left(desk_for(store, ["n", "y"], asked=True), topic="2")
    (review,) = _reviews(store)
    assert (review["answer"], review["rating"]) == ("alpha", None)
    assert "Question 02" in shown


def test_ctrl_c_at_the_question_keeps_the_answer(tmp_path: Path) -> None:
    """Whoever leaves while being asked has decided nothing."""
    store = store_in(tmp_path)
    _left(desk_for(store, ["alpha"]), topic="1")
    for lines in ([], ["n"]):
        _left(desk_for(store, lines, asked=True))
        assert (store.read().draft or {})["text"] == "alpha"


@pytest.mark.parametrize(
    "draft", [{"card": "99_gone", "phase": "typing", "text": "precious"}, {"text": "precious"}]
)
def test_a_draft_that_is_not_understood_is_set_aside(
    tmp_path: Path, draft: dict[str, object]
) -> None:
    """It is kept in a file, the learner is told, and the drill goes on."""
    store = store_in(tmp_path)
    with store.update() as state:
        state.draft = draft
    shown = _left(desk_for(store, []), topic="1")
    (path,) = (tmp_path / ".mlref").glob("draft-*")
    assert "precious" in path.read_text()
    assert "could not be understood" in shown
    assert "Question 01" in shown


@pytest.mark.parametrize(
    ("days", "number"), [((), "01"), ((5,), "02"), ((1, -1, -2), "03"), ((3, 2, 9, 9, 9, 9), "02")]
)
def test_the_card_is_due_or_new_or_next(tmp_path: Path, days: Sequence[int], number: str) -> None:
    """The longest due comes first, then the new ones in order, then the one that is due next."""
    store = store_in(tmp_path)
    _due(store, *days)
    assert choose_card(desk_for(store, [])).number == number


def test_all_that_is_due_is_asked(tmp_path: Path) -> None:
    """One after the other, the longest due first; Enter stands between them."""
    store = store_in(tmp_path)
    _due(store, -1, -2, 3)
    desk = desk_for(store, ["alpha", ".", "", "", "beta", ".", ""])
    drill(desk, only_due=True)
    assert [review["answer"] for review in _reviews(store, CARDS[1].name)] == ["alpha"]
    assert [review["answer"] for review in _reviews(store)] == ["beta"]
    assert "1 more card is due" not in screen(desk)  # the question itself is not printed


def test_nothing_due_is_told(tmp_path: Path) -> None:
    """With the date of the next card, and the command for one now."""
    store = store_in(tmp_path)
    _due(store, 3, 2)
    desk = desk_for(store, [])
    drill(desk, only_due=True)
    assert "The next one is on 2026-03-03. Answer one now: mlref drill" in screen(desk)


def test_weak_points_are_shown_without_giving_the_answer_away(tmp_path: Path) -> None:
    """What was missed in other cards is named; of the card that is asked, only how much."""
    store = store_in(tmp_path)
    with store.update() as state:
        state.card(NAME).weak = {"alpha": 2}
        state.card(CARDS[1].name).weak = {"beta": 1}
    shown = _left(desk_for(store, []), topic="1")
    assert "02 missed once: Say beta" in shown
    assert "you missed 1 point before" in shown
    assert "Say alpha" not in shown


@pytest.mark.parametrize("mock", [None, {"cards": []}])
def test_a_mock_interview_that_waits_is_told(tmp_path: Path, mock: dict[str, Any] | None) -> None:
    """A drill goes on beside it, and says how to go back."""
    store = store_in(tmp_path)
    with store.update() as state:
        state.mock = mock
    told = "`mlref drill --mock 45` goes on with it" in _left(desk_for(store, []), topic="1")
    assert told is (mock is not None)


def test_an_unknown_topic_lists_those_there_are(tmp_path: Path) -> None:
    """Before anything is asked."""
    with pytest.raises(ResourceNotFoundError, match="02_containers"):
        drill(desk_for(store_in(tmp_path), []), topic="99")


def test_a_pending_card_is_ticked_by_hand(tmp_path: Path) -> None:
    """Nothing is suggested: only what the learner ticks counts."""
    points = tuple(replace(point, listen=()) for point in CARDS[0].points)
    card = replace(CARDS[0], points=points, red_flags=(), pending=("listen", "red_flags"))
    store = store_in(tmp_path)
    drill(desk_for(store, ["alpha beta", ".", "2", ""], cards=[card]), topic="1")
    assert _reviews(store)[0]["ticked"] == ["beta"]
