"""A card as people read it: with figures that were measured, or none."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mlref.errors import EvidenceError
from mlref.evidence import Evidence, Figure
from mlref.study.interview.card import Card, all_cards, find_card, load_card
from mlref.study.interview.render import (
    answer_text,
    figures_of,
    measured_text,
    pending_text,
    rubric_notes,
    show,
)

Write = Callable[..., Path]


def _figures(value: float, kind: Any = "exact", unit: str = "") -> Evidence:
    machine = {"system": "Linux", "architecture": "x86_64"}
    figure = Figure(value, unit, kind)
    return Evidence("01_deployment_steps", "2026-01-02", machine, {}, {"01.champion_auc": figure})


@pytest.fixture
def card(write: Write, complete: str) -> Card:
    """A card whose answer holds one figure twice, once with a format."""
    return load_card(write(complete))


def test_figures_are_filled_in(card: Card) -> None:
    """With a format as it says, else with three digits and the unit."""
    assert answer_text(card, _figures(0.70123, unit="x")) == "The AUC is 0.70, or 0.701 x."


@pytest.mark.parametrize("figures", [None, Evidence("01_deployment_steps", "2026-01-02", {}, {})])
def test_a_figure_that_was_not_measured_is_no_number(card: Card, figures: Evidence | None) -> None:
    """Words stand where the figure would be."""
    assert answer_text(card, figures) == "The AUC is (not measured yet), or (not measured yet)."


def test_a_broken_bound_gives_no_answer(card: Card) -> None:
    """The error names the claim and the next step."""
    with pytest.raises(EvidenceError, match=r"(?s)is 0\.6, must be >= 0\.67.*mlref run 01"):
        answer_text(card, _figures(0.6))


def test_a_recorded_figure_says_where_and_when(card: Card) -> None:
    """It is exempt from its bound, and its machine and date stand beside it."""
    text = answer_text(card, _figures(0.6, "recorded"))
    assert text.startswith("The AUC is 0.60 (recorded 2026-01-02 on Linux, x86_64), or")


def test_a_format_that_fits_no_number_is_an_error(write: Write, complete: str) -> None:
    """It is told as the answer's mistake, not as Python's."""
    card = load_card(write(complete.replace(":.2f}", ":zz}")))
    with pytest.raises(EvidenceError, match=r"\{01\.champion_auc:zz\} in an answer"):
        answer_text(card, _figures(0.7))


def test_a_pending_answer_says_when_it_comes(write: Write, pending: str) -> None:
    """No empty answer is shown."""
    card = load_card(write(pending))
    assert answer_text(card, None) == "The full answer comes with chapter 01."
    assert pending_text(card) == (
        "Still to come, with chapter 01: the full answer, what to listen for, red flags and the "
        "evidence."
    )


def test_a_point_shows_figure_bound_and_kind(card: Card) -> None:
    """Or says that there is none yet; a point without a claim shows nothing."""
    point, other = card.points[:2]
    assert measured_text(point, _figures(0.7)) == "01.champion_auc = 0.7, bound >= 0.67, exact"
    assert measured_text(point, None) == "01.champion_auc (not measured yet), bound >= 0.67"
    recorded = measured_text(point, _figures(0.6, "recorded"))
    assert recorded.endswith("bound >= 0.67, recorded 2026-01-02 on Linux, x86_64")
    assert measured_text(other, _figures(0.7)) == ""
    assert rubric_notes(other, None) == []


def test_the_figures_of_a_run_come_first(tmp_path: Path) -> None:
    """Where a run has none for the card, the committed ones count."""
    card = find_card("01")
    committed = figures_of(card)
    assert committed is not None
    assert figures_of(card, tmp_path) == committed
    values = {**committed.to_dict(), "date": "2001-01-01"}
    (tmp_path / f"{card.name}.json").write_text(json.dumps(values))
    measured = figures_of(card, tmp_path)
    assert measured is not None
    assert measured.date == "2001-01-01"


def _shown(card: Card, figures: Evidence | None) -> str:
    console = Console(file=io.StringIO(), width=80)
    show(console, card, figures)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_card_shows_all_that_it_holds() -> None:
    """Question, both answers, rubric with evidence and source, red flags, follow-ups."""
    card = find_card("01")
    text = " ".join(_shown(card, figures_of(card)).split())
    parts = [
        card.question,
        card.short_answer,
        *(point.text for point in card.points),
        *(point.source for point in card.points),
        *(flag.correction for flag in card.red_flags),
        *(each.hint for each in card.follow_ups),
    ]
    missing = [part for part in parts if " ".join(part.split()) not in text]
    assert missing == []
    assert "evidence: 01.parity = 2.78e-07, bound <= 1e-5, exact" in text
    assert "{01." not in text


@pytest.mark.parametrize("card", all_cards(), ids=lambda card: card.name)
def test_cards_fit_80_columns_without_colours(card: Card) -> None:
    """No line is wider, and no colour is needed to read it."""
    text = _shown(card, figures_of(card))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
