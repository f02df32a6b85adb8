"""The drill on a page, driven by the messages that a page sends."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support.drilling import CARDS, NOW, store_in

from mlref.study.interview.card import Point
from mlref.study.interview.draft import Draft, alone, drill_place
from mlref.study.interview.drill import ANSWER_S
from mlref.study.interview.page import Page
from mlref.study.interview.prompting import LineTypist
from mlref.study.interview.rounds import SHOWN_MISSED, Desk
from mlref.study.learner.state import Store

CARD, OTHER = CARDS[0], CARDS[1]
TEXT = "First alpha, and the moon is cheese"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A beginner's progress."""
    return store_in(tmp_path)


def _page(store: Store, card: Any = CARD, unkept: str = "") -> Page:
    desk = Desk(store, Console(file=io.StringIO()), LineTypist(io.StringIO()), CARDS)
    return Page(desk, card, unkept=unkept)


def _send(page: Page, *kinds: str, **values: Any) -> dict[str, Any]:
    for kind in kinds:
        page.receive({"kind": kind, "text": TEXT, "seconds": 65.04, **values})
    return page.view()


def test_what_is_typed_is_kept(store: Store) -> None:
    """A message with a text leaves a draft in the progress, and its serial is confirmed."""
    assert _send(_page(store), "typed", serial=7)["saved"] == 7
    assert store.read().draft == Draft(CARD.name, "typing", TEXT, 65.0).to_dict()


def test_nothing_typed_is_no_draft(store: Store) -> None:
    """An emptied answer does not wait for anybody."""
    page = _page(store)
    _send(page, "typed")
    page.receive({"kind": "typed", "text": " \n", "seconds": 70})
    assert store.read().draft is None


def test_a_page_goes_on_with_its_answer(store: Store) -> None:
    """A second page, as after the kernel's end, shows the text and the time of the first."""
    _send(_page(store), "typed")
    view = _page(store).view()
    assert (view["phase"], view["text"], view["seconds"]) == ("typing", TEXT, 65.0)


def test_a_page_goes_on_with_its_ticks(store: Store) -> None:
    """Left while confirming, it comes back with what was ticked by then."""
    page = _page(store)
    _send(page, "done")
    _send(page, "tick", id="beta", flag=False, on=True)
    view = _page(store).view()
    assert view["phase"] == "confirming"
    assert [each["on"] for each in view["points"]] == [True, True, False]


def test_what_was_heard_is_ticked_and_shown(store: Store) -> None:
    """The rubric comes with quotes, and the answer in pieces that name what was heard."""
    view = _send(_page(store), "done")
    assert [(each["id"], each["heard"], each["on"]) for each in view["points"]] == [
        ("alpha", '"alpha"', True),
        ("beta", "", False),
        ("gamma", "", False),
    ]
    assert [(each["id"], each["correction"], each["on"]) for each in view["flags"]] == [
        ("moon", "It is stone", True)
    ]
    assert [(each["text"], each["heard"]) for each in view["pieces"]] == [
        ("First ", ""),
        ("alpha", "1"),
        (", and the moon is ", ""),
        ("cheese", "a"),
    ]


def test_the_tally_follows_the_ticks(store: Store) -> None:
    """Alpha counts 3 of 6; a red flag costs a tenth; taken back, it costs nothing."""
    page = _page(store)
    assert _send(page, "done")["tally"] == (
        "1 of 3 points are ticked, 10% off for each red flag: 40%."
    )
    assert _send(page, "tick", id="moon", flag=True, on=False)["tally"] == (
        "1 of 3 points are ticked: 50%."
    )
    assert _send(page, "tick", id="alpha", flag=False, on=False)["tally"].endswith("0%.")


def test_ticks_do_not_begin_a_new_step(store: Store) -> None:
    """The page is shown anew only when there is something else to show."""
    page = _page(store)
    before = _send(page, "done")["step"]
    assert _send(page, "tick", id="beta", flag=False, on=True)["step"] == before
    assert _send(page, "record")["step"] == before + 1


def test_a_record_is_the_one_of_the_drill(store: Store) -> None:
    """The review holds the answer and what was ticked; the draft is gone, the date is set."""
    page = _page(store)
    _send(page, "done")
    view = _send(page, "tick", "record", id="beta", flag=False, on=True)
    state = store.read()
    (review,) = state.cards[CARD.name].reviews
    assert (review["answer"], review["seconds"]) == (TEXT, 65.0)
    assert (review["ticked"], review["missed"]) == (["alpha", "beta"], ["gamma"])
    assert review["red_flags"] == ["moon"]
    assert state.draft is None
    assert view["told"].startswith("Score 73%: Hard. Asked again on 2026-03-")
    assert [each["id"] for each in view["missed"]] == ["gamma"]


