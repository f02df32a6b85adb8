"""The interview cards: what a good answer to each of the fifteen questions holds.

A card is a TOML file, `mlref/study/cards/NN_topic.toml`, with the chapter's question, an answer of
thirty seconds, the full answer, the points of the rubric, red flags and follow-up questions:

    card = find_card("1")
    for point in card.points:
        print(point.id, point.text)

A part that comes with a later chapter is named in `pending` and is absent until then. So a card is
either complete or says what it lacks; `load_card` lists everything else that is wrong with it.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlref import resources
from mlref.errors import CardError, EvidenceError, ResourceNotFoundError
from mlref.evidence import Bound, Claim
from mlref.study.chapters import CHAPTERS, Chapter, chapter
from mlref.study.interview._fields import Fields

__all__ = [
    "MAX_WEIGHT",
    "PENDING_PARTS",
    "PLACEHOLDER",
    "Card",
    "FollowUp",
    "Point",
    "RedFlag",
    "all_cards",
    "find_card",
    "load_card",
]

PENDING_PARTS = ("answer", "listen", "red_flags", "evidence")
"""The parts of a card that may come with its chapter."""

MAX_WEIGHT = 3
"""The weight of a point that no good answer lacks; 1 is that of a detail."""

PLACEHOLDER = re.compile(r"\{(?P<key>\d\d\.[a-z0-9_.]+)(?::(?P<format>[^{}]+))?\}")
"""Where a figure stands in an answer: {01.champion_auc}, or {01.september_gap:.0%}."""

_FEWEST = {"points": 5, "follow_ups": 5, "red_flags": 3}
_SHORT_WORDS = (60, 110)  # what can be said in thirty seconds
_ID = re.compile(r"[a-z][a-z0-9_]*")
_KEY = re.compile(r"\d\d\.[a-z0-9_]+(\.[a-z0-9_]+)*")


@dataclass(frozen=True)
class Point:
    """One thing that a good answer says.

    Attributes:
        id: stable name, unique in the card; progress is kept by it.
        text: what to say.
        weight: 1 (a detail) to 3 (no good answer lacks it).
        listen: any of these found in an answer suggests that the point was made.
        claim: the figure under the point and the bound it keeps, or None.
        source: where it is shown, "" if the text says it all.
        follow_up: what to ask when the point was missed, or None.
    """

    id: str
    text: str
    weight: int = 1
    listen: tuple[re.Pattern[str], ...] = ()
    claim: Claim | None = None
    source: str = ""
    follow_up: str | None = None


@dataclass(frozen=True)
class RedFlag:
    """A plausible wrong statement, as a candidate says it, and what is right."""

    id: str
    text: str
    correction: str
    listen: tuple[re.Pattern[str], ...]


@dataclass(frozen=True)
class FollowUp:
    """A question that an interviewer asks next, with a hint."""

    question: str
    hint: str


@dataclass(frozen=True)
class Card:
    """One question with what makes a good answer to it.

    Attributes:
        name: that of the chapter: "01_deployment_steps".
        question: what the interviewer asks.
        short_answer: what to say in thirty seconds.
        answer: the full answer in Markdown, figures as placeholders; None while it is pending.
        points: the rubric.
        red_flags: wrong statements to listen for; none while they are pending.
        follow_ups: what is asked next.
        pending: the parts that come with the chapter; empty when the card is complete.
    """

    name: str
    question: str
    short_answer: str
    answer: str | None
    points: tuple[Point, ...]
    red_flags: tuple[RedFlag, ...]
    follow_ups: tuple[FollowUp, ...]
    pending: tuple[str, ...] = ()

    @property
    def number(self) -> str:
        """The question's number, two digits."""
        return self.name[:2]

    @property
    def title(self) -> str:
        """The topic in a few words."""
        return chapter(self.number).title

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims of the points that name a figure, in their order."""
        return tuple(point.claim for point in self.points if point.claim is not None)


def load_card(path: Path) -> Card:
    """The card in a file whose name is that of a chapter.

    Raises:
        CardError: the file cannot be read, or is no card; the message lists every problem.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CardError(f"{path.name} cannot be read: {error}") from error
    problems: list[str] = []
    card = _card(path.stem, Fields(table, "", problems))
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise CardError(f"{path.name} is not what a card must be:\n{listed}")
    return card


