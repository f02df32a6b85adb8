"""The rubric of a card beside an answer: what was heard, and what the learner makes of it.

Regular expressions only suggest. Each point has a number and each red flag that was heard a letter;
whoever types one changes it, until it is confirmed.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlref.study.interview.card import Card, RedFlag
from mlref.study.interview.draft import Draft
from mlref.study.interview.listen import Heard, Span, highlighted, listen

__all__ = ["HELP", "Rubric"]

HELP = "Numbers change a point, letters a red flag; ? shows all again; Enter alone confirms."

_QUOTED = 3  # so many pieces of the answer are shown for a point
_PIECE = 48  # characters of each


@dataclass(frozen=True)
class Rubric:
    """A card, an answer to it, and what was heard in the answer."""

    card: Card
    heard: Heard
    text: str

    @classmethod
    def of(cls, card: Card, text: str) -> Rubric:
        """The rubric beside an answer."""
        return cls(card, listen(card, text), text)

    @property
    def flags(self) -> tuple[RedFlag, ...]:
        """The red flags that were heard, in the card's order; they are called a, b, c ..."""
        return tuple(flag for flag in self.card.red_flags if flag.id in self.heard.red_flags)

    def suggested(self, draft: Draft) -> Draft:
        """A draft in which what was heard is ticked, to be confirmed."""
        ticked = tuple(point.id for point in self.card.points if point.id in self.heard.points)
        flags = tuple(flag.id for flag in self.flags)
        return replace(draft, phase="confirming", ticked=ticked, flags=flags)

    def changed(self, draft: Draft, reply: str) -> Draft:
        """The draft after numbers and letters were typed.

        Raises:
            ValueError: one of them is neither; the message says what there is.
        """
        ticked, flags = list(draft.ticked), list(draft.flags)
        for word in reply.replace(",", " ").lower().split():
            if word.isdecimal() and 1 <= int(word) <= len(self.card.points):
                _flip(ticked, self.card.points[int(word) - 1].id)
            elif len(word) == 1 and word in string.ascii_lowercase[: len(self.flags)]:
                _flip(flags, self.flags[string.ascii_lowercase.index(word)].id)
            else:
                raise ValueError(f"There is no {word!r}; {self._there_is()}. Nothing was changed.")
        return replace(draft, ticked=tuple(ticked), flags=tuple(flags))

    def _there_is(self) -> str:
        points = f"there are the points 1 to {len(self.card.points)}"
        if not self.flags:
            return points
        last = string.ascii_lowercase[len(self.flags) - 1]
        return f"{points} and the red {'flags a to ' + last if last != 'a' else 'flag a'}"

    def show(self, console: Console, draft: Draft, weak: Sequence[str] = ()) -> None:
        """Print the answer and the whole rubric.

        Args:
            console: where to.
            draft: tells what is ticked.
            weak: the ids of points that were missed before.
        """
        self._show_answer(console, draft)
        console.print()
        console.print(Text("The rubric: did you say it?", "bold"))
        console.print(Text(self.about))
        console.print()
        self._show_points(console, draft, weak)
        if self.flags:
            console.print()
            console.print(Text("Red flags heard: did you mean it?", "bold"))
            self._show_flags(console, draft)
        console.print()
        console.print(Text(self._count(draft)))

    def show_changes(self, console: Console, before: Draft, after: Draft) -> None:
        """Print what became of the points and red flags that were changed.

        Args:
            console: where to.
            before: the draft.
            after: the draft after the change.
        """
        points = {*before.ticked} ^ {*after.ticked}
        flags = {*before.flags} ^ {*after.flags}
        for number, point in enumerate(self.card.points, 1):
            if point.id in points:
                console.print(_row(str(number), point.id in after.ticked, Text(point.text)))
        for letter, flag in zip(string.ascii_lowercase, self.flags, strict=False):
            if flag.id in flags:
                console.print(_row(letter, flag.id in after.flags, Text(flag.text)))
        console.print(Text(self._count(after)))

    def _count(self, draft: Draft) -> str:
        """How many points are ticked, and which: they may have scrolled away."""
        numbers = [
            str(n) for n, point in enumerate(self.card.points, 1) if point.id in draft.ticked
        ]
        listed = f": {' '.join(numbers)}" if numbers else ""
        return f"{len(numbers)} of {len(self.card.points)} points are ticked{listed}."

    @property
    def about(self) -> str:
        """What a tick means before the learner has changed any."""
        if "listen" in self.card.pending:
            return "This card listens for nothing yet, so nothing is ticked: you say what you said."
        return "What is ticked was heard by its words, which is only a suggestion: you decide."

    def _show_answer(self, console: Console, draft: Draft) -> None:
        from mlref.study.interview.prompting import clock_text

        spans = [span for each in self.heard.points.values() for span in each]
        spans += [span for each in self.heard.red_flags.values() for span in each]
        heading = f"Your answer ({draft.words} words in {clock_text(draft.seconds)})"
        console.print(Text(heading, "bold"))
        shown = highlighted(self.text, spans) if self.text.strip() else Text("(nothing)")
        console.print(Padding(shown, (0, 0, 0, 2)))

    def _show_points(self, console: Console, draft: Draft, weak: Sequence[str]) -> None:
        for number, point in enumerate(self.card.points, 1):
            text = Text(point.text)
            if point.weight > 1:
                text.append(f" (counts {point.weight} times)")
            if point.id in self.heard.points:
                text.append(f"\nheard: {self.quoted(self.heard.points[point.id])}", "dim")
            if point.id in weak:
                text.append("\nyou missed this one before", "dim")
            console.print(_row(str(number), point.id in draft.ticked, text))

    def _show_flags(self, console: Console, draft: Draft) -> None:
        for letter, flag in zip(string.ascii_lowercase, self.flags, strict=False):
            text = Text(f"✗ {flag.text}")
            text.append(f"\nheard: {self.quoted(self.heard.red_flags[flag.id])}", "dim")
            text.append(f"\n✓ {flag.correction}")
            console.print(_row(letter, flag.id in draft.flags, text))

    def quoted(self, spans: Sequence[Span]) -> str:
        """The first pieces of the answer that matched, in quotes."""
        pieces = [" ".join(self.text[start:end].split()) for start, end in spans[:_QUOTED]]
        short = [p if len(p) <= _PIECE else f"{p[: _PIECE - 3].rstrip()}..." for p in pieces]
        return ", ".join(f'"{piece}"' for piece in short)


def _flip(ids: list[str], name: str) -> None:
    """Take an id out of a list, or put it in."""
    if name in ids:
        ids.remove(name)
    else:
        ids.append(name)


def _row(name: str, ticked: bool, text: Text) -> Table:  # noqa: FBT001 - private, and named at each call
    """A number or letter, its box, and a text wrapped under its own beginning."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=2, justify="right")
    grid.add_column(width=3)
    grid.add_column()
    grid.add_row(name, Text("[x]" if ticked else "[ ]", "bold"), text)
    return grid
