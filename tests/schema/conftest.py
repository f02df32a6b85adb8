"""Decoding one column, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mlref.errors import InputProblem, InvalidInputError
from mlref.schema import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def decoded() -> Callable[..., Any]:
    """The array that one column's values become."""

    def decode(column: Column, values: Any, **options: Any) -> Any:
        rows = {column.name: values}
        return Schema((column,)).decode(rows, **options).arrays[column.name]

    return decode


@pytest.fixture
def refused() -> Callable[..., list[InputProblem]]:
    """The problems with rows, by default with one column's values."""

    def decode(schema: Column | Schema, values: Any, **options: Any) -> list[InputProblem]:
        rows = {schema.name: values} if isinstance(schema, Column) else values
        whole = Schema((schema,)) if isinstance(schema, Column) else schema
        with pytest.raises(InvalidInputError) as caught:
            whole.decode(rows, **options)
        return list(caught.value.exceptions)

    return decode
