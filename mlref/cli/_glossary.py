"""`mlref glossary`: what a word means, and where it is taught."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

if TYPE_CHECKING:
    from mlref.study.glossary import Term

__all__ = ["add_to", "glossary"]


def glossary(
    term: Annotated[
        list[str] | None, typer.Argument(metavar="TERM", help="The word; none: list all terms.")
    ] = None,
) -> None:
    """Tell what a word means, and in which chapters it is taught."""
    from mlref.study import glossary as words

    console = Console(highlight=False)
    if term:
        _show(console, words.find_term(" ".join(term)))
        return
    from rich.columns import Columns

    known = words.load_glossary()
    console.print(Columns([Text(each.term) for each in known], padding=(0, 3), column_first=True))
    console.print(f'\n{len(known)} terms. One of them: mlref glossary "{known[0].term}"')


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog="Example: mlref glossary cold start")(glossary)


def _show(console: Console, each: Term) -> None:
    """One term: its meaning, its other names, its chapters, its neighbours."""
    console.print(Text(each.term, style="bold"))
    console.print(Padding(Text(each.meaning), (0, 0, 0, 2)))
    places = [f"{title}{'' if notebook else ' (planned)'}" for title, notebook in each.places()]
    lines = {"other names": each.also, "taught in": places, "see also": each.see}
    for name, values in lines.items():
        if values:
            console.print(Padding(Text(f"{name}: {', '.join(values)}"), (0, 0, 0, 2)))
