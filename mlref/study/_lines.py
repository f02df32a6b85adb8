"""A lab's result in a terminal: lines that keep their indentation when they are wrapped."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text

from mlref.study.labs.results import lines_of

if TYPE_CHECKING:
    from mlref.study.grading import ExerciseResult

__all__ = ["progress_bar", "result_lines", "wrapped"]

_HEAD = re.compile(r" *(?:\| |[✓✗·] (?:\(not reached\) )?|[0-9]+\. )?")
_BAR_CELLS = 30


def wrapped(lines: Iterable[str], width: int) -> list[str]:
    """Lines of at most so many columns; what is carried over stands below its own text.

    >>> wrapped(["  ✓ one two three four"], 18)
    ['  ✓ one two three', '    four']
    """
    found: list[str] = []
    for line in lines:
        if len(line) <= width:
            found.append(line)
            continue
        match = _HEAD.match(line)
        head = match[0] if match else ""
        below = " " * len(head) if "|" not in head else head
        found += textwrap.wrap(
            line[len(head) :],
            max(width, len(head) + 10),
            initial_indent=head,
            subsequent_indent=below,
            drop_whitespace=True,
            break_on_hyphens=False,
        )
    return found


def result_lines(result: ExerciseResult, width: int) -> list[Text]:
    """One exercise's result; its signs have colours beside their meaning."""
    return [_coloured(line) for line in wrapped(lines_of(result), width)]


def _coloured(line: str) -> Text:
    sign = line.lstrip()[:1]
    style = {"✓": "green", "✗": "bold red"}.get(sign, "")
    text = Text(line)
    if style:
        start = line.index(sign)
        end = line.find("  ", start)
        text.stylize(style, start, end if end > 0 and start == 0 else start + 1)
    return text


def progress_bar(done: int, total: int) -> str:
    """How many exercises are solved, as a bar and in numbers.

    >>> progress_bar(1, 3)
    '[##########--------------------] 1/3 solved'
    """
    full = _BAR_CELLS * done // max(total, 1)
    return f"[{'#' * full}{'-' * (_BAR_CELLS - full)}] {done}/{total} solved"
