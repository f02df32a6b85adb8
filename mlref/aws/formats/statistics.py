"""statistics.json: what a set of rows looks like.

The classes are those of `mlref.drift.documents.statistics`: the analyzer that makes them runs
without AWS.
"""

from __future__ import annotations

from mlref.drift.documents.codec import dump, parse
from mlref.drift.documents.statistics import (
    Bucket,
    Categorical,
    CategoricalBucket,
    Common,
    Dataset,
    FeatureStatistics,
    InferredType,
    Kll,
    NumericalDistribution,
    NumericalStatistics,
    Parameters,
    Sketch,
    Statistics,
    StringDistribution,
    StringStatistics,
)

__all__ = [
    "FILE",
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
    "dump",
    "load",
]

FILE = "statistics.json"
"""The file's name, under the prefix of a job's output."""


def load(content: bytes | str, *, file: str = FILE) -> Statistics:
    """The statistics in a file.

    Args:
        content: of the file.
        file: its name or address, for messages.

    Raises:
        CloudFileError: they cannot be read; names the field.
    """
    return parse(Statistics, content, file=file)
