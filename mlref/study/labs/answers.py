"""The answers that a learner has written: in a notebook, in a Python file, or in both.

An answer is the code of the cell that begins with `# answer: NAME`. Where both files hold one, an
answer that was begun counts more than one that is still as the exercise gave it; of two that were
begun, the one in the file that was saved last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlref.errors import LabError
from mlref.study.labs.cutting import answer_name, starting_code

if TYPE_CHECKING:
    from mlref.study.labs.lab import Lab

__all__ = ["FILES", "MARKER", "Answer", "answers_in", "read_answers"]

FILES = ("exercise.ipynb", "exercise.py")
"""The files of a learner's lab folder that hold answers."""

MARKER = re.compile(r"# ?%%")
"""How a cell of a Python file begins, also the way some editors write it."""

_PROSE = re.compile(r"# ?%%.*\[(markdown|md|raw)\]")


@dataclass(frozen=True)
class Answer:
    """The code of one answer, the file that it stands in, and whether it was begun."""

    code: str
    file: Path
    begun: bool


def read_answers(path: Path) -> dict[str, str]:
    """The answers in one file: exercise -> code. Of two cells for one exercise, the last counts.

    Args:
        path: an .ipynb file, or a .py file in the percent format.

    Raises:
        LabError: it cannot be read; the message says why and what to do.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # some editors begin with a mark
        sources = _notebook_sources(text) if path.suffix == ".ipynb" else _percent_sources(text)
    except (OSError, ValueError, RecursionError) as error:
        raise LabError(
            f"{path.parent.name}/{path.name} cannot be read: {error}; repair it, or get a fresh "
            f"one with `mlref labs reset {path.parent.name[:2]}` (your file is kept as a backup)"
        ) from error
    return {name: code for code in sources if (name := answer_name(code)) is not None}


def _notebook_sources(text: str) -> list[str]:
    """The code cells of a notebook."""
    try:
        cells = json.loads(text)["cells"]
        code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        return [_lines(each if isinstance(each, str) else "".join(each)) for each in code]
    except (KeyError, TypeError) as error:
        raise ValueError("it is no notebook") from error


def _lines(text: str) -> str:
    """A text with line feeds alone at the ends of its lines."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _percent_sources(text: str) -> list[str]:
    """The code cells of a Python file, read leniently: a learner's editor need not be tidy."""
    cells: list[list[str]] = [["# %%"]]  # what stands before the first marker is code
    for line in _lines(text).split("\n"):
        if MARKER.match(line):
            cells.append([line])
        else:
            cells[-1].append(line)
    code = [cell[1:] for cell in cells if not _PROSE.match(cell[0])]
    return ["\n".join(cell).strip("\n") for cell in code]


def answers_in(folder: Path, lab: Lab) -> dict[str, Answer]:
    """What a learner's lab folder holds: exercise -> answer; none for a cell that is gone.

    Args:
        folder: the learner's copy of the lab.
        lab: the lab itself.

    Raises:
        LabError: there is no exercise in the folder, or a file of it cannot be read.
    """
    saved: dict[Path, int] = {}
    for path in (folder / name for name in FILES):
        with suppress(OSError):  # it is not there, or an editor replaces it at this moment
            if path.is_file():
                saved[path] = path.stat().st_mtime_ns
    if not saved:
        raise LabError(
            f"{folder} holds neither {' nor '.join(FILES)}; get them with "
            f"`mlref labs reset {lab.number}`"
        )
    starts = {each.name: starting_code(lab, each.name) for each in lab.exercises}
    found: dict[str, Answer] = {}
    for path in sorted(saved, key=lambda path: saved[path]):
        answers = read_answers(path)
        _refuse_renamed(path, answers.keys() - starts.keys(), starts.keys() - answers.keys())
        for name, code in answers.items():
            if name not in starts:
                continue
            answer = Answer(code, path, begun=code.strip() != starts[name].strip())
            if answer.begun or name not in found or not found[name].begun:
                found[name] = answer
    return found


def _refuse_renamed(path: Path, unknown: AbstractSet[str], lacking: AbstractSet[str]) -> None:
    """Refuse a file in which an answer has another name than its exercise: it would be passed over.

    Raises:
        LabError: an answer is to no exercise, while an exercise has no answer.
    """
    if unknown and lacking:
        raise LabError(
            f"{path.parent.name}/{path.name} answers {', '.join(sorted(unknown))}, which is no "
            f"exercise of this lab; call it {' or '.join(sorted(lacking))} in its first line, "
            f"`# answer: NAME`"
        )
