"""The exercise and the solutions that one source holds.

The source of a lab is in the percent format. A cell that begins with `# answer: NAME` is the answer
to an exercise; in it stand holes, which the exercise leaves to the learner. Some lines:

    # hole: load the folder, and insist on the digest
    return artifact.load(folder, digest=digest)
    # end

become `todo("load the folder, and insist on the digest")`. With a name, as in `# hole rows: ...`,
they become `rows = todo(...)`; and so does one line that ends in a hole:

    share = late / total  # hole: the share of late flights

Code cells that are no answer are *given*: the grader runs those that stand before an answer. It
leaves out cells with the tag "try", in which a learner tries out what was written, and those with
tags like "for:share" where it grades another exercise than `share`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlref.errors import LabError
from mlref.study.percent import Cell, PercentError, parse, write

if TYPE_CHECKING:
    from mlref.study.labs.lab import Lab

__all__ = [
    "ANSWER",
    "Hole",
    "answer_name",
    "cut",
    "exercise_cells",
    "exercise_text",
    "given_code",
    "holes",
    "solution",
    "source_cells",
    "starting_code",
]

ANSWER = re.compile(r"\s*# answer: (?P<name>\w+)[ \t]*(?:\n|$)")
"""How the cell of an answer begins."""

_BLOCK = re.compile(r"(?P<indent> *)# hole(?: (?P<target>\w+))?: (?P<text>.+)")
_LINE = re.compile(
    r"(?P<code>(?P<indent> *)(?P<target>\w+)(?:: [^=]+)? = .*)  # hole: (?P<text>.+)"
)
_END = re.compile(r" *# end")
_STRAY = re.compile(r"# ?(hole|end\b)", re.IGNORECASE)
_RESERVED = "for:"


@dataclass(frozen=True)
class Hole:
    """What is left to the learner: a place in an answer's cell, and what belongs there."""

    exercise: str
    index: int
    text: str


def answer_name(source: str) -> str | None:
    """The exercise that a cell answers, or None if it is no answer.

    >>> answer_name("# answer: leaks" + chr(10) + "leaks = set()")
    'leaks'
    """
    match = ANSWER.match(source)
    return match["name"] if match else None


def source_cells(lab: Lab) -> list[Cell]:
    """The cells of a lab's source.

    Raises:
        LabError: it cannot be read, an exercise has not exactly one answer cell in it, or a given
            cell has a hole or is reserved for an exercise that there is not.
    """
    path = lab.folder / "source.py"
    try:
        cells = parse(path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, PercentError) as error:
        raise LabError(f"{lab.name}/source.py: {error}") from error
    found = [name for cell in cells if (name := _answers(cell)) is not None]
    wanted = [each.name for each in lab.exercises]
    if found != wanted:
        raise LabError(
            f"{lab.name}/source.py answers {', '.join(found) or 'nothing'}; "
            f"lab.toml has the exercises {', '.join(wanted)}, in this order"
        )
    for number, cell in enumerate(cells, start=1):
        if problem := _problem(cell, wanted):
            raise LabError(f"{lab.name}/source.py, cell {number}: {problem}")
    return cells


def _problem(cell: Cell, exercises: list[str]) -> str:
    """What is wrong with a cell; empty if nothing is."""
    if unknown := [name for name in _reserved(cell) if name not in exercises]:
        return f"the tag for:{unknown[0]} names no exercise; there are: {', '.join(exercises)}"
    if cell.kind == "code" and _answers(cell) is None:
        for line in cell.source.split("\n"):
            if _BLOCK.fullmatch(line) or _LINE.fullmatch(line):
                return f"a hole outside an answer would be shown filled: {line.strip()!r}"
    return ""


def _answers(cell: Cell) -> str | None:
    return answer_name(cell.source) if cell.kind == "code" else None


def exercise_cells(lab: Lab) -> list[Cell]:
    """The cells of the exercise: the source's with every hole empty.

    Raises:
        LabError: the source cannot be read, or a hole in it is not marked as it should be.
    """
    cells = source_cells(lab)
    title, *rest = cells
    if title.kind != "markdown" or not title.source.startswith("# "):
        raise LabError(f"{lab.name}/source.py must begin with a Markdown cell and a title")
    heading, _, prose = title.source.partition("\n")
    return [
        replace(title, source=f"{heading}\n\n{lab.about}\n{prose}".rstrip("\n")),
        *(replace(cell, source=cut(cell.source)) if _answers(cell) else cell for cell in rest),
    ]


def exercise_text(lab: Lab) -> str:
    """The exercise as a Python file in the percent format, for those who work without Jupyter.

    Raises:
        LabError: the source cannot be read, or a hole in it is not marked as it should be.
    """
    return write(exercise_cells(lab))


