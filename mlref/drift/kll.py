"""Quantiles of any number of values in little memory: the sketch of Karnin, Lang and Liberty.

A sketch is a stack of levels. New values go to the lowest one. A level that is full is sorted, and
every other of its items, the odd or the even ones by the toss of a coin, goes up to the next level,
where it stands for twice as many values:

    level 2   an item stands for 4 values   capacity k
    level 1   ... for 2                     capacity k c
    level 0   ... for 1                     capacity k c c

A toss moves the rank of a value by at most the weight of the level's items, up as likely as down,
so that the errors of many tosses cancel. With k = 2048 and c = 0.64, the rank of a value is within
0.5 % of the true one in 95 of 100 sketches, by the bound that can be proven; mostly it is far
closer. Two sketches can be merged.

    sketch = KllSketch.of(values)
    sketch.cdf([0.0, 50.0])          # share of the values that are at most 0, at most 50
    sketch.quantile([0.5, 0.95])

Source: Z. Karnin, K. Lang, E. Liberty, Optimal Quantile Approximation in Streams, FOCS 2016,
arXiv:1603.05346, Section 3 (compactors of geometric capacity, without the sampler).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = ["SHRINKING", "SIZE", "KllSketch", "rank_error"]

SIZE = 2048
"""Capacity of the top level: the k that Amazon's files show."""

SHRINKING = 0.64
"""By which the capacity shrinks from a level to the one below: the c that Amazon's files show."""

_LEAST = 2  # items of a level: fewer could not be halved
_HALF = 0.5