def all_cards(folder: Path | None = None) -> list[Card]:
    """Every card, in the order of the questions.

    Args:
        folder: where they are; None means those that come with mlref.

    Raises:
        CardError: one of them is no card, or there is none; every problem of every card is listed.
        ResourceNotFoundError: mlref's own cards are not there.
    """
    where = resources.folder("cards") if folder is None else folder
    cards, problems = [], []
    for path in sorted(where.glob("*.toml")):
        try:
            cards.append(load_card(path))
        except CardError as error:
            problems.append(str(error))
    if problems:
        raise CardError("\n".join(problems))
    if not cards:
        raise CardError(f"no card NN_topic.toml in {where}; name a folder that holds some")
    return cards


def find_card(name: str | int, cards: Iterable[Card] | None = None) -> Card:
    """The card of one question.

    Args:
        name: its number or its name: "1", "01", "01_deployment_steps".
        cards: which to choose from; None means those that come with mlref, of which only this one
            is read.

    Raises:
        ResourceNotFoundError: no card has this name; the message lists those there are.
        CardError: the file is no card; the message lists every problem.
    """
    known: dict[str, Card | Path]
    if cards is None:
        known = {path.stem: path for path in sorted(resources.folder("cards").glob("*.toml"))}
    else:
        known = {card.name: card for card in cards}
    for stem, found in known.items():
        if str(name).zfill(2) in {stem, stem[:2]}:
            return load_card(found) if isinstance(found, Path) else found
    listed = "\n".join(f"  {stem}" for stem in known) or "  none"
    raise ResourceNotFoundError(f"no card is called {str(name)!r:.60}; there are:\n{listed}")


def _card(name: str, fields: Fields) -> Card:
    """The card in a table; what is wrong is noted there."""
    pending = fields.texts("pending")
    card = Card(
        name=name,
        question=fields.text("question"),
        short_answer=fields.text("short_answer"),
        answer=fields.text("answer", required="answer" not in pending) or None,
        points=tuple(_point(each, name, pending) for each in fields.tables("points", name_by="id")),
        red_flags=tuple(_red_flag(each) for each in fields.tables("red_flags", name_by="id")),
        follow_ups=tuple(_follow_up(each) for each in fields.tables("follow_ups")),
        pending=pending,
    )
    fields.finish()
    for problem in (*_naming(card), *_counting(card), *_waiting(card), *_placing(card)):
        fields.problem(problem)
    return card


def _point(fields: Fields, card: str, pending: Iterable[str]) -> Point:
    point = Point(
        id=_id(fields),
        text=fields.text("text"),
        weight=fields.integer("weight", default=1, low=1, high=MAX_WEIGHT),
        listen=fields.patterns("listen"),
        claim=_claim(fields, card),
        source=fields.text("source", required=False),
        follow_up=fields.text("follow_up", required=False) or None,
    )
    if not point.listen and "listen" not in pending:
        fields.problem("listen is missing; give at least one regular expression")
    fields.finish()
    return point


def _claim(fields: Fields, card: str) -> Claim | None:
    """The claim of a point, or None if it has none or a wrong one."""
    key = fields.text("evidence", required=fields.has("bound"))
    bound = fields.text("bound", required=fields.has("evidence"))
    if key and (not _KEY.fullmatch(key) or key[:2] != card[:2]):
        fields.problem(f'evidence must look like "{card[:2]}.name", got {key!r}')
    if not key or not bound:
        return None
    try:
        return Claim(fields.text("text", required=False), key, Bound.parse(bound))
    except EvidenceError as error:
        fields.problem(str(error))
        return None


