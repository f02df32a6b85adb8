"""What is due: cards now and later, solutions that were looked up, what is going on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mlref.study.interview.card import Card
from mlref.study.interview.rounds import days_until, print_item
from mlref.study.interview.schedule import RATINGS, due_at, last_rated, weak_points
from mlref.study.learner.progress import State
from mlref.tables import Table

__all__ = ["Review", "Step", "render", "review"]


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        what: for instance "card 01 Deployment steps".
        when: "now", "in 3 days", "new".
        before: how it went the last time.
        command: what to type.
    """

    what: str
    when: str
    before: str
    command: str


@dataclass(frozen=True)
class Review:
    """What is due, most urgent first; weak points in words, weakest first; what to type next."""

    steps: tuple[Step, ...]
    weak: tuple[str, ...]
    next: str

    def to_table(self) -> Table:
        """One row for each step."""
        rows = tuple((each.what, each.when, each.before, each.command) for each in self.steps)
        return Table(("what", "when", "last time", "command"), rows)

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        return self.to_table()._repr_html_()


def review(state: State, cards: Sequence[Card], now: datetime) -> Review:
    """What a learner should repeat.

    Args:
        state: the learner's progress.
        cards: mlref's.
        now: decides what is due.
    """
    dates = {card.name: due_at(state.cards.get(card.name)) for card in cards}
    rated = [(date, card) for card in cards if (date := dates[card.name])]
    new = [card for card in cards if dates[card.name] is None]
    rated.sort(key=lambda each: each[0])
    due = [_card_step(card, "now", state) for date, card in rated if date <= now]
    later = [_card_step(card, days_until(date, now), state) for date, card in rated if date > now]
    now_steps = [*_going_on(state), *due, *_solutions(state)]
    if new:
        names = "1 card" if len(new) == 1 else f"{len(new)} cards"
        now_steps.append(Step(f"{names} never answered", "new", "-", "mlref drill"))
    weak = tuple(str(each) for each in weak_points(state, cards))
    return Review((*now_steps, *later), weak, _next(now_steps, due))


def _going_on(state: State) -> list[Step]:
    """What was begun and not finished."""
    found = []
    if state.draft is not None:
        number = str(state.draft.get("card", ""))[:2]
        found.append(Step(f"unfinished answer to {number}", "now", "-", "mlref drill"))
    if state.mock is not None:
        command = f"mlref drill --mock {_minutes(state.mock.get('minutes'))}"
        found.append(Step("unfinished mock interview", "now", "-", command))
    return found


def _minutes(value: object) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else "45"


def _card_step(card: Card, when: str, state: State) -> Step:
    last = last_rated(state.cards.get(card.name)) or {}
    rating, share = RATINGS.get(last.get("rating", 0), "-"), last.get("score")
    before = f"{rating}, {share:.0%}" if isinstance(share, (int, float)) else rating
    return Step(
        f"card {card.number} {card.title}", when, before, f"mlref drill --topic {card.number}"
    )


def _solutions(state: State) -> list[Step]:
    """The exercises whose solution was looked up before they were solved."""
    found = []
    for lab, exercises in state.labs.items():
        for name, each in exercises.items():
            seen, passed = each.solution_seen, each.passed
            if seen and (passed is None or _moment(passed) > _moment(seen)):
                command = f"mlref labs reset {lab[:2]} {name}"
                found.append(Step(f"lab {lab[:2]} {name}", "again", "looked up", command))
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _next(steps: Sequence[Step], due: Sequence[Step]) -> str:
    """The command for what is most urgent."""
    if not steps:
        return "mlref drill --mock 45"
    return "mlref drill --due" if due and steps[0] is due[0] else steps[0].command


def render(console: Console, found: Review) -> None:
    """Show a review; readable in 80 columns and without colours.

    Args:
        console: where to.
        found: what is due.
    """
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    plain = found.to_table()
    for column in plain.columns:
        table.add_column(column, overflow="fold", no_wrap=column != "what")
    for row in plain.rows:
        table.add_row(*[Text(str(cell)) for cell in row])
    console.print(table)
    if found.weak:
        console.print()
        console.print(Text("Weak points, the weakest first", "bold"))
    for line in found.weak:
        print_item(console, line)
    console.print()
    console.print(Text.assemble("next: ", (found.next, "bold")), soft_wrap=True)