class KllSketch:
    """A sketch of some numbers.

    Args:
        k: capacity of the top level, at least 2.
        c: by which capacities shrink from a level to the one below, in (0.5, 1).
        seed: of the coin; the same values in the same order give the same sketch.

    Raises:
        ValueError: k or c is none.

    >>> sketch = KllSketch.of(range(101))
    >>> sketch.quantile([0.0, 0.5, 1.0]).tolist()
    [0.0, 50.0, 100.0]
    """

    def __init__(self, k: int = SIZE, c: float = SHRINKING, *, seed: int = 0) -> None:
        if k < _LEAST or not _HALF < c < 1:
            raise ValueError(f"k must be at least 2 and c in (0.5, 1), got k={k!r} and c={c!r}")
        self.k, self.c = int(k), float(c)
        self._chance = np.random.default_rng(seed)
        self._levels: list[np.ndarray] = [np.empty(0)]
        self._tossed = 0.0  # sum of the squared weights of all compactions

    @classmethod
    def of(cls, values: Any, *, k: int = SIZE, c: float = SHRINKING, seed: int = 0) -> KllSketch:
        """The sketch of an array.

        Args:
            values: finite numbers, any shape.
            k: see the class.
            c: see the class.
            seed: see the class.

        Raises:
            ValueError: a value is NaN or infinite, or k or c is none.
        """
        sketch = cls(k, c, seed=seed)
        sketch.extend(values)
        return sketch

    @classmethod
    def from_levels(
        cls, levels: Iterable[Iterable[float]], *, k: int = SIZE, c: float = SHRINKING
    ) -> KllSketch:
        """A sketch out of what `levels` gave.

        Args:
            levels: the items of each level; those of level h stand for 2**h values each.
            k: of the sketch that it was.
            c: likewise.

        Raises:
            ValueError: an item is NaN or infinite, or k or c is none.
        """
        sketch = cls(k, c)
        found = [_finite(list(level)) for level in levels]
        sketch._levels = found or [np.empty(0)]
        return sketch

    def __len__(self) -> int:
        """How many values it has seen."""
        return sum(len(level) << height for height, level in enumerate(self._levels))

    @property
    def levels(self) -> tuple[tuple[float, ...], ...]:
        """The items of each level; those of level h stand for 2**h values each."""
        return tuple(tuple(level.tolist()) for level in self._levels)

    def extend(self, values: Any) -> None:
        """See more values.

        Args:
            values: finite numbers, any shape.

        Raises:
            ValueError: a value is NaN or infinite.
        """
        left = _finite(values)
        while len(left):
            room = max(self._room(), 1)
            self._levels[0] = np.concatenate([self._levels[0], left[:room]])
            left = left[room:]
            self._shrink()

    def merge(self, other: KllSketch) -> None:
        """See all that another sketch has seen.

        Args:
            other: of the same k and c; it is not changed.

        Raises:
            ValueError: its k or c is another one.
        """
        if (self.k, self.c) != (other.k, other.c):
            ours, theirs = f"k={self.k}, c={self.c}", f"k={other.k}, c={other.c}"
            raise ValueError(f"only sketches of the same k and c can be merged: {ours}; {theirs}")
        while len(self._levels) < len(other._levels):
            self._levels.append(np.empty(0))
        for height, level in enumerate(other._levels):
            self._levels[height] = np.concatenate([self._levels[height], level])
        self._tossed += other._tossed
        self._shrink()

    def items(self) -> tuple[np.ndarray, np.ndarray]:
        """Its distinct items in order, and how many values each stands for."""
        values = np.concatenate(self._levels)
        weights = np.concatenate(
            [np.full(len(level), 1 << height) for height, level in enumerate(self._levels)]
        )
        distinct, where = np.unique(values, return_inverse=True)
        counted = np.bincount(where, weights=weights, minlength=len(distinct))
        return distinct, counted.astype(np.int64)

    def cdf(self, points: Sequence[float] | np.ndarray) -> np.ndarray:
        """The share of the values that are at most as large.

        Args:
            points: shape (n,).

        Returns:
            Shape (n,), each in [0, 1].

        Raises:
            ValueError: the sketch has seen nothing.
        """
        distinct, weights = self._some()
        below = np.concatenate([[0], np.cumsum(weights)])
        found: np.ndarray = below[np.searchsorted(distinct, points, side="right")] / below[-1]
        return found

    def quantile(self, shares: Sequence[float] | np.ndarray) -> np.ndarray:
        """The least value of the sketch that at least a share of the values does not exceed.

        Args:
            shares: shape (n,), each in [0, 1].

        Returns:
            Shape (n,).

        Raises:
            ValueError: the sketch has seen nothing, or a share is none.
        """
        distinct, weights = self._some()
        wanted = np.asarray(shares, dtype=np.float64)
        if not ((wanted >= 0) & (wanted <= 1)).all():
            raise ValueError(f"shares must be in [0, 1], got {wanted.tolist()}")
        below = np.cumsum(weights)
        where = np.searchsorted(below, np.ceil(wanted * below[-1]), side="left")
        found: np.ndarray = distinct[np.minimum(where, len(distinct) - 1)]
        return found

    def error(self, confidence: float = 0.95) -> float:
        """A bound of the error of `cdf` at one point, from the tosses that were made.

        Args:
            confidence: how likely the error keeps it, in (0, 1).

        Returns:
            A share in [0, 1]; 0 as long as nothing was thrown away. By Hoeffding's inequality.

        Raises:
            ValueError: the confidence is none.
        """
        if not len(self):
            return 0.0
        return math.sqrt(2 * _log_two_sided(confidence) * self._tossed) / len(self)

    def _some(self) -> tuple[np.ndarray, np.ndarray]:
        distinct, weights = self.items()
        if not len(distinct):
            raise ValueError("the sketch has seen no values")
        return distinct, weights

    def _capacity(self, height: int) -> int:
        depth = len(self._levels) - 1 - height
        return max(math.ceil(self.k * self.c**depth), _LEAST)

    def _room(self) -> int:
        """How many items it may still hold before something must be thrown away."""
        capacity = sum(self._capacity(height) for height in range(len(self._levels)))
        return capacity - sum(map(len, self._levels))

    def _shrink(self) -> None:
        """Halve the lowest full level until there is room."""
        while self._room() <= 0:
            height = next(
                each
                for each, level in enumerate(self._levels)
                if len(level) >= self._capacity(each)
            )
            if height + 1 == len(self._levels):
                self._levels.append(np.empty(0))
            items = np.sort(self._levels[height])
            odd = len(items) % 2
            kept, items = items[:odd], items[odd:]
            self._levels[height] = kept
            half = items[int(self._chance.integers(2)) :: 2]
            self._levels[height + 1] = np.concatenate([self._levels[height + 1], half])
            self._tossed += 4.0**height


def rank_error(k: int = SIZE, c: float = SHRINKING, confidence: float = 0.95) -> float:
    """A bound of the error of `KllSketch.cdf` at one point, for any number of values.

    The paper's argument: with m compactions of a level whose items weigh w, the error is a sum of
    independent terms of at most w each, and m w is at most the number of values over the level's
    capacity. The levels' variances form a geometric series, and Hoeffding's inequality gives
    P(error >= e) <= 2 exp(-e^2 k^2 (2c - 1) / 8).

    Args:
        k: capacity of the top level.
        c: by which capacities shrink, in (0.5, 1).
        confidence: how likely the error keeps the bound, in (0, 1).

    Returns:
        A share; for the defaults 0.0050.

    Source:
        Karnin, Lang, Liberty 2016, Theorem 1 and its proof.
    """
    return math.sqrt(8 * _log_two_sided(confidence) / (2 * c - 1)) / k


def _log_two_sided(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence!r}")
    return math.log(2 / (1 - confidence))


def _finite(values: Any) -> np.ndarray:
    found = np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError("a sketch takes finite numbers; leave NaN and infinity out")
    return found.ravel()
