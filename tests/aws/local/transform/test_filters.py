"""The filters of DataProcessing, by SageMaker's guide, and how lines are cut for a model."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.aws.local.transform.filters import Filter, LineError, LineFormat
from mlref.aws.local.transform.pieces import lines_of, pieces

RECORD = {"id": 7, "features": [1, 2, 3], "a": {"b": [10, 20]}, "x-y": None}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("$", RECORD, RECORD),
        ("$.features", RECORD, [1, 2, 3]),
        ("$['features']", RECORD, [1, 2, 3]),
        ("$.a.b[1]", RECORD, 20),
        ("$['id','x-y']", RECORD, {"id": 7, "x-y": None}),
        ("$.x-y", RECORD, None),
        ("$[1:]", ["id", "5.1", "3.5"], ["5.1", "3.5"]),
        ("$[:-1]", ["5.1", "3.5", "label"], ["5.1", "3.5"]),
        ("$[0,-1]", ["id", "5.1", "0.9"], ["id", "0.9"]),
        ("$[-1]", ["id", "5.1", "0.9"], "0.9"),
        ("$[0,2:]", ["id", "5.1", "0.9", "1"], ["id", "0.9", "1"]),  # as the API reference has it
        ("$.a.*", RECORD, [[10, 20]]),
        ("$.a.*[0]", RECORD, [10]),
        ("$.features[*]", RECORD, [1, 2, 3]),
        ("$.*.*", {"a": {"x": 1}, "b": {"y": 2, "z": 3}}, [1, 2, 3]),
        ("$.a.['b']", RECORD, [10, 20]),
        ("$.c.['d','e']", {"c": {"d": 1, "e": 2, "f": 3}}, {"d": 1, "e": 2}),
        ("$.c.*.d", {"c": [{"d": 1}, {"d": 2}]}, [1, 2]),
        ("$[-:]", None, ValueError),
        ("$*", None, ValueError),
        ("features", None, ValueError),
        ("$..b", None, ValueError),
        ("$[?(@.a)]", None, ValueError),
        ("$.nothing", RECORD, LineError),
        ("$[4]", ["a"], LineError),
        ("$[1:]", {"a": 1}, LineError),
        ("$.id.*", RECORD, LineError),
        ("$.a.*.d", RECORD, LineError),
    ],
)
def test_a_filter_takes_the_part_that_it_names(text: str, value: Any, expected: Any) -> None:
    """Or says that it is no filter, or that there is nothing there."""
    if isinstance(expected, type):
        with pytest.raises(expected):
            Filter.of(text).apply(value)
    else:
        assert Filter.of(text).apply(value) == expected


def test_a_line_is_joined_with_its_answer() -> None:
    """CSV gets longer; an object of JSON gets a member; any other value becomes an object."""
    assert LineFormat.of("text/csv").join(["7", "1.5"], ["0.9"]) == ["7", "1.5", "0.9"]
    join = LineFormat.of("application/jsonlines").join
    assert join({"id": 7}, {"p": 0.9}) == {"id": 7, "SageMakerOutput": {"p": 0.9}}
    assert join([1, 2], [0.5]) == {"SageMakerInput": [1, 2], "SageMakerOutput": [0.5]}
    assert join([1, 2], {"p": 1}) == {"SageMakerInput": [1, 2], "SageMakerOutput": {"p": 1}}


def test_cells_with_commas_and_quotes_stay_one() -> None:
    """RFC 4180."""
    form = LineFormat.of("text/csv; charset=utf-8")
    cells = form.read(b'"Newark, NJ","say ""no""",')
    assert cells == ["Newark, NJ", 'say "no"', ""]
    assert form.read(form.write(cells)) == cells
    with pytest.raises(ValueError, match="application/x-npy"):
        LineFormat.of("application/x-npy")
    with pytest.raises(LineError, match="no JSON"):
        LineFormat.of("application/jsonlines").read(b"{")


def test_lines_are_packed_up_to_the_payload() -> None:
    """Each line once and in order; none is cut; one that is too long is named."""
    lines = lines_of(b"aa\nbb\r\n\ncc")
    assert lines == [b"aa", b"bb", b"", b"cc"]
    found = list(pieces(lines, most_bytes=6, single=False))
    assert found == [[b"aa", b"bb"], [b"", b"cc"]]
    assert [line for piece in found for line in piece] == lines
    assert list(pieces(lines, most_bytes=6, single=True)) == [[line] for line in lines]
    with pytest.raises(LineError, match="line 2 has 9 bytes"):
        list(pieces([b"a", b"123456789"], most_bytes=6, single=False))
    assert list(pieces(lines_of(b""), most_bytes=6, single=False)) == []
