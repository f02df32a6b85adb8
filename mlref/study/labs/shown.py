"""A lab's result for people: text for a terminal, HTML for a notebook.

Each says in words what the colour says, so that neither needs colours to be understood.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlref.study.grading import CheckOutcome, ExerciseResult, LabResult, Status

__all__ = ["MARKS", "as_html", "as_text", "lines_of"]

MARKS: dict[Status, str] = {
    "passed": "✓ solved",
    "failed": "✗ not yet",
    "todo": "· to do",
    "error": "✗ error",
    "timeout": "✗ too slow",
    "memory": "✗ too much memory",
    "missing": "· no answer",
}
"""A sign and a word for each way in which an exercise ends."""

_COLOURS = {"passed": "#1a7f37", "todo": "#57606a", "missing": "#57606a"}
_WRONG = "#b35900"


def as_text(result: LabResult) -> str:
    """The result as lines of text."""
    lines = [f"{result.title}: {result.solved} of {len(result.exercises)} solved"]
    for each in result.exercises:
        lines += lines_of(each)
    return "\n".join(lines)


def lines_of(result: ExerciseResult) -> Iterator[str]:
    """One exercise's result as lines of text."""
    yield f"{MARKS[result.status]}  {result.exercise}"
    for check in result.checks:
        yield f"    {_sign(check)} {check.label}"
    if result.message:
        yield from (f"  {line}" for line in result.message.splitlines())
    if result.why:
        yield f"  {_heading(result)}: {result.why}."
    if result.output and not result.passed:
        yield "  What your code printed:"
        yield from (f"    | {line}" for line in result.output.splitlines())


def _heading(result: ExerciseResult) -> str:
    """What the sentence below the message tells."""
    wrong = result.status in {"failed", "timeout", "memory"}
    return "Why it matters" if wrong else "What to do"


def _sign(check: CheckOutcome) -> str:
    if check.passed is None:
        return "· (not reached)"
    return "✓" if check.passed else "✗"


def as_html(result: LabResult) -> str:
    """The result as HTML that needs nothing from elsewhere."""
    total = len(result.exercises)
    head = (
        f"<p><b>{html.escape(result.title)}</b>: {result.solved} of {total} solved "
        f'<progress value="{result.solved}" max="{total}" '
        f'aria-label="{result.solved} of {total} exercises solved"></progress></p>'
    )
    exercises = "".join(_exercise_html(each) for each in result.exercises)
    return f"<div>{head}{exercises}{_help_html(result)}</div>"


def _help_html(result: LabResult) -> str:
    """Where help is to be had: with the first answer that is wrong, else the first to do."""
    unsolved = [each for each in result.exercises if not each.passed]
    if not unsolved:
        return ""
    stuck = next((each for each in unsolved if each.status not in {"todo", "missing"}), unsolved[0])
    call = html.escape(f'hint("{result.lab[:2]}", "{stuck.exercise}")')
    return f"<p>Stuck? <code>{call}</code> shows a hint, and the next one each time.</p>"


def _exercise_html(result: ExerciseResult) -> str:
    colour = _COLOURS.get(result.status, _WRONG)
    head = (
        f'<div style="border-left: 4px solid {colour}; padding: 0 0 0 .8em; margin: .6em 0">'
        f"<div><b>{html.escape(MARKS[result.status])}</b> "
        f"<code>{html.escape(result.exercise)}</code></div>"
    )
    parts = [head]
    if result.checks:
        items = "".join(
            f"<div>{_sign(check)} {html.escape(check.label)}</div>" for check in result.checks
        )
        parts.append(f'<div style="margin-left: 1em">{items}</div>')
    if result.message:
        parts.append(f'<div style="white-space: pre-wrap">{html.escape(result.message)}</div>')
    if result.why:
        parts.append(f"<div><i>{_heading(result)}:</i> {html.escape(result.why)}.</div>")
    if result.output and not result.passed:
        printed = html.escape(result.output)
        parts.append(
            f"<details><summary>what your code printed</summary><pre>{printed}</pre></details>"
        )
    return "".join(parts) + "</div>"
