"""Grading inside a running notebook: the code that the kernel last executed, not a file's.

A learner edits a cell, runs it, and runs `check("01")`. Whether the notebook was saved does not
matter, and a cell that was edited but not run again counts as it was run.
"""

from __future__ import annotations

import html
import itertools
from typing import TYPE_CHECKING, Any, Self

from mlref.errors import LabError, MlrefError, NoLearnerFolderError
from mlref.study.labs.cutting import answer_name
from mlref.study.labs.lab import find_lab

if TYPE_CHECKING:
    from mlref.study.grading import ExerciseResult, LabResult
    from mlref.study.labs.lab import Lab

__all__ = ["check", "executed_answers"]


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

    display(HTML(f"<div>{html.escape(text)}</div>"))
