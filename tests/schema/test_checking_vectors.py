"""What is wrong with a number inside a vector or a matrix is told with its place in the row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlref.errors import InputProblem
from mlref.schema import Column

VECTOR = Column("x", shape=(4,), low=0, high=9)
WHOLE = Column("x", "int64", shape=(4,))
MATRIX = Column("x", shape=(2, 2), high=9)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (VECTOR, [[1, 2, 3, "a"]], "x must be a number, got 'a' at element 3 (row 0)"),
        (VECTOR, [[1] * 4, [1, True, "b", 1]], "x must be a number, got True at element 1 (row 1)"),
        (VECTOR, [[1, 2, 3, "a"], ["b"] * 4], "got 'a' at element 3 (rows 0, 1)"),
        (VECTOR, [[1, None, 3, 4]], "got a missing value at element 1; give a number (row 0)"),
        (VECTOR, [[1, 2, np.inf, 4]], "must be a finite float32, got inf at element 2 (row 0)"),
        (VECTOR, [[1, 2, 3, 4], [1, 10, 3, -1]], "between 0 and 9, got 10 at element 1 (row 1)"),
        (WHOLE, [[1, None, 3, 4]], "missing value at element 1; give a whole number (row 0)"),
        (WHOLE, [[1, 2, 3, 1.5]], "must be a whole number, got 1.5 at element 3 (row 0)"),
        (WHOLE, [[1, 2, 10**20, 3]], "at element 2 (row 0)"),
        (MATRIX, [[[1, 2], ["a", 4]]], "x must be a number, got 'a' at element [1, 0] (row 0)"),
        (MATRIX, np.array([[[1, 2], [3, 40]]]), "got 40 at element [1, 1] (row 0)"),
    ],
    ids=str,
)
def test_a_number_is_found_in_its_row(
    refused: Callable[..., list[InputProblem]], column: Column, values: Any, message: str
) -> None:
    """The message names the row and the element, of the value that it quotes."""
    (problem,) = refused(column, values)
    assert str(problem).endswith(message)


def test_a_scalar_has_no_place_in_its_row(refused: Callable[..., list[InputProblem]]) -> None:
    """Where a row's value is one number, the row says it all."""
    (problem,) = refused(Column("x"), [1, "a"])
    assert str(problem) == "x must be a number, got 'a' (row 1)"
