"""The checks of the analyzer, each against one constraint; see `mlref.drift.baseline`."""

from __future__ import annotations

from collections.abc import Mapping

from mlref.drift import chance, distances
from mlref.drift.columns import Column
from mlref.drift.documents.constraints import Constraints, FeatureConstraints, MonitoringConfig
from mlref.drift.documents.statistics import FeatureStatistics, NumericalStatistics
from mlref.drift.documents.violations import CheckType, Violation
from mlref.drift.kll import KllSketch

__all__ = ["check_columns", "check_feature", "distance", "sketch_of"]

_NAMED = 5  # columns or values that a message names


def check_columns(columns: Mapping[str, Column], constraints: Constraints) -> list[Violation]:
    """Whether all columns of the baseline are there, and no others.

    Args:
        columns: of the rows.
        constraints: of the baseline.
    """
    wanted = [each.name for each in constraints.features]
    found = []
    counts = (
        f"Number of columns in current dataset: {len(columns)}, "
        f"number of columns in baseline constraints: {len(wanted)}."
    )
    missing = [name for name in wanted if name not in columns]
    extra = [name for name in columns if name not in wanted]
    if missing:
        told = f"There are missing columns: {_listed(missing)}. {counts}"
        found.append(Violation("Missing columns", "missing_column_check", told))
    if extra:
        told = f"There are extra columns: {_listed(extra)}. {counts}"
        found.append(Violation("Extra columns", "extra_column_check", told))
    return found


def check_feature(
    column: Column,
    wanted: FeatureConstraints,
    base: FeatureStatistics | None,
    config: MonitoringConfig,
    apart: float | None,
) -> list[Violation]:
    """Whether a column is what it must be.

    Args:
        column: of the rows.
        wanted: what it must be.
        base: what it was in the baseline; None allows nothing for chance.
        config: what is checked of this column.
        apart: its distance from the baseline, or None if it has none.
    """
    if config.evaluate_constraints == "Disabled":
        return []
    common = base.common if base is not None else None
    seen = common.num_present + common.num_missing if common is not None else 0
    robust = config.distribution_constraints.comparison_method == "Robust"
    texts: list[tuple[CheckType, str | None]] = [
        ("data_type_check", _data_type(column, wanted, config)),
        ("completeness_check", _completeness(column, wanted, seen if robust else 0)),
        ("categorical_values_check", _known(column, wanted, base if robust else None, config)),
        ("baseline_drift_check", _drift(config, apart, of_text=_is_text(base))),
    ]
    return [Violation(column.name, check, text) for check, text in texts if text is not None]


def distance(
    column: Column,
    current: FeatureStatistics | None,
    base: FeatureStatistics | None,
    config: MonitoringConfig,
) -> float | None:
    """How far a column is from the baseline, as it is compared with the threshold.

    Args:
        column: of the rows.
        current: its statistics.
        base: those of the baseline.
        config: how to compare.

    Returns:
        A distance in [0, 1], for "ChiSquared" a p-value; None if there is nothing to compare.
    """
    how = config.distribution_constraints
    if how.perform_comparison == "Disabled" or base is None or not column.present:
        return None
    robust = how.comparison_method == "Robust"
    if base.numerical_statistics is not None:
        known = sketch_of(base.numerical_statistics)
        if known is None or not len(known) or not len(column.numbers):
            return None
        now = sketch_of(current.numerical_statistics) if current is not None else None
        now = now or KllSketch.of(column.comparable, k=known.k, c=known.c)
        slack = chance.of_distributions(len(now), len(known)) if robust else 0.0
        return max(distances.numerical(now, known) - slack, 0.0)
    counts = _counts(base)
    if not counts:
        return None
    if how.categorical_drift_method == "ChiSquared":
        return distances.chi_squared(column.categories, counts)
    slack = chance.of_distributions(column.present, sum(counts.values())) if robust else 0.0
    return max(distances.categorical(column.categories, counts) - slack, 0.0)


def sketch_of(statistics: NumericalStatistics | None) -> KllSketch | None:
    """The sketch that statistics hold, or None if they hold none."""
    distribution = statistics.distribution if statistics is not None else None
    kll = distribution.kll if distribution is not None else None
    if kll is None or kll.sketch is None:
        return None
    parameters = kll.sketch.parameters
    return KllSketch.from_levels(kll.sketch.data, k=int(parameters.k), c=parameters.c)


def _data_type(column: Column, wanted: FeatureConstraints, config: MonitoringConfig) -> str | None:
    share, least = column.match(wanted.inferred_type), config.datatype_check_threshold
    if share >= least:
        return None
    kind = wanted.inferred_type
    return (
        f"Data type match requirement is not met. Expected data type: {kind}, "
        f"expected match: {_percent(least)}. Observed: only {_percent(share)} of data is {kind}."
    )


def _completeness(column: Column, wanted: FeatureConstraints, seen: int) -> str | None:
    least, rows = wanted.completeness, column.present + column.missing
    if least is None or not rows:
        return None
    slack = chance.of_completeness(least, seen, rows) if seen else 0.0
    if column.completeness >= least - slack:
        return None
    told = f" (with {_percent(slack)} that chance explains)" if slack else ""
    return (
        f"Completeness requirement is not met. Expected completeness: {_percent(least)}{told}. "
        f"Observed: only {_percent(column.completeness)} of data is present."
    )


def _known(
    column: Column,
    wanted: FeatureConstraints,
    base: FeatureStatistics | None,
    config: MonitoringConfig,
) -> str | None:
    """Values that are none of the domain."""
    text = wanted.string_constraints
    if text is None or text.domains is None or not column.present:
        return None
    known = set(text.domains)
    unknown = {name: count for name, count in column.categories.items() if name not in known}
    share, least = 1 - sum(unknown.values()) / column.present, config.domain_content_threshold
    counts = _counts(base) if base is not None else {}
    slack = 0.0
    if counts:
        once = sum(count == 1 for count in counts.values())
        slack = chance.of_unknown_values(once, sum(counts.values()), column.present)
    if share >= least - slack:
        return None
    told = f" (with {_percent(slack)} that chance explains)" if slack else ""
    return (
        f"Known values requirement is not met. Expected match: {_percent(least)}{told}. "
        f"Observed: only {_percent(share)} of data is in the domain; unknown are "
        f"{_listed(list(unknown))}."
    )


def _drift(config: MonitoringConfig, apart: float | None, *, of_text: bool) -> str | None:
    how = config.distribution_constraints
    if apart is None:
        return None
    most = how.categorical_comparison_threshold if of_text else how.comparison_threshold
    if of_text and how.categorical_drift_method == "ChiSquared":
        told = f"Baseline drift p-value: {apart} is below threshold: {most}"
        return told if apart < most else None
    return f"Baseline drift distance: {apart} exceeds threshold: {most}" if apart > most else None


def _is_text(base: FeatureStatistics | None) -> bool:
    return base is not None and base.numerical_statistics is None


def _counts(base: FeatureStatistics) -> dict[str, int]:
    """How often each value was in the baseline; none if the file does not say it."""
    text = base.string_statistics
    distribution = text.distribution if text is not None else None
    if distribution is None or distribution.categorical is None:
        return {}
    return {each.value: each.count for each in distribution.categorical.buckets}


def _percent(share: float) -> str:
    return f"{round(share * 100, 4)}%"


def _listed(names: list[str]) -> str:
    told = ", ".join(names[:_NAMED])
    return told if len(names) <= _NAMED else f"{told} and {len(names) - _NAMED} more"
