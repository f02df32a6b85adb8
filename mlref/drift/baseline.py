"""The analyzer: what a baseline looks like, and where later rows are not like it.

    statistics, constraints = suggest(training_rows)            # once
    found = violations(todays_rows, statistics, constraints)    # then again and again

It does what the analyzer of SageMaker Model Monitor does, on files of the same format, without AWS
and without Spark. A table is a mapping of column name -> values, or a pandas DataFrame.

| check | finds |
|---|---|
| missing_column_check, extra_column_check | a column of the baseline is absent, or one is new |
| data_type_check | values that are not of the column's type |
| completeness_check | more missing values than the baseline had |
| categorical_values_check | values of text that the baseline did not have |
| baseline_drift_check | values that are distributed otherwise |

A drift check of numbers compares cumulative distributions (`mlref.drift.distances`). With
comparison_method "Simple" every difference counts as it is. With "Robust" the allowances of
`mlref.drift.chance` are taken off, so that two halves of the same data agree; also from
completeness and unknown values, where Amazon does not say what its analyzer does. That a column was
never negative is suggested (`is_non_negative`), but there is no check of it: its documentation has
none. A unit change is what the drift check is for.

Source: the Amazon SageMaker Developer Guide, "Schema for Violations (constraint_violations.json
file)" and "Schema for Constraints (constraints.json file)".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlref.drift.checks import check_columns, check_feature, distance
from mlref.drift.columns import Column, Columns, read_columns
from mlref.drift.documents.constraints import (
    Constraints,
    FeatureConstraints,
    NumConstraints,
    StringConstraints,
)
from mlref.drift.documents.statistics import (
    Bucket,
    Categorical,
    CategoricalBucket,
    Common,
    Dataset,
    FeatureStatistics,
    Kll,
    NumericalDistribution,
    NumericalStatistics,
    Parameters,
    Sketch,
    Statistics,
    StringDistribution,
    StringStatistics,
)
from mlref.drift.documents.violations import Violation
from mlref.drift.kll import KllSketch

__all__ = ["BUCKETS", "FEW_VALUES", "Analysis", "analyze", "suggest", "violations"]

BUCKETS = 10
"""Bars of a histogram."""

FEW_VALUES = 120
"""Different values up to which a column of text has its values listed."""

_REPEATED = 0.1  # different values per value up to which they are a domain, and not names


@dataclass(frozen=True, eq=False)
class Analysis:
    """Rows, analyzed.

    Attributes:
        columns: as they were read.
        statistics: of them.
        constraints: that they suggest for later rows.
        violations: of the constraints that they were checked against.
        drift: distance of each column from the baseline, as it was compared with its threshold.
    """

    columns: Mapping[str, Column]
    statistics: Statistics
    constraints: Constraints
    violations: tuple[Violation, ...] = ()
    drift: Mapping[str, float] | None = None


def analyze(
    table: Columns,
    statistics: Statistics | None = None,
    constraints: Constraints | None = None,
    *,
    seed: int = 0,
) -> Analysis:
    """All that can be said of some rows.

    Args:
        table: column name -> values, all of one length.
        statistics: of the baseline; without them nothing is compared but types, completeness and
            known values.
        constraints: of the baseline; without them nothing is checked.
        seed: of the sketches.

    Raises:
        ValueError: the columns differ in length, or a number is infinite.
    """
    columns = read_columns(table)
    rows = next((each.present + each.missing for each in columns.values()), 0)
    told = Statistics(Dataset(rows), tuple(_statistics(each, seed) for each in columns.values()))
    suggested = Constraints(tuple(_constraints(each) for each in columns.values()))
    if constraints is None:
        return Analysis(columns, told, suggested)
    found: list[Violation] = []
    drift: dict[str, float] = {}
    if constraints.monitoring_config.evaluate_constraints == "Enabled":
        found += check_columns(columns, constraints)
    for feature in constraints.features:
        if feature.name in columns:
            column, config = columns[feature.name], constraints.config(feature)
            base = statistics.feature(feature.name) if statistics else None
            apart = distance(column, told.feature(feature.name), base, config)
            if apart is not None:
                drift[feature.name] = apart
            found += check_feature(column, feature, base, config, apart)
    return Analysis(columns, told, suggested, tuple(found), drift)


def suggest(table: Columns, *, seed: int = 0) -> tuple[Statistics, Constraints]:
    """What rows look like, and what later rows must be to be like them.

    Args:
        table: column name -> values, all of one length.
        seed: of the sketches.

    Returns:
        What statistics.json and constraints.json hold.

    Raises:
        ValueError: the columns differ in length, or a number is infinite.

    >>> statistics, constraints = suggest({"temp": [39.0, 39.9, None]})
    >>> constraints.features[0].inferred_type, round(constraints.features[0].completeness, 2)
    ('Fractional', 0.67)
    """
    found = analyze(table, seed=seed)
    return found.statistics, found.constraints


def violations(
    table: Columns, statistics: Statistics | None, constraints: Constraints
) -> list[Violation]:
    """Where rows are not what a baseline says.

    Args:
        table: column name -> values, all of one length.
        statistics: of the baseline; None compares no distributions.
        constraints: of the baseline.

    Returns:
        What constraint_violations.json holds; empty if all is well.

    Raises:
        ValueError: the columns differ in length, or a number is infinite.
    """
    return list(analyze(table, statistics, constraints).violations)


def _statistics(column: Column, seed: int) -> FeatureStatistics:
    common = Common(column.present, column.missing)
    if column.kind in {"Integral", "Fractional"}:
        return FeatureStatistics(
            column.name, column.kind, numerical_statistics=_numerical(column, common, seed)
        )
    categories = column.categories
    listed = [CategoricalBucket(name, count) for name, count in categories.items()]
    distribution = StringDistribution(Categorical(tuple(listed[:FEW_VALUES])))
    few = len(categories) <= FEW_VALUES
    told = StringStatistics(common, float(len(categories)), distribution if few else None)
    return FeatureStatistics(column.name, column.kind, string_statistics=told)


def _numerical(column: Column, common: Common, seed: int) -> NumericalStatistics:
    numbers = column.numbers
    sketch = KllSketch.of(column.comparable, seed=seed)
    told = Sketch(Parameters(c=sketch.c, k=float(sketch.k)), sketch.levels)
    return NumericalStatistics(
        common,
        mean=float(numbers.mean()),
        sum=float(numbers.sum()),
        std_dev=float(numbers.std()),
        min=float(numbers.min()),
        max=float(numbers.max()),
        distribution=NumericalDistribution(Kll(_buckets(column.comparable, sketch), told)),
    )


def _buckets(numbers: np.ndarray, sketch: KllSketch) -> tuple[Bucket, ...]:
    """Bars of one width from the least number to the greatest, counted by the sketch."""
    edges = np.linspace(numbers.min(), numbers.max(), BUCKETS + 1)
    distinct, weights = sketch.items()
    if edges[0] == edges[-1]:  # one value only: all of it is in the first bar
        counts = np.zeros(BUCKETS)
        counts[0] = weights.sum()
    else:
        counts, _ = np.histogram(distinct, bins=edges, weights=weights)
    pairs = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    return tuple(Bucket(low, high, float(count)) for low, high, count in pairs)


def _constraints(column: Column) -> FeatureConstraints:
    numerical = text = None
    if column.kind in {"Integral", "Fractional"}:
        numerical = NumConstraints(bool((column.numbers >= 0).all()))
    elif column.kind == "String":
        known = column.categories
        repeated = len(known) <= min(FEW_VALUES, _REPEATED * column.present)
        text = StringConstraints(tuple(sorted(known))) if repeated else None
    return FeatureConstraints(column.name, column.kind, column.completeness, numerical, text)
