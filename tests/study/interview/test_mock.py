"""Mock interviews: drawn, answered, left and gone on with."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.drilling import CARDS, NOW, CutShort, Lines, desk_for, screen, store_in

from mlref.runtime.clock import ManualClock
from mlref.study.interview import mock
from mlref.study.interview.rounds import Desk
from mlref.study.interview.schedule import Attempt, record
from mlref.study.learner.progress import State
from mlref.study.learner.state import Store

CARD = CARDS[0]
ROUND = ["alpha said", ".", "3", "", "because", "."]  # answer, tick gamma, confirm, follow-up
SCRIPT = [*ROUND, "", *ROUND]  # Enter between the two
TWO = CARDS[:2]


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret


def _left(desk: Desk, minutes: float = 45.0) -> str:
    """What was printed until Ctrl-C, or the end."""
    with suppress(KeyboardInterrupt, EOFError):
        mock.mock_interview(desk, minutes=minutes, generator=_chance(1))
    return screen(desk)


def _reviews(store: Store) -> list[dict[str, Any]]:
    return [review for card in store.read().cards.values() for review in card.reviews]


def _report(folder: Path) -> str:
    (path,) = (folder / "mock-interviews").iterdir()
    return path.read_text()


def test_five_different_cards_are_drawn() -> None:
    """The same generator draws the same; there are never more than there are cards."""
    drawn = [mock.draw(State(), CARDS, NOW, _chance(7)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len({card.name for card in drawn[0]}) == 5
    assert len(mock.draw(State(), TWO, NOW, _chance(7))) == 2


def test_what_needs_practice_is_drawn_more_often() -> None:
    """Due before new, new before what is known; weak points draw a known card forward."""
    state = State()
    for card, days in zip(CARDS, (-1, 9, 9), strict=False):
        state.card(card.name).schedule = {"due": (NOW + timedelta(days=days)).isoformat()}
    state.card(CARDS[2].name).weak = {"alpha": 1}
    generator = _chance(0)
    drawn = [mock.draw(state, CARDS[:4], NOW, generator, count=1)[0] for _ in range(2000)]
    count = Counter(card.number for card in drawn)
    assert count["01"] > count["04"] > count["03"] > count["02"] > 0


def test_the_follow_up_is_on_the_heaviest_point_that_was_missed() -> None:
    """Its own question, with the point behind it."""
    missed = (CARD.points[2], CARD.points[1])
    found = mock.follow_up(CARD, missed, State(), _chance(0))
    assert found == ("Why beta, 01?", "Say beta")


def test_a_point_that_was_weak_before_comes_first() -> None:
    """What was missed in an earlier session too is asked, whatever its weight."""
    gamma = replace(CARD.points[2], follow_up="Why gamma?")
    card = replace(CARD, points=(*CARD.points[:2], gamma))
    state = State()
    record(state, card, Attempt("", 1.0, ("alpha", "beta")), NOW)
    record(state, card, Attempt("", 1.0, ("alpha",)), NOW)
    missed = card.points[1:]
    assert mock.follow_up(card, missed, state, _chance(0))[0] == "Why gamma?"


@pytest.mark.parametrize("missed", [(), CARD.points[:1]])
def test_else_one_of_the_cards_questions_is_asked(missed: tuple[Any, ...]) -> None:
    """Nothing was missed, or the point has no question of its own."""
    question, hint = mock.follow_up(CARD, missed, State(), _chance(0))
    assert (question, hint) in {(each.question, each.hint) for each in CARD.follow_ups}


def test_an_interview_ends_in_a_report(tmp_path: Path) -> None:
    """All answers are in the report and in the history, and nothing is going on any more."""
    store = store_in(tmp_path)
    shown = _left(desk_for(store, SCRIPT, cards=TWO))
    assert "The report: mock-interviews/2026-03-01-1200.md" in shown
    report = _report(tmp_path)
    assert report.count("> alpha said") == report.count("> because") == 2
    assert [review["ticked"] for review in _reviews(store)] == [["alpha", "gamma"]] * 2
    assert store.read().mock is None


@pytest.mark.parametrize("cut", range(len(SCRIPT)))
def test_ctrl_c_at_any_line_loses_nothing(tmp_path: Path, cut: int) -> None:
    """Left after any line and gone on with, the report is the one of an interview in one go."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    _left(desk_for(store_in(tmp_path / "whole"), SCRIPT, cards=TWO))
    store = store_in(tmp_path / "parts")
    _left(desk_for(store, SCRIPT[:cut], cards=TWO))
    _left(desk_for(store, SCRIPT[cut:], cards=TWO))
    assert _report(tmp_path / "parts") == _report(tmp_path / "whole")
    assert store.read().mock is None


