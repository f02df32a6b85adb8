"""The figures by which models are judged, against outside references, and their pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from mlref import artifact, flights, models
from mlref.models.evaluation import brier, reliability, roc_auc

NAMES = list(flights.FEATURES.names)
ROWS = st.lists(
    st.tuples(
        st.booleans(), st.sampled_from([0, 0.1, 0.25, 0.5, 0.9, 1]), st.integers(0, 4)
    ),
    min_size=2,
    max_size=40,
)  # fmt: skip


class Answers:
    """A predictor that gives what it was told to."""

    def __init__(self, answer: Callable[[int], Any]) -> None:
        self.answer = answer

    def predict(self, rows: Any) -> Any:
        """The answer for so many rows."""
        return self.answer(len(rows))


@given(rows=ROWS)
def test_auc_is_that_of_scikit_learn(rows: list[tuple[bool, float, int]]) -> None:
    """With ties and weights, zero among them, the AUC is that of sklearn.metrics."""
    truth, scores, weights = (np.array(part) for part in zip(*rows, strict=True))
    if len(set(truth)) == 2:
        assert roc_auc(truth, scores) == pytest.approx(roc_auc_score(truth, scores))
    if len(set(truth[weights > 0])) == 2:
        expected = roc_auc_score(truth, scores, sample_weight=weights)
        assert roc_auc(truth, scores, weights) == pytest.approx(expected)


@given(rows=ROWS)
@settings(max_examples=50)
def test_a_weight_is_a_number_of_copies(rows: list[tuple[bool, float, int]]) -> None:
    """A row of weight 3 counts as three rows: this is what the bootstrap rests on."""
    truth, scores, weights = (np.array(part) for part in zip(*rows, strict=True))
    copies = np.repeat(truth, weights)
    if len(set(copies)) == 2:
        expected = roc_auc(copies, np.repeat(scores, weights))
        assert roc_auc(truth, scores, weights) == pytest.approx(expected)


@pytest.mark.parametrize("truth", [[0, 0, 0], [True, True, True]])
def test_one_class_has_no_auc(truth: list[int]) -> None:
    """With one outcome only there is nothing to rank."""
    with pytest.raises(ValueError, match="AUC needs both outcomes"):
        roc_auc(truth, [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (([0, 1], [0.1]), "of one length"),
        (([0, 1], [0.1, 0.2], [1, 1, 1]), "weights must be 2 numbers"),
        (([0, 1], [0.1, 0.2], [1, -1]), "at least 0, got"),
        (([0, 2], [0.1, 0.2]), "truth must be 0 or 1, got 2"),
        (([1, float("nan")], [0.1, 0.2]), "truth must be 0 or 1, got nan"),
        (([0, 1], [[0.1], [0.2]]), "of one length"),
        (([0, 1], [0.1, float("nan")]), "got NaN"),
    ],
)
def test_auc_refuses_what_it_cannot_rank(arguments: tuple[Any, ...], expected: str) -> None:
    """Arrays that do not belong together, or NaN, are errors and not some number."""
    with pytest.raises(ValueError, match=expected):
        roc_auc(*arguments)


@given(
    rows=st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2).filter(
        lambda rows: len({truth for truth, _ in rows}) == 2
    )
)
def test_brier_is_that_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    """The Brier score is that of sklearn.metrics."""
    truth, scores = (np.array(part) for part in zip(*rows, strict=True))
    assert brier(truth, scores) == pytest.approx(brier_score_loss(truth, scores))


@pytest.mark.parametrize("figure", [brier, reliability])
@pytest.mark.parametrize(
    ("truth", "scores", "expected"),
    [
        ([1, 0, 1], [0.5], "of one length"),
        ([[1], [0]], [0.5, 0.5], "of one length"),
        ([1, -1], [0.5, 0.5], "truth must be 0 or 1, got -1"),
        ([1, 0], [0.5, float("nan")], "got NaN"),
        ([], [], "row"),
    ],
)
def test_calibration_refuses_what_does_not_belong_together(
    figure: Callable[..., Any], truth: Any, scores: Any, expected: str
) -> None:
    """One score is not stretched over three rows, and nothing has no mean."""
    with pytest.raises(ValueError, match=expected):
        figure(truth, scores)


def test_reliability_is_that_of_scikit_learn() -> None:
    """Ten bins of equal size give the curve of sklearn.calibration, strategy "quantile"."""
    generator = np.random.default_rng(0)
    scores = generator.random(1000)
    truth = generator.random(1000) < scores**2
    observed, predicted = calibration_curve(truth, scores, n_bins=10, strategy="quantile")
    ours = reliability(truth, scores, bins=10)
    assert ours[0] == pytest.approx(predicted)
    assert ours[1] == pytest.approx(observed)


def test_reliability_of_few_rows_has_few_bins() -> None:
    """Three rows fill three bins, by rising score, and no bin is empty."""
    predicted, observed = reliability([True, False, True], [0.9, 0.1, 0.5])
    assert (predicted.tolist(), observed.tolist()) == ([0.1, 0.5, 0.9], [0, 1, 1])


def test_a_month_has_the_figures_of_its_rows(
    judged: models.Evaluation, serving: pd.DataFrame
) -> None:
    """June's figures are those that scikit-learn computes from June's rows."""
    june = (serving["month"] == 6).to_numpy()
    truth, scores = serving["late"].to_numpy()[june], judged.scores[june]
    (month,) = [month for month in judged.months if month.month == 6]
    assert month.rows == june.sum()
    assert month.auc == pytest.approx(roc_auc_score(truth, scores))
    assert month.brier == pytest.approx(brier_score_loss(truth, scores))
    assert month.observed == pytest.approx(truth.mean())
    assert month.predicted == pytest.approx(scores.mean())


def test_the_months_come_in_order(judged: models.Evaluation) -> None:
    """April to December, each once; means count each month the same."""
    assert [month.month for month in judged.months] == list(range(4, 13))
    assert judged.mean_auc == pytest.approx(sum(m.auc for m in judged.months) / 9)
    assert judged.mean_brier == pytest.approx(sum(m.brier for m in judged.months) / 9)


def test_the_worst_calibration_is_the_largest_gap() -> None:
    """Of all months the largest difference between prediction and truth, in either direction."""
    month = models.evaluation.Month(1, 10, 0.7, 0.1, observed=0.4, predicted=0.3)
    other = replace(month, month=2, observed=0.2, predicted=0.25)
    nothing = np.empty(0)
    evaluation = models.Evaluation((month, other), nothing, nothing, nothing, nothing)
    assert evaluation.worst_calibration == pytest.approx(0.1)


def test_an_artefact_is_judged_as_its_model_is(
    packed: artifact.Artifact, judged: models.Evaluation, serving: pd.DataFrame
) -> None:
    """Whatever predicts can be evaluated; the packed champion has the champion's figures."""
    figures = models.evaluate(packed, serving)
    for one, other in zip(figures.months, judged.months, strict=True):
        assert (one.auc, one.brier) == pytest.approx((other.auc, other.brier), abs=1e-4)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda n: np.full((n, 1), 0.5), r"shape \(20, 1\), expected \(20,\)"),
        (lambda n: np.full(n + 1, 0.5), r"shape \(21,\), expected \(20,\)"),
        (lambda _: 0.5, r"shape \(\), expected \(20,\)"),
        (lambda n: np.full(n, np.nan), "gave nan; probabilities lie between 0 and 1"),
        (lambda n: np.full(n, 1.5), "gave 1.5; probabilities lie between 0 and 1"),
    ],
)
def test_what_is_no_probability_for_each_row_is_refused(
    serving: pd.DataFrame, answer: Callable[[int], Any], expected: str
) -> None:
    """Another shape, NaN, or a number outside [0, 1] is an error that shows it."""
    with pytest.raises(ValueError, match=expected):
        models.evaluate(Answers(answer), serving.head(20))


