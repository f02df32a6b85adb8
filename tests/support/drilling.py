"""A drill without a terminal: small cards, lines instead of keys, a clock that is moved by hand."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from mlref.runtime.clock import ManualClock
from mlref.study.interview.card import Card, FollowUp, Point, RedFlag
from mlref.study.interview.prompting import LineTypist
from mlref.study.interview.rounds import Desk
from mlref.study.learner.state import State, Store

__all__ = ["CARDS", "NOW", "CutShort", "Lines", "desk_for", "screen", "store_in"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = (
    "01_deployment_steps", "02_containers", "03_sagemaker", "04_large_language_models",
    "05_serverless", "06_scaling",
)  # fmt: skip


def _card(name: str) -> Card:
    points = (
        Point("alpha", f"Say alpha of {name[:2]}", 3, (re.compile(r"\balpha\b"),), source="book a"),
        Point(
            "beta", "Say beta", 2, (re.compile(r"\bbeta\b"),), follow_up=f"Why beta, {name[:2]}?"
        ),
        Point("gamma", "Say gamma", 1, (re.compile(r"\bgamma\b"),)),
    )
    flag = RedFlag("moon", "It is cheese", "It is stone", (re.compile(r"\bcheese\b"),))
    follow_ups = tuple(FollowUp(f"And what of {each}?", f"look at {each}") for each in "xyz")
    return Card(name, f"What is {name[:2]}?", "In short", "Long", points, (flag,), follow_ups)


CARDS = tuple(_card(name) for name in NAMES)


class Lines(io.StringIO):
    """Lines to read; after the last of them, Ctrl-C is pressed."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("".join(f"{line}\n" for line in lines))
        self.used = 0

    def readline(self, size: int | None = -1, /) -> str:
        """The next line."""
        line = super().readline(-1 if size is None else size)
        if not line:
            raise KeyboardInterrupt
        self.used += 1
        return line

    def __next__(self) -> str:
        return self.readline()


class Person(LineTypist):
    """Lines from somebody who can be asked."""

    interactive = True


class CutShort(Store):
    """A store whose program dies right after a number of changes were saved."""

    left = -1

    @contextmanager
    def update(self) -> Iterator[State]:
        """As always, and then the end."""
        with super().update() as state:
            yield state
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def store_in(folder: Path) -> Store:
    """The progress in a folder, by a clock that stands still."""
    (folder / ".mlref").mkdir(exist_ok=True)
    return Store(folder, clock=ManualClock(NOW))


def desk_for(
    store: Store,
    lines: Sequence[str] | Lines,
    *,
    asked: bool = False,
    cards: Sequence[Card] = CARDS,
) -> Desk:
    """A desk at which these lines are typed; with `asked`, by somebody who can be asked."""
    source = lines if isinstance(lines, Lines) else Lines(lines)
    kind = Person if asked else LineTypist
    console = Console(file=io.StringIO(), width=80, no_color=True)
    return Desk(store, console, kind(source, store.clock), tuple(cards))


def screen(desk: Desk) -> str:
    """What was printed, as if in one line."""
    file = desk.console.file
    assert isinstance(file, io.StringIO)
    return re.sub(r"\s+", " ", file.getvalue())
