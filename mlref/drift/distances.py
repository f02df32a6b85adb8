"""How far two columns are apart.

numerical      the greatest difference of two cumulative distributions, from KLL sketches: the
               statistic of the two-sample Kolmogorov-Smirnov test
categorical    the greatest difference of the shares of a value
chi_squared    Pearson's test that two columns of text come from the same place: a p-value
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from mlref.drift.kll import KllSketch

__all__ = ["categorical", "chi_squared", "chi_squared_tail", "numerical"]

_EXPECTED = 5.0  # counts below which Pearson's approximation is poor
_FEWEST = 2  # values that a test needs


def numerical(first: KllSketch, second: KllSketch) -> float:
    """The greatest difference of the cumulative distributions of two columns of numbers.

    Args:
        first: has seen at least one value.
        second: likewise.

    Returns:
        In [0, 1]; exact while the sketches keep all values.

    Raises:
        ValueError: a sketch has seen nothing.
    """
    points = np.concatenate([first.items()[0], second.items()[0]])
    return float(np.abs(first.cdf(points) - second.cdf(points)).max())


def categorical(first: Mapping[str, int], second: Mapping[str, int]) -> float:
    """The greatest difference of the shares of a value: the L-infinity distance.

    Args:
        first: how often each value occurs; at least one does.
        second: likewise.

    Returns:
        In [0, 1].

    >>> categorical({"UA": 3, "B6": 1}, {"UA": 1, "DL": 1})
    0.5
    """
    one, other = sum(first.values()), sum(second.values())
    names = {*first, *second}
    return max(abs(first.get(name, 0) / one - second.get(name, 0) / other) for name in names)


def chi_squared(first: Mapping[str, int], second: Mapping[str, int]) -> float | None:
    """The probability that two columns of text from the same place differ as much.

    Pearson's test of homogeneity. Values that are too rare for its approximation, with an expected
    count below 5 in one of the columns, are counted together.

    Args:
        first: how often each value occurs; at least one does.
        second: likewise.

    Returns:
        A p-value in [0, 1], or None if fewer than two values are left.
    """
    names = sorted({*first, *second})
    counts = np.array([[each.get(name, 0) for name in names] for each in (first, second)], float)
    share = counts.sum(axis=1) / counts.sum()
    rare = counts.sum(axis=0) * share.min() < _EXPECTED
    pooled = counts[:, ~rare]
    if rare.any():
        pooled = np.column_stack([pooled, counts[:, rare].sum(axis=1)])
    if pooled.shape[1] < _FEWEST:
        return None
    expected = share[:, None] * pooled.sum(axis=0)
    return chi_squared_tail(float(((pooled - expected) ** 2 / expected).sum()), pooled.shape[1] - 1)


def chi_squared_tail(statistic: float, freedom: int) -> float:
    """The probability that a chi-squared variable is greater.

    Args:
        statistic: at least 0.
        freedom: degrees of freedom, at least 1.

    Returns:
        In [0, 1].

    Source:
        M. Abramowitz, I. Stegun, Handbook of Mathematical Functions, 26.4.4 and 26.4.5: for whole
        degrees of freedom the incomplete gamma function is a finite sum.

    >>> round(chi_squared_tail(3.841, 1), 3)
    0.05
    """
    half = statistic / 2
    if half == 0:
        return 1.0
    odd = freedom % 2
    total = math.erfc(math.sqrt(half)) if odd else 0.0
    for step in range(freedom // 2):
        power = step + odd / 2
        total += math.exp(power * math.log(half) - half - math.lgamma(power + 1))
    return min(total, 1.0)
