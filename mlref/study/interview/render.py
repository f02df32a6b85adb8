"""A card as people read it: figures that were measured, or words that say there are none.

    answer_text(find_card("1"), figures_of(find_card("1")))

A figure stands in an answer as a placeholder and is filled from the evidence of a run. One that was
not measured is shown as such. When a claim of the card does not hold on the figures, there is no
answer: an error names the claim.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlref import evidence, resources
from mlref.errors import EvidenceError, ResourceNotFoundError
from mlref.evidence import Evidence, Figure
from mlref.study.interview.card import PLACEHOLDER, Card, Point

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "NOT_MEASURED",
    "answer_text",
    "figures_note",
    "figures_of",
    "measured_text",
    "pending_text",
    "rubric_notes",
    "show",
]

NOT_MEASURED = "(not measured yet)"
"""What stands where a figure would stand."""

_PARTS = {
    "answer": "the full answer",
    "listen": "what to listen for",
    "red_flags": "red flags",
    "evidence": "the evidence",
}


def figures_of(card: Card, run: Path | None = None) -> Evidence | None:
    """The figures under a card: those of a run, else the committed ones, else None.

    Args:
        card: which chapter's figures are wanted.
        run: where a run recorded its figures, for instance build/runs/evidence.

    Raises:
        EvidenceError: a file of figures is there and cannot be read.
    """
    if run is not None and _file_in(run, card).is_file():
        return evidence.load(_file_in(run, card))
    with suppress(ResourceNotFoundError):  # nothing was measured yet
        path = _file_in(resources.folder("evidence"), card)
        if path.is_file():
            return evidence.load(path)
    return None


def figures_note(card: Card, figures: Evidence | None, run: Path | None = None) -> str:
    """Which figures `figures_of` gave, in a line; "" if there are none and none were asked for.

    Args:
        card: the card.
        figures: what `figures_of` gave.
        run: what it was told.
    """
    if run is not None and _file_in(run, card).is_file():
        return f"figures of {run}" + (f", {figures.date}" if figures else "")
    lacking = "" if run is None else f"; {run} has none of card {card.number}"
    if figures is None:
        return lacking and f"no figures{lacking}, and none are committed"
    return f"committed figures, {figures.date}{lacking}"


def _file_in(folder: Path, card: Card) -> Path:
    """Where a folder of figures holds those of a card."""
    return folder / f"{card.name}.json"


def answer_text(card: Card, figures: Evidence | None) -> str:
    """The full answer in Markdown with its figures; for a pending one, a line that says so.

    Args:
        card: the card.
        figures: what was measured, or None if nothing was.

    Raises:
        EvidenceError: a claim of the card does not hold on these figures, or a format of a
            placeholder does not fit a number.
    """
    _refuse_broken(card, figures)
    if card.answer is None:
        return f"The full answer comes with chapter {card.number}."
    return PLACEHOLDER.sub(lambda found: _filled(found, figures), card.answer)


def measured_text(point: Point, figures: Evidence | None) -> str:
    """What was measured for a point, with its bound and kind; "" if it rests on no figure."""
    if point.claim is None:
        return ""
    figure = None if figures is None else figures.figures.get(point.claim.key)
    if figure is None or figures is None:
        return f"{point.claim.key} {NOT_MEASURED}, bound {point.claim.bound.text}"
    kind = _recorded(figures) if figure.kind == "recorded" else figure.kind
    return f"{point.claim.key} = {_number(figure)}, bound {point.claim.bound.text}, {kind}"


def rubric_notes(point: Point, figures: Evidence | None) -> list[str]:
    """What stands below a point of the rubric: its evidence and its source."""
    measured = measured_text(point, figures)
    notes = [f"evidence: {measured}"] if measured else []
    return [*notes, f"source: {point.source}"] if point.source else notes


def show(console: Console, card: Card, figures: Evidence | None) -> None:
    """Print everything that a card holds, and what it lacks.

    Args:
        console: where to.
        card: the card.
        figures: what was measured, or None if nothing was.

    Raises:
        EvidenceError: as `answer_text`.
    """
    from rich.markdown import Markdown
    from rich.text import Text

    answer = answer_text(card, figures)
    console.print(Text(f"{card.number} {card.title}", style="bold"))
    console.print(Text(card.question, style="bold"))
    _heading(console, "The 30-second answer")
    console.print(Text(" ".join(card.short_answer.split())))
    _heading(console, "The full answer")
    console.print(Markdown(answer))
    _heading(console, "The rubric: what a good answer says")
    for point in card.points:
        weight = "" if point.weight == 1 else f" (counts {point.weight} times)"
        _item(console, f"{point.text}{weight}", rubric_notes(point, figures))
    if card.red_flags:
        _heading(console, "Red flags: plausible and wrong")
    for flag in card.red_flags:
        _item(console, f"✗ {flag.text}", [f"✓ {flag.correction}"])
    _heading(console, "Follow-up questions")
    for each in card.follow_ups:
        _item(console, each.question, [f"hint: {each.hint}"])
    if card.pending:
        console.print()
        console.print(Text(pending_text(card)))


def pending_text(card: Card) -> str:
    """Which parts come with the chapter, in a sentence; "" for a complete card."""
    if not card.pending:
        return ""
    parts = [_PARTS[part] for part in card.pending]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Still to come, with chapter {card.number}: {listed}."


def _heading(console: Console, text: str) -> None:
    from rich.text import Text

    console.print()
    console.print(Text(text, style="bold underline"))


def _item(console: Console, text: str, notes: Iterable[str]) -> None:
    """A line with a dash, and notes below it; all wrapped under their own beginning."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_row("-", Text(text))
    console.print(grid)
    for note in notes:
        console.print(Padding(Text(note, style="dim"), (0, 0, 0, 4)))


def _refuse_broken(card: Card, figures: Evidence | None) -> None:
    """Raise if a claim does not hold on what was measured."""
    if figures is None:
        return
    measured = [claim for claim in card.claims if claim.key in figures.figures]
    broken = evidence.check(measured, figures)
    if broken:
        listed = "\n".join(f"  {violation}" for violation in broken)
        raise EvidenceError(
            f"card {card.number} has no answer while its evidence does not hold:\n{listed}\n"
            f"run the notebook again (mlref run {card.number}), or correct the claim"
        )


def _filled(found: re.Match[str], figures: Evidence | None) -> str:
    """What stands for a placeholder."""
    figure = None if figures is None else figures.figures.get(found["key"])
    if figure is None or figures is None:
        return NOT_MEASURED
    if not found["format"]:
        shown = _number(figure)
    else:
        try:
            shown = format(figure.value, found["format"])
        except ValueError as error:
            raise EvidenceError(f"{found[0]} in an answer: {error}") from error
    return f"{shown} ({_recorded(figures)})" if figure.kind == "recorded" else shown


def _number(figure: Figure) -> str:
    """A figure with its unit."""
    value = figure.value
    shown = f"{value:,.0f}" if value.is_integer() else f"{value:.3g}"
    return f"{shown} {figure.unit}".rstrip()


def _recorded(figures: Evidence) -> str:
    """Where and when a figure was recorded that cannot be measured here."""
    machine = ", ".join(
        str(figures.machine[key]) for key in ("system", "architecture") if key in figures.machine
    )
    return f"recorded {figures.date}" + (f" on {machine}" if machine else "")
