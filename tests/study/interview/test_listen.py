"""What is heard in an answer, and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.study.interview.card import Card, find_card, load_card
from mlref.study.interview.listen import Span, highlighted, listen


@pytest.fixture
def card(write: Callable[..., Path], complete: str) -> Card:
    """A card that listens for "thing one" to "thing five", and "all cats" as a red flag."""
    return load_card(write(complete))


def _heard(card: Card, text: str) -> tuple[list[str], list[str]]:
    """The pieces of the text heard for the first point and for the first red flag."""
    heard = listen(card, text)
    points, flags = heard.points.get("point_1", ()), heard.red_flags.get("flag_1", ())
    return [text[a:b] for a, b in points], [text[a:b] for a, b in flags]


def test_only_what_was_heard_is_named(card: Card) -> None:
    """Ids that were not heard are absent."""
    heard = listen(card, "Thing two, then thing four.")
    assert list(heard.points) == ["point_2", "point_4"]
    assert heard.red_flags == {}
    assert heard.points["point_2"] == (Span(0, 9),)


def test_each_place_is_told(card: Card) -> None:
    """Said twice, a point has two pieces of the answer."""
    assert _heard(card, "Thing one. Again thing one.") == (["Thing one", "thing one"], [])


@pytest.mark.parametrize("text", ["thing\none", "thing \t one", "so: thing\u00a0one"])
def test_any_white_space_counts_as_one_space(card: Card, text: str) -> None:
    """A line break in the middle hides nothing, and the place is that in the typed text."""
    (piece,), _ = _heard(card, text)
    assert piece.split() == ["thing", "one"]


def test_overlapping_matches_are_one(write: Callable[..., Path], complete: str) -> None:
    """Two patterns that match the same words give one piece."""
    text = complete.replace(r"['\bthing one\b']", "['thing one', 'one more', 'thing']")
    assert _heard(load_card(write(text)), "thing one more") == (["thing one more"], [])


def test_typographic_signs_are_plain(write: Callable[..., Path], complete: str) -> None:
    """Curly quotes and long dashes match the plain ones of a pattern."""
    card = load_card(write(complete.replace(r"['\bthing one\b']", """["it's x-y"]""")))
    assert _heard(card, "it\u2019s x\u2013y") == (["it\u2019s x\u2013y"], [])


def test_a_decimal_point_does_not_end_a_sentence(write: Callable[..., Path], complete: str) -> None:
    """A pattern that stays in one sentence goes past 0.7."""
    card = load_card(write(complete.replace(r"['\bthing one\b']", "['auc[^.]*stays']")))
    assert _heard(card, "The AUC of 0.7 stays.") == (["AUC of 0.7 stays"], [])


@pytest.mark.parametrize(
    "text",
    [
        "You do not need thing one.",
        "There's no need for thing one",
        "We could skip thing one.",
        "Thing one is overkill.",
        "Thing one isn't really necessary.",
        "Thing one doesn\u2019t matter.",
    ],
)
def test_a_point_that_is_waived_is_not_heard(card: Card, text: str) -> None:
    """Words that do without a thing do not say it."""
    assert _heard(card, text) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "You do not need a cluster, but you need thing one.",
        "No need for Kubernetes. Thing one it is.",
        "If you skip thing one, nobody notices.",
        "I never go without thing one.",
    ],
)
def test_a_denial_of_something_else_hides_nothing(card: Card, text: str) -> None:
    """Only words in the same clause that do without the thing count."""
    assert _heard(card, text)[0] == ["Thing one" if "Thing" in text else "thing one"]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("All cats are good.", ["All cats"]),
        ("It is a mistake to say all cats.", []),
        ("People often believe that all cats are good.", []),
        ("All cats? That is a myth.", ["All cats"]),
        ("Saying all cats is wrong.", []),
        ("Not all cats are good.", []),
        ("It does not matter which: all cats.", []),
        ("I would not worry. All cats are good.", ["All cats"]),
    ],
)
def test_a_red_flag_that_is_rejected_is_not_heard(card: Card, text: str, flags: list[str]) -> None:
    """Warning of a mistake in the same sentence is not making it."""
    assert _heard(card, text)[1] == flags


def test_a_pending_card_hears_nothing(write: Callable[..., Path], pending: str) -> None:
    """Without patterns there is nothing to suggest."""
    heard = listen(load_card(write(pending)), "Thing one, all cats.")
    assert (heard.points, heard.red_flags) == ({}, {})


@given(st.text(alphabet=" \n\t.,-'\u2019aonethigls0123456789\u2014\u00e9\U0001f600", max_size=60))
def test_pieces_lie_in_the_answer(text: str) -> None:
    """Whatever is typed, each piece is a piece of it: in order, apart, not empty."""
    heard = listen(find_card("01"), text)
    for spans in (*heard.points.values(), *heard.red_flags.values()):
        edges = [edge for span in spans for edge in span]
        assert edges == sorted(set(edges))
        assert 0 <= edges[0] < edges[-1] <= len(text)


def test_matched_words_stand_out_without_colour() -> None:
    """They are bold and underlined; the text stays what it was."""
    shown = highlighted("so thing one", [Span(3, 8), Span(6, 12)])
    assert shown.plain == "so thing one"
    assert [(span.start, span.end, span.style) for span in shown.spans] == [
        (3, 8, "bold underline"),
        (6, 12, "bold underline"),
    ]
