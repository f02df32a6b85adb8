"""`mlref ...`: the handbook on the command line. Thin: each command calls the library.

What goes wrong on purpose (`MlrefError`) is told in a line or two, without a traceback, and the
exit status is then 1.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mlref import __version__
from mlref.cli import _cards, _cloud, _containers, _drill, _glossary, _labs, _learner, _running
from mlref.cli._group import Group

__all__ = ["app", "main"]

app = typer.Typer(
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="An executable handbook of machine-learning deployment.",
    epilog="Begin with: mlref init my-mlref to learn, mlref run 00 to see a notebook run",
)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer's callback
    if value:
        typer.echo(f"mlref {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[  # noqa: FBT002 - typer's flag
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """What stands before a command."""


app.command(cls=_running.PairsCommand, epilog="Example: mlref run 01 02 -p seed 3 --jobs 2")(
    _running.run
)
app.command(epilog="Example: mlref doctor --json")(_running.doctor)
app.command(epilog="Example: mlref serve build/runs/01/champion --port 8000")(_running.serve)

for _commands in (_learner, _labs, _drill, _cards, _glossary, _containers, _cloud):
    _commands.add_to(app)


def main() -> None:
    """The entry point of the command `mlref`."""
    sys.exit(app())
