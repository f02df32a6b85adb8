"""A column says what it holds, and goes to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mlref.schema import Column


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float64"}, "dtype must be float32, int64 or string, got 'float64'"),
        ({"dtype": "int64", "nullable": True}, "int64 cannot hold a missing value"),
        ({"dtype": "string", "shape": (2,)}, "a string column has no shape"),
        ({"dtype": "string", "low": 0}, "a string column has no shape and no range"),
        ({"dtype": "string", "high": 0}, "a string column has no shape and no range"),
        ({"categories": ("a",)}, "only a string column has categories"),
        ({"dtype": "string", "categories": ("a", 1)}, "categories must be a tuple of strings"),
        ({"dtype": "string", "categories": "abc"}, "categories must be a tuple of strings"),
        ({"low": 2, "high": 1}, "low must be at most high, got 2 and 1"),
        ({"low": float("nan")}, "low and high must be finite numbers or None, got nan"),
        ({"high": float("inf")}, "low and high must be finite numbers or None, got inf"),
        ({"low": "0"}, "low and high must be finite numbers or None, got '0'"),
        ({"high": True}, "low and high must be finite numbers or None, got True"),
        ({"high": np.float32(1)}, "low and high must be finite numbers or None"),
        ({"shape": (0,)}, "shape must be a tuple of sizes"),
        ({"shape": (2, -1)}, "shape must be a tuple of sizes"),
        ({"shape": 64}, "shape must be a tuple of sizes"),
        ({"name": ""}, "name must be text"),
        ({"name": 5}, "name must be text"),
    ],
)
def test_a_column_that_cannot_be_honoured_is_refused(options: Any, message: str) -> None:
    """What contradicts itself is a ValueError when the column is made, not when rows come."""
    with pytest.raises(ValueError, match=message):
        Column(**{"name": "x", **options})


def test_only_what_is_said_is_written() -> None:
    """Fields at their default are left out; tuples are JSON lists; a bound of 0 is said."""
    column = Column("x", shape=(2,), low=0, nullable=True)
    expected = {"name": "x", "dtype": "float32", "shape": [2], "low": 0, "nullable": True}
    assert column.to_dict() == expected


def test_a_column_comes_back_from_json() -> None:
    """What was written as JSON text reads as an equal column, tuples again."""
    column = Column("c", "string", unit="-", nullable=True, categories=("é", ""))
    assert Column.from_dict(json.loads(json.dumps(column.to_dict()))) == column


def test_an_unknown_field_is_named() -> None:
    """A field that no column has is refused, so that a spelling mistake does not go unseen."""
    with pytest.raises(ValueError, match="no field nulable"):
        Column.from_dict({"name": "x", "nulable": True})
