"""One exercise put back to its start, in a file of which the rest stays as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlref.errors import LabError
from mlref.study.labs.answers import MARKER
from mlref.study.labs.cutting import answer_name, starting_code
from mlref.study.labs.lab import Lab

__all__ = ["with_start"]

_FRESH = "# %%"  # how the cell begins that was lost


def with_start(path: Path, *, old: bytes, start: bytes, lab: Lab, exercise: str) -> bytes:
    """The content of a file after an exercise was put back; a cell that was lost comes at the end.

    Args:
        path: the file, whose name tells a notebook from a Python file.
        old: what the learner has in it.
        start: what the lab gave.
        lab: the lab.
        exercise: the exercise.

    Raises:
        LabError: the lab has no such exercise, or the file is damaged.
    """
    code = starting_code(lab, exercise)
    try:
        if path.suffix == ".ipynb":
            return _notebook(old, start, exercise)
        return _script(old.decode("utf-8"), code, exercise).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LabError(
            f"{path} is damaged ({error!r:.80}), so one exercise of it cannot be put back; "
            f"put back the whole lab with `mlref labs reset {lab.number}` (your file is kept as a "
            f"backup)"
        ) from error


def _notebook(old: bytes, start: bytes, exercise: str) -> bytes:
    content, given = json.loads(old), json.loads(start)
    (fresh,) = (cell for cell in given["cells"] if _is_answer(cell, exercise))
    found = [cell for cell in content["cells"] if _is_answer(cell, exercise)]
    for cell in found:
        cell.update(source=fresh["source"], outputs=[], execution_count=None)
    if not found:
        content["cells"].append(fresh)
    for original, values in ((start, given), (old, json.loads(old))):
        if content == values:  # no other bytes for the same notebook
            return original
    return f"{json.dumps(content, indent=1, ensure_ascii=False)}\n".encode()


def _is_answer(cell: Any, exercise: str) -> bool:
    source = cell["source"]
    text = source if isinstance(source, str) else "".join(source)
    return bool(cell["cell_type"] == "code" and answer_name(text) == exercise)


def _script(text: str, code: str, exercise: str) -> str:
    line_end = "\r\n" if "\r\n" in text else "\n"
    blocks: list[list[str]] = [[]]
    for line in text.replace("\r\n", "\n").split("\n"):
        if MARKER.match(line):
            blocks.append([])
        blocks[-1].append(line)
    found = [block for block in blocks[1:] if answer_name("\n".join(block[1:])) == exercise]
    for block in found:
        blank_lines = len(block) - len("\n".join(block).rstrip("\n").split("\n"))
        block[1:] = [*code.split("\n"), *[""] * blank_lines]
    if not found:
        lines = text.rstrip("\r\n").replace("\r\n", "\n").split("\n")
        blocks = [[*lines, "", _FRESH, *code.split("\n"), ""]]
    return line_end.join(line for block in blocks for line in block)
