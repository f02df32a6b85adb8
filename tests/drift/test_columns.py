"""Values are read as a CSV file would spell them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlref.drift.columns import read_columns


def column(values: Any) -> Any:
    """The only column of a table."""
    return read_columns({"x": values})["x"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["12", "-3", "+4"], "Integral"),
        ([12, np.int64(3)], "Integral"),
        (np.array([1, 2]), "Integral"),
        (["12", "12.5"], "Fractional"),
        (["1e-3", ".5", "7."], "Fractional"),
        ([12.0], "Fractional"),
        (np.array([12.0], dtype=np.float32), "Fractional"),
        (["12", "n/a"], "String"),
        (["NaN"], "String"),
        ([True, False], "String"),
        (np.array([True]), "String"),
        (["1_000"], "String"),
        (["1e999"], "String"),
        ([""], "String"),
        ([{"a": 1}], "String"),
        ([], "Unknown"),
        ([None, math.nan, pd.NA, pd.NaT], "Unknown"),
        (np.array([np.nan]), "Unknown"),
    ],
)
def test_types_are_inferred_from_the_values(values: Any, kind: str) -> None:
    """One text makes a column text, one fraction makes numbers fractional, nothing is unknown."""
    assert column(values).kind == kind


def test_missing_values_are_none_nan_and_pandas_na() -> None:
    """And an empty text is a text."""
    found = column([None, math.nan, np.float32("nan"), pd.NA, 1.5, ""])
    assert (found.missing, found.fractional, found.text) == (4, 1, 1)
    assert found.completeness == pytest.approx(1 / 3)


def test_a_data_frame_is_a_table() -> None:
    """Its missing values count, whatever their type is."""
    frame = pd.DataFrame({"n": [1.5, None], "t": ["a", None], "c": pd.Categorical(["u", "v"])})
    found = read_columns(frame)
    assert [(each.kind, each.missing) for each in found.values()] == [
        ("Fractional", 1),
        ("String", 1),
        ("String", 0),
    ]


@pytest.mark.parametrize(
    ("values", "kind", "share"),
    [
        (["1", "2", "2.5", "x"], "Integral", 0.5),
        (["1", "2", "2.5", "x"], "Fractional", 0.75),
        (["1", "2", "2.5", "x"], "String", 1.0),
        (["1", "2"], "String", 0.0),
        (["1", "2"], "Unknown", 1.0),
        ([None], "Integral", 1.0),
    ],
)
def test_the_share_of_a_type(values: list[str], kind: Any, share: float) -> None:
    """A whole number is a number; text may look like numbers, but not all of it."""
    assert column(values).match(kind) == share


def test_float32_and_its_decimal_spelling_are_the_same_number() -> None:
    """39.02 in a CSV file, as float32, and as the float64 that a client makes of the float32."""
    single = np.array([39.02, 10.35702], dtype=np.float32)
    spelled = column(["39.02", "10.35702"]).comparable
    widened = column([float(each) for each in single]).comparable
    assert column(single).comparable.tolist() == widened.tolist() == spelled.tolist()
    assert spelled.tolist() == [39.02, 10.35702]


def test_large_whole_numbers_stay_exact() -> None:
    """Single precision would round an identifier."""
    assert column([2**24 + 1]).comparable.tolist() == [2**24 + 1]


def test_numbers_beyond_single_precision_stay_numbers() -> None:
    """1e300 is no float32, and not infinite."""
    assert column(["1e300", "0.5"]).comparable.tolist() == [1e300, 0.5]


def test_values_are_counted_as_they_are_spelled() -> None:
    """Codes keep their zeros; numbers of an array are told as Python tells them."""
    assert column(["007", "007", "7", "x"]).categories == {"007": 2, "7": 1, "x": 1}
    assert column(np.array([3, 3, 5])).categories == {"3": 2, "5": 1}
    assert column(np.array([0.5, 2.0])).categories == {"0.5": 1, "2.0": 1}


@pytest.mark.parametrize("values", [[1.0, math.inf], np.array([-np.inf])])
def test_infinity_is_refused(values: Any) -> None:
    """With the column's name."""
    with pytest.raises(ValueError, match="x: infinity"):
        column(values)


def test_columns_of_different_length_are_refused() -> None:
    """With their lengths."""
    with pytest.raises(ValueError, match="one length, got a: 1, b: 2"):
        read_columns({"a": [1], "b": [1, 2]})
