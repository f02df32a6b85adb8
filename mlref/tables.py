"""One format for every table: HTML in a notebook, aligned text in a terminal, Markdown in files."""

from __future__ import annotations

import html
import numbers
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """Rows under headings. Numbers stand on the right; None is shown as a dash.

    Attributes:
        columns: the headings.
        rows: each as long as `columns`; a cell is text, a number, a bool or None.

    >>> print(Table(("target", "p50 ms"), (("local", 1.25), ("edge", None))))
    target  p50 ms
    local     1.25
    edge         -
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __post_init__(self) -> None:
        """Refuse a row of another length than the headings."""
        wrong = [row for row in self.rows if len(row) != len(self.columns)]
        if wrong:
            raise ValueError(f"each row needs {len(self.columns)} cells, got {wrong[0]!r}")

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]]) -> Table:
        """A table of records that have the same keys; the first one's order counts.

        Raises:
            ValueError: a record lacks a key of the first one, or has one more.
        """
        columns = tuple(records[0]) if records else ()
        for number, record in enumerate(records):
            if set(record) != set(columns):
                different = ", ".join(sorted(map(str, set(record) ^ set(columns))))
                raise ValueError(
                    f"every record needs the same keys; record {number} and the first one differ "
                    f"in {different}; give None where there is no value"
                )
        return cls(columns, tuple(tuple(record[name] for name in columns) for record in records))

    def _texts(self) -> list[list[str]]:
        columns = [_column_texts(cells) for cells in zip(*self.rows, strict=True)]
        return [list(row) for row in zip(*columns, strict=True)]

    def _numeric(self) -> list[bool]:
        return [
            all(_is_number(row[i]) or row[i] is None for row in self.rows)
            and any(_is_number(row[i]) for row in self.rows)
            for i in range(len(self.columns))
        ]

    def __str__(self) -> str:
        """Aligned text, two spaces between columns."""
        lines = [list(self.columns), *self._texts()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        right = self._numeric()
        return "\n".join(
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(line, widths, right, strict=True)
            ).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def to_markdown(self) -> str:
        """A Markdown table (GitHub's), without a newline at the end."""
        lines = [
            "| " + " | ".join(_escaped(name) for name in self.columns) + " |",
            "| " + " | ".join("---:" if number else "---" for number in self._numeric()) + " |",
        ]
        lines += ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in self._texts()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        align = ["right" if number else "left" for number in self._numeric()]
        head = "".join(
            f'<th style="text-align: {side}">{html.escape(name)}</th>'
            for name, side in zip(self.columns, align, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align: {side}">{html.escape(cell)}</td>'
                for cell, side in zip(row, align, strict=True)
            )
            + "</tr>"
            for row in self._texts()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _is_number(cell: Any) -> bool:
    """Whether it is a number, NumPy's included."""
    return isinstance(cell, numbers.Real) and not isinstance(cell, bool)


def _column_texts(cells: Sequence[Any]) -> list[str]:
    """The cells of a column as text; small floats with as many decimals as the longest of them."""
    texts = [_text(cell) for cell in cells]
    floats = [isinstance(cell, float) for cell in cells]
    if not all(is_float or cell is None for is_float, cell in zip(floats, cells, strict=True)):
        return texts
    if any(len(text) > 1 and not re.fullmatch(r"-?\d(\.\d+)?", text) for text in texts):
        return texts
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [
        f"{cell:.{decimals}f}" if is_float else text
        for cell, is_float, text in zip(cells, floats, texts, strict=True)
    ]


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    if type(cell).__name__ in {"bool", "bool_"}:  # Python's and NumPy's
        return "yes" if cell else "no"
    if isinstance(cell, numbers.Integral):
        return f"{int(cell):,}"
    if isinstance(cell, numbers.Real):
        value = float(cell)
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004
    return str(cell)


def _escaped(text: str) -> str:
    """Text that stays in its cell of a Markdown table."""
    return " ".join(text.splitlines()).replace("|", "\\|")
