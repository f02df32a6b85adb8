"""What a schema is made of."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mlref.schema import Column, Schema


@pytest.mark.parametrize("kind", [list, tuple, iter], ids=lambda kind: kind.__name__)
def test_any_iterable_of_columns_will_do(kind: Any) -> None:
    """A list, a tuple and a generator make equal schemas that hold a tuple."""
    columns = (Column("a"), Column("b", "string"))
    schema = Schema(kind(columns))
    assert schema == Schema(columns)
    assert hash(schema) == hash(Schema(columns))
    assert schema.columns == columns
    assert dataclasses.replace(schema, columns=[Column("c")]).names == ("c",)


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (Column("a"), "got Column"),
        (None, "got NoneType"),
        (["a", Column("b")], "got 'a' in it"),
        ({"a": "float32"}, "got 'a' in it"),
        ("ab", "got 'a' in it"),
    ],
    ids=str,
)
def test_what_is_no_list_of_columns(given: Any, got: str) -> None:
    """One bare column, names or nothing: the error says what to write."""
    with pytest.raises(TypeError, match=f"must be a list of Column, {got}") as caught:
        Schema(given)
    assert str(caught.value).endswith("write Schema([Column(...), ...])")
