"""The analyzer: statistics as NumPy has them, and checks that find what they are for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlref import flights
from mlref.drift.baseline import analyze, suggest, violations
from mlref.drift.documents.codec import read
from mlref.drift.documents.constraints import (
    Constraints,
    FeatureConstraints,
    MonitoringOverrides,
)
from mlref.drift.documents.violations import Violation

RNG = np.random.default_rng(5)
NUMBERS = RNG.normal(50, 12, 2000).astype(np.float32)
NUMBERS[::10] = np.nan
CODES = RNG.choice(["AA", "B6", "UA"], 2000, p=[0.2, 0.3, 0.5])
TABLE = {"temp": NUMBERS, "carrier": CODES, "minute": RNG.integers(0, 1440, 2000)}


def kinds(found: list[Violation]) -> list[tuple[str, str]]:
    """Which columns, and which checks."""
    return [(each.feature_name, each.constraint_check_type) for each in found]


def configured(constraints: Constraints, **config: Any) -> Constraints:
    """The same with another monitoring_config, as the file has it."""
    kind = type(constraints.monitoring_config)
    found = read(kind, config, file="constraints.json")
    return replace(constraints, monitoring_config=found)


def overridden(constraints: Constraints, name: str, **config: Any) -> Constraints:
    """The same with monitoringConfigOverrides of one column, as the file has them."""
    by = read(MonitoringOverrides, config, file="constraints.json")
    features = [
        replace(each, overrides=by) if each.name == name else each for each in constraints.features
    ]
    return replace(constraints, features=tuple(features))


def test_statistics_of_numbers_are_those_of_numpy() -> None:
    """Mean, sum, deviation of all values (no sample), extremes, and what is missing."""
    told = suggest(TABLE)[0].features[0].numerical_statistics
    assert told is not None
    there = NUMBERS[~np.isnan(NUMBERS)].astype(np.float64)
    assert (told.common.num_present, told.common.num_missing) == (1800, 200)
    assert told.mean == pytest.approx(there.mean(), rel=1e-12)
    assert told.sum == pytest.approx(there.sum(), rel=1e-12)
    assert told.std_dev == pytest.approx(pd.Series(there).std(ddof=0), rel=1e-12)
    assert (told.min, told.max) == (there.min(), there.max())


def test_the_histogram_is_that_of_numpy() -> None:
    """Ten bars of one width from the least to the greatest; the last one has both its ends."""
    told = suggest({"minute": TABLE["minute"]})[0].features[0].numerical_statistics
    assert told is not None
    buckets = told.distribution.kll.buckets  # type: ignore[union-attr]
    counts, edges = np.histogram(TABLE["minute"], bins=10)
    assert [each.count for each in buckets] == counts.tolist()
    assert [each.lower_bound for each in buckets] == pytest.approx(edges[:-1].tolist())
    assert buckets[-1].upper_bound == edges[-1]


def test_a_constant_column_has_its_values_in_one_bar() -> None:
    """And the others are empty."""
    told = suggest({"x": [3, 3, 3]})[0].features[0].numerical_statistics
    assert told is not None
    assert [each.count for each in told.distribution.kll.buckets] == [3] + [0] * 9  # type: ignore[union-attr]


def test_statistics_of_text_are_those_of_pandas() -> None:
    """How many different values, and how often each is there, the most frequent first."""
    told = suggest(TABLE)[0].features[1].string_statistics
    assert told is not None
    counts = pd.Series(CODES).value_counts()
    buckets = told.distribution.categorical.buckets  # type: ignore[union-attr]
    assert told.distinct_count == 3
    assert {each.value: each.count for each in buckets} == counts.to_dict()
    assert [each.count for each in buckets] == sorted(counts, reverse=True)


def test_constraints_are_what_the_baseline_was() -> None:
    """Type, completeness, sign and domain."""
    _, constraints = suggest({**TABLE, "below": [-1] * 2000, "none": [None] * 2000})
    temp, carrier, _, below, none = constraints.features
    assert (temp.inferred_type, temp.completeness) == ("Fractional", 0.9)
    assert temp.num_constraints is not None
    assert temp.num_constraints.is_non_negative is True
    assert below.num_constraints is not None
    assert below.num_constraints.is_non_negative is False
    assert carrier.string_constraints is not None
    assert carrier.string_constraints.domains == ("AA", "B6", "UA")
    assert (none.inferred_type, none.completeness) == ("Unknown", 0.0)


def test_names_are_no_domain() -> None:
    """A column of text whose values hardly repeat has none."""
    _, constraints = suggest({"name": [f"passenger {number}" for number in range(100)]})
    assert constraints.features[0].string_constraints is None


def test_a_table_agrees_with_itself() -> None:
    """There is nothing to find, by either method."""
    statistics, constraints = suggest(TABLE)
    simple = configured(constraints, distribution_constraints={"comparison_method": "Simple"})
    assert violations(TABLE, statistics, constraints) == []
    assert violations(TABLE, statistics, simple) == []


def test_a_missing_and_an_extra_column_are_found() -> None:
    """Each once, with the names."""
    statistics, constraints = suggest(TABLE)
    found = violations(
        {"temp": NUMBERS, "carrier": CODES, "minutes": TABLE["minute"]}, statistics, constraints
    )
    assert kinds(found) == [
        ("Missing columns", "missing_column_check"),
        ("Extra columns", "extra_column_check"),
    ]
    assert "minute. " in found[0].description
    assert "minutes. " in found[1].description


def test_text_among_whole_numbers_is_found() -> None:
    """The message tells the share; a lower threshold allows it."""
    statistics, constraints = suggest(TABLE)
    minutes = [str(each) for each in TABLE["minute"]]
    minutes[:20] = ["late"] * 20
    rows = {**TABLE, "minute": minutes}
    (found,) = violations(rows, statistics, constraints)
    assert kinds([found]) == [("minute", "data_type_check")]
    assert "only 99.0% of data is Integral" in found.description
    assert (
        violations(rows, statistics, configured(constraints, datatype_check_threshold=0.98)) == []
    )


def test_more_missing_values_than_chance_explains_are_found() -> None:
    """90 % complete in the baseline: 86 % of 300 rows may be chance, 70 % is not."""
    statistics, constraints = suggest({"temp": NUMBERS})
    some, many = NUMBERS[:300].copy(), NUMBERS[:300].copy()
    some[1:13], many[1:61] = np.nan, np.nan
    assert violations({"temp": some}, statistics, constraints) == []
    (found,) = violations({"temp": many}, statistics, constraints)
    assert found.constraint_check_type == "completeness_check"
    simple = configured(constraints, distribution_constraints={"comparison_method": "Simple"})
    strict = violations({"temp": some}, statistics, simple)
    assert ("temp", "completeness_check") in kinds(strict)


def test_one_gap_in_a_complete_column_is_found() -> None:
    """Chance makes none where there was none."""
    statistics, constraints = suggest({"x": list(range(500))})
    found = violations({"x": [*range(499), None]}, statistics, constraints)
    assert kinds(found) == [("x", "completeness_check")]


def test_unknown_values_are_found() -> None:
    """They are named; a lower threshold allows them."""
    statistics, constraints = suggest(TABLE)
    rows = {**TABLE, "carrier": ["ZZ"] * 100 + list(CODES[100:])}
    (found,) = violations(rows, statistics, constraints)
    assert kinds([found]) == [("carrier", "categorical_values_check")]
    assert "only 95.0% of data is in the domain; unknown are ZZ" in found.description
    assert violations(rows, statistics, configured(constraints, domain_content_threshold=0.9)) == []


def test_one_unknown_value_may_be_chance() -> None:
    """An airport with one flight in 2,000 is missing in a baseline easily; "Simple" finds it."""
    statistics, constraints = suggest(TABLE)
    rows = {**TABLE, "carrier": ["ZZ", *CODES[1:]]}
    simple = configured(constraints, distribution_constraints={"comparison_method": "Simple"})
    assert violations(rows, statistics, constraints) == []
    assert kinds(violations(rows, statistics, simple)) == [("carrier", "categorical_values_check")]


def test_the_simple_distance_is_that_of_scipy() -> None:
    """The message tells the Kolmogorov-Smirnov statistic."""
    later = (NUMBERS + 4).astype(np.float32)
    statistics, constraints = suggest({"temp": NUMBERS})
    simple = configured(constraints, distribution_constraints={"comparison_method": "Simple"})
    found = analyze({"temp": later}, statistics, simple)
    expected = stats.ks_2samp(NUMBERS, later, nan_policy="omit").statistic
    assert found.drift == {"temp": pytest.approx(expected, abs=1e-12)}
    assert kinds(list(found.violations)) == [("temp", "baseline_drift_check")]
    distance = found.drift["temp"]
    assert found.violations[0].description == (
        f"Baseline drift distance: {distance} exceeds threshold: 0.1"
    )


def test_the_robust_distance_leaves_out_what_chance_explains() -> None:
    """1.8 times the root of (n + m) / (n m); few rows that differ by as much are no drift."""
    later = (NUMBERS[:60] + 6).astype(np.float32)
    statistics, constraints = suggest({"temp": NUMBERS})
    robust = analyze({"temp": later}, statistics, constraints).drift
    n, m = (~np.isnan(NUMBERS)).sum(), (~np.isnan(later)).sum()
    expected = stats.ks_2samp(NUMBERS, later, nan_policy="omit").statistic
    assert robust is not None
    assert robust["temp"] == pytest.approx(
        max(expected - 1.8 * np.sqrt((n + m) / (n * m)), 0), abs=1e-12
    )


@pytest.mark.parametrize("method", ["LInfinity", "ChiSquared"])
def test_a_change_among_known_values_is_found(method: str) -> None:
    """Twice as many of AA; both methods see it, and neither cries wolf on the same shares."""
    statistics, constraints = suggest(TABLE)
    wanted = configured(constraints, distribution_constraints={"categorical_drift_method": method})
    changed = RNG.choice(["AA", "B6", "UA"], 2000, p=[0.5, 0.2, 0.3])
    found = violations({**TABLE, "carrier": changed}, statistics, wanted)
    assert kinds(found) == [("carrier", "baseline_drift_check")]
    assert violations(TABLE, statistics, wanted) == []


def test_a_column_may_override_what_is_checked() -> None:
    """Its own threshold, and no comparison at all; the other columns keep theirs."""
    statistics, constraints = suggest(TABLE)
    warm, shifted = NUMBERS + 20, (TABLE["minute"] + 700) % 1440 // 2
    rows = {**TABLE, "temp": warm, "minute": shifted}
    both = [("temp", "baseline_drift_check"), ("minute", "baseline_drift_check")]
    assert kinds(violations(rows, statistics, constraints)) == both
    loose = overridden(constraints, "temp", distribution_constraints={"comparison_threshold": 0.9})
    assert kinds(violations(rows, statistics, loose)) == both[1:]
    off = overridden(
        constraints, "minute", distribution_constraints={"perform_comparison": "Disabled"}
    )
    assert kinds(violations(rows, statistics, off)) == both[:1]
    silent = overridden(constraints, "temp", evaluate_constraints="Disabled")
    assert kinds(violations(rows, statistics, silent)) == both[1:]


def test_nothing_is_checked_when_checks_are_off() -> None:
    """Not even the columns."""
    statistics, constraints = suggest(TABLE)
    off = configured(constraints, evaluate_constraints="Disabled")
    assert violations({"other": [1]}, statistics, off) == []


def test_without_statistics_constraints_are_taken_at_their_word() -> None:
    """Nothing is allowed for chance, and no distribution is compared."""
    constraints = Constraints((FeatureConstraints("x", "Integral", 0.9),))
    found = violations({"x": [*range(89), *[None] * 11]}, None, constraints)
    assert kinds(found) == [("x", "completeness_check")]


def test_columns_of_different_length_are_refused() -> None:
    """They are no table."""
    with pytest.raises(ValueError, match="one length"):
        suggest({"a": [1], "b": []})


@pytest.fixture(scope="module")
def january() -> pd.DataFrame:
    """The features of January's flights, shuffled."""
    frame = flights.load([1])[list(flights.FEATURES.names)]
    return frame.sample(frac=1, random_state=0)


def test_halves_of_the_same_month_agree(january: pd.DataFrame) -> None:
    """No false alarm: not for a rare airport, and not for weather that is missing."""
    half = len(january) // 2
    statistics, constraints = suggest(january[:half])
    assert violations(january[half:], statistics, constraints) == []


@pytest.mark.parametrize("rows", [40, 13_000])
def test_degrees_celsius_for_fahrenheit_are_found(january: pd.DataFrame, rows: int) -> None:
    """A client that changed its unit: both temperatures have drifted, and nothing else has."""
    half = len(january) // 2
    statistics, constraints = suggest(january[:half])
    celsius = january[half : half + rows].copy()
    for name in ("temp", "dewp"):
        celsius[name] = ((celsius[name] - 32) / 1.8).astype(np.float32)
    assert violations(january[half : half + rows], statistics, constraints) == []
    assert kinds(violations(celsius, statistics, constraints)) == [
        ("temp", "baseline_drift_check"),
        ("dewp", "baseline_drift_check"),
    ]