def test_a_record_is_made_once(store: Store) -> None:
    """A second click records nothing more."""
    page = _page(store)
    _send(page, "done", "record", "record", "tick", "done", "typed")
    assert len(store.read().cards[CARD.name].reviews) == 1
    assert store.read().draft is None


def test_the_next_question_is_one_that_was_not_answered(store: Store) -> None:
    """After the record, the next new card is asked, with an empty answer."""
    page = _page(store)
    view = _send(page, "done", "record", "next")
    assert (view["phase"], view["card"], view["text"]) == ("typing", OTHER.name, "")


def test_without_a_card_the_unfinished_answer_is_asked(store: Store) -> None:
    """No card is named: the one whose answer waits."""
    drill_place.save(store, Draft(OTHER.name, "typing", TEXT, 3.0))
    assert _page(store, None).view()["card"] == OTHER.name


def test_another_unfinished_answer_is_asked_about(store: Store) -> None:
    """An answer to another card is gone on with only when asked for."""
    drill_place.save(store, Draft(OTHER.name, "typing", TEXT, 3.0))
    page = _page(store)
    view = page.view()
    assert (view["phase"], view["card"]) == ("asking", CARD.name)
    assert "7 words in 0:03" in view["about"]
    view = _send(page, "go_on")
    assert (view["phase"], view["card"], view["text"]) == ("typing", OTHER.name, TEXT)


def test_an_answer_put_away_stays_in_the_history(store: Store) -> None:
    """It is kept without a rating, and the wanted card is asked."""
    drill_place.save(store, Draft(OTHER.name, "typing", TEXT, 3.0))
    view = _send(_page(store), "put_away")
    assert (view["phase"], view["card"], view["text"]) == ("typing", CARD.name, "")
    (review,) = store.read().cards[OTHER.name].reviews
    assert (review["answer"], review["rating"]) == (TEXT, None)
    assert store.read().draft is None


def test_a_page_does_not_overwrite_what_was_typed_elsewhere(store: Store) -> None:
    """Two pages on one progress: the one that comes late is told so, and the kept answer stays."""
    first, second = _page(store), _page(store)
    _send(first, "typed")
    view = second.view() | _send(second, "typed", text="something else")
    assert "run this cell again" in view["problem"]
    assert store.read().draft == Draft(CARD.name, "typing", TEXT, 65.0).to_dict()


def test_what_is_kept_elsewhere_survives_a_record(store: Store) -> None:
    """The late page can still record; the other answer waits as before."""
    first, second = _page(store), _page(store)
    _send(first, "typed")
    view = _send(second, "done", "record", text="alpha")
    assert view["phase"] == "recorded"
    assert store.read().cards[CARD.name].reviews[0]["answer"] == "alpha"
    assert store.read().draft == Draft(CARD.name, "typing", TEXT, 65.0).to_dict()


def test_an_answer_on_two_pages_is_recorded_once(store: Store) -> None:
    """The page that comes late is told so, and there is one review."""
    first = _page(store)
    _send(first, "done")
    second = _page(store)
    assert _send(first, "record")["phase"] == "recorded"
    view = _send(second, "record")
    assert (view["phase"], len(store.read().cards[CARD.name].reviews)) == ("confirming", 1)
    assert "recorded or put away elsewhere" in view["problem"]


def test_an_answer_that_was_changed_elsewhere_is_not_recorded(store: Store) -> None:
    """Another page ticked a point since: what it shows is recorded there, and only there."""
    first = _page(store)
    _send(first, "done")
    second = _page(store)
    _send(second, "tick", id="beta", flag=False, on=True)
    assert "elsewhere" in _send(first, "record")["problem"]
    assert CARD.name not in store.read().cards
    assert _send(second, "record")["phase"] == "recorded"


@pytest.mark.parametrize("kind", ["typed", "done"])
def test_an_answer_that_was_put_away_does_not_come_back(store: Store, kind: str) -> None:
    """Put away on one page, it is no draft again because the other one goes on."""
    late = _page(store)
    _send(late, "typed")
    _send(_page(store, OTHER), "put_away")
    assert "put away elsewhere" in _send(late, kind)["problem"]
    assert store.read().draft is None
    _send(late, "record")
    (review,) = store.read().cards[CARD.name].reviews
    assert review["rating"] is None


