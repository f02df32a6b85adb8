"""`mlref drill` and `mlref review`: practise answers, and see what is due."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mlref.cli._store import opened_store

if TYPE_CHECKING:
    from mlref.study.interview.rounds import Desk
    from mlref.study.learner.state import Store

__all__ = ["add_to", "drill", "review"]

_INTERRUPTED = 130  # what a shell reports after Ctrl-C
_LONGEST_MOCK = 600  # minutes


def add_to(app: typer.Typer) -> None:
    """Give an application these commands."""
    app.command(epilog="Example: mlref drill --topic 01, or mlref drill --mock 45")(drill)
    app.command(epilog="Example: mlref review")(review)


def drill(
    topic: Annotated[
        str | None, typer.Option(metavar="NN", help="The card to answer: 1, 01, 01_topic.")
    ] = None,
    due: Annotated[bool, typer.Option("--due", help="All cards that are due, in turn.")] = False,  # noqa: FBT002 - typer's flag
    mock: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES", min=1, max=_LONGEST_MOCK, help="A mock interview of five questions."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draw the same questions again, with --mock.")
    ] = None,
) -> None:
    """Answer a question as in an interview; you decide which points you made.

    Ctrl-C keeps all and leaves; the same command goes on where you were.

    Without a terminal, the answer is the standard input; a line with a dot ends it.
    """
    import random

    from mlref.study.extras import require
    from mlref.study.interview import drill as drilling
    from mlref.study.interview.draft import alone
    from mlref.study.interview.mock import mock_interview

    if mock is not None and (topic or due):
        raise typer.BadParameter("--mock draws the questions; leave --topic and --due out")
    if topic and due:
        raise typer.BadParameter("--topic asks one card, --due all that are due; choose one")
    if seed is not None and mock is None:
        raise typer.BadParameter("--seed decides what --mock draws; add --mock 45")
    require(["study"])
    again = "mlref drill" if mock is None else f"mlref drill --mock {mock:g}"
    with opened_store() as store:
        desk = _desk(store)
        with _kept_when_left(desk, again), alone(store):
            if mock is None:
                drilling.drill(desk, topic=topic, only_due=due)
            else:
                mock_interview(desk, minutes=mock, generator=random.Random(seed))  # noqa: S311 - no secret


def review() -> None:
    """Show which cards and exercises are due, and the command for the next one."""
    from mlref.study.interview.card import all_cards
    from mlref.study.interview.review import render
    from mlref.study.interview.review import review as found_for

    with opened_store() as store:
        found = found_for(store.read(), all_cards(), store.clock.now())
    render(Console(), found)


def _desk(store: Store) -> Desk:
    """The learner's progress and cards, and whoever types."""
    from mlref.study.interview.prompting import typist_for
    from mlref.study.interview.rounds import Desk

    return Desk.of(store, Console(), typist_for(sys.stdin, store.clock))


@contextmanager
def _kept_when_left(desk: Desk, again: str) -> Iterator[None]:
    """A block after which the learner is told how to go on, if it was left."""
    try:
        yield
    except (KeyboardInterrupt, EOFError) as error:
        state = desk.store.read()
        kept = state.draft is not None or state.mock is not None
        with suppress(OSError):  # the terminal may be gone
            desk.say()
            desk.say(f"{'All is kept. ' if kept else ''}Go on with: {again}")
        stopped = isinstance(error, KeyboardInterrupt) or desk.typist.interactive
        raise typer.Exit(_INTERRUPTED if stopped else 0) from error
