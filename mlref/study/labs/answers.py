"""The answers that a learner has written: in a notebook, in a Python file, or in both.

An answer is the code of the cell that begins with `# answer: NAME`. Where both files hold one, an
answer that was begun counts more than one that is still as the exercise gave it; of two that were
begun, the one in the file that was saved last.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlref.errors import LabError
from mlref.study.labs.cutting import answer_name, starting_code
from mlref.study.percent import PercentError, parse

if TYPE_CHECKING:
    from mlref.study.labs.lab import Lab

__all__ = ["FILES", "Answer", "answers_in", "read_answers"]

FILES = ("exercise.ipynb", "exercise.py")
"""The files of a learner's lab folder that hold answers."""


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
            f"{path.name} cannot be read: {error}; repair it, or get a fresh one with "
            f"`mlref labs reset` (your file is kept as a backup)"
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
    text = _lines(text)
    try:
        return [cell.source for cell in parse(text) if cell.kind == "code"]
    except PercentError:
        cells: list[list[str]] = [[]]
        for line in text.split("\n"):
            if line.startswith("# %%"):
                cells.append([line])
            else:
                cells[-1].append(line)
        code = [cell for cell in cells[1:] if "[markdown]" not in cell[0]]
        return ["\n".join(cells[0]), *("\n".join(cell[1:]).strip("\n") for cell in code)]


def answers_in(folder: Path, lab: Lab) -> dict[str, Answer]:
    """What a learner's lab folder holds: exercise -> answer; none for a cell that is gone.

    Args:
        folder: the learner's copy of the lab.
        lab: the lab itself.

    Raises:
        LabError: there is no exercise in the folder, or a file of it cannot be read.
    """
    files = [path for name in FILES if (path := folder / name).is_file()]
    if not files:
        raise LabError(
            f"{folder} holds neither {' nor '.join(FILES)}; get them with "
            f"`mlref labs reset {lab.number}`"
        )
    files.sort(key=lambda path: path.stat().st_mtime_ns)
    starts = {each.name: starting_code(lab, each.name) for each in lab.exercises}
    found: dict[str, Answer] = {}
    for path in files:
        for name, code in read_answers(path).items():
            if name not in starts:
                continue
            answer = Answer(code, path, begun=code.strip() != starts[name].strip())
            if answer.begun or name not in found or not found[name].begun:
                found[name] = answer
    return found
