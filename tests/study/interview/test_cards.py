"""The fifteen cards that come with mlref."""

from __future__ import annotations

import re

import pytest

from mlref import evidence, resources
from mlref.study.chapters import CHAPTERS
from mlref.study.interview.card import PENDING_PARTS, PLACEHOLDER, Card, all_cards, find_card
from mlref.study.interview.listen import listen
from mlref.study.interview.render import answer_text, figures_of

CARDS = all_cards()
COMPLETE = [card for card in CARDS if not card.pending]

PENDING = {
    "04_large_language_models",
    "05_serverless",
    "06_scaling",
    "07_cloud_on_premises",
    "08_versioning",
    "09_drift",
    "10_faster_inference",
    "11_api_security",
    "12_edge",
    "13_monitoring",
    "14_ab_tests",
    "15_cost",
}
"""The cards that are not complete. A chapter that lands takes its card out of this list."""

_UNIT = r"(?:ms|milliseconds?|seconds?|s|%|percent|times|x|[kmg]b|[kmg]ib|megabytes?|gigabytes?)"
_WORDS = r"(?:two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|fifty|hundred|thousand)"
NAMES = re.compile(
    r"\b[A-Za-z]+[-/]?\d+(?:\.\d+)?\b(?!%)"  # p99, S3, INT8, FP32, HTTP/2, SHA-256
    r"|\bHTTP \d{3}\b|\b\d+th\b|\b[Cc]hapter \d\d\b|\bport \d+\b"
    r"|\bexit status \d+\b|\bprocess 1\b"
)
FIGURE = re.compile(rf"\d|\b{_WORDS} {_UNIT}\b", re.IGNORECASE)


def _name(card: Card) -> str:
    return card.name


def test_each_chapter_has_its_card() -> None:
    """Fifteen of them, in the order of the questions."""
    assert [card.name for card in CARDS] == [chapter.name for chapter in CHAPTERS]


def test_which_cards_are_pending() -> None:
    """Exactly these, each in all four parts; the list may only shrink."""
    assert {card.name: card.pending for card in CARDS if card.pending} == dict.fromkeys(
        PENDING, PENDING_PARTS
    )


@pytest.mark.parametrize("card", CARDS, ids=_name)
def test_a_claim_holds_on_the_committed_figures(card: Card) -> None:
    """Every key of a card was measured, and keeps its bound."""
    figures = figures_of(card)
    assert bool(card.claims) == ("evidence" not in card.pending)
    if card.claims:
        assert figures is not None
        assert evidence.check(card.claims, figures) == []


@pytest.mark.parametrize("card", COMPLETE, ids=_name)
def test_every_figure_of_an_answer_was_measured(card: Card) -> None:
    """A complete answer, rendered, has no figure missing; each stands under a claim."""
    figures = figures_of(card)
    assert figures is not None
    named = {found["key"] for found in PLACEHOLDER.finditer(card.answer or "")}
    assert named
    assert named <= set(figures.figures)
    assert "not measured" not in answer_text(card, figures)


def _bare_figures(text: str) -> list[str]:
    """What looks like a figure and is neither a placeholder nor a name such as p99."""
    rest = NAMES.sub("", PLACEHOLDER.sub("", text))
    return [rest[max(found.start() - 20, 0) : found.end() + 20] for found in FIGURE.finditer(rest)]


@pytest.mark.parametrize("card", CARDS, ids=_name)
def test_no_figure_is_written_by_hand(card: Card) -> None:
    """A number in an answer or a point comes from a measurement, or it is not there."""
    texts = [card.answer or "", card.short_answer, *(point.text for point in card.points)]
    assert [found for text in texts for found in _bare_figures(text)] == []


@pytest.mark.parametrize(
    ("text", "is_bare"),
    [
        ("an AUC of 0.7", True),
        ("5 ms at most", True),
        ("ten times as fast", True),
        ("half of 30%", True),
        ("10x", True),
        ("an AUC of {01.champion_auc:.2f}", False),
        ("p99 of FP32 and INT8 on S3 with SHA-256", False),
        ("HTTP 503 at the 95th percentile", False),
        ("exit status 137 of process 1", False),
        ("2 processes in process 12", True),
        ("seven steps, one file", False),
    ],
)
def test_what_counts_as_a_figure(text: str, is_bare: bool) -> None:  # noqa: FBT001 - a case
    """Digits and counted units do; names of things and placeholders do not."""
    assert bool(_bare_figures(text)) == is_bare


@pytest.mark.parametrize("card", COMPLETE, ids=_name)
def test_a_card_hears_its_own_answer(card: Card) -> None:
    """The full answer makes every point and raises no red flag."""
    heard = listen(card, answer_text(card, figures_of(card)))
    assert {point.id for point in card.points} - set(heard.points) == set()
    assert heard.red_flags == {}


@pytest.mark.parametrize("card", COMPLETE, ids=_name)
def test_a_card_hears_its_own_points_and_flags(card: Card) -> None:
    """Said word by word, each is heard; a point or a correction raises no red flag."""
    assert [p.id for p in card.points if p.id not in listen(card, p.text).points] == []
    assert [f.id for f in card.red_flags if f.id not in listen(card, f.text).red_flags] == []
    right = [*(point.text for point in card.points), *(f.correction for f in card.red_flags)]
    assert [text for text in right if listen(card, text).red_flags] == []


def test_card_01_holds_the_claims_of_its_notebook() -> None:
    """The notebook's table and the card are read from the same points."""
    card = find_card("01")
    path = resources.folder("cards") / f"{card.name}.toml"
    assert list(card.claims) == evidence.load_claims(path)