@pytest.mark.parametrize("changes", range(1, 17))
def test_a_crash_after_any_change_loses_nothing(tmp_path: Path, changes: int) -> None:
    """A program that dies right after it saved something has entered each answer once."""
    store_in(tmp_path)
    store = CutShort(tmp_path, clock=ManualClock(NOW))
    store.left = changes
    lines = Lines(SCRIPT)
    _left(desk_for(store, lines, cards=TWO))
    if store.read().mock is not None:
        _left(desk_for(store_in(tmp_path), SCRIPT[lines.used :], cards=TWO))
    assert store.left <= 0
    assert [review["answer"] for review in _reviews(store)] == ["alpha said"] * 2
    assert _report(tmp_path).count("> because") == 2


def test_an_interview_is_ended_only_after_two_questions(tmp_path: Path) -> None:
    """No, and no again, goes on with it."""
    store = store_in(tmp_path)
    _left(desk_for(store, ROUND, cards=TWO))
    before = store.read().mock
    shown = _left(desk_for(store, ["n", "n"], cards=TWO, asked=True))
    assert "1 of 2 questions are answered" in shown
    assert store.read().mock == before


def test_an_interview_that_is_ended_has_its_report(tmp_path: Path) -> None:
    """No, and yes, writes what was answered, keeps what was being typed, and begins anew."""
    store = store_in(tmp_path)
    _left(desk_for(store, [*ROUND, "", "half a sen"], cards=TWO))
    shown = _left(desk_for(store, ["n", "y"], cards=TWO, asked=True))
    assert "1 of 2 questions were answered" in _report(tmp_path)
    assert [r["answer"] for r in _reviews(store) if r.get("abandoned")] == ["half a sen"]
    assert "Question 1 of 2" in shown


def test_a_follow_up_that_is_cut_off_is_in_the_report(tmp_path: Path) -> None:
    """Ended while a follow-up is typed, its text stands in the report."""
    store = store_in(tmp_path)
    _left(desk_for(store, [*ROUND[:4], "half a rep"], cards=TWO))
    _left(desk_for(store, ["n", "y"], cards=TWO, asked=True))
    assert "> half a rep" in _report(tmp_path)


def test_two_interviews_of_a_minute_have_two_reports(tmp_path: Path) -> None:
    """The second does not overwrite the first."""
    store = store_in(tmp_path)
    for _ in range(2):
        _left(desk_for(store, SCRIPT, cards=TWO))
    names = sorted(path.name for path in (tmp_path / "mock-interviews").iterdir())
    assert names == ["2026-03-01-1200-2.md", "2026-03-01-1200.md"]


def test_time_that_is_over_is_told(tmp_path: Path) -> None:
    """The limit is not enforced: the learner decides, and the report says by how much."""
    store = store_in(tmp_path)
    _left(desk_for(store, ROUND, cards=TWO))
    with store.update() as state:
        assert state.mock is not None
        state.mock["answers"][0]["seconds"] = 45 * 60 + 65.0
    shown = _left(desk_for(store, ["y", "n"], cards=TWO, asked=True))
    assert "The interview is over" in shown
    assert "1:05 over the time" in _report(tmp_path)


def test_the_points_of_the_drawn_cards_are_not_given_away(tmp_path: Path) -> None:
    """Weak points of other cards are named at the start; of the drawn ones, only how many."""
    store = store_in(tmp_path)
    with store.update() as state:
        state.card(CARD.name).weak = {"alpha": 1}
    shown = _left(desk_for(store, [], cards=TWO))
    assert "you missed 1 point before" in shown
    assert "Say alpha" not in shown


GONE = {
    "started": "2026-03-01T12:00:00+00:00", "minutes": 45.0, "report": "mock-interviews/a.md",
    "cards": ["99_gone"], "answers": [], "draft": None,
}  # fmt: skip


@pytest.mark.parametrize("kept", [{"cards": 3}, {"started": "x"}, GONE])
def test_an_interview_that_is_not_understood_is_set_aside(
    tmp_path: Path, kept: dict[str, object]
) -> None:
    """It is kept in a file, the learner is told, and a new one begins."""
    store = store_in(tmp_path)
    with store.update() as state:
        state.mock = kept
    shown = _left(desk_for(store, []))
    assert len(list((tmp_path / ".mlref").glob("mock-*"))) == 1
    assert "could not be understood" in shown
    assert "Question 1 of 5" in shown


def test_the_answer_of_a_drill_stays_beside_an_interview(tmp_path: Path) -> None:
    """The draft of `mlref drill` is untouched."""
    store, draft = store_in(tmp_path), {"card": CARD.name, "phase": "typing", "text": "mine"}
    with store.update() as state:
        state.draft = draft
    _left(desk_for(store, SCRIPT, cards=TWO))
    assert store.read().draft == draft
