"""What a set of rows looks like, column by column: the file statistics.json.

    dataset     how many rows
    features    for each column its inferred type, counts, moments, and distribution

A column of numbers has `numerical_statistics` with a histogram and a KLL sketch, one of text has
`string_statistics` with the counts of its values. A file may say more; that is kept.

Source: the Amazon SageMaker Developer Guide, "Schema for Statistics (statistics.json file)".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mlref.drift.documents.codec import Extra

__all__ = [
    "Bucket",
    "Categorical",
    "CategoricalBucket",
    "Common",
    "Dataset",
    "FeatureStatistics",
    "InferredType",
    "Kll",
    "NumericalDistribution",
    "NumericalStatistics",
    "Parameters",
    "Sketch",
    "Statistics",
    "StringDistribution",
    "StringStatistics",
]

InferredType = Literal["Fractional", "Integral", "String", "Unknown"]
"""What the values of a column are: numbers, whole numbers, text, or nothing at all."""


@dataclass(frozen=True)
class Common:
    """How many values a column has.

    Attributes:
        num_present: values.
        num_missing: rows without one.
        extra: whatever else the file says.
    """

    num_present: int
    num_missing: int
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class Bucket:
    """A bar of a histogram.

    Attributes:
        lower_bound: where it begins; belongs to it.
        upper_bound: where it ends; belongs to the last bar alone.
        count: values in it.
        extra: whatever else the file says.
    """

    lower_bound: float
    upper_bound: float
    count: float
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class Parameters:
    """Of a KLL sketch.

    Attributes:
        c: by which the capacity shrinks from a level to the one below, more than 0.5.
        k: capacity of the top level.
        extra: whatever else the file says.
    """

    c: float
    k: float
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class Sketch:
    """A KLL sketch; see `mlref.drift.kll`.

    Attributes:
        parameters: of the sketch.
        data: levels, each with its items; an item of level h stands for 2**h values.
        extra: whatever else the file says.
    """

    parameters: Parameters
    data: tuple[tuple[float, ...], ...]
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class Kll:
    """How numbers are distributed.

    Attributes:
        buckets: a histogram, 10 bars.
        sketch: from which quantiles can be had.
        extra: whatever else the file says.
    """

    buckets: tuple[Bucket, ...] = ()
    sketch: Sketch | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class NumericalDistribution:
    """How numbers are distributed.

    Attributes:
        kll: as histogram and sketch.
        extra: whatever else the file says.
    """

    kll: Kll | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class NumericalStatistics:
    """Of a column of numbers.

    Attributes:
        common: how many.
        mean: of them.
        sum: of them.
        std_dev: of them all, not of a sample: the divisor is their number.
        min: the least.
        max: the greatest.
        distribution: how they are distributed.
        extra: whatever else the file says.
    """

    common: Common
    mean: float
    sum: float
    std_dev: float
    min: float
    max: float
    distribution: NumericalDistribution | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class CategoricalBucket:
    """A value and how often it occurs.

    Attributes:
        value: as text.
        count: rows with it.
        extra: whatever else the file says.
    """

    value: str
    count: int
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class Categorical:
    """The values of a column of text.

    Attributes:
        buckets: the most frequent first.
        extra: whatever else the file says.
    """

    buckets: tuple[CategoricalBucket, ...]
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class StringDistribution:
    """How text is distributed.

    Attributes:
        categorical: counts of the values, where they are few.
        extra: whatever else the file says.
    """

    categorical: Categorical | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class StringStatistics:
    """Of a column of text.

    Attributes:
        common: how many values.
        distinct_count: different ones.
        distribution: how they are distributed.
        extra: whatever else the file says.
    """

    common: Common
    distinct_count: float
    distribution: StringDistribution | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class FeatureStatistics:
    """Of a column.

    Attributes:
        name: of the column.
        inferred_type: of its values.
        numerical_statistics: of a column of numbers.
        string_statistics: of a column of text.
        extra: whatever else the file says.
    """

    name: str
    inferred_type: InferredType
    numerical_statistics: NumericalStatistics | None = None
    string_statistics: StringStatistics | None = None
    extra: Extra = field(default_factory=dict)

    @property
    def common(self) -> Common | None:
        """How many values there are and are missing, if the file says it."""
        found = self.numerical_statistics or self.string_statistics
        return None if found is None else found.common


@dataclass(frozen=True)
class Dataset:
    """Of the rows together.

    Attributes:
        item_count: rows.
        extra: whatever else the file says.
    """

    item_count: int
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class Statistics:
    """The whole file.

    Attributes:
        dataset: of the rows together.
        features: of each column, in the order of the columns.
        version: of the format.
        extra: whatever else the file says.

    Raises:
        ValueError: the version is none that is known, or a column is there twice.
    """

    dataset: Dataset
    features: tuple[FeatureStatistics, ...]
    version: float = 0.0
    extra: Extra = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse another version, and columns of one name."""
        if self.version != 0:
            raise ValueError(f"has version {self.version}; only version 0 is known")
        names = [each.name for each in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"has features twice: {', '.join(twice)}")

    def feature(self, name: str) -> FeatureStatistics | None:
        """The statistics of a column, or None if there are none."""
        return next((each for each in self.features if each.name == name), None)