def test_an_empty_frame_is_refused(serving: pd.DataFrame) -> None:
    """No flights have no figures."""
    with pytest.raises(ValueError, match="no rows"):
        models.evaluate(Answers(np.zeros), serving.head(0))


def test_a_month_of_one_outcome_is_refused(serving: pd.DataFrame) -> None:
    """A month without late flights has no AUC."""
    punctual = serving[~serving["late"]].head(20)
    with pytest.raises(ValueError, match="AUC needs both outcomes"):
        models.evaluate(Answers(np.zeros), punctual)


def test_equal_models_do_not_differ(judged: models.Evaluation) -> None:
    """A model compared with itself differs by exactly 0, and so does the interval."""
    assert models.compare(judged, judged, repeats=10) == models.Comparison(0, 0, 0)


def made_up(separation: float, *, seed: int) -> models.Evaluation:
    """9 months of 30 days of 100 flights, whose scores have AUC Phi(separation / sqrt 2)."""
    truth = np.random.default_rng(0).random(27_000) < 0.25
    noise = np.random.default_rng(seed).normal(size=27_000)
    odds = np.exp(noise + separation * truth)
    rows = np.arange(27_000)
    frame = pd.DataFrame(
        {
            "late": truth,
            "month": rows // 3000 + 4,
            "scheduled": pd.to_datetime(
                pd.DataFrame({"year": 2013, "month": 6, "day": rows % 30 + 1})
            ),
            **dict.fromkeys(NAMES, 0),
        }
    )
    return models.evaluate(Answers(lambda _: odds / (1 + odds)), frame)