def solution(lab: Lab, exercise: str) -> str:
    """The solution of an exercise: its cell without the marks of the holes.

    Raises:
        LabError: the lab has no such exercise, or its source cannot be read.
    """
    return cut(_answer_cell(lab, exercise), only=())


def starting_code(lab: Lab, exercise: str) -> str:
    """The cell of an exercise as the learner finds it.

    Raises:
        LabError: the lab has no such exercise, or its source cannot be read.
    """
    return cut(_answer_cell(lab, exercise))


def _answer_cell(lab: Lab, exercise: str) -> str:
    name = lab.exercise(exercise).name
    return next(cell.source for cell in source_cells(lab) if _answers(cell) == name)


def given_code(lab: Lab, exercise: str) -> list[tuple[str, str]]:
    """What runs before an answer: the given cells above it, and the solutions that it needs.

    Returns:
        Pairs of a name for error messages and the code, in the order of the source.

    Raises:
        LabError: the lab has no such exercise, or its source cannot be read.
    """
    wanted = lab.exercise(exercise)
    found = []
    for number, cell in enumerate(source_cells(lab), start=1):
        name = _answers(cell)
        if name == wanted.name:
            break
        if cell.kind == "markdown" or (name is None and not _serves(cell, wanted.name)):
            continue
        if name is None:
            found.append((f"cell {number}", cell.source))
        elif name in wanted.needs:
            found.append((name, cut(cell.source, only=())))
    return found


def _serves(cell: Cell, exercise: str) -> bool:
    """Whether a given cell is run for an exercise."""
    reserved = _reserved(cell)
    return "try" not in cell.tags and (not reserved or exercise in reserved)


def _reserved(cell: Cell) -> list[str]:
    """The exercises for which a cell is reserved; none if it is there for all."""
    return [tag.removeprefix(_RESERVED) for tag in cell.tags if tag.startswith(_RESERVED)]


def holes(lab: Lab) -> list[Hole]:
    """Every hole of a lab, in the order of its source.

    Raises:
        LabError: the source cannot be read, or a hole in it is not marked as it should be.
    """
    found: list[Hole] = []
    for cell in source_cells(lab):
        if name := _answers(cell):
            texts = _holes_of(cell.source)
            found += [Hole(name, index, text) for index, text in enumerate(texts)]
    return found


def cut(source: str, only: Iterable[int] | None = None) -> str:
    """An answer's cell with holes emptied, and the marks of the others taken away.

    Args:
        source: the cell as it stands in the source.
        only: which holes to empty, counted from 0; None means all.

    Raises:
        LabError: a hole is not marked as it should be.

    >>> cut("# answer: x" + chr(10) + "x = 6 * 7  # hole: the answer").splitlines()[-1]
    'x = todo("the answer")'
    """
    return "\n".join(_Cutter(source, None if only is None else set(only)).lines)


def _holes_of(source: str) -> list[str]:
    """What belongs into each hole of a cell."""
    return _Cutter(source, None).texts


class _Cutter:
    """The lines of a cell with some holes emptied, and the texts of all its holes."""

    def __init__(self, source: str, chosen: set[int] | None) -> None:
        self.lines: list[str] = []
        self.texts: list[str] = []
        self._chosen = chosen
        self._open = False  # whether a block is open
        self._emptied = False  # whether the hole at hand is emptied
        for line in source.split("\n"):
            self._take(line)
        if self._open:
            raise LabError(f"the hole {self.texts[-1]!r} has no `# end`")

    def _take(self, line: str) -> None:
        if self._open and _END.fullmatch(line):
            self._open = False
        elif match := _BLOCK.fullmatch(line) or _LINE.fullmatch(line):
            self._hole(line, match)
        elif _STRAY.search(line):
            raise _badly_marked(line)
        elif not (self._open and self._emptied):
            self.lines.append(line)

    def _hole(self, line: str, match: re.Match[str]) -> None:
        if self._open:
            raise LabError(f"a hole inside a hole: {line.strip()!r}; put `# end` before it")
        if match.re is _LINE and _STRAY.search(match["code"]):
            raise _badly_marked(line)
        self._emptied = self._chosen is None or len(self.texts) in self._chosen
        self._open = match.re is _BLOCK
        self.texts.append(match["text"])
        if self._emptied:
            self.lines.append(_todo(match))
        elif not self._open:
            self.lines.append(match["code"])


def _badly_marked(line: str) -> LabError:
    return LabError(f"a hole is not marked as it should be: {line.strip()!r}")


def _todo(match: re.Match[str]) -> str:
    """The line that stands for an empty hole."""
    text = match["text"].replace("\\", "\\\\").replace('"', '\\"')
    target = f"{match['target']} = " if match["target"] else ""
    return f'{match["indent"]}{target}todo("{text}")'
