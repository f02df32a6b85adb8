"""The phrases of card 01, measured on answers whose writer did not know them."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from mlref.study.interview.card import find_card

ROOT = Path(__file__).resolve().parents[2]


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


def test_labels_are_of_points_and_flags_that_exist(listening: ModuleType) -> None:
    """Each label of the answers is an id of the card; names are unique."""
    card, answers = find_card("01"), listening.labelled()
    points, flags = {p.id for p in card.points}, {f.id for f in card.red_flags}
    assert len({each["name"] for each in answers}) == len(answers) == 24
    assert {label for each in answers for label in each["points"]} <= points
    assert {label for each in answers for label in each["red_flags"]} <= flags


def test_phrases_hear_more_than_simpler_ways(listening: ModuleType) -> None:
    """They beat saying no to all and TF-IDF, in accuracy, precision and recall."""
    card, answers = find_card("01"), listening.labelled()
    real = listening.truth(card, answers)
    phrases = listening.measures(listening.heard(card, answers), real)
    peer = listening.measures(listening.similar(card, answers, real), real)
    assert phrases["accuracy"] > max(1 - real.mean(), peer["accuracy"]) + 0.05
    assert phrases["precision"] > peer["precision"]
    assert phrases["recall"] > peer["recall"]


def test_published_table_is_what_is_measured(listening: ModuleType) -> None:
    """The figures in the decision record are those of the card as it is."""
    card, answers = find_card("01"), listening.labelled()
    real = listening.truth(card, answers)
    found = listening.measures(listening.heard(card, answers), real)
    text = (ROOT / "docs/adr/0004-study-tools.md").read_text()
    (row,) = re.findall(r"^\| the card's phrases \| (.+) \|$", text, re.MULTILINE)
    assert row == " | ".join(f"{value:.2f}" for value in found.values())
    committed, hit, false = listening.red_flags(card, answers)
    told = f"Of {committed} red flags that were committed, {hit} were heard, and {false} were heard"
    assert told in " ".join(text.split())
