"""The champion: good enough, repeatable, and honest about what it cannot learn."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlref import flights, models
from mlref.errors import InvalidInputError, MissingExtraError
from mlref.models.champion import ChampionSettings
from mlref.models.evaluation import roc_auc

NAMES = list(flights.FEATURES.names)
QUICK = ChampionSettings(iterations=10)


def test_it_ranks_the_flights_after_its_training(judged: models.Evaluation) -> None:
    """The mean monthly AUC of April to December is at least .67."""
    assert len(judged.months) == 9
    assert judged.mean_auc >= 0.67


def test_no_month_is_a_coin_toss(judged: models.Evaluation) -> None:
    """October is the hardest month; even there the AUC is over .6."""
    worst = min(judged.months, key=lambda month: month.auc)
    assert worst.month == 10
    assert worst.auc > 0.6


def test_it_learns_nothing_from_shuffled_labels(
    shuffled: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """On shuffled answers the AUC is 0.5 within four standard errors: no column tells the answer.

    With answers that are exchangeable the AUC of n1 late and n0 punctual rows has the standard
    error sqrt((n1 + n0 + 1) / (12 n1 n0)) (Mann-Whitney): here .0047.
    """
    train, test = shuffled
    model = models.train_champion(train, settings=ChampionSettings(iterations=50))
    late = int(test["late"].sum())
    error = np.sqrt((len(test) + 1) / (12 * late * (len(test) - late)))
    assert abs(roc_auc(test["late"], model.predict(test[NAMES])) - 0.5) < 4 * error


def test_the_same_seed_gives_the_same_predictions(twins: list[dict[str, Any]]) -> None:
    """Two processes that train on the same rows predict the same, bit for bit."""
    first, second = (twin["champion"]["predictions"] for twin in twins)
    assert first == second


def test_predictions_are_probabilities_one_each(
    champion: models.Champion, hard_rows: pd.DataFrame
) -> None:
    """Gaps, unseen categories and extremes get a number between 0 and 1 as well."""
    scores = champion.predict(hard_rows)
    assert (scores.shape, scores.dtype) == ((10_000,), np.float64)
    assert ((scores > 0) & (scores < 1)).all()


def test_no_rows_give_no_predictions(champion: models.Champion, serving: pd.DataFrame) -> None:
    """An empty frame gives shape (0,)."""
    assert champion.predict(serving.head(0)[NAMES]).shape == (0,)


def test_plain_columns_are_rows_too(champion: models.Champion, serving: pd.DataFrame) -> None:
    """Lists under the names of the columns, None where missing, predict as the frame does."""
    rows = serving[NAMES].head(50)
    assert rows.isna().any(axis=None)
    lists = rows.astype(object).where(rows.notna(), None).to_dict("list")
    assert champion.predict(lists).tolist() == champion.predict(rows).tolist()


def test_the_order_of_columns_does_not_matter(
    champion: models.Champion, serving: pd.DataFrame
) -> None:
    """Columns are found by name."""
    rows = serving[NAMES].head(50)
    assert champion.predict(rows[NAMES[::-1]]).tolist() == champion.predict(rows).tolist()


def test_its_schema_knows_what_it_has_seen(
    champion: models.Champion, training: pd.DataFrame
) -> None:
    """Known categories are those of the training rows: not every airport of the year."""
    known = champion.inputs["dest"].categories
    assert known == tuple(sorted(set(training["dest"])))
    assert len(known) < len(flights.DESTINATIONS)


def test_it_refuses_rows_that_are_no_flights(
    champion: models.Champion, small: pd.DataFrame
) -> None:
    """A column known only after departure is refused in use, a broken sensor in training."""
    with pytest.raises(InvalidInputError) as caught:
        champion.predict(small[NAMES].assign(dep_delay=1.0))
    assert "dep_delay is not a column of this model" in str(caught.value)
    with pytest.raises(InvalidInputError) as caught:
        models.train_champion(small.assign(temp=500.0), settings=QUICK)
    assert "temp must lie between -130 and 135" in str(caught.value)


def test_one_outcome_is_not_enough(small: pd.DataFrame) -> None:
    """Training on late flights only is an error that says so."""
    with pytest.raises(ValueError, match="got one kind only"):
        models.train_champion(small[small["late"]], settings=QUICK)


def test_a_column_without_any_value_is_refused(small: pd.DataFrame) -> None:
    """A weather column that is missing in every training row is named."""
    with pytest.raises(ValueError, match="got none in wind_gust"):
        models.train_champion(small.assign(wind_gust=np.float32("nan")), settings=QUICK)


def test_training_leaves_the_frame_alone(small: pd.DataFrame) -> None:
    """The caller's rows are as they were."""
    before = small.copy()
    models.train_champion(small, settings=QUICK)
    pd.testing.assert_frame_equal(small, before)


def test_without_scikit_learn_the_command_is_named(
    small: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error tells which extra brings scikit-learn."""
    monkeypatch.setitem(sys.modules, "sklearn.compose", None)
    with pytest.raises(MissingExtraError, match=r'pip install "mlref\[train\]"'):
        models.train_champion(small)