def _red_flag(fields: Fields) -> RedFlag:
    flag = RedFlag(
        id=_id(fields),
        text=fields.text("text"),
        correction=fields.text("correction"),
        listen=fields.patterns("listen"),
    )
    if not flag.listen:
        fields.problem("listen is missing; give at least one regular expression")
    fields.finish()
    return flag


def _follow_up(fields: Fields) -> FollowUp:
    follow_up = FollowUp(question=fields.text("question"), hint=fields.text("hint"))
    fields.finish()
    return follow_up


def _id(fields: Fields) -> str:
    name = fields.text("id")
    if name and not _ID.fullmatch(name):
        fields.problem(f"id must be lower case with _ between words, got {name!r}")
    return name


def _naming(card: Card) -> list[str]:
    """What is wrong with the names: of the card, of its question, of what it holds."""
    found: list[Chapter] = [each for each in CHAPTERS if each.name == card.name]
    problems = [] if found else [f"no chapter is called {card.name}; name the file as one"]
    problems += [
        f"question must be the chapter's, {each.question!r}, got {card.question!r}"
        for each in found
        if card.question and card.question != each.question
    ]
    for kind, items in (("points", card.points), ("red_flags", card.red_flags)):
        ids = Counter(item.id for item in items)
        problems += [f"{kind}: {n} have the id {each}" for each, n in ids.items() if n > 1 and each]
    return problems


def _counting(card: Card) -> list[str]:
    """What there is too little or too much of."""
    problems = [
        f"{kind} must be {fewest} or more, got {len(getattr(card, kind))}"
        for kind, fewest in _FEWEST.items()
        if kind not in card.pending and len(getattr(card, kind)) < fewest
    ]
    words, (low, high) = len(card.short_answer.split()), _SHORT_WORDS
    if card.short_answer and not low <= words <= high:
        problems.append(f"short_answer must have {low} to {high} words, got {words}")
    if "evidence" not in card.pending and not card.claims:
        problems.append("evidence is missing: no point names a figure with a bound")
    return problems


def _waiting(card: Card) -> list[str]:
    """What is wrong with the list of pending parts."""
    written = {
        "answer": card.answer is not None,
        "listen": any(point.listen for point in card.points),
        "red_flags": bool(card.red_flags),
        "evidence": bool(card.claims),
    }
    there = [part for part in card.pending if written.get(part)]
    unknown = [part for part in card.pending if part not in PENDING_PARTS]
    problems = [f"{part} is pending, yet written; take it out of pending" for part in there]
    if unknown:
        known = ", ".join(PENDING_PARTS)
        problems.append(f"pending may name {known}, got {', '.join(unknown)}")
    return problems


def _placing(card: Card) -> list[str]:
    """What is wrong with the placeholders: only the full answer has some, of its own notebook."""
    problems = [
        f"{place} holds the placeholder {found[0]}; only answer may hold one"
        for place, text in _texts_without_figures(card)
        if (found := PLACEHOLDER.search(text))
    ]
    rest = PLACEHOLDER.sub("", card.answer or "")
    problems += [
        f'answer: a placeholder looks like "{{{card.number}.name}}", got {brace!r}'
        for brace in re.findall(r"\{[^}]*\}?", rest)
    ]
    problems += [
        f"answer: {found[0]} is not a figure of chapter {card.number}"
        for found in PLACEHOLDER.finditer(card.answer or "")
        if found["key"][:2] != card.number or not _KEY.fullmatch(found["key"])
    ]
    return problems


def _texts_without_figures(card: Card) -> list[tuple[str, str]]:
    """The other texts that a reader sees, with the place of each."""
    texts = [("short_answer", card.short_answer)]
    texts += [(f"points ({point.id})", point.text) for point in card.points]
    for flag in card.red_flags:
        texts.append((f"red_flags ({flag.id})", f"{flag.text} {flag.correction}"))
    for number, each in enumerate(card.follow_ups, 1):
        texts.append((f"follow_ups {number}", f"{each.question} {each.hint}"))
    return texts
