"""Rows on their way to a body."""

from __future__ import annotations

import enum
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlref import errors
from mlref.serving.encoding import encode


def _sent(values: Any) -> Any:
    return json.loads(encode({"x": values}))["columns"]["x"]


@pytest.mark.parametrize(
    "values",
    [
        [1.5, None],
        (1.5, float("nan")),
        np.array([1.5, np.nan]),
        np.array([1.5, np.nan], dtype=np.float32),
        np.array([1.5, np.nan], dtype=np.longdouble),
        np.array([1.5, None], dtype=object),
        [np.float32(1.5), np.float64("nan")],
        pd.Series([1.5, np.nan]),
        pd.Series([1.5, None], dtype="Float32"),
        [1.5, pd.NA],
        [1.5, pd.NaT],
        np.ma.masked_array([1.5, 2.5], [False, True]),
    ],
    ids=str,
)
def test_every_kind_of_missing_value_becomes_null(values: Any) -> None:
    """None, NaN of any width, pandas.NA and NaT are all null."""
    assert _sent(values) == [1.5, None]


@pytest.mark.parametrize(
    "values",
    [["UA", None], np.array(["UA", None], dtype=object), pd.Series(["UA", None], dtype="category")],
    ids=["list", "array", "category"],
)
def test_text_is_sent_as_text(values: Any) -> None:
    """Strings in a list, an array of objects and a categorical are strings."""
    assert _sent(values) == ["UA", None]


def test_whole_numbers_and_matrices_keep_their_form() -> None:
    """Integers stay integers, rows of a matrix are lists, NaN inside is null."""
    assert _sent(np.array([1, 2], dtype=np.uint8)) == [1, 2]
    assert json.dumps(_sent([np.int64(3)])) == "[3]"
    assert _sent(np.array([[1.0, np.nan], [2.0, 3.0]])) == [[1.0, None], [2.0, 3.0]]
    assert _sent([np.array([1.0, np.nan]), [2, 3]]) == [[1.0, None], [2, 3]]


def test_what_json_cannot_hold_is_sent_so_that_it_is_refused() -> None:
    """Infinity goes as a literal that no server takes, other objects as JSON objects."""

    class Grade(enum.Enum):
        GOOD = 1

    assert encode({"x": [float("inf")]}).startswith(b'{"columns": {"x": [Infinity]}')
    assert encode({"x": [-(10**400)]}).startswith(b'{"columns": {"x": [-Infinity]}')
    assert all(
        isinstance(cell, dict) for cell in _sent([Grade.GOOD, {}, {1}, b"x", 1j, np.timedelta64(1)])
    )
    assert isinstance(_sent(np.array(["2013-01-01"], dtype="datetime64[ns]"))[0], dict)
    assert _sent([True, np.bool_(0)]) == [True, False]
    assert _sent("UA") == "UA"
    assert all(isinstance(_sent(column), dict) for column in ({"UA"}, b"UA", bytearray(b"UA")))
    assert _sent(np.array(5.0)) == {"ndarray": "array(5.)"}


def test_a_frame_may_hold_a_name_twice() -> None:
    """Both columns are sent: the server tells that there are two."""
    frame = pd.DataFrame([[1, 2]], columns=["x", "x"])
    assert encode(frame) == b'{"columns": {"x": [1], "x": [2]}, "on_unknown": "impute"}'


def test_what_is_no_table_is_refused() -> None:
    """A list of lists has no column names."""
    with pytest.raises(errors.InvalidInputError):
        encode([[1.0]])


def test_a_list_of_rows_is_sent_as_instances() -> None:
    """Each row is one object, whatever holds it; what is missing becomes null."""
    rows = ({"x": np.float32(1.5), "s": "UA"}, {"s": pd.NA, "x": [1, float("nan")]}, {1: 2})
    assert json.loads(encode(rows)) == {
        "instances": [{"x": 1.5, "s": "UA"}, {"s": None, "x": [1, None]}, {"1": 2}],
        "on_unknown": "impute",
    }
    assert encode([], on_unknown="error") == b'{"instances": [], "on_unknown": "error"}'
