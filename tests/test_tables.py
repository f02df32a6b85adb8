"""One table in three forms: text, Markdown, HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from mlref.tables import Table

TABLE = Table(("target", "rows", "p50 ms"), (("local", 12345, 1.25), ("edge", 7, None)))


class _Cells(HTMLParser):
    """The text of each cell, as a browser reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Note the tag; open a cell."""
        del attrs
        self.tags.add(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        """Text goes to the cell that is open."""
        self.cells[-1] += data


def _read(table: Table) -> _Cells:
    parser = _Cells()
    parser.feed(table._repr_html_())
    return parser


def test_text_is_aligned() -> None:
    """Text stands on the left, numbers on the right, lines do not end in spaces."""
    assert str(TABLE) == (
        "target    rows  p50 ms\n"
        "local   12,345    1.25\n"
        "edge         7       -"
    )  # fmt: skip
    assert repr(TABLE) == str(TABLE)


def test_markdown() -> None:
    """Markdown marks the columns of numbers as aligned on the right."""
    assert TABLE.to_markdown().splitlines() == [
        "| target | rows | p50 ms |",
        "| --- | ---: | ---: |",
        "| local | 12,345 | 1.25 |",
        "| edge | 7 | - |",
    ]


def test_html() -> None:
    """HTML has the same cells, and the same sides."""
    assert _read(TABLE).cells == [
        "target", "rows", "p50 ms", "local", "12,345", "1.25", "edge", "7", "-",
    ]  # fmt: skip
    sides = re.findall(r"<t[dh] style=\"text-align: (\w+)\">", TABLE._repr_html_())
    assert sides == ["left", "right", "right"] * 3


def test_html_is_escaped() -> None:
    """What looks like HTML in a heading or a cell is shown, not executed."""
    text = "<script>alert('&')</script>"
    parser = _read(Table((text,), ((text,),)))
    assert parser.cells == [text, text]
    assert "script" not in parser.tags


@pytest.mark.parametrize(
    ("text", "expected"), [("a|b", "a\\|b"), ("a\nb", "a b"), ("a\r\n|b", "a \\|b")]
)
def test_markdown_is_escaped(text: str, expected: str) -> None:
    """A bar or a line's end in a heading or a cell does not break the table (GFM 4.10)."""
    lines = Table((text,), ((text,),)).to_markdown().split("\n")
    assert lines == [f"| {expected} |", "| --- |", f"| {expected} |"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (np.True_, "yes"),
        (0, "0"),
        (-1234567, "-1,234,567"),
        (np.int64(1234), "1,234"),
        (0.0, "0"),
        (0.123456, "0.1235"),
        (np.float32(0.5), "0.5"),
        (1e-05, "1e-05"),
        (999.94, "999.9"),
        (1234.5678, "1,235"),
        (-336776.0, "-336,776"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ("1.0", "1.0"),
        ("", ""),
    ],
)
def test_cells(cell: Any, text: str) -> None:
    """None is a dash, bools are words, numbers have four digits and separate thousands."""
    assert _read(Table(("x",), ((cell,),))).cells[1] == text


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        ((1, 2.5), True),
        ((1, None), True),
        ((np.float32(1), np.int64(2)), True),
        ((None, None), False),
        ((1, "n/a"), False),
        ((True, False), False),
        ((), False),
    ],
)
def test_which_columns_are_numbers(cells: tuple[Any, ...], *, right: bool) -> None:
    """Numbers, NumPy's included, stand on the right if nothing but None is among them."""
    rule = Table(("x",), tuple((cell,) for cell in cells)).to_markdown().splitlines()[1]
    assert rule == ("| ---: |" if right else "| --- |")


@pytest.mark.parametrize("rows", [((1,),), ((1, 2), (1, 2, 3)), ((),)])
def test_ragged_rows(rows: Any) -> None:
    """A row of another length than the headings is refused."""
    with pytest.raises(ValueError, match="each row needs 2 cells"):
        Table(("a", "b"), rows)


def test_records() -> None:
    """Records make a table in the order of the first one's keys."""
    table = Table.of([{"b": 1, "a": 2}, {"a": 4, "b": 3}])
    assert (table.columns, table.rows) == (("b", "a"), ((1, 2), (3, 4)))


@pytest.mark.parametrize("second", [{"a": 2}, {"a": 2, "b": 3, "c": 4}, {"a": 2, "c": 4}])
def test_records_of_other_keys(second: dict[str, int]) -> None:
    """A record with a key more or less is refused by name: no value is dropped in silence."""
    with pytest.raises(ValueError, match=r"record 1 and the first one differ in [bc]"):
        Table.of([{"a": 1, "b": 1}, second])


def test_no_rows() -> None:
    """A table may be without rows, or without anything."""
    assert str(Table(("a", "b"), ())) == "a  b"
    assert str(Table.of([])) == ""


def test_small_floats_of_a_column_have_equal_decimals() -> None:
    """0.19 stands as 0.190 beside 0.198, so that digits of one weight stand in one column."""
    table = Table(("Brier", "KB"), ((0.198, 1.5), (0.19, 150.0), (None, 12.0)))
    assert [row.split() for row in str(table).splitlines()[1:]] == [
        ["0.198", "1.5"],
        ["0.190", "150"],
        ["-", "12"],
    ]
