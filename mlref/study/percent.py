r"""The percent format: one Python file that holds the cells of a notebook.

`parse` turns the text into cells and `write` turns cells back into text. The round trip is exact
in both directions: what would come back changed is refused, text with its line number.

    # %% [markdown]
    # # A title
    #
    # Prose; each line is a number sign, a space and the text; an empty line is the sign alone.

    # %% tags=["parameters"]
    seed = 0

    # %%
    print(seed)

The rules: a cell begins with a marker in the first column and is not empty; one or two blank lines
stand between cells (the formatter wants two around a function); the tags are a JSON list; there is
no header. A line that begins with `# %%` is always a marker, also inside a triple-quoted string.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mlref.errors import NotebookError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Cell", "Kind", "PercentError", "parse", "write"]

Kind = Literal["markdown", "code"]

MARKER_START = "# %%"
MARKER = re.compile(r"# %%(?P<markdown> \[markdown\])?(?: tags=(?P<tags>\[.*\]))?")
MARKER_FORMS = '`# %%` or `# %% [markdown]`, then optionally ` tags=["a", "b"]`'
MOST_BLANK_LINES = 2


class PercentError(NotebookError):
    """Text or cells that the percent format cannot hold.

    Attributes:
        line: the line at fault, counted from 1; 0 when there is no text yet.
    """

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        kind: "markdown" or "code".
        tags: the cell's tags, in order.
        source: the text without a final line feed; in a Markdown cell without the "# " prefixes.
        gap: blank lines between this cell and the next; layout only, so not part of equality.
    """

    kind: Kind
    tags: tuple[str, ...]
    source: str
    gap: int = field(default=1, compare=False)


def parse(text: str) -> list[Cell]:
    r"""The cells that the text holds.

    Args:
        text: the whole file, with line feeds as line ends.

    Returns:
        The cells in order, so that `write(parse(text)) == text`.

    Raises:
        PercentError: the text is not in the format; the message begins with the line number.

    >>> parse("# %% [markdown]\n# # Title\n\n# %%\nx = 1\n")[1].source
    'x = 1'
    """
    if not text:
        return []
    if "\r" in text:
        line = text[: text.index("\r")].count("\n") + 1
        raise PercentError("a carriage return; save the file with line feeds only", line=line)
    lines = text.split("\n")
    if lines.pop() != "":
        raise PercentError("the file does not end with a line feed; add one", line=len(lines) + 1)
    starts = [number for number, line in enumerate(lines) if line.startswith(MARKER_START)]
    if not starts or starts[0] != 0:
        raise PercentError(f"text before the first cell; begin with {MARKER_FORMS}", line=1)
    ends = [*starts[1:], len(lines)]
    return [
        _cell(lines[start:end], first_line=start + 1, last=end == len(lines))
        for start, end in zip(starts, ends, strict=True)
    ]


def write(cells: Iterable[Cell]) -> str:
    r"""The text that holds the cells: the inverse of `parse`.

    Args:
        cells: the cells in order. The last one's `gap` has no effect.

    Raises:
        PercentError: a cell that `parse` would not give back, such as an empty one, or one with a
            line that would be taken for a marker.

    >>> write([Cell("markdown", (), "# Title"), Cell("code", ("slow",), "x = 1")])
    '# %% [markdown]\n# # Title\n\n# %% tags=["slow"]\nx = 1\n'
    """
    cells = list(cells)
    parts: list[str] = []
    for number, cell in enumerate(cells, start=1):
        body = _body(cell)
        if any(line.startswith(MARKER_START) for line in body):
            raise PercentError(f"cell {number} has a line that reads as a cell marker; change it")
        block = "\n".join([_marker(cell.kind, cell.tags), *body]) + "\n"
        try:
            parse(block)
        except PercentError as error:
            raise PercentError(f"cell {number} does not fit the percent format: {error}") from error
        if not 1 <= cell.gap <= MOST_BLANK_LINES:
            raise PercentError(f"cell {number}: gap must be 1 or 2 blank lines, got {cell.gap}")
        parts.append(block + "\n" * (cell.gap if number < len(cells) else 0))
    return "".join(parts)


def _marker(kind: Kind, tags: tuple[str, ...]) -> str:
    """The line that begins a cell."""
    markdown = " [markdown]" if kind == "markdown" else ""
    listed = f" tags={json.dumps(list(tags), ensure_ascii=False)}" if tags else ""
    return f"{MARKER_START}{markdown}{listed}"


def _body(cell: Cell) -> list[str]:
    """The lines of a cell below its marker."""
    lines = cell.source.split("\n")
    return [f"# {line}" if line else "#" for line in lines] if cell.kind == "markdown" else lines


def _cell(lines: list[str], *, first_line: int, last: bool) -> Cell:
    """The cell of some lines, which begin with its marker and end before the next one."""
    kind, tags = _parse_marker(lines[0], line=first_line)
    body = lines[1:]
    while body and not body[-1]:
        body.pop()
    gap = len(lines) - 1 - len(body)
    end = first_line + len(lines) - 1
    if all(not line or (kind == "markdown" and line == "#") for line in body):
        raise PercentError("an empty cell; fill it or delete it", line=first_line)
    if last and gap:
        raise PercentError("blank lines at the end of the file; delete them", line=end)
    if not last and not 1 <= gap <= MOST_BLANK_LINES:
        raise PercentError(f"{gap} blank lines before the next cell; put one or two", line=end + 1)
    if not body[0]:
        raise PercentError("the cell begins with a blank line; delete it", line=first_line + 1)
    if kind == "markdown":
        body = [
            _markdown_line(line, line=number) for number, line in enumerate(body, first_line + 1)
        ]
    return Cell(kind, tags, "\n".join(body), gap or 1)


def _parse_marker(text: str, *, line: int) -> tuple[Kind, tuple[str, ...]]:
    """The kind and the tags that a marker names."""
    match = MARKER.fullmatch(text)
    if match is None:
        raise PercentError(f"cell markers are {MARKER_FORMS}, got {text!r}", line=line)
    kind: Kind = "markdown" if match["markdown"] else "code"
    try:
        tags = json.loads(match["tags"] or "[]")
    except json.JSONDecodeError as error:
        raise PercentError(f"the tags are not a JSON list of strings: {error}", line=line) from None
    if not all(isinstance(tag, str) and tag and "," not in tag for tag in tags):
        raise PercentError("a tag must be a string, not empty, without a comma", line=line)
    if len(set(tags)) < len(tags):
        raise PercentError("a tag stands twice; delete one", line=line)
    if (canonical := _marker(kind, tuple(tags))) != text:
        raise PercentError(f"write the marker as {canonical!r}, got {text!r}", line=line)
    return kind, tuple(tags)


def _markdown_line(text: str, *, line: int) -> str:
    """A line of Markdown without its prefix."""
    if text != text.rstrip():
        raise PercentError("a space at the end of a Markdown line; delete it", line=line)
    if text == "#":
        return ""
    if not text:
        raise PercentError("a blank line inside a Markdown cell; write '#'", line=line)
    if not text.startswith("# "):
        raise PercentError(
            "a line of a Markdown cell must begin with '# '; put code below a `# %%` marker",
            line=line,
        )
    return text[2:]
