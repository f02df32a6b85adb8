"""The phrases of cards, measured on answers whose writer did not know them."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from mlref.study.interview.card import Card, find_card

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ("01", "02", "03")
"""The cards with answers; one more chapter, one more here."""


@pytest.fixture(params=MEASURED)
def card(request: pytest.FixtureRequest) -> Card:
    """Each card that is measured."""
    return find_card(request.param)


@pytest.fixture(scope="module")
def listening() -> ModuleType:
    """The benchmark's script."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("listening", ROOT / "benchmarks/listening.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_which_cards_are_measured(listening: ModuleType) -> None:
    """Those that are complete."""
    assert tuple(card.number for card in listening.cards()) == MEASURED


def test_labels_are_of_points_and_flags_that_exist(listening: ModuleType, card: Card) -> None:
    """Each label of the answers is an id of the card; names are unique."""
    answers = listening.labelled(card)
    points, flags = {p.id for p in card.points}, {f.id for f in card.red_flags}
    assert len({each["name"] for each in answers}) == len(answers) == 24
    assert {label for each in answers for label in each["points"]} <= points
    assert {label for each in answers for label in each["red_flags"]} <= flags


def test_phrases_hear_more_than_simpler_ways(listening: ModuleType, card: Card) -> None:
    """They beat saying no to all and TF-IDF, in accuracy, precision and recall."""
    answers = listening.labelled(card)
    real = listening.truth(card, answers)
    phrases = listening.measures(listening.heard(card, answers), real)
    peer = listening.measures(listening.similar(card, answers, real), real)
    assert phrases["accuracy"] > max(1 - real.mean(), peer["accuracy"]) + 0.05
    assert phrases["precision"] > peer["precision"]
    assert phrases["recall"] > peer["recall"]


def test_published_table_is_what_is_measured(listening: ModuleType, card: Card) -> None:
    """The figures in the decision record are those of the card as it is."""
    answers = listening.labelled(card)
    real = listening.truth(card, answers)
    found = listening.measures(listening.heard(card, answers), real)
    text = (ROOT / "docs/adr/0004-study-tools.md").read_text()
    pattern = rf"^\| {card.number} \| the card's phrases \| (.+) \|$"
    (row,) = re.findall(pattern, text, re.MULTILINE)
    assert row == " | ".join(f"{value:.2f}" for value in found.values())
    committed, hit, false = listening.red_flags(card, answers)
    told = f"Card {card.number}: of {committed} red flags that were committed, {hit} were heard, "
    assert f"{told}and {false} were heard" in " ".join(text.split())
