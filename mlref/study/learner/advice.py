"""What a learner does next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlref.study.learner.progress import State
from mlref.study.learner.standing import ChapterProgress, LabStanding

__all__ = ["next_step"]


def next_step(folder: Path, state: State, chapters: Sequence[ChapterProgress]) -> tuple[str, str]:
    """What to do next, one sentence, and the command for it.

    What was begun comes first: an answer, a mock interview, a lab. Then come the cards that are
    due, then the first step not taken, question by question.

    Args:
        folder: the learner's folder.
        state: the progress.
        chapters: how far each question is, in order.
    """
    if state.draft is not None:
        return "An answer is begun and kept; go on with it.", "mlref drill"
    if state.mock is not None:
        return "A mock interview is going on.", "mlref drill --mock 45"
    for each in chapters:
        if each.lab and each.lab.begun and each.lab.solved < each.lab.total:
            return _lab_step(each, each.lab)
    if due := sum(each.card is not None and each.card.is_due for each in chapters):
        cards = "1 card is" if due == 1 else f"{due} cards are"
        return f"{cards} due.", "mlref drill --due"
    return next(_first_steps(folder, chapters), None) or _waiting(chapters)


def _first_steps(folder: Path, chapters: Sequence[ChapterProgress]) -> Iterator[tuple[str, str]]:
    """The steps not taken, question by question: read, practise, answer."""
    for each in chapters:
        if each.read is False:
            path = _from_here(folder / "notebooks" / f"{each.name}.ipynb")
            yield f"Read notebook {each.number}, {each.title}.", f"jupyter lab {path}"
        if each.lab and each.lab.solved < each.lab.total:
            yield _lab_step(each, each.lab)
        if each.card and not each.card.reviews:
            sentence = f"Answer question {each.number} as in an interview."
            yield sentence, f"mlref drill --topic {each.number}"


def _lab_step(chapter: ChapterProgress, lab: LabStanding) -> tuple[str, str]:
    left = lab.total - lab.solved
    exercises = "1 exercise" if left == 1 else f"{left} exercises"
    sentence = f"Lab {chapter.number}, {chapter.title}: {exercises} to solve."
    return sentence, f"mlref watch {chapter.number}"


def _waiting(chapters: Sequence[ChapterProgress]) -> tuple[str, str]:
    dates = [each.card.due for each in chapters if each.card and each.card.due]
    until = f"; the next card is due on {min(dates)[:10]}" if dates else ""
    return f"All that there is has been done{until}.", "mlref review"


def _from_here(path: Path) -> str:
    """A path as it is typed where one stands."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
