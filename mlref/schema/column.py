"""One column of a model: its name, dtype, unit, range and categories."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["Column", "DType"]

DType: TypeAlias = Literal["float32", "int64", "string"]


@dataclass(frozen=True)
class Column:
    """One input of a model.

    Attributes:
        name: the name, on the wire, in a DataFrame and in the ONNX graph.
        dtype: "float32", "int64" or "string".
        description: what it is, for people.
        unit: unit of the values, for people; "" when there is none.
        shape: shape of one row's value: () for a scalar, (64,) for a row of 64 numbers.
        nullable: whether a value may be missing. A missing number reaches the graph as NaN, a
            missing string as "". int64 cannot be nullable.
        low: least value allowed, finite, or None.
        high: greatest value allowed, finite, or None.
        categories: the known strings, or None when any string will do.
    """

    name: str
    dtype: DType = "float32"
    description: str = ""
    unit: str = ""
    shape: tuple[int, ...] = ()
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a column that could not be honoured."""
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"a column's name must be text, got {self.name!r}")
        if not _is_tuple(self.shape, int) or any(size < 1 for size in self.shape):
            raise ValueError(f"{self.name}: shape must be a tuple of sizes, got {self.shape!r}")
        if self.categories is not None and not _is_tuple(self.categories, str):
            raise ValueError(f"{self.name}: categories must be a tuple of strings")
        if self.dtype not in {"float32", "int64", "string"}:
            msg = f"{self.name}: dtype must be float32, int64 or string, got {self.dtype!r}"
            raise ValueError(msg)
        if self.dtype == "int64" and self.nullable:
            msg = f"{self.name}: int64 cannot hold a missing value; use float32 or nullable=False"
            raise ValueError(msg)
        if self.dtype == "string" and (self.shape or self.low is not None or self.high is not None):
            msg = f"{self.name}: a string column has no shape and no range"
            raise ValueError(msg)
        wrong = [bound for bound in (self.low, self.high) if not _is_bound(bound)]
        if wrong:
            msg = f"{self.name}: low and high must be finite numbers or None, got {wrong[0]!r}"
            raise ValueError(msg)
        if self.low is not None and self.high is not None and not self.low <= self.high:
            msg = f"{self.name}: low must be at most high, got {self.low} and {self.high}"
            raise ValueError(msg)
        if self.dtype != "string" and self.categories is not None:
            msg = f"{self.name}: only a string column has categories"
            raise ValueError(msg)

    def to_dict(self) -> dict[str, Any]:
        """The column as JSON values, without what is left at its default."""
        fields = {field.name: field for field in dataclasses.fields(self)}
        values = {name: getattr(self, name) for name in fields}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if name in {"name", "dtype"} or value != fields[name].default
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Column:
        """The column that `to_dict` wrote.

        Raises:
            ValueError: an unknown field, or a value that a column cannot have.
            TypeError: no name, or a shape or categories that are no list.
        """
        unknown = set(values) - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            msg = f"a column has no field {', '.join(sorted(unknown))}"
            raise ValueError(msg)
        made = dict(values)
        for name in ("shape", "categories"):
            if made.get(name) is not None:
                made[name] = tuple(made[name])
        return cls(**made)


def _is_bound(value: Any) -> bool:
    """Whether it is None or a number that JSON can hold."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or (number and -math.inf < value < math.inf)


def _is_tuple(value: Any, kind: type) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, kind) for each in value)
