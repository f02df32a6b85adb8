"""What a drill and a mock interview have in common."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.drilling import CARDS, NOW, desk_for, screen, store_in

from mlref.study.interview.draft import Draft, drill_place
from mlref.study.interview.rounds import (
    Desk,
    confirm,
    days_until,
    is_yes,
    print_item,
    show_reviewed,
    show_weak,
)
from mlref.study.interview.schedule import Reviewed
from mlref.study.learner.progress import State

DRAFT = Draft(CARDS[0].name, "typing", "alpha", 3.0)


def _confirmed(folder: Path, *replies: str) -> tuple[Desk, Draft]:
    desk = desk_for(store_in(folder), replies)
    return desk, confirm(desk, drill_place, DRAFT)


def test_enter_confirms_what_is_ticked(tmp_path: Path) -> None:
    """What was heard stays, when the learner leaves it."""
    assert _confirmed(tmp_path, "")[1] == replace(DRAFT, phase="confirming", ticked=("alpha",))


def test_each_change_is_kept_at_once(tmp_path: Path) -> None:
    """Before Enter, the progress holds it."""
    store = store_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        confirm(desk_for(store, ["1 2"]), drill_place, DRAFT)
    assert (store.read().draft or {})["ticked"] == ["beta"]


def test_a_wrong_reply_is_told_and_asked_again(tmp_path: Path) -> None:
    """It changes nothing, and confirms nothing."""
    desk, draft = _confirmed(tmp_path, "nine", "")
    assert "There is no 'nine'" in screen(desk)
    assert draft.ticked == ("alpha",)


def test_a_question_mark_shows_the_rubric_again(tmp_path: Path) -> None:
    """For those whose terminal is small."""
    desk, _ = _confirmed(tmp_path, "?", "")
    assert screen(desk).count("Say alpha of 01") == 2


@pytest.mark.parametrize(
    ("replies", "expected"),
    [([""], True), (["n"], False), (["YES"], True), (["maybe", "no"], False)],
)
def test_yes_and_no(tmp_path: Path, replies: list[str], expected: object) -> None:
    """Enter is the default; what is neither is asked again."""
    desk = desk_for(store_in(tmp_path), replies, asked=True)
    assert is_yes(desk, "Sure?", default=True) is expected


def test_nobody_is_asked_where_nobody_is(tmp_path: Path) -> None:
    """A pipe gives the default, and its lines stay for the answer."""
    assert is_yes(desk_for(store_in(tmp_path), ["n"]), "Sure?", default=True)


@pytest.mark.parametrize(
    ("days", "told"),
    [(-2, "2 days ago"), (-1, "yesterday"), (0, "today"), (1, "tomorrow"), (9, "in 9 days")],
)
def test_dates_in_words(days: int, told: str) -> None:
    """By the day, not by the hour."""
    assert days_until(NOW + timedelta(days=days, hours=-1), NOW) == told


def test_only_the_most_important_misses_are_shown(tmp_path: Path) -> None:
    """Five points by weight; the rest is counted."""
    points = tuple(replace(CARDS[0].points[1], id=f"p{n}", text=f"Say {n}") for n in range(7))
    desk = desk_for(store_in(tmp_path), [])
    heavy = replace(points[6], weight=3)
    show_reviewed(desk, CARDS[0], Reviewed(0.1, 1, (*points[:6], heavy), NOW))
    shown = screen(desk)
    assert shown.index("Say 6") < shown.index("Say 0")
    assert "Say 4" not in shown
    assert "and 2 more" in shown


def test_many_weak_points_are_counted(tmp_path: Path) -> None:
    """Three are shown, and where the rest is."""
    state = State()
    for card in CARDS[1:]:
        state.card(card.name).weak = {"alpha": 1}
    desk = desk_for(store_in(tmp_path), [])
    show_weak(desk, state, [CARDS[0]])
    assert screen(desk).count("missed once") == 3
    assert "and 2 more: mlref review" in screen(desk)


def test_an_item_is_wrapped_below_its_own_beginning(tmp_path: Path) -> None:
    """A list stays readable in 80 columns."""
    desk = desk_for(store_in(tmp_path), [])
    print_item(desk.console, "word " * 30)
    lines = desk.console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line[:7] for line in lines] == [" - word", "   word"]
