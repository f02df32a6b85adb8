"""The percent format: an exact round trip, and refusals that name the line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.study.percent import Cell, PercentError, parse, write

SAMPLE = '''\
# %% [markdown]
# # A title
#
#     indented, with *marks*

# %% tags=["parameters"]
seed = 0


# %% [markdown] tags=["a", "b"]
# Prose.

# %%
def double(x):

    return 2 * x


# %%
text = """
# not a marker
"""
'''


def test_parse_gives_kind_tags_source_and_gap() -> None:
    """Each cell has its kind, its tags, and its source without prefixes."""
    assert parse(SAMPLE) == [
        Cell("markdown", (), "# A title\n\n    indented, with *marks*"),
        Cell("code", ("parameters",), "seed = 0"),
        Cell("markdown", ("a", "b"), "Prose."),
        Cell("code", (), "def double(x):\n\n    return 2 * x"),
        Cell("code", (), 'text = """\n# not a marker\n"""'),
    ]
    assert [cell.gap for cell in parse(SAMPLE)] == [1, 2, 1, 2, 1]


def test_text_survives_the_round_trip() -> None:
    """Text becomes cells and then the same bytes, with the formatter's blank lines."""
    assert write(parse(SAMPLE)) == SAMPLE


def test_no_text_is_no_cells() -> None:
    """An empty file holds no cells, and no cells make an empty file."""
    assert parse("") == []
    assert write([]) == ""


def test_gap_is_layout_and_not_identity() -> None:
    """Two cells that differ only in the blank lines after them are equal."""
    assert Cell("code", (), "x", gap=1) == Cell("code", (), "x", gap=2)


LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)
TAGS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=","), min_size=1),
    max_size=3,
    unique=True,
).map(tuple)
CELLS = st.builds(
    Cell,
    st.sampled_from(["markdown", "code"]),
    TAGS,
    st.lists(LINES, min_size=1, max_size=4).map("\n".join),
    st.integers(1, 2),
)


@given(st.lists(CELLS, max_size=4))
def test_whatever_write_accepts_parse_gives_back(cells: list[Cell]) -> None:
    """Cells become text and then the same cells, or are refused: never changed silently."""
    try:
        text = write(cells)
    except PercentError:
        return
    assert parse(text) == cells
    assert [cell.gap for cell in parse(text)][:-1] == [cell.gap for cell in cells][:-1]


@given(st.lists(st.sampled_from(["# %%", "# %% [markdown]", "", "#", "# a", "x = 1"]), max_size=9))
def test_whatever_parse_accepts_write_gives_back(lines: list[str]) -> None:
    """Text that is not refused survives byte for byte."""
    text = "".join(f"{line}\n" for line in lines)
    try:
        cells = parse(text)
    except PercentError:
        return
    assert write(cells) == text


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1\n\n# %%\ny = 1\n", 1, "text before the first cell"),
        ("---\ntitle: no header\n---\n", 1, "text before the first cell"),
        ("# %%\nx = 1", 2, "does not end with a line feed"),
        ("# %%\r\nx = 1\r\n", 1, "carriage return"),
        ("# %% [raw]\nx\n", 1, "cell markers are"),
        ("# %%title\nx\n", 1, "cell markers are"),
        ("# %%\nx = 1\n\n# %% tags=[a]\nx\n", 4, "not a JSON list"),
        ("# %% tags=[1]\nx\n", 1, "a tag must be a string"),
        ('# %% tags=["a,b"]\nx\n', 1, "without a comma"),
        ('# %% tags=["a", "a"]\nx\n', 1, "stands twice"),
        ('# %% tags=["a","b"]\nx\n', 1, 'write the marker as \'# %% tags=["a", "b"]\''),
        ("# %% tags=[]\nx\n", 1, "write the marker as '# %%'"),
        ("# %%\n\n# %%\nx\n", 1, "an empty cell"),
        ("# %% [markdown]\n#\n", 1, "an empty cell"),
        ("# %%\nx = 1\n# %%\ny = 1\n", 3, "0 blank lines before the next cell"),
        ("# %%\nx = 1\n\n\n\n# %%\ny = 1\n", 6, "3 blank lines before the next cell"),
        ("# %%\nx = 1\n\n", 3, "blank lines at the end of the file"),
        ("# %%\n\nx = 1\n", 2, "begins with a blank line"),
        ("# %% [markdown]\n# a\n\n# b\n", 3, "a blank line inside a Markdown cell"),
        ("# %% [markdown]\n# a\nx = 1\n", 3, "must begin with '# '"),
        ("# %% [markdown]\n#a\n", 2, "must begin with '# '"),
        ("# %% [markdown]\n# hard break  \n", 2, "a space at the end"),
    ],
)
def test_refused_text_names_its_line(text: str, line: int, message: str) -> None:
    """Each departure from the format is refused, with the line and what to do."""
    with pytest.raises(PercentError) as caught:
        parse(text)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"line {line}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (Cell("code", (), ""), "an empty cell"),
        (Cell("code", (), "x = 1\n# %%\ny = 1"), "reads as a cell marker"),
        (Cell("code", (), "x = 1\n\n# %%\ny = 1"), "reads as a cell marker"),
        (Cell("markdown", (), "%% a comment of mermaid"), "reads as a cell marker"),
        (Cell("code", (), "x = 1\n"), "blank lines at the end"),
        (Cell("code", ("a,b",), "x = 1"), "without a comma"),
        (Cell("code", (), "x = 1", gap=3), "gap must be 1 or 2"),
    ],
)
def test_cells_that_would_come_back_changed_are_refused(cell: Cell, message: str) -> None:
    """A cell is refused by its number when text could not hold it."""
    with pytest.raises(PercentError, match="cell 2") as caught:
        write([Cell("markdown", (), "# Title"), cell])
    assert message in str(caught.value)
