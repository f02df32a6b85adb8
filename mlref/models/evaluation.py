"""How good a model is, month by month, and whether two models differ by more than chance.

A model that was trained on the winter is judged on the months that came after. Three figures each:

- AUC: the chance that a late flight gets a higher score than a punctual one; 0.5 is a coin.
- Brier score: the mean squared error of the probability; 0 is perfect, always saying the base
  rate p gives p(1 - p).
- calibration: the mean prediction beside the share that really was late.

Flights of one day share their weather, so rows are not independent. Intervals come from a bootstrap
over whole days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mlref import flights, plotting, tables
from mlref.schema import Rows

__all__ = [
    "Comparison",
    "Evaluation",
    "Month",
    "Predictor",
    "brier",
    "compare",
    "evaluate",
    "reliability",
    "roc_auc",
]

_INTERVAL = 0.95
_BINS = 10


class Predictor(Protocol):
    """Whatever tells probabilities: a champion, an artefact, an endpoint."""

    def predict(self, rows: Rows) -> Any:
        """Probabilities, shape (n,), for n raw rows."""
        ...


@dataclass(frozen=True)
class Month:
    """One month's figures. `observed` and `predicted` are shares of late flights in [0, 1]."""

    month: int
    rows: int
    auc: float
    brier: float
    observed: float
    predicted: float


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """A model's figures.

    Attributes:
        months: one `Month` each, in order.
        scores: float array of shape (n,), the predictions.
        truth: bool array of shape (n,), late or not.
        month_of: int array of shape (n,).
        day_of: int array of shape (n,): day of the month.
    """

    months: tuple[Month, ...]
    scores: np.ndarray
    truth: np.ndarray
    month_of: np.ndarray
    day_of: np.ndarray

    @property
    def mean_auc(self) -> float:
        """The mean of the months' AUC, each month counting the same."""
        return float(np.mean([month.auc for month in self.months]))

    @property
    def mean_brier(self) -> float:
        """The mean of the months' Brier scores."""
        return float(np.mean([month.brier for month in self.months]))

    @property
    def worst_calibration(self) -> float:
        """The largest gap between a month's mean prediction and its share of late flights."""
        return max(abs(month.predicted - month.observed) for month in self.months)

    def to_table(self) -> tables.Table:
        """The months as a table."""
        return tables.Table.of(
            [
                {
                    "month": month.month,
                    "flights": month.rows,
                    "AUC": round(month.auc, 3),
                    "Brier": round(month.brier, 3),
                    "late": round(month.observed, 3),
                    "predicted": round(month.predicted, 3),
                }
                for month in self.months
            ]
        )

    def to_frame(self) -> Any:
        """The months as a pandas DataFrame, one row each."""
        import dataclasses

        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(month) for month in self.months])

    def to_metrics(self) -> dict[str, Any]:
        """The months as JSON values for a manifest, rounded to what is meaningful."""
        names = ("auc", "brier", "observed", "predicted")
        return {
            name: {f"{m.month:02d}": round(float(getattr(m, name)), 6) for m in self.months}
            for name in names
        }

    def __repr__(self) -> str:
        return str(self.to_table())

    def _repr_html_(self) -> str:
        return self.to_table()._repr_html_()

    def plot(self) -> Any:
        """A figure: AUC by month, and mean prediction beside truth by month."""
        from matplotlib.ticker import PercentFormatter

        figure, (left, right) = plotting.new_figure(2, width=9.6, height=3.4)
        names = [str(month.month) for month in self.months]
        with plotting.style():
            left.plot(names, [m.auc for m in self.months], **_mark(0))
            left.axhline(0.5, color="grey", linestyle=":", linewidth=1)
            left.text(0, 0.505, "a coin", color="grey", fontsize=9)
            left.set(title="Ranking: AUC by month", xlabel="month of 2013", ylim=(0.48, 0.9))
            right.plot(names, [m.observed for m in self.months], **_mark(0), label="really late")
            right.plot(names, [m.predicted for m in self.months], **_mark(1), label="predicted")
            right.set(title="Calibration: share of late flights", xlabel="month of 2013")
            right.set_ylim(bottom=0)
            right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            right.legend()
        return figure

    def plot_reliability(self) -> Any:
        """A figure: share of late flights by predicted probability, in ten bins of equal size."""
        figure, axes = plotting.new_figure(width=4.4, height=3.8)
        predicted, observed = reliability(self.truth, self.scores, bins=_BINS)
        with plotting.style():
            axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1, marker="")
            axes.plot(predicted, observed, **_mark(0))
            axes.set(title="Reliability", xlabel="predicted", ylabel="really late")
            axes.set(xlim=(0, 1), ylim=(0, 1))
        return figure


