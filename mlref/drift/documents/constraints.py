"""What rows must be like: the file constraints.json.

    features             for each column its type, how complete it must be, and its known values
    monitoring_config    what is checked, and the thresholds; a column may override any of it

A field that is not known is refused, not skipped: a misspelt threshold would never be applied.

Source: the Amazon SageMaker Developer Guide, "Schema for Constraints (constraints.json file)". The
default thresholds of data types and domains are the 1.0 that Amazon's own analyzer writes into the
files which it suggests.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from mlref.drift.documents.codec import named
from mlref.drift.documents.statistics import InferredType

__all__ = [
    "Constraints",
    "DistributionConstraints",
    "DistributionOverrides",
    "FeatureConstraints",
    "MonitoringConfig",
    "MonitoringOverrides",
    "NumConstraints",
    "StringConstraints",
    "Switch",
]

Switch = Literal["Enabled", "Disabled"]
"""On or off."""

CategoricalMethod = Literal["LInfinity", "ChiSquared"]
ComparisonMethod = Literal["Simple", "Robust"]


@dataclass(frozen=True)
class NumConstraints:
    """Of a column of numbers.

    Attributes:
        is_non_negative: no number was below 0. It is told, and nothing checks it.
    """

    is_non_negative: bool


@dataclass(frozen=True)
class StringConstraints:
    """Of a column of text.

    Attributes:
        domains: the known values.
    """

    domains: tuple[str, ...] | None = None


@dataclass(frozen=True)
class DistributionConstraints:
    """How distributions are compared with those of the baseline.

    Attributes:
        perform_comparison: whether they are.
        comparison_threshold: distance of a column of numbers above which it has drifted, in [0, 1].
        comparison_method: "Simple" takes a distance as it is; "Robust" takes off what chance
            explains, which matters with few rows.
        categorical_comparison_threshold: likewise of a column of text; with "ChiSquared" the
            p-value below which it has drifted.
        categorical_drift_method: how columns of text are compared.
    """

    perform_comparison: Switch = "Enabled"
    comparison_threshold: float = 0.1
    comparison_method: ComparisonMethod = "Robust"
    categorical_comparison_threshold: float = 0.1
    categorical_drift_method: CategoricalMethod = "LInfinity"

    def __post_init__(self) -> None:
        """Refuse thresholds that no distance can have."""
        _in_unit(self, "comparison_threshold", "categorical_comparison_threshold")


@dataclass(frozen=True)
class MonitoringConfig:
    """What is checked.

    Attributes:
        evaluate_constraints: whether anything is.
        emit_metrics: whether CloudWatch is told.
        datatype_check_threshold: share of the values that must be of the column's type, in [0, 1].
        domain_content_threshold: share of the values that must be known ones, in [0, 1].
        distribution_constraints: how distributions are compared.
    """

    evaluate_constraints: Switch = "Enabled"
    emit_metrics: Switch = "Enabled"
    datatype_check_threshold: float = 1.0
    domain_content_threshold: float = 1.0
    distribution_constraints: DistributionConstraints = field(
        default_factory=DistributionConstraints
    )

    def __post_init__(self) -> None:
        """Refuse thresholds that no share can have."""
        _in_unit(self, "datatype_check_threshold", "domain_content_threshold")

    def overridden(self, by: MonitoringOverrides | None) -> MonitoringConfig:
        """The same, but for what a column overrides."""
        if by is None:
            return self
        inner = by.distribution_constraints
        distribution = DistributionConstraints(**_merged(self.distribution_constraints, inner))
        merged = {**_merged(self, by), "distribution_constraints": distribution}
        return MonitoringConfig(**merged)


@dataclass(frozen=True)
class DistributionOverrides:
    """What a column wants otherwise than `DistributionConstraints` has it; None wants nothing.

    Attributes:
        perform_comparison: see there.
        comparison_threshold: see there.
        comparison_method: see there.
        categorical_comparison_threshold: see there.
        categorical_drift_method: see there.
    """

    perform_comparison: Switch | None = None
    comparison_threshold: float | None = None
    comparison_method: ComparisonMethod | None = None
    categorical_comparison_threshold: float | None = None
    categorical_drift_method: CategoricalMethod | None = None


@dataclass(frozen=True)
class MonitoringOverrides:
    """What a column wants otherwise than `MonitoringConfig` has it; None wants nothing.

    Attributes:
        evaluate_constraints: see there.
        emit_metrics: see there.
        datatype_check_threshold: see there.
        domain_content_threshold: see there.
        distribution_constraints: see there.
    """

    evaluate_constraints: Switch | None = None
    emit_metrics: Switch | None = None
    datatype_check_threshold: float | None = None
    domain_content_threshold: float | None = None
    distribution_constraints: DistributionOverrides | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be applied."""
        MonitoringConfig().overridden(self)


@dataclass(frozen=True)
class FeatureConstraints:
    """Of a column.

    Attributes:
        name: of the column.
        inferred_type: that its values must have.
        completeness: share of the rows that must have a value, in [0, 1].
        num_constraints: of a column of numbers.
        string_constraints: of a column of text.
        overrides: what is checked otherwise than for the other columns.
    """

    name: str
    inferred_type: InferredType
    completeness: float | None = None
    num_constraints: NumConstraints | None = None
    string_constraints: StringConstraints | None = None
    overrides: MonitoringOverrides | None = field(
        default=None, metadata=named("monitoringConfigOverrides")
    )

    def __post_init__(self) -> None:
        """Refuse a completeness that no column can have."""
        _in_unit(self, "completeness")


@dataclass(frozen=True)
class Constraints:
    """The whole file.

    Attributes:
        features: of each column.
        monitoring_config: what is checked.
        version: of the format.
    """

    features: tuple[FeatureConstraints, ...]
    monitoring_config: MonitoringConfig = field(default_factory=MonitoringConfig)
    version: float = 0.0

    def __post_init__(self) -> None:
        """Refuse another version, and columns of one name."""
        if self.version != 0:
            raise ValueError(f"has version {self.version}; only version 0 is known")
        names = [each.name for each in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"has features twice: {', '.join(twice)}")

    def config(self, feature: FeatureConstraints) -> MonitoringConfig:
        """What is checked of a column."""
        return self.monitoring_config.overridden(feature.overrides)


def _merged(base: object, by: object | None) -> dict[str, Any]:
    """The fields of one object, but for those that another one has otherwise."""
    found = {each.name: getattr(base, each.name) for each in fields(base)}  # type: ignore[arg-type]
    if by is not None:
        wanted = {name: getattr(by, name) for name in found}
        found.update({name: value for name, value in wanted.items() if value is not None})
    return found


def _in_unit(document: object, *names: str) -> None:
    """Refuse a field outside [0, 1]."""
    for name in names:
        value = getattr(document, name)
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"needs {name} in [0, 1], got {value}")
