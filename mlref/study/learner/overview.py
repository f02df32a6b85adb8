"""How far everything is, where the learner was, and what comes next.

A notebook counts as read when it was marked with `mlref progress --read NN`, or when the learner's
copy of it was saved since `mlref init` wrote it: who runs and saves a notebook has been in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mlref import resources
from mlref.study import selection
from mlref.study.chapters import CHAPTERS, Chapter
from mlref.study.interview.schedule import due_at
from mlref.study.labs.lab import Lab, all_labs
from mlref.study.learner.advice import next_step
from mlref.study.learner.shipped import digest
from mlref.study.learner.standing import CardStanding, ChapterProgress, LabStanding
from mlref.study.learner.state import CardProgress, ExerciseProgress, State, Store
from mlref.tables import Table

__all__ = [
    "CardStanding",
    "ChapterProgress",
    "LabStanding",
    "Overview",
    "mark_read",
    "overview",
    "render",
]

_BAR_WIDTH = 24


@dataclass(frozen=True)
class Overview:
    """All of it.

    Attributes:
        folder: the learner's folder.
        chapters: the fifteen questions, in order.
        last: what was done last, in words; None if nothing was.
        last_at: the moment of that, ISO.
        next: what to do next, one sentence.
        command: the command for it.
    """

    folder: str
    chapters: tuple[ChapterProgress, ...]
    last: str | None
    last_at: str | None
    next: str
    command: str

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps are done, of how many."""
        pairs = [each.steps for each in self.chapters]
        return sum(done for done, _ in pairs), sum(total for _, total in pairs)

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        done, total = self.steps
        return {"done": done, "total": total, **asdict(self)}

    def to_table(self) -> Table:
        """One row for each question."""
        columns = ("no.", "topic", "notebook", "lab", "hints", "card", "asked")
        return Table(columns, tuple(_row(each) for each in self.chapters))

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        return self.to_table()._repr_html_()


def overview(store: Store) -> Overview:
    """How far the learner of a folder is.

    Raises:
        LearnerError: the progress cannot be read.
        LearnerStateError: a newer mlref wrote it.
        LabError: the description of a lab is wrong.
        ResourceNotFoundError: mlref's labs are not where they belong.
    """
    state = store.read()
    labs = {lab.name: lab for lab in all_labs()}
    now = store.clock.now()
    chapters = tuple(_chapter(each, store, state, labs.get(each.name), now) for each in CHAPTERS)
    moments = sorted(_done(store, state))
    last_at, last = moments[-1] if moments else (None, None)
    sentence, command = next_step(store.folder, state, chapters)
    return Overview(str(store.folder), chapters, last, last_at, sentence, command)


def mark_read(store: Store, name: str) -> str:
    """The stem of a notebook, after it was marked as read.

    Args:
        store: the progress of the learner's folder.
        name: its number, stem or file name.

    Raises:
        ResourceNotFoundError: there is no such notebook; the message lists those there are.
        LearnerError: the progress cannot be read.
        FileWriteError: it could not be saved.
    """
    (path,) = selection.choose([name], resources.notebooks())
    with store.update() as state:
        state.read.setdefault(path.stem, store.now())
    return path.stem


def _chapter(
    chapter: Chapter, store: Store, state: State, lab: Lab | None, now: datetime
) -> ChapterProgress:
    card = state.cards.get(chapter.name, CardProgress())
    return ChapterProgress(
        number=chapter.number,
        name=chapter.name,
        title=chapter.title,
        read=_is_read(chapter.name, store, state) if chapter.notebook else None,
        lab=_lab(lab, state) if lab else None,
        card=_card(card, now) if chapter.card else None,
    )


def _is_read(stem: str, store: Store, state: State) -> bool:
    name = f"notebooks/{stem}.ipynb"
    return stem in state.read or _saved_at(store, state, name) is not None


def _saved_at(store: Store, state: State, name: str) -> str | None:
    """When the learner saved a file; None if it is as `init` wrote it, or not there."""
    path = store.folder / name
    try:
        if name not in state.shipped or digest(path.read_bytes()) == state.shipped[name]:
            return None
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    except OSError:
        return None


def _lab(lab: Lab, state: State) -> LabStanding:
    known = state.labs.get(lab.name, {})
    exercises = [known[each.name] for each in lab.exercises if each.name in known]
    return LabStanding(
        solved=sum(each.passed is not None for each in exercises),
        total=len(lab.exercises),
        hints=sum(each.hints for each in exercises),
        solutions=sum(each.solution_seen is not None for each in exercises),
        begun=any(each != ExerciseProgress() for each in exercises),
    )


def _card(card: CardProgress, now: datetime) -> CardStanding:
    reviews = sum(bool(each.get("rating")) for each in card.reviews)  # not those that were left
    due = due_at(card)
    return CardStanding(reviews, due.isoformat() if due else None, is_due=bool(due and due <= now))


def _done(store: Store, state: State) -> Iterator[tuple[str, str]]:
    """Moments and what was done then, in words."""
    for lab, exercises in state.labs.items():
        for name, exercise in exercises.items():
            if exercise.passed:
                yield _utc(exercise.passed), f"solved {name} in lab {lab[:2]}"
            if exercise.solution_seen:
                yield _utc(exercise.solution_seen), f"saw the solution of {name} in lab {lab[:2]}"
    for stem, moment in state.read.items():
        yield _utc(moment), f"read notebook {stem[:2]}"
    for card, progress in state.cards.items():
        for review in progress.reviews:
            did = "answered" if review.get("rating") else "put away an answer to"
            yield _utc(review["at"]), f"{did} card {card[:2]}"
    for name in state.shipped:
        if saved := _saved_at(store, state, name):
            yield _utc(saved), f"saved {name}"


def _utc(moment: str) -> str:
    """The same moment in a form whose order is that of time."""
    return datetime.fromisoformat(moment).astimezone(UTC).isoformat(timespec="microseconds")


def _row(chapter: ChapterProgress) -> tuple[Any, ...]:
    lab, card = chapter.lab, chapter.card
    return (
        chapter.number,
        chapter.title,
        {True: "✓ read", False: "unread", None: None}[chapter.read],
        f"{'✓ ' if lab.solved == lab.total else ''}{lab.solved} of {lab.total}" if lab else None,
        lab.hints if lab else None,
        _card_text(card) if card else None,
        card.reviews if card else None,
    )


def _card_text(card: CardStanding) -> str:
    if card.is_due:
        return "due now"
    return f"due {card.due[:10]}" if card.due else "new"


def render(console: Console, found: Overview) -> None:
    """Show an overview; readable in 80 columns and without colours."""
    done, total = found.steps
    filled = round(_BAR_WIDTH * done / total) if total else 0
    bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
    console.print(Text.assemble(bar, f"  {done} of {total} steps done"))
    console.print()
    console.print(_rich_table(found))
    console.print()
    if found.last and found.last_at:
        console.print(Text(f"last: {found.last_at[:10]}, {found.last}"), soft_wrap=True)
    console.print(Text(f"next: {found.next}"), soft_wrap=True)
    console.print(Text(f"      {found.command}", "bold"), soft_wrap=True)


def _rich_table(found: Overview) -> RichTable:
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    plain = found.to_table()
    for column in plain.columns:
        right = column in {"hints", "asked"}
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for row in plain.rows:
        cells = ["-" if cell is None else str(cell) for cell in row]
        table.add_row(*[Text(cell, _style(cell)) for cell in cells])
    return table


def _style(cell: str) -> str:
    if cell.startswith("✓"):
        return "green"
    return {"-": "dim", "due now": "yellow"}.get(cell, "")
