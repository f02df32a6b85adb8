"""`mlref cards`: the interview cards in the terminal and in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlref.cli._group import group

__all__ = ["add_to"]

_SHORT = (
    "short: question, 30-second answer, points and follow-up questions are there; "
    "what else makes a card comes with its chapter."
)

_cards = group(
    "The interview cards: question, answers, what a good one says.",
    "Example: mlref cards show 01",
)


def add_to(app: typer.Typer) -> None:
    """Give an application the command `cards`."""
    app.add_typer(_cards, name="cards")


@_cards.command("list", epilog="Example: mlref cards list")
def _list() -> None:
    """List the cards, and which parts of each are still to come."""
    from mlref.study.interview.card import all_cards

    table = Table(box=None, pad_edge=False)
    table.add_column("no.", no_wrap=True)
    table.add_column("topic", no_wrap=True)
    table.add_column("question")
    table.add_column("state", no_wrap=True)
    cards = all_cards()
    for card in cards:
        state = "short" if card.pending else "✓ complete"
        table.add_row(card.number, card.title, card.question, state)
    console = Console()
    console.print(table)
    if any(card.pending for card in cards):
        console.print(f"\n{_SHORT}", highlight=False)
    console.print("\nRead one: mlref cards show 01", highlight=False)


@_cards.command("show", epilog="Example: mlref cards show 01")
def _show(
    card: Annotated[str, typer.Argument(metavar="NN", help="Its number or name: 1, 01, 01_topic.")],
    figures: Annotated[
        Path | None,
        typer.Option(help="Figures of a run, as build/runs/evidence; else the committed ones."),
    ] = None,
) -> None:
    """Show everything that a card holds; figures only if they were measured."""
    from mlref.study.interview import render
    from mlref.study.interview.card import find_card

    found = find_card(card)
    if figures is not None and not figures.is_dir():
        raise typer.BadParameter(
            f"no such folder; mlref run {found.number} records figures in build/runs/evidence",
            param_hint="--figures",
        )
    console, measured = Console(), render.figures_of(found, figures)
    render.show(console, found, measured)
    if note := render.figures_note(found, measured, figures):
        console.print(Text(f"\n{note}", style="dim"))


@_cards.command("search", epilog="Example: mlref cards search cold start")
def _search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help="All must be in one text.")],
) -> None:
    """Find words in questions, answers, points, red flags and follow-ups."""
    from mlref.study.interview.card import all_cards
    from mlref.study.interview.listen import highlighted
    from mlref.study.interview.search import search, similar_words

    cards, wanted = all_cards(), [part for word in words for part in word.split()]
    hits = search(cards, wanted)
    console = Console()
    if not wanted:
        raise typer.BadParameter("name a word to look for, as in: mlref cards search cold start")
    if not hits:
        near = similar_words(cards, wanted)
        advice = f"close to it: {', '.join(near)}" if near else "try fewer words, or how one begins"
        message = f"no card holds {' and '.join(wanted)} in one text; {advice}"
        Console(stderr=True).print(Text(message), soft_wrap=True)
        raise typer.Exit(1)
    for hit in hits:
        console.print(Text(f"{hit.card.number} {hit.card.title}, {hit.part}", style="bold"))
        grid = Table.grid(padding=(0, 0, 0, 2))
        grid.add_row(highlighted(hit.text, hit.spans))
        console.print(grid)
    console.print(f"\nRead a whole card: mlref cards show {hits[0].card.number}", highlight=False)


@_cards.command("export", epilog="Example: mlref cards export --format sheet --out sheet.html")
def _export(
    form: Annotated[
        Literal["markdown", "sheet", "anki"],
        typer.Option("--format", help="Markdown, HTML to print, or text that Anki imports."),
    ] = "markdown",
    out: Annotated[
        Path | None,
        typer.Option(help="The file, or - for the standard output; else mlref-cards.* here."),
    ] = None,
) -> None:
    """Write all cards to one file: Markdown, a sheet to print, or notes for Anki."""
    from mlref.study.interview import export
    from mlref.study.interview.card import all_cards

    cards = all_cards()
    if out == Path("-"):
        typer.echo(export.as_text(cards, form), nl=False)
        return
    path = out or Path(f"mlref-cards{export.SUFFIXES[form]}")
    export.export(cards, form, path)
    console = Console()
    console.print(f"{len(cards)} cards in {path}", highlight=False, soft_wrap=True)
    console.print(_NEXT[form], highlight=False)


_NEXT = {
    "markdown": "Read it in any editor.",
    "sheet": "Open it in a browser and print it.",
    "anki": "In Anki: File, Import; importing again updates the notes.",
}
