"""`mlref init` and `mlref progress`: a folder to learn in, and how far one is."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from mlref.cli._store import opened_store, tell

__all__ = ["add_to", "init", "progress"]


def add_to(app: typer.Typer) -> None:
    """Give an application these commands."""
    app.command(epilog="Example: mlref init ~/mlref-study")(init)
    app.command(epilog="Example: mlref progress --read 01")(progress)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Your folder; made if it is not there.")
    ],
) -> None:
    """Copy the notebooks and labs into a folder of your own; again: bring it up to date.

    What you have changed is never overwritten.
    """
    from mlref.study.learner.folder import make_folder

    console = Console()
    made = make_folder(folder)
    tell(made.notices)
    console.print(Text(f"{made.folder} is ready", "bold"), soft_wrap=True)
    for label, names in (("new", made.written), ("updated", made.updated)):
        if names:
            count = f"{len(names)} files" if len(names) > 1 else "1 file"
            console.print(f"  {label}: {count}")
    if made.kept:
        console.print("  yours, so kept as they are:")
        for name in made.kept:
            console.print(Text(f"    {name}"), soft_wrap=True)
    console.print()
    for line in _next_steps(folder.expanduser()):
        console.print(Text(line), soft_wrap=True)


def _next_steps(folder: Path) -> list[str]:
    """Three ways to go on, with their commands."""
    there = folder.resolve() == Path.cwd().resolve()
    enter = "" if there else f"cd {shlex.quote(str(folder))} && "
    first = min((folder / "labs").glob("*/exercise.ipynb"), default=folder)
    return [
        "Go on",
        f"  in JupyterLab:    jupyter lab {shlex.quote(str(first))}",
        f"  in the terminal:  {enter}mlref watch",
        f"  with the cards:   {enter}mlref drill",
        "What is next, at any time: mlref progress",
    ]


def progress(
    read: Annotated[
        str | None, typer.Option(metavar="NN", help="Mark a notebook as read: 1, 01, 01_topic.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - typer's flag
) -> None:
    """Show how far you are, where you were, and what comes next."""
    from mlref.study.learner import overview

    console = Console()
    with opened_store() as store:
        marked = overview.mark_read(store, read) if read is not None else None
        found = overview.overview(store)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
        return
    if marked:
        console.print(Text(f"✓ notebook {marked} is marked as read", "green"))
        console.print()
    overview.render(console, found)
