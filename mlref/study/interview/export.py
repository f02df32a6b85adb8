"""Cards for use elsewhere: one Markdown file, a sheet to print, notes for Anki.

    export(all_cards(), "anki", Path("mlref-cards.txt"))

Figures are those of the committed evidence; where there are none, the text says so.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from mlref.errors import CardError
from mlref.runtime import files
from mlref.study.interview._sheet import sheet
from mlref.study.interview.card import Card, FollowUp
from mlref.study.interview.render import answer_text, figures_of, pending_text, rubric_notes

__all__ = ["SUFFIXES", "Format", "as_text", "export", "to_anki", "to_markdown", "to_sheet"]

Format: TypeAlias = Literal["markdown", "sheet", "anki"]

SUFFIXES: dict[str, str] = {"markdown": ".md", "sheet": ".html", "anki": ".txt"}
"""The suffix of a file in each format."""

_ANKI_HEAD = (
    "#separator:tab",
    "#html:true",
    "#notetype:Basic",
    "#deck:mlref",
    "#guid column:1",
    "#tags column:4",
)


def export(cards: Iterable[Card], form: str, out: Path) -> None:
    """Save cards in another format, in one file.

    Args:
        cards: which ones, in this order.
        form: "markdown", "sheet" (HTML to print on A4) or "anki" (a text file to import).
        out: the file to create or replace; its folder must exist.

    Raises:
        CardError: no such format.
        EvidenceError: a claim of a card does not hold, so its answer is not written.
        FileWriteError: the file could not be saved.
    """
    files.write_text(out, as_text(cards, form))


def as_text(cards: Iterable[Card], form: str) -> str:
    """Cards in another format, as one text.

    Raises:
        CardError: no such format.
        EvidenceError: a claim of a card does not hold, so its answer is not written.
    """
    writers: dict[str, Callable[[Sequence[Card]], str]] = {
        "markdown": to_markdown,
        "sheet": to_sheet,
        "anki": to_anki,
    }
    if form not in writers:
        raise CardError(f"format must be {', '.join(get_args(Format))}, got {form!r}")
    return writers[form](list(cards))


def to_markdown(cards: Sequence[Card]) -> str:
    """Everything that the cards hold, as one Markdown text.

    Raises:
        EvidenceError: a claim of a card does not hold.
    """
    return "# Interview cards\n\n" + "\n".join(_markdown(card) for card in cards)


def to_sheet(cards: Sequence[Card]) -> str:
    """Questions, 30-second answers and rubric points as one HTML page to print on A4."""
    return sheet(cards)


def to_anki(cards: Sequence[Card]) -> str:
    """Notes as a text file that Anki imports: each question, and each follow-up question.

    A note is known by its first column, so importing again after a change updates the notes and
    keeps what Anki has scheduled.

    Source: Anki manual, "Importing: text files", section "File headers".

    Raises:
        EvidenceError: a claim of a card does not hold.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    for card in cards:
        tags = f"mlref mlref::{card.name}"
        front = f"<b>{html.escape(card.question)}</b>"
        writer.writerow((f"mlref-{card.name}", front, _anki_back(card), tags))
        for each in card.follow_ups:
            fields = (html.escape(each.question), html.escape(each.hint))
            writer.writerow((_guid(card, each), *fields, f"{tags} mlref::follow_up"))
    return "\n".join(_ANKI_HEAD) + "\n" + text.getvalue()


def _guid(card: Card, follow_up: FollowUp) -> str:
    """A name that stays when other questions are added or moved."""
    digest = hashlib.sha256(follow_up.question.encode()).hexdigest()
    return f"mlref-{card.name}-{digest[:10]}"


def _anki_back(card: Card) -> str:
    """The back of a note, without a line feed."""
    from markdown_it import MarkdownIt

    answer = MarkdownIt("commonmark", {"html": False}).render(_answer(card))
    points = "".join(f"<li>{html.escape(point.text)}</li>" for point in card.points)
    back = f"<p>{html.escape(card.short_answer)}</p><hr>{answer}<hr><ul>{points}</ul>"
    return " ".join(back.split())


def _answer(card: Card) -> str:
    return answer_text(card, figures_of(card))


def _markdown(card: Card) -> str:
    """One card; ends with a line feed."""
    figures = figures_of(card)
    lines = [
        f"## {card.number} {card.title}",
        f"**{card.question}**",
        f"### The 30-second answer\n\n{_one_line(card.short_answer)}",
        f"### The full answer\n\n{answer_text(card, figures)}",
        "### What a good answer says",
    ]
    items = [(each.text, rubric_notes(each, figures)) for each in card.points]
    lines.append(_items(items))
    if card.red_flags:
        flags = [(f"✗ {each.text}", [f"✓ {each.correction}"]) for each in card.red_flags]
        lines += ["### Red flags", _items(flags)]
    asked = [(each.question, [f"*{each.hint}*"]) for each in card.follow_ups]
    lines += ["### Follow-up questions", _items(asked)]
    if card.pending:
        lines.append(f"*{pending_text(card)}*")
    return "\n\n".join(lines) + "\n"


def _items(items: Iterable[tuple[str, list[str]]]) -> str:
    """A list, each item with notes below it."""
    return "\n".join(
        "\n".join((f"- {_one_line(text)}", *(f"  - {_one_line(note)}" for note in notes)))
        for text, notes in items
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
