"""What `mlref watch` shows: a head, the result or what was asked for, and the keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from rich.text import Text

from mlref.study._lines import progress_bar, result_lines, wrapped
from mlref.study.labs.results import MARKS

if TYPE_CHECKING:
    from mlref.study.grading import ExerciseResult
    from mlref.study.labs.lab import Exercise, Lab

__all__ = ["KEYS", "Panel", "View", "drawn"]

Panel: TypeAlias = Literal["result", "list", "solution", "done"]
"""What stands in the middle."""

KEYS = "n next · h hint · s solution · l list · r reset · q quit"
_NO_KEYS = "Save the file to have it checked again; Ctrl-C ends."
_LEAST_RESULT = 4  # lines of a result that stay when a hint needs the room


@dataclass(frozen=True)
class View:
    """All that the screen depends on.

    Attributes:
        lab: the lab.
        current: the exercise at hand.
        results: exercise -> what the grader said last.
        solved: the exercises that are solved.
        place: the file and line to edit.
        hint: which hint to the current exercise is shown; 0 for none.
        panel: what stands in the middle.
        solution: the solution's code, for that panel.
        question: what was asked, and waits for a key.
        note: what a key has just done.
        problem: why the files could not be read; empty if they could.
        checking: the exercise that is being graded; empty if none is.
        keys: whether somebody can press keys.
    """

    lab: Lab
    current: Exercise
    results: Mapping[str, ExerciseResult] = field(default_factory=dict)
    solved: frozenset[str] = frozenset()
    place: str = ""
    hint: int = 0
    panel: Panel = "result"
    solution: str = ""
    question: str = ""
    note: str = ""
    problem: str = ""
    checking: str = ""
    keys: bool = True


def drawn(view: View, width: int, height: int | None = None) -> list[Text]:
    """The lines of the screen.

    Args:
        view: what is to be shown.
        width: columns.
        height: lines that there are; None means as many as it takes.
    """
    head, foot = _head(view, width), _foot(view, width)
    room = None if height is None else max(height - 1 - len(head) - len(foot), 1)
    return [*head, *_body(view, width, room), *foot]


def _head(view: View, width: int) -> list[Text]:
    names = [each.name for each in view.lab.exercises]
    lines = [
        Text(view.lab.title, "bold"),
        Text(f"Progress: {progress_bar(len(view.solved), len(names))}"),
        Text(),
    ]
    if view.panel == "done":
        return lines
    count = f"Exercise {names.index(view.current.name) + 1} of {len(names)}"
    lines += _plain([f"{count}: {view.current.title}"], width, "bold")
    if view.place:
        lines += _plain([f"Edit {view.place}"], width)
    return [*lines, Text()]


def _foot(view: View, width: int) -> list[Text]:
    lines: list[Text] = [Text()]
    if view.checking:
        lines.append(Text(f"Checking {view.checking} ...", "bold"))
    for line, style in ((view.note, ""), (view.question, "bold yellow")):
        lines += _plain(line.splitlines(), width, style)
    return [*lines, *_plain([KEYS if view.keys else _NO_KEYS], width, "dim")]


def _plain(lines: list[str], width: int, style: str = "") -> list[Text]:
    return [Text(line, style) for line in wrapped(lines, width)]


def _body(view: View, width: int, room: int | None) -> list[Text]:
    number, name = view.lab.number, view.current.name
    if view.panel == "list":
        return _cut(_list(view, width), room, "mlref labs list")
    if view.panel == "done":
        return _cut(_done(view, width), room, "mlref progress")
    if view.panel == "solution":
        code = [f"  {line}" for line in view.solution.splitlines()]
        lines = [Text("The solution", "bold"), *map(Text, code)]
        return _cut(lines, room, f"mlref labs solution {number} {name}")
    hint = _hint(view, width)
    result = _result(view, width)
    if room is not None:
        hint = _cut(
            hint, max(room - min(len(result), _LEAST_RESULT), 1), f"mlref labs hint {number}"
        )
        left = room - len(hint)
        if len(result) > left:
            result = _result(view, width, short=True)
        result = _cut(result, left, f"mlref labs check {number} {name}")
    return [*result, *hint]


def _cut(lines: list[Text], room: int | None, more: str) -> list[Text]:
    """As many lines as there is room for; the last one says how to see the others."""
    if room is None or len(lines) <= room:
        return lines
    return [*lines[: max(room - 1, 0)], Text(f"... more: {more}", "bold")]


def _result(view: View, width: int, *, short: bool = False) -> list[Text]:
    """What the grader said; if it must be short, only of the check that failed."""
    if view.problem:
        return _plain([f"✗ {view.problem}"], width)
    result = view.results.get(view.current.name)
    if result is None:
        return [Text("Not checked yet.")]
    if short:
        failed = tuple(each for each in result.checks if each.passed is False)
        result = replace(result, checks=failed)
    lines = result_lines(result, width)
    if result.passed:
        everything = len(view.solved) == len(view.lab.exercises)
        ahead = "what comes after this lab" if everything else "the next exercise"
        lines += [Text(), Text(f"Well done. n: {ahead}; s: compare with our solution.")]
    return lines if view.keys or not result.passed else lines[:-2]


def _hint(view: View, width: int) -> list[Text]:
    if not view.hint:
        return []
    hints = view.current.hints
    head = f"Hint {view.hint} of {len(hints)}"
    return [Text(), Text(head, "bold"), *_plain([f"  {hints[view.hint - 1]}"], width)]


def _list(view: View, width: int) -> list[Text]:
    longest = max(len(each.name) for each in view.lab.exercises)
    signs = max(len(mark) for mark in MARKS.values())
    lines = [Text("All exercises", "bold")]
    for each in view.lab.exercises:
        here = ">" if each is view.current else " "
        head = f"{here} {_mark(view, each):{signs}}  {each.name:{longest}}  "
        indent = " " * len(head)
        title = wrapped([each.title], max(width - len(head), 20))
        lines += [Text(f"{head if not row else indent}{part}") for row, part in enumerate(title)]
    return lines


def _mark(view: View, exercise: Exercise) -> str:
    if exercise.name in view.solved:
        return MARKS["passed"]
    result = view.results.get(exercise.name)
    return MARKS[result.status] if result else "· not checked"


def _done(view: View, width: int) -> list[Text]:
    lines = [
        f"✓ All {len(view.lab.exercises)} exercises of this lab are solved.",
        "",
        f"Next: {view.lab.next}.",
        "How far you are with everything: mlref progress",
    ]
    return _plain(lines, width)