@dataclass(frozen=True)
class Comparison:
    """The difference of two models' mean monthly AUC (second minus first), with its interval."""

    difference: float
    low: float
    high: float

    def __str__(self) -> str:
        """The difference with its 95 % interval."""
        return f"{self.difference:+.4f} (95 % interval {self.low:+.4f} to {self.high:+.4f})"


def evaluate(model: Predictor, frame: Any) -> Evaluation:
    """The model's figures for each month of the frame.

    Args:
        model: anything with `predict(rows) -> probabilities of shape (n,)`.
        frame: flights as `flights.load` gives them, n >= 1 rows.

    Raises:
        ValueError: no rows, the model's answer has another shape or holds what is no probability,
            or a month holds one outcome only.
    """
    if not len(frame):
        raise ValueError("the frame has no rows; evaluate at least one month")
    scores = np.asarray(model.predict(frame[list(flights.FEATURES.names)]), dtype=float)
    if scores.shape != (len(frame),):
        raise ValueError(f"predict gave shape {scores.shape}, expected ({len(frame)},)")
    strange = scores[~((scores >= 0) & (scores <= 1))]
    if len(strange):
        raise ValueError(f"predict gave {strange[0]:g}; probabilities lie between 0 and 1")
    truth = frame["late"].to_numpy()
    month_of = frame["month"].to_numpy().astype(int)
    day_of = frame["scheduled"].dt.day.to_numpy().astype(int)
    months = []
    for number in sorted(set(month_of.tolist())):
        rows = month_of == number
        months.append(
            Month(
                month=number,
                rows=int(rows.sum()),
                auc=roc_auc(truth[rows], scores[rows]),
                brier=brier(truth[rows], scores[rows]),
                observed=float(truth[rows].mean()),
                predicted=float(scores[rows].mean()),
            )
        )
    return Evaluation(tuple(months), scores, truth, month_of, day_of)


def compare(
    first: Evaluation, second: Evaluation, *, repeats: int = 200, seed: int = 0
) -> Comparison:
    """How much better the second model's mean monthly AUC is, with a 95 % interval.

    Percentile bootstrap, both models on the same resampled days: within each month whole days are
    drawn with replacement, because flights of one day are not independent.

    Args:
        first: evaluation of one model.
        second: evaluation of the other, on the same flights in the same order.
        repeats: bootstrap samples, at least 1.
        seed: of the draws.

    Raises:
        ValueError: the evaluations are of different flights, or repeats is below 1.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 8 (blocks), 13.
    """
    if not (
        np.array_equal(first.truth, second.truth)
        and np.array_equal(first.month_of, second.month_of)
        and np.array_equal(first.day_of, second.day_of)
    ):
        raise ValueError("the two evaluations are of different flights; evaluate on the same frame")
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    generator = np.random.default_rng(seed)
    differences = np.zeros(repeats)
    months = [month.month for month in first.months]
    for number in months:
        rows = first.month_of == number
        truth, day = first.truth[rows], first.day_of[rows]
        ranked = [_Ranked(truth, each.scores[rows]) for each in (first, second)]
        days = np.unique(day)
        for repeat in range(repeats):
            drawn = np.bincount(generator.choice(days, len(days)), minlength=32)
            one, two = (each.auc(drawn[day]) for each in ranked)
            differences[repeat] += (two - one) / len(months)
    low, high = np.quantile(differences, [(1 - _INTERVAL) / 2, (1 + _INTERVAL) / 2])
    return Comparison(second.mean_auc - first.mean_auc, float(low), float(high))


