"""What grading found, as data, as text for a terminal and as HTML for a notebook.

Text and HTML say in words what a colour says, so that neither needs colours to be understood; the
HTML asks nothing from elsewhere.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

__all__ = [
    "MARKS",
    "CheckOutcome",
    "ExerciseResult",
    "LabResult",
    "Status",
    "as_html",
    "as_text",
    "inline_html",
    "lines_of",
]

Status: TypeAlias = Literal["passed", "failed", "todo", "error", "timeout", "memory", "missing"]
"""How an exercise ended.

passed: all checks hold. failed: one does not. todo: a hole is untouched. error: the answer raised.
timeout, memory: it overran a limit. missing: there is no answer.
"""

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
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class CheckOutcome:
    """One check: what it checks, and whether that holds; None if it was not reached or not made."""

    label: str
    passed: bool | None


@dataclass(frozen=True)
class ExerciseResult:
    """What became of one answer.

    Attributes:
        lab: the lab's name.
        exercise: the exercise's name.
        status: how it ended.
        checks: the exercise's checks, in order; empty if the answer did not come so far.
        message: what is wrong, or, of an answer that passed, which check could not be made here;
            else empty.
        why: why that matters if the status is "failed", "timeout" or "memory", else what to do;
            empty if there is nothing to say.
        output: the last lines that the answer printed.
        seconds: how long it took, in seconds of wall time.
    """

    lab: str
    exercise: str
    status: Status
    checks: tuple[CheckOutcome, ...] = ()
    message: str = ""
    why: str = ""
    output: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.status == "passed"

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {**asdict(self), "checks": [asdict(each) for each in self.checks]}


@dataclass(frozen=True)
class LabResult:
    """What became of all answers to a lab, in the order of its exercises."""

    lab: str
    title: str
    exercises: tuple[ExerciseResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every exercise is solved."""
        return all(each.passed for each in self.exercises)

    @property
    def solved(self) -> int:
        """How many exercises are solved."""
        return sum(each.passed for each in self.exercises)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        exercises = [each.to_dict() for each in self.exercises]
        return {"lab": self.lab, "passed": self.passed, "exercises": exercises}

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The result as a notebook shows it."""
        return as_html(self)


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
        yield f"    {_sign(check, result.status)} {check.label}"
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


def _sign(check: CheckOutcome, status: Status) -> str:
    """A sign for one check; of what is still to do, none has failed."""
    if status == "todo" and not check.passed:
        return "·"
    if check.passed is None:
        return "· (not made)" if status == "passed" else "· (not reached)"
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


def inline_html(text: str) -> str:
    """A text as HTML in which no tag of its own is left; what stands in backquotes is code."""
    return _CODE.sub(r"<code>\1</code>", html.escape(text))


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
            f"<div>{_sign(check, result.status)} {inline_html(check.label)}</div>"
            for check in result.checks
        )
        parts.append(f'<div style="margin-left: 1em">{items}</div>')
    if result.message:
        parts.append(f'<div style="white-space: pre-wrap">{inline_html(result.message)}</div>')
    if result.why:
        parts.append(f"<div><i>{_heading(result)}:</i> {inline_html(result.why)}.</div>")
    if result.output and not result.passed:
        printed = html.escape(result.output)
        parts.append(
            f"<details><summary>what your code printed</summary><pre>{printed}</pre></details>"
        )
    return "".join(parts) + "</div>"
