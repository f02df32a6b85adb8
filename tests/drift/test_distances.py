"""Distances and allowances against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mlref.drift import chance, distances
from mlref.drift.kll import KllSketch, rank_error

RNG = np.random.default_rng(11)


@pytest.mark.parametrize("shift", [0.0, 0.3, 5.0])
def test_the_numerical_distance_is_that_of_kolmogorov_and_smirnov(shift: float) -> None:
    """With few values exactly, whatever ties there are."""
    first = RNG.normal(size=900).round(1)
    second = RNG.normal(shift, 1.5, size=700).round(1)
    expected = stats.ks_2samp(first, second).statistic
    found = distances.numerical(KllSketch.of(first), KllSketch.of(second))
    assert found == pytest.approx(expected, abs=1e-12)


def test_of_many_values_it_is_within_the_bounds_of_both_sketches() -> None:
    """Each sketch errs by no more than its bound at any of the points."""
    first, second = RNG.gamma(2, size=60_000), RNG.gamma(2.4, size=40_000)
    found = distances.numerical(KllSketch.of(first), KllSketch.of(second))
    expected = stats.ks_2samp(first, second).statistic
    assert found == pytest.approx(expected, abs=2 * rank_error(confidence=0.999))


def test_the_categorical_distance_is_the_largest_difference_of_shares() -> None:
    """A value that one side lacks has the share 0 there."""
    first, second = {"UA": 50, "B6": 30, "OO": 20}, {"UA": 5, "B6": 4, "F9": 1}
    assert distances.categorical(first, second) == pytest.approx(0.2)  # OO: 20 % against none
    assert distances.categorical(first, first) == 0.0


@pytest.mark.parametrize("freedom", [1, 2, 3, 8, 15, 104])
@pytest.mark.parametrize("statistic", [0.0, 0.02, 1.0, 7.3, 40.0, 120.0, 900.0])
def test_the_tail_of_chi_squared_is_that_of_scipy(statistic: float, freedom: int) -> None:
    """For even and odd degrees of freedom, near 1 and near 0."""
    expected = stats.chi2.sf(statistic, freedom)
    assert distances.chi_squared_tail(statistic, freedom) == pytest.approx(expected, rel=1e-9)


def test_the_chi_squared_test_is_that_of_scipy() -> None:
    """Pearson's test of homogeneity, without the correction for 2x2 tables."""
    first, second = {"a": 40, "b": 60, "c": 25}, {"a": 55, "b": 35, "c": 30}
    table = np.array([[40, 60, 25], [55, 35, 30]])
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert distances.chi_squared(first, second) == pytest.approx(expected, rel=1e-9)


def test_rare_values_are_counted_together() -> None:
    """Their expected counts are below 5, where the test is not to be trusted."""
    first = {"a": 40, "b": 60, "x": 3, "y": 2}
    second = {"a": 55, "b": 35, "z": 4}
    pooled = np.array([[40, 60, 5], [55, 35, 4]])
    expected = stats.chi2_contingency(pooled, correction=False).pvalue
    assert distances.chi_squared(first, second) == pytest.approx(expected, rel=1e-9)


def test_one_value_is_no_test() -> None:
    """There is nothing to compare."""
    assert distances.chi_squared({"a": 40}, {"a": 9}) is None
    assert distances.chi_squared({"a": 1}, {"b": 1}) is None


def test_chance_explains_what_the_two_sample_test_does_not_reject() -> None:
    """At the allowance, the p-value of the Kolmogorov-Smirnov test is 2 exp(-2 * 1.8**2)."""
    slack = chance.of_distributions(4000, 6000)
    effective = 4000 * 6000 / 10_000
    assert stats.kstwobign.sf(slack * math.sqrt(effective)) == pytest.approx(
        2 * math.exp(-2 * 1.8**2), rel=1e-3
    )


def test_chance_rarely_makes_two_samples_of_one_place_differ_by_more() -> None:
    """Of 500 pairs of samples, at most 1 % exceed each allowance; without it, most do."""
    shares = np.array([0.5, 0.3, 0.15, *[0.001] * 50])
    over = {"distribution": 0, "completeness": 0, "unknown": 0}
    plain = dict.fromkeys(over, 0)
    for _ in range(500):
        first, second = RNG.choice(53, 400, p=shares), RNG.choice(53, 300, p=shares)
        apart = stats.ks_2samp(first, second).statistic
        plain["distribution"] += apart > 0
        over["distribution"] += apart > chance.of_distributions(400, 300)
        one, other = (first == 0).mean(), (second == 0).mean()
        plain["completeness"] += other < one
        over["completeness"] += other < one - chance.of_completeness(one, 400, 300)
        counts = np.bincount(first, minlength=53)
        unknown = (counts[second] == 0).mean()
        plain["unknown"] += unknown > 0
        allowed = chance.of_unknown_values(int((counts == 1).sum()), 400, 300)
        over["unknown"] += unknown > allowed
    assert all(count <= 5 for count in over.values()), over
    assert all(count >= 200 for count in plain.values()), plain


def test_a_column_that_was_complete_allows_no_gap() -> None:
    """Where every row had a value, one without is news."""
    assert chance.of_completeness(1.0, 10, 10) == 0.0