def roc_auc(truth: Any, scores: Any, weights: Any = None) -> float:
    """The area under the ROC curve: the chance that a positive outranks a negative; ties half.

    Args:
        truth: bool or 0/1, shape (n,), both values among them.
        scores: float, shape (n,).
        weights: float >= 0, shape (n,); None counts every row once.

    Raises:
        ValueError: one class only, NaN among the scores, a negative weight, outcomes other than 0
            and 1, or arrays of different lengths.

    Source:
        Hanley and McNeil, Radiology 143 (1982), 29-36: the AUC is the Mann-Whitney statistic.

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    truth, scores = _checked(truth, scores)
    weight = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=float)
    if weight.shape != truth.shape or not (weight >= 0).all():
        raise ValueError(f"weights must be {len(truth)} numbers of at least 0, got {weights!r:.60}")
    return _Ranked(truth, scores).auc(weight)


def brier(truth: Any, scores: Any) -> float:
    """The mean squared error of probabilities, in [0, 1].

    Args:
        truth: bool or 0/1, shape (n,).
        scores: probabilities, shape (n,), n >= 1.

    Raises:
        ValueError: as for `roc_auc`, or no rows.

    Source:
        Brier, Monthly Weather Review 78 (1950), 1-3, in its form for two classes.

    >>> brier([1, 0], [0.5, 0.5])
    0.25
    """
    outcomes, scores = _checked(truth, scores)
    if not len(scores):
        raise ValueError("the Brier score needs at least one row, got none")
    return float(np.mean((scores - outcomes) ** 2))


def reliability(truth: Any, scores: Any, *, bins: int = _BINS) -> tuple[np.ndarray, np.ndarray]:
    """Mean prediction and share of positives by rising score: arrays of shape (min(bins, n),).

    Args:
        truth: bool or 0/1, shape (n,).
        scores: probabilities, shape (n,), n >= 1.
        bins: how many groups of equal size, at least 1.

    Raises:
        ValueError: as for `brier`, or no bins.
    """
    outcomes, scores = _checked(truth, scores)
    count = min(bins, len(scores))
    if count < 1:
        raise ValueError(f"it takes a row and a bin at least, got {len(scores)} and {bins}")
    parts: Sequence[np.ndarray] = np.array_split(np.argsort(scores, kind="stable"), count)
    return (
        np.array([scores[part].mean() for part in parts]),
        np.array([outcomes[part].mean() for part in parts]),
    )


def _checked(truth: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and scores as arrays, float64, that NumPy cannot misunderstand."""
    outcomes, scores = np.asarray(truth, dtype=float), np.asarray(scores, dtype=float)
    if not outcomes.shape == scores.shape == (outcomes.size,):
        shapes = f"{outcomes.shape} and {scores.shape}"
        raise ValueError(f"truth and scores must be of one length, got shapes {shapes}")
    strange = outcomes[(outcomes != 0) & (outcomes != 1)]
    if len(strange):
        raise ValueError(f"truth must be 0 or 1, got {strange[0]:g}; say which class is positive")
    if np.isnan(scores).any():
        raise ValueError("scores must be numbers, got NaN among them")
    return outcomes, scores


class _Ranked:
    """Scores sorted once, so that many weightings of the rows cost one pass each."""

    def __init__(self, truth: np.ndarray, scores: np.ndarray) -> None:
        self.order = np.argsort(scores, kind="stable")
        self.positive = truth[self.order].astype(bool)
        ordered = scores[self.order]
        self.starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    def auc(self, weights: Any) -> float:
        weight = np.asarray(weights, dtype=float)[self.order]
        positive = np.add.reduceat(np.where(self.positive, weight, 0), self.starts)
        negative = np.add.reduceat(np.where(self.positive, 0, weight), self.starts)
        total = positive.sum() * negative.sum()
        if total == 0:
            raise ValueError("AUC needs both outcomes, got one only")
        below = np.cumsum(negative) - negative
        return float((positive * (below + negative / 2)).sum() / total)


def _mark(index: int) -> dict[str, Any]:
    return {"color": plotting.COLOURS[index], "marker": plotting.MARKERS[index]}
