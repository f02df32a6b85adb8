"""A KLL sketch keeps the bound of its paper, whatever the order of the values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlref.drift.kll import KllSketch, rank_error

RNG = np.random.default_rng(7)
SHUFFLED = RNG.permutation(50_000).astype(float)
ORDERS = {
    "shuffled": SHUFFLED,
    "rising": np.sort(SHUFFLED),
    "falling": np.sort(SHUFFLED)[::-1],
    "few values": RNG.integers(0, 12, 50_000).astype(float),
    "heavy tail": RNG.lognormal(0, 3, 50_000),
}


def exact_cdf(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The share of the values that are at most as large, by counting."""
    return np.searchsorted(np.sort(values), points, side="right") / len(values)


@pytest.mark.parametrize("values", ORDERS.values(), ids=ORDERS)
def test_ranks_are_within_the_bound(values: np.ndarray) -> None:
    """At 99 points, none is off by more than the paper's bound at a confidence of 0.9999."""
    points = np.quantile(values, np.linspace(0.01, 0.99, 99))
    off = np.abs(KllSketch.of(values).cdf(points) - exact_cdf(values, points))
    assert off.max() <= rank_error(confidence=0.9999)


@pytest.fixture(scope="module")
def many() -> tuple[list[KllSketch], np.ndarray]:
    """300 small sketches of the same values, and how far each is off at one point."""
    values, point = SHUFFLED[:2000], 12_345.5
    true = exact_cdf(values, np.array([point]))[0]
    sketches = [KllSketch.of(values, k=32, seed=seed) for seed in range(300)]
    return sketches, np.array([each.cdf([point])[0] - true for each in sketches])


def test_the_bound_is_kept_as_often_as_it_says(
    many: tuple[list[KllSketch], np.ndarray],
) -> None:
    """At most 10 % of the sketches err more than the bound of confidence 0.9.

    Both bounds are proven, so that far fewer should; the one from the tosses is the sharper one.
    """
    sketches, off = many
    assert np.abs(off).max() > 0, "nothing was thrown away: the test would prove nothing"
    assert (np.abs(off) > rank_error(32, confidence=0.9)).mean() <= 0.1
    assert (np.abs(off) > np.array([each.error(0.9) for each in sketches])).mean() <= 0.1
    assert sketches[0].error(0.9) < rank_error(32, confidence=0.9)


def test_tosses_do_not_lean_to_one_side(many: tuple[list[KllSketch], np.ndarray]) -> None:
    """The mean error of the sketches is 0 within 4 standard errors."""
    _, off = many
    assert abs(np.mean(off)) <= 4 * np.std(off) / math.sqrt(len(off))


def test_the_bound_is_that_of_the_formula() -> None:
    """2 exp(-e^2 k^2 (2c - 1) / 8) is what is left of the confidence."""
    bound = rank_error(2048, 0.64, 0.95)
    assert 2 * math.exp(-(bound**2) * 2048**2 * 0.28 / 8) == pytest.approx(0.05)


def test_few_values_are_kept_as_they_are() -> None:
    """Below the capacity nothing is thrown away: ranks and quantiles are exact."""
    values = RNG.normal(size=2000)
    sketch = KllSketch.of(values)
    assert sketch.error() == 0
    assert sketch.cdf(values).tolist() == exact_cdf(values, values).tolist()
    shares = np.linspace(0, 1, 21)
    expected = np.quantile(values, shares, method="inverted_cdf")
    assert sketch.quantile(shares).tolist() == expected.tolist()


def test_quantiles_of_many_are_within_the_bound() -> None:
    """A quantile is a value whose true rank is near the share that was asked for."""
    shares = np.linspace(0.05, 0.95, 19)
    found = KllSketch.of(SHUFFLED).quantile(shares)
    assert np.abs(exact_cdf(SHUFFLED, found) - shares).max() <= rank_error(confidence=0.9999)


def test_it_stays_small() -> None:
    """A million values in the items of some levels: less than k / (1 - c), and the weights add up.

    The paper gives k / (1 - c) as the room of all levels together.
    """
    sketch = KllSketch.of(np.arange(1_000_000))
    assert len(sketch) == 1_000_000
    assert sum(map(len, sketch.levels)) <= 2048 / (1 - 0.64) + 2 * len(sketch.levels)


def test_merged_sketches_know_what_all_have_seen() -> None:
    """Eight parts merged keep the bound of the whole, and every value counts."""
    whole = KllSketch()
    for part in np.array_split(SHUFFLED, 8):
        whole.merge(KllSketch.of(part))
    points = np.linspace(0, 50_000, 101)
    assert len(whole) == len(SHUFFLED)
    off = np.abs(whole.cdf(points) - exact_cdf(SHUFFLED, points))
    assert 0 < off.max() <= rank_error(confidence=0.9999)
    assert whole.error(0.99) <= rank_error(confidence=0.99)


def test_merging_leaves_the_other_one_alone() -> None:
    """And refuses one of other parameters."""
    one, other = KllSketch.of([1.0]), KllSketch.of([2.0])
    one.merge(other)
    assert (len(one), len(other)) == (2, 1)
    with pytest.raises(ValueError, match=r"k=2048, c=0\.64; k=16, c=0\.64"):
        one.merge(KllSketch(k=16))


def test_the_same_seed_gives_the_same_sketch() -> None:
    """Another one does not."""
    first, again, other = (KllSketch.of(SHUFFLED, seed=seed).levels for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_levels_are_all_that_a_sketch_is() -> None:
    """A sketch of the levels of another one answers the same."""
    sketch = KllSketch.of(SHUFFLED)
    copy = KllSketch.from_levels(sketch.levels)
    points = np.linspace(0, 50_000, 101)
    assert (len(copy), copy.levels) == (len(sketch), sketch.levels)
    assert copy.cdf(points).tolist() == sketch.cdf(points).tolist()


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=300),
    k=st.integers(2, 40),
    c=st.floats(0.51, 0.99),
)
def test_every_value_counts(values: list[float], k: int, c: float) -> None:
    """Whatever the parameters: the weights sum to the number of values, within their range."""
    sketch = KllSketch.of(values, k=k, c=c)
    distinct, weights = sketch.items()
    assert weights.sum() == len(sketch) == len(values)
    assert min(values) <= distinct[0] <= distinct[-1] <= max(values)
    assert set(distinct.tolist()) <= {value + 0.0 for value in values}


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_number_is_refused(wrong: float) -> None:
    """NaN has no rank, infinity is not JSON."""
    with pytest.raises(ValueError, match="leave NaN and infinity out"):
        KllSketch.of([1.0, wrong])


def test_an_empty_sketch_has_no_quantiles() -> None:
    """Nor has it a distribution."""
    with pytest.raises(ValueError, match="no values"):
        KllSketch().quantile([0.5])
    with pytest.raises(ValueError, match="no values"):
        KllSketch().cdf([0.5])


@pytest.mark.parametrize(("k", "c"), [(1, 0.64), (2048, 0.5), (2048, 1.0)])
def test_parameters_without_a_bound_are_refused(k: int, c: float) -> None:
    """The proof needs c above a half."""
    with pytest.raises(ValueError, match="at least 2 and c in"):
        KllSketch(k, c)


@pytest.mark.parametrize("shares", [[-0.1], [1.5], [math.nan]])
def test_a_share_outside_is_refused(shares: list[float]) -> None:
    """Quantiles are asked for by shares in [0, 1]."""
    with pytest.raises(ValueError, match="shares must be in"):
        KllSketch.of([1.0]).quantile(shares)
