"""What a card listens for, found in a typed answer.

Each point and each red flag of a card has regular expressions. A match only *suggests* that the
point was made: the drill shows the matched words, and the learner decides. Two things are looked at
beside the match itself:

- A point is not suggested by words that do without it: "you do not need a schema".
- A red flag is not suggested by words that reject it: "it is a mistake to split at random".

Answers are compared as people type them: any white space counts as one space, typographic quotes
and dashes as the plain ones, and the point of 0.7 does not end a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mlref.study.interview._denial import rejected, waived
from mlref.study.interview.card import Card

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Heard", "Span", "highlighted", "listen"]

_AROUND = 300  # characters on each side of a match in which a denial counts
_DECIMAL_POINT = re.compile(r"(?<=\d)\.(?=\d)")

_PLAIN = str.maketrans(
    "\u2018\u2019\u201c\u201d\u2010\u2011\u2012\u2013\u2014\u2212", "''\"\"------"
)


class Span(NamedTuple):
    """A piece of an answer: `answer[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True)
class Heard:
    """What was heard; an id that was not heard is absent.

    Attributes:
        points: the ids of points, each with the pieces of the answer that matched.
        red_flags: the same for red flags.
    """

    points: Mapping[str, tuple[Span, ...]]
    red_flags: Mapping[str, tuple[Span, ...]]


def listen(card: Card, text: str) -> Heard:
    """The points and red flags of a card that an answer's words suggest.

    Args:
        card: one whose part "listen" is pending hears no point.
        text: the answer, as it was typed.
    """
    answer = _Answer.of(text)
    points = {each.id: answer.spans(each.listen, waived) for each in card.points}
    red_flags = {each.id: answer.spans(each.listen, rejected) for each in card.red_flags}
    return Heard(
        points={name: spans for name, spans in points.items() if spans},
        red_flags={name: spans for name, spans in red_flags.items() if spans},
    )


def highlighted(text: str, spans: Iterable[Span]) -> Text:
    """The text with some pieces bold and underlined, so that they show without colours.

    Args:
        text: an answer.
        spans: as `listen` gives them; they may overlap.
    """
    from rich.text import Text

    shown = Text(text)
    for start, end in spans:
        shown.stylize("bold underline", start, end)
    return shown


@dataclass(frozen=True)
class _Answer:
    """An answer made plain, and where each of its characters stood."""

    plain: str
    places: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> _Answer:
        characters: list[str] = []
        places: list[int] = []
        for place, character in enumerate(_DECIMAL_POINT.sub(",", text.translate(_PLAIN))):
            plain = " " if character.isspace() else character
            if plain != " " or characters[-1:] != [" "]:
                characters.append(plain)
                places.append(place)
        return cls("".join(characters), tuple(places))

    def spans(
        self, patterns: Iterable[re.Pattern[str]], denied: Callable[[str, str], bool]
    ) -> tuple[Span, ...]:
        """Where any of the patterns matches and is not denied by the words around."""
        found = []
        for pattern in patterns:
            for match in pattern.finditer(self.plain):
                start, end = match.span()
                before = self.plain[max(start - _AROUND, 0) : start]
                after = self.plain[end : end + _AROUND]
                if match[0] and not denied(before, after):
                    found.append(Span(self.places[start], self.places[end - 1] + 1))
        return _merged(found)


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    """The spans in order, those that overlap made one."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)
