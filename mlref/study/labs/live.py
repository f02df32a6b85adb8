"""Grading inside a running notebook: the code that the kernel last executed, not a file's.

A learner edits a cell, runs it, and runs `check("01")`. Whether the notebook was saved does not
matter, and a cell that was edited but not run again counts as it was run. Whoever is stuck runs
`hint("01", "leaks")`, and runs it again for the next hint.
"""

from __future__ import annotations

import html
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from mlref.errors import LabError, MlrefError, NoLearnerFolderError
from mlref.study.labs.cutting import answer_name
from mlref.study.labs.lab import find_lab
from mlref.study.labs.results import inline_html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlref.study.grading import ExerciseResult, LabResult
    from mlref.study.labs.lab import Exercise, Lab

__all__ = ["ShownHints", "check", "executed_answers", "hint"]

_seen: dict[tuple[str, str], int] = {}  # hints that this process showed and no folder keeps


def check(lab: str, exercise: str | None = None) -> LabResult:
    """The result of the answers that were last executed in this notebook.

    It shows how far the grader is. In a learner's folder the result is kept: `mlref progress`.

    Args:
        lab: number or name, "1", "01" or "01_deployment_steps".
        exercise: an exercise, to grade no other.

    Raises:
        LabError: this is no notebook, or the lab has no such exercise.
        ResourceNotFoundError: there is no such lab.
        MissingExtraError: the extra "study" is not installed.
    """
    from mlref.study.grading import grade_lab

    found = find_lab(lab)
    answers = executed_answers(_shell())
    chosen = found.exercises if exercise is None else (found.exercise(exercise),)
    with _Progress(found, total=len(chosen)) as progress:
        result = grade_lab(found, answers, only=exercise, watcher=progress.step)
    _record(result)
    return result


@dataclass(frozen=True)
class ShownHints:
    """The hints to an exercise that a learner has asked for, the newest last.

    Attributes:
        lab: the lab's number, "01".
        exercise: the exercise's name.
        hints: what was asked for so far.
        total: how many there are.
        notices: messages for the learner.
    """

    lab: str
    exercise: str
    hints: tuple[str, ...]
    total: int
    notices: tuple[str, ...] = ()

    @property
    def next_step(self) -> str:
        """What to do when these do not help; names of commands stand in backquotes."""
        if len(self.hints) < self.total:
            return f'For the next one: `hint("{self.lab}", "{self.exercise}")`'
        return (
            f"That was the last one. To give up and see how we would have written it, in a "
            f"terminal: `mlref labs solution {self.lab} {self.exercise} --give-up`"
        )

    def _headed(self) -> Iterator[tuple[str, str]]:
        """Each hint below its heading."""
        for number, text in enumerate(self.hints, start=1):
            yield f"Hint {number} of {self.total}", text

    def __str__(self) -> str:
        hints = [f"{heading}: {text}" for heading, text in self._headed()]
        return "\n".join([*self.notices, *hints, f"{self.next_step}."])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The hints as a notebook shows them; no request goes elsewhere."""
        lines = [
            *(inline_html(notice) for notice in self.notices),
            *(f"<b>{heading}:</b> {inline_html(text)}" for heading, text in self._headed()),
            f"<i>{inline_html(self.next_step)}.</i>",
        ]
        return "".join(f'<div style="margin: .3em 0">{line}</div>' for line in lines)


def hint(lab: str, exercise: str) -> ShownHints:
    """The next hint to an exercise, with those before it; there are three.

    In a learner's folder it is kept that it was seen, as `mlref labs hint` does. Elsewhere the
    hints come one after the other until the process ends.

    Args:
        lab: number or name, "1", "01" or "01_deployment_steps".
        exercise: the exercise's name.

    Raises:
        LabError: the lab has no such exercise; the message lists those it has.
        ResourceNotFoundError: there is no such lab.
    """
    found = find_lab(lab)
    wanted = found.exercise(exercise)
    number, notices = _next_hint(found, wanted)
    hints = wanted.hints
    return ShownHints(found.number, wanted.name, hints[:number], len(hints), notices)


def _next_hint(lab: Lab, exercise: Exercise) -> tuple[int, tuple[str, ...]]:
    """Which hint comes next, counted from 1 and kept as seen, and messages for the learner."""
    from mlref.study.learner.results import next_hint, record_hint
    from mlref.study.learner.state import open_store

    key = lab.name, exercise.name
    number = next_hint(exercise, _seen.get(key, 0))
    notices: list[str] = []
    try:
        store = open_store()
        number = next_hint(exercise, store.read().exercise(*key).hints)
        record_hint(store, *key, number=number)
        notices += store.notices
    except NoLearnerFolderError:
        _seen[key] = number
    except MlrefError as error:  # the hint itself must not be lost
        _seen[key] = number
        notices.append(f"It is not kept that you saw this hint: {error}")
    return number, tuple(notices)


def executed_answers(shell: Any) -> dict[str, str]:
    """The answers among the cells that a shell has executed; of two for one exercise, the last.

    Args:
        shell: IPython's shell.
    """
    history = shell.history_manager.input_hist_raw
    return {name: code for code in history if (name := answer_name(code)) is not None}


def _shell() -> Any:
    """The shell of the notebook that this runs in."""
    import sys

    shell = None
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
    if shell is None:
        raise LabError("check() grades the cells of a notebook; in a terminal: mlref labs check")
    return shell


class _Progress:
    """A line and a bar that show how far the grader is, and go when it is done."""

    def __init__(self, lab: Lab, *, total: int) -> None:
        self._title = lab.title
        self._total = total
        self._count = itertools.count(1)
        self._handle: Any = None

    def __enter__(self) -> Self:
        from IPython.display import HTML, display

        self._handle = display(HTML(self._line(0)), display_id=True)
        return self

    def __exit__(self, *_error: object) -> None:
        from IPython.display import HTML

        self._handle.update(HTML(""))

    def step(self, _result: ExerciseResult) -> None:
        """One more exercise is graded."""
        from IPython.display import HTML

        self._handle.update(HTML(self._line(next(self._count))))

    def _line(self, done: int) -> str:
        title = html.escape(self._title)
        bar = f'<progress value="{done}" max="{self._total}"></progress>'
        return f"<div>{title}: {done} of {self._total} graded {bar}</div>"


def _record(result: LabResult) -> None:
    """Keep the result where the learner's progress is kept, if this is a learner's folder."""
    from mlref.study.learner.results import record
    from mlref.study.learner.state import open_store

    try:
        store = open_store()
        record(store, result)
    except NoLearnerFolderError:
        return
    except MlrefError as error:  # the result itself must not be lost
        _say(f"This result is not kept: {error}")
        return
    for notice in store.notices:
        _say(notice)


def _say(text: str) -> None:
    """Show a line of text in the notebook."""
    from IPython.display import HTML, display

    display(HTML(f"<div>{inline_html(text)}</div>"))
