"""How large a difference between two samples chance alone explains.

Two halves of the same month differ: a rare airport is in one of them only, a share of 24 % is 23 %
in the other. A check that takes differences as they are cries wolf; "Robust" checks take these
allowances off first. Each is kept in all but some 3 of 1000 comparisons of samples that come from
the same place, and shrinks with the number of rows.
"""

from __future__ import annotations

import math

__all__ = ["of_completeness", "of_distributions", "of_unknown_values"]

_KOLMOGOROV = 1.8  # critical value of the two-sample test; 2 exp(-2 * 1.8**2) = 0.003
_NORMAL = 3.0  # standard errors; 0.0013 of a normal distribution lie beyond
_UNSEEN = (
    5.8  # ln(1 / 0.003): an event of probability 5.8 / n stays out of n rows in 0.003 of cases
)


def of_distributions(first: int, second: int) -> float:
    """The distance of the distributions of two samples that chance explains.

    Args:
        first: values of one sample, at least 1.
        second: values of the other one, at least 1.

    Returns:
        A difference of two cumulative shares; more than 1 if there are hardly any rows.

    Source:
        D. E. Knuth, The Art of Computer Programming, volume 2, 3rd edition, Section 3.3.1, equation
        (15). Amazon's open-source library deequ, on which its analyzer is built, takes the same
        critical value.
    """
    return _KOLMOGOROV * math.sqrt((first + second) / (first * second))


def of_completeness(share: float, first: int, second: int) -> float:
    """The difference of two shares that chance explains: three standard errors of two proportions.

    A share of exactly 0 or 1 allows none: where every row had a value, one without is news.

    Args:
        share: that is expected, in [0, 1].
        first: rows of the sample that it comes from, at least 1.
        second: rows of the other one, at least 1.
    """
    return _NORMAL * math.sqrt(share * (1 - share) * (1 / first + 1 / second))


def of_unknown_values(once: int, first: int, second: int) -> float:
    """The share of values of the second sample that chance alone makes unknown to the first.

    What was seen once tells how much has not been seen: by Good and Turing, the values that a
    sample misses make up about the share that it has seen once. To this comes what n rows miss
    easily, 5.8 / n, and three standard errors of the second sample.

    Args:
        once: values that occur once in the first sample.
        first: values of the first sample, at least 1.
        second: values of the second one, at least 1.

    Source:
        I. J. Good, The Population Frequencies of Species and the Estimation of Population
        Parameters, Biometrika 40, 1953.
    """
    missed = (once + _UNSEEN) / first
    return missed + _NORMAL * math.sqrt(missed / second)
