"""Finding words in the cards."""

from __future__ import annotations

import pytest

from mlref.study.interview.card import all_cards, find_card
from mlref.study.interview.search import search, similar_words

CARDS = all_cards()
CARD = [find_card("01")]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["steps", "production"], "question"),
        (["checksums", "schema"], "30-second answer"),
        (["flattered"], "answer"),
        (["golden", "HTTP"], "point"),
        (["queue", "load"], "red flag"),
        (["Chapter", "09"], "follow-up"),
    ],
)
def test_every_part_is_searched(words: list[str], part: str) -> None:
    """A text that holds all the words is found, in any case."""
    hits = search(CARD, [word.upper() for word in words])
    assert part in {hit.part for hit in hits}


def test_the_words_are_marked() -> None:
    """Each place of each word is told."""
    hit = search(CARD, ["golden"])[0]
    assert {hit.text[start:end].lower() for start, end in hit.spans} == {"golden"}


def test_a_word_is_found_by_its_beginning_alone() -> None:
    """The middle of a word does not find it."""
    assert search(CARD, ["parit"])
    assert not search(CARD, ["arity"])


def test_all_words_must_stand_in_one_text() -> None:
    """Words of two points are no hit."""
    assert search(CARD, ["golden"])
    assert search(CARD, ["pickle"])
    assert not search(CARD, ["golden", "pickle"])


def test_a_figure_is_named_and_not_shown() -> None:
    """A placeholder is never seen, nor a number that was not measured."""
    texts = [hit.text for hit in search(CARD, ["AUC"]) if hit.part == "answer"]
    assert texts
    assert not [text for text in texts if "{" in text or "**" in text]
    assert "(figure) of AUC" in texts[0]


@pytest.mark.parametrize("words", [[], [""]])
def test_no_word_finds_nothing(words: list[str]) -> None:
    """Asking for nothing does not list everything."""
    assert search(CARDS, words) == []


def test_words_spelt_alike_are_named() -> None:
    """Who mistypes a word learns how the cards write it."""
    assert similar_words(CARD, ["pikle"]) == ["pickle"]
    assert similar_words(CARD, ["zzzz"]) == []
    assert similar_words(CARD, ["Pickle", "pick"]) == []
