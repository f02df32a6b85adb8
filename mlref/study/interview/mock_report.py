"""The report of a mock interview, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from mlref.study.interview.card import Card
from mlref.study.interview.prompting import clock_text
from mlref.study.interview.schedule import RATINGS, WeakPoint, rating, weak_points
from mlref.study.interview.sitting import Answered, Sitting
from mlref.study.learner.progress import State
from mlref.tables import Table

__all__ = ["report_text"]

_WEAKEST = 8  # so many points are listed


def report_text(sitting: Sitting, cards: Sequence[Card], state: State, folder: Path) -> str:
    """The report: times, answers, points, red flags, follow-ups, score, and what to read next.

    Args:
        sitting: the interview, over or ended early.
        cards: mlref's.
        state: tells how often points were missed, in this interview and before.
        folder: the learner's; notebooks that are in it are linked.
    """
    known = {card.name: card for card in cards}
    pairs = [(known[each.card], each) for each in sitting.answers if each.card in known]
    started = datetime.fromisoformat(sitting.started)
    parts = [
        f"# Mock interview of {started:%Y-%m-%d %H:%M} UTC",
        _summary(sitting),
        _overview(pairs).to_markdown(),
    ]
    for number, (card, answered) in enumerate(pairs, 1):
        parts += _question(number, card, answered)
    parts.append("## Weakest points, and what to read next")
    parts += _reading([card for card, _ in pairs], state, folder)
    return "\n\n".join(parts) + "\n"


def _summary(sitting: Sitting) -> str:
    done, total = len(sitting.answers), len(sitting.cards)
    used, over = clock_text(sitting.spent_s), clock_text(-sitting.left_s)
    late = f", **{over} over the time**" if sitting.left_s < 0 else ""
    return (
        f"**Overall score: {sitting.score:.0%}.** {done} of {total} questions were answered in "
        f"{used} of {clock_text(sitting.minutes * 60)} minutes{late}. The points are those that "
        f"you confirmed yourself."
    )


def _overview(pairs: Sequence[tuple[Card, Answered]]) -> Table:
    rows = []
    for number, (card, each) in enumerate(pairs, 1):
        points = f"{len(each.ticked)} of {len(card.points)}"
        rated = RATINGS[rating(each.score, has_red_flag=bool(each.red_flags))]
        time, share = clock_text(each.seconds), f"{each.score:.0%}"
        flags = str(len(each.red_flags))
        rows.append((str(number), f"{card.number} {card.title}", time, points, flags, share, rated))
    columns = ("no.", "question", "time", "points", "red flags", "score", "rating")
    return Table(columns, tuple(rows))


def _question(number: int, card: Card, answered: Answered) -> Iterator[str]:
    yield f"## {number}. {card.title}"
    yield f"*{card.question}*"
    yield f"**Your answer** ({clock_text(answered.seconds)})"
    yield _quoted(answered.text)
    yield from _listed("**Said**", _points(card, answered.ticked, "✓"))
    yield from _listed("**Missed**", _points(card, answered.missed, "✗"))
    flags = [flag for flag in card.red_flags if flag.id in answered.red_flags]
    yield from _listed("**Red flags**", [f"✗ {f.text} ✓ {f.correction}" for f in flags])
    if answered.question:
        yield f"**Follow-up:** {answered.question}"
        yield f"**Your answer** ({clock_text(answered.reply_seconds)})"
        yield _quoted(answered.reply)
        if answered.hint:
            yield f"What stands behind it: {answered.hint}"


def _points(card: Card, ids: Iterable[str], sign: str) -> list[str]:
    wanted = set(ids)
    return [f"{sign} {point.text}" for point in card.points if point.id in wanted]


def _listed(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield heading
        yield "\n".join(f"- {line}" for line in lines)


def _quoted(text: str) -> str:
    """What was typed, as a block quote."""
    lines = text.strip().splitlines() or ["(nothing)"]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _reading(cards: Sequence[Card], state: State, folder: Path) -> Iterator[str]:
    """The weakest points, then where each of their chapters is taught."""
    weak = weak_points(state, cards)
    if not weak:
        yield "None of these questions has a weak point left."
        return
    yield "\n".join(f"- {_weak(each)}" for each in weak[:_WEAKEST])
    numbers = dict.fromkeys(each.card.number for each in weak[:_WEAKEST])
    named = [card for number in numbers for card in cards if card.number == number]
    yield "\n".join(f"- {_where(card, folder)}" for card in named)


def _weak(weak: WeakPoint) -> str:
    return f"{weak} ({weak.point.source})" if weak.point.source else str(weak)


def _where(card: Card, folder: Path) -> str:
    name = f"notebooks/{card.name}.ipynb"
    there = (folder / name).is_file()
    notebook = f"[notebook {card.number}](../{name}), " if there else ""
    commands = f"`mlref cards show {card.number}`, then `mlref drill --topic {card.number}`"
    return f"{card.title}: {notebook}{commands}"
