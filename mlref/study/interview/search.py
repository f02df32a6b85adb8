"""Finding words in the cards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlref.study.interview.card import PLACEHOLDER, Card
from mlref.study.interview.listen import Span

__all__ = ["Hit", "search", "similar_words"]

_ALIKE = 0.75  # of 1: difflib's ratio from which two spellings are much the same
_WORD = re.compile(r"\w[\w/&-]*")


@dataclass(frozen=True)
class Hit:
    """A text of a card that holds all the words.

    Attributes:
        card: whose text it is.
        part: "question", "30-second answer", "answer", "point", "red flag" or "follow-up".
        text: the text; of an answer, the paragraph.
        spans: where the words stand in it.
    """

    card: Card
    part: str
    text: str
    spans: tuple[Span, ...]


def search(cards: Iterable[Card], words: Sequence[str]) -> list[Hit]:
    """The texts of the cards in which each of some words begins a word, in any case.

    Args:
        cards: where to look.
        words: "quantiz" finds "quantization"; none at all find nothing.

    >>> search([], ["onnx"])
    []
    """
    patterns = [re.compile(rf"(?<!\w){re.escape(word)}", re.IGNORECASE) for word in words if word]
    hits = []
    for card in cards:
        for part, text in _texts(card):
            found = [[Span(*each.span()) for each in one.finditer(text)] for one in patterns]
            if found and all(found):
                spans = tuple(sorted(span for some in found for span in some))
                hits.append(Hit(card, part, text, spans))
    return hits


def similar_words(cards: Iterable[Card], words: Iterable[str]) -> list[str]:
    """Words of the cards that are spelt much like those given that no card holds."""
    import difflib

    known = {word.lower() for card in cards for _, text in _texts(card) for word in _words(text)}
    near = [
        each
        for word in words
        if not any(other.startswith(word.lower()) for other in known)
        for each in difflib.get_close_matches(word.lower(), sorted(known), cutoff=_ALIKE)
    ]
    return list(dict.fromkeys(near))


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _texts(card: Card) -> list[tuple[str, str]]:
    """What a reader sees of a card, each text with the name of its part."""
    texts = [("question", card.question), ("30-second answer", card.short_answer)]
    texts += [("answer", each) for each in (card.answer or "").split("\n\n") if each]
    texts += [("point", point.text) for point in card.points]
    texts += [("red flag", f"{flag.text} {flag.correction}") for flag in card.red_flags]
    texts += [("follow-up", f"{each.question} {each.hint}") for each in card.follow_ups]
    return [(part, " ".join(_plain(text).split())) for part, text in texts]


def _plain(text: str) -> str:
    """Markdown without its signs; a figure is named, as its value belongs to a run."""
    return re.sub(r"\*\*|`", "", PLACEHOLDER.sub("(figure)", text))
