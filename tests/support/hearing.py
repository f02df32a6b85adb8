"""What a card hears in words that are not its own: the tests that the words of every card undergo.

A card's test module holds the words and a class:

    class TestHearing(HearsWhatIsMeant):
        words = Words(card="01", said=SAID, ...)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from mlref.study.interview.card import Card, find_card
from mlref.study.interview.listen import listen

__all__ = ["OFF_TOPIC", "HearsWhatIsMeant", "Whole", "Words"]

OFF_TOPIC = (
    "I would start by asking the stakeholders what they want, build a team, choose a project "
    "management method and plan the sprints. Communication is the most important part."
)

Whole = tuple[str, set[str], set[str]]
"""An answer, the points that a reader finds in it, and the red flags."""


@dataclass(frozen=True)
class Words:
    """Words to try on a card.

    Attributes:
        card: the card's number.
        said: ways to make each point; none of them raises a red flag.
        denied: for some points, words that name the point and do without it.
        flagged: ways to commit each wrong statement.
        rejected: words that warn of a wrong statement.
        whole: long answers by name, labelled by reading them.
    """

    card: str
    said: Mapping[str, Sequence[str]]
    denied: Mapping[str, str]
    flagged: Mapping[str, Sequence[str]]
    rejected: Sequence[str]
    whole: Mapping[str, Whole]


class HearsWhatIsMeant:
    """The tests; a subclass gives the words."""

    words: ClassVar[Words]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A case for each of the words that a test is about."""
        words = self.words
        if "said" in metafunc.fixturenames:
            metafunc.parametrize(("name", "said"), _pairs(words.said))
        if "denied" in metafunc.fixturenames:
            metafunc.parametrize(("name", "denied"), words.denied.items())
        if "flagged" in metafunc.fixturenames:
            metafunc.parametrize(("name", "flagged"), _pairs(words.flagged))
        if "rejected" in metafunc.fixturenames:
            metafunc.parametrize("rejected", words.rejected)
        if "whole" in metafunc.fixturenames:
            metafunc.parametrize("whole", words.whole.values(), ids=words.whole)

    @pytest.fixture
    def card(self) -> Card:
        """The card whose words these are."""
        return find_card(self.words.card)

    def test_a_point_is_heard_in_other_words(self, card: Card, name: str, said: str) -> None:
        """Each way to say a point suggests it, and raises no red flag."""
        heard = listen(card, said)
        assert name in heard.points
        assert heard.red_flags == {}

    def test_a_denied_point_is_not_heard(self, card: Card, name: str, denied: str) -> None:
        """Words that do without a point do not suggest it."""
        assert name not in listen(card, denied).points

    def test_a_wrong_statement_is_flagged(self, card: Card, name: str, flagged: str) -> None:
        """Each plausible wrong statement raises its flag."""
        assert name in listen(card, flagged).red_flags

    def test_rejecting_a_wrong_statement_is_not_flagged(self, card: Card, rejected: str) -> None:
        """Whoever warns of a mistake does not make it."""
        assert listen(card, rejected).red_flags == {}

    def test_whole_answers_are_heard(self, card: Card, whole: Whole) -> None:
        """A long answer suggests the points that a reader finds in it, and no others."""
        words, points, flags = whole
        heard = listen(card, words)
        assert set(heard.points) == points
        assert set(heard.red_flags) == flags

    def test_nothing_is_heard_off_topic(self, card: Card) -> None:
        """An answer to another question suggests nothing."""
        heard = listen(card, OFF_TOPIC)
        assert (heard.points, heard.red_flags) == ({}, {})

    def test_every_point_and_flag_has_other_words_here(self, card: Card) -> None:
        """No point and no red flag of the card is left untried."""
        assert set(self.words.said) == {point.id for point in card.points}
        assert set(self.words.flagged) == {flag.id for flag in card.red_flags}


def _pairs(words: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [(name, each) for name, all_of in words.items() for each in all_of]
