"""Columns by the thousand: what is told of them stays readable."""

from __future__ import annotations

from collections.abc import Callable

from mlref import errors
from mlref.schema import Column, Schema


def test_strange_columns_without_end(
    refused: Callable[..., list[errors.InputProblem]],
) -> None:
    """Of ever so many strange columns twenty are named, and the others counted."""
    rows = {"x": [1], **{f"strange{number}": [1] for number in range(5000)}}
    problems = refused(Schema((Column("x"),)), rows)
    assert {type(problem) for problem in problems} == {errors.ExtraColumnError}
    assert [problem.column for problem in problems[:2]] == ["strange0", "strange1"]
    assert (len(problems), str(problems[-1])) == (21, "and 4980 more of this kind")


def test_a_wide_schema_is_not_told_again_and_again(
    refused: Callable[..., list[errors.InputProblem]],
) -> None:
    """Every absent column is named, but the list of all stands in no message."""
    schema = Schema(tuple(Column(f"c{number}") for number in range(1000)))
    problems = refused(schema, {"c0": [1]})
    assert [problem.column for problem in problems] == list(schema.names[1:])
    assert str(problems[0]).endswith("c18, c19, ... (1000 columns)")