def test_a_known_difference_lies_in_the_interval() -> None:
    """Scores of AUC .760 and .856 by construction: the interval holds the true difference."""
    first, second = made_up(1, seed=1), made_up(1.5, seed=2)
    phi = NormalDist().cdf
    true = phi(1.5 / 2**0.5) - phi(1 / 2**0.5)
    comparison = models.compare(first, second, repeats=100)
    assert comparison.low < true < comparison.high
    assert comparison.low < comparison.difference < comparison.high
    assert comparison.high - comparison.low < 0.03


def test_the_other_way_round_is_the_negative() -> None:
    """Exchanging the models turns the sign of the difference and swaps the interval's ends."""
    first, second = made_up(1, seed=1), made_up(1.5, seed=2)
    one, other = (
        models.compare(first, second, repeats=20),
        models.compare(second, first, repeats=20),
    )
    assert (one.difference, one.low, one.high) == pytest.approx(
        (-other.difference, -other.high, -other.low)
    )


def test_the_seed_makes_a_comparison_repeatable() -> None:
    """The same seed gives the same interval, another one another."""
    first, second = made_up(1, seed=1), made_up(1.1, seed=2)
    one, again, other = (models.compare(first, second, repeats=20, seed=seed) for seed in (0, 0, 1))
    assert one == again != other


@pytest.mark.parametrize("part", ["truth", "month_of", "day_of"])
def test_different_flights_are_not_compared(part: str) -> None:
    """One row with another answer, month or day is enough to refuse."""
    first = made_up(1, seed=1)
    changed = getattr(first, part).copy()
    changed[5] = changed[5] == 0
    with pytest.raises(ValueError, match="different flights"):
        models.compare(first, replace(first, **{part: changed}), repeats=1)


def test_an_interval_takes_a_sample(judged: models.Evaluation) -> None:
    """Without a bootstrap sample there is no interval."""
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        models.compare(judged, judged, repeats=0)


def test_fewer_flights_are_not_compared(judged: models.Evaluation) -> None:
    """Evaluations of different length are of different flights."""
    shorter = replace(
        judged,
        truth=judged.truth[:-1],
        month_of=judged.month_of[:-1],
        day_of=judged.day_of[:-1],
        scores=judged.scores[:-1],
    )
    with pytest.raises(ValueError, match="different flights"):
        models.compare(judged, shorter, repeats=1)


def test_a_comparison_reads_well() -> None:
    """Signs and the interval stand in the text."""
    text = str(models.Comparison(-0.0066, -0.0121, 0.0001))
    assert text == "-0.0066 (95 % interval -0.0121 to +0.0001)"


def test_the_table_has_a_row_for_each_month(judged: models.Evaluation) -> None:
    """Table, frame and HTML tell the same months."""
    assert [row[0] for row in judged.to_table().rows] == list(range(4, 13))
    frame = judged.to_frame()
    assert frame["auc"].tolist() == [month.auc for month in judged.months]
    assert judged._repr_html_().count("<tr") == 10


def test_metrics_are_json_by_month(judged: models.Evaluation) -> None:
    """Figures by name, then by month in two digits, rounded to six digits."""
    metrics = judged.to_metrics()
    assert set(metrics) == {"auc", "brier", "observed", "predicted"}
    assert list(metrics["auc"]) == ["04", "05", "06", "07", "08", "09", "10", "11", "12"]
    assert metrics["auc"]["04"] == round(judged.months[0].auc, 6)


@pytest.mark.parametrize("method", ["plot", "plot_reliability"])
def test_a_picture_is_drawn(judged: models.Evaluation, tmp_path: Path, method: str) -> None:
    """The figure can be saved as PNG and is not blank."""
    figure = getattr(judged, method)()
    figure.savefig(tmp_path / "figure.png")
    picture = imread(tmp_path / "figure.png")
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 50


@pytest.mark.parametrize("method", ["plot", "plot_reliability"])
def test_no_text_of_a_picture_is_cut(judged: models.Evaluation, method: str) -> None:
    """Each title, label and legend lies inside the figure."""
    figure = getattr(judged, method)()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    for axes in figure.axes:
        box = axes.get_tightbbox(renderer)
        assert (box.x0, box.y0) >= (0, 0)
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1


def test_the_monthly_picture_shows_the_figures(judged: models.Evaluation) -> None:
    """AUC on the left, truth and prediction on the right, by month."""
    left, right = judged.plot().axes
    assert left.lines[0].get_ydata().tolist() == [m.auc for m in judged.months]
    assert right.lines[0].get_ydata().tolist() == [m.observed for m in judged.months]
    assert right.lines[1].get_ydata().tolist() == [m.predicted for m in judged.months]
    assert [text.get_text() for text in right.get_legend().get_texts()] == [
        "really late",
        "predicted",
    ]


def test_the_diagonal_of_the_reliability_has_no_marks(judged: models.Evaluation) -> None:
    """Only measured points are marked."""
    (axes,) = judged.plot_reliability().axes
    diagonal, curve = axes.lines
    assert (diagonal.get_marker(), len(curve.get_xdata())) == ("", 10)