def test_an_empty_draft_of_a_terminal_is_no_draft(store: Store) -> None:
    """`mlref drill` left before the first key: the page types and records as if nothing was."""
    drill_place.save(store, Draft(CARD.name))
    page = _page(store)
    drill_place.save(store, Draft(OTHER.name))
    view = _send(page, "typed", "done", "record")
    assert (view["phase"], view["problem"]) == ("recorded", "")


def test_a_page_keeps_off_while_a_terminal_drills(store: Store) -> None:
    """While `mlref drill` is open nothing is saved, and the page says why; then it goes on."""
    page = _page(store)
    with alone(store):
        assert "another drill is open" in _send(page, "typed")["problem"]
        assert store.read().draft is None
    assert _send(page, "typed")["problem"] == ""
    assert store.read().draft is not None


def test_missed_points_are_marked_next_time(store: Store) -> None:
    """Before the answer only their number is told; the rubric marks them."""
    _send(_page(store), "done", "record")
    page = _page(store)
    view = page.view()
    assert "You missed 2 points of it before" in view["about"]
    assert "beta" not in json.dumps(view)
    assert [each["weak"] for each in _send(page, "done")["points"]] == [False, True, True]


def test_a_view_is_json(store: Store) -> None:
    """Each phase can be sent to a browser as it is."""
    page = _page(store)
    for kind in ("typed", "done", "record", "next"):
        view = _send(page, kind)
        assert json.loads(json.dumps(view)) == view


def test_what_is_unkept_is_said(store: Store) -> None:
    """A page without a learner's folder has a notice, and no lock is asked for."""
    page = _page(store, unkept="Nothing is kept")
    with alone(store):
        view = _send(page, "done", "record")
    assert (view["kept"], view["notices"], view["problem"]) == (False, ["Nothing is kept"], "")
    assert view["told"].endswith("It is not kept.")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"kind": "erase"}, "kind must be one of typed, done"),
        ({}, "kind must be one of"),
        ({"kind": "typed", "text": 3, "seconds": 1}, "text and finite seconds"),
        ({"kind": "done", "text": "x"}, "text and finite seconds"),
        ({"kind": ["done"]}, "kind must be one of"),
        ({"kind": "typed", "text": "x", "seconds": None}, "text and finite seconds"),
        ({"kind": "typed", "text": "x", "seconds": float("nan")}, "text and finite seconds"),
        ({"kind": "done", "text": "x", "seconds": float("-inf")}, "text and finite seconds"),
        ({"kind": "done", "text": "x", "seconds": 10**400}, "text and finite seconds"),
        ({"kind": "done", "text": "x", "seconds": 1, "serial": None}, "serial must be a whole"),
        ({"kind": "typed", "text": "x", "seconds": 1, "serial": "2"}, "serial must be a whole"),
    ],
)
def test_a_message_that_is_none_is_refused(
    store: Store, message: dict[str, Any], said: str
) -> None:
    """It changes nothing."""
    page = _page(store)
    with pytest.raises(ValueError, match=said):
        page.receive(message)
    assert (page.view()["phase"], page.view()["text"]) == ("typing", "")
    assert store.read().draft is None


def test_the_time_for_an_answer_is_the_one_of_the_terminal(store: Store) -> None:
    """The browser is told; it has no number of its own."""
    assert _page(store).view()["limit_s"] == ANSWER_S
    assert (
        str(int(ANSWER_S)) not in files("mlref.study.interview").joinpath("widget.js").read_text()
    )


def test_as_many_missed_points_are_shown_as_in_the_terminal(store: Store) -> None:
    """The rest is folded away."""
    points = tuple(Point(f"p{each}", f"Say {each}") for each in range(SHOWN_MISSED + 2))
    many = replace(CARD, points=points)
    desk = Desk(store, Console(file=io.StringIO()), LineTypist(io.StringIO()), (many, *CARDS[1:]))
    view = _send(Page(desk, many), "done", "record")
    assert (len(view["missed"]), len(view["missed_more"])) == (SHOWN_MISSED, 2)


def test_the_date_is_counted_from_the_clock(store: Store) -> None:
    """The review carries the moment of the store's clock."""
    _send(_page(store), "done", "record")
    assert store.read().cards[CARD.name].reviews[0]["at"] == NOW.isoformat()
