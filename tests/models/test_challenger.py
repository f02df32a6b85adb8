"""The challenger: about as good as the champion, repeatable, untroubled by gaps and novelties."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mlref import flights, models
from mlref.errors import InvalidInputError, MissingExtraError
from mlref.models.challenger import ChallengerSettings, build_network
from mlref.models.evaluation import roc_auc

NAMES = list(flights.FEATURES.names)
QUICK = ChallengerSettings(epochs=1)


@pytest.fixture(scope="module")
def quick(small: pd.DataFrame) -> models.Challenger:
    """A challenger of one epoch on 3,000 rows, seed 0."""
    return models.train_challenger(small, settings=QUICK)


def test_it_is_within_two_hundredths_of_the_champion(
    judged: models.Evaluation, challenged: models.Evaluation
) -> None:
    """The mean monthly AUC is less than .02 below the champion's, interval included."""
    assert models.compare(judged, challenged).low > -0.02


def test_it_learns_nothing_from_shuffled_labels(
    shuffled: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """On shuffled answers the AUC is 0.5 within four standard errors: no column tells the answer.

    With answers that are exchangeable the AUC of n1 late and n0 punctual rows has the standard
    error sqrt((n1 + n0 + 1) / (12 n1 n0)) (Mann-Whitney): here .0047.
    """
    train, test = shuffled
    model = models.train_challenger(train, settings=ChallengerSettings(epochs=2))
    late = int(test["late"].sum())
    error = np.sqrt((len(test) + 1) / (12 * late * (len(test) - late)))
    assert abs(roc_auc(test["late"], model.predict(test[NAMES])) - 0.5) < 4 * error


def test_the_same_seed_gives_the_same_predictions(twins: list[dict[str, Any]]) -> None:
    """Two processes that train on the same rows predict the same, bit for bit."""
    first, second = (twin["challenger"]["predictions"] for twin in twins)
    assert first == second


def test_another_seed_gives_other_predictions(
    quick: models.Challenger, small: pd.DataFrame
) -> None:
    """The seed reaches the weights."""
    other = models.train_challenger(small, seed=1, settings=QUICK)
    assert not np.allclose(quick.predict(small[NAMES]), other.predict(small[NAMES]), atol=1e-3)


def test_training_leaves_torch_as_it_was(small: pd.DataFrame) -> None:
    """The caller's random state and number of threads are untouched."""
    torch.set_num_threads(2)
    before = torch.get_rng_state()
    models.train_challenger(small, settings=QUICK)
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), before)


def test_predictions_are_probabilities_one_each(
    challenger: models.Challenger, hard_rows: pd.DataFrame
) -> None:
    """Gaps, unseen categories and extremes get a number between 0 and 1 as well."""
    scores = challenger.predict(hard_rows)
    assert (scores.shape, scores.dtype) == ((10_000,), np.float32)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_no_rows_give_no_predictions(quick: models.Challenger, small: pd.DataFrame) -> None:
    """An empty frame gives shape (0,)."""
    assert quick.predict(small.head(0)[NAMES]).shape == (0,)


def test_a_row_is_predicted_the_same_alone_and_among_others(
    challenger: models.Challenger, serving: pd.DataFrame
) -> None:
    """Dropout is off and no row sees another."""
    rows = serving[NAMES].head(200)
    together = challenger.predict(rows)
    alone = [challenger.predict(rows.iloc[[row]])[0] for row in range(0, 200, 40)]
    assert alone == pytest.approx(together[::40].tolist(), abs=1e-6)


def test_every_unseen_category_is_the_same_to_it(
    challenger: models.Challenger, serving: pd.DataFrame
) -> None:
    """Two carriers that were never seen give the same prediction, and not that of a seen one."""
    row = serving[NAMES].head(1)
    first, second, seen = (
        challenger.predict(row.assign(carrier=carrier))[0] for carrier in ("ZZ", "Z9", "UA")
    )
    assert first == second != seen


def test_what_is_beyond_the_training_counts_as_its_limit(
    challenger: models.Challenger, serving: pd.DataFrame, training: pd.DataFrame
) -> None:
    """A day hotter than all of the training is judged as the hottest of them."""
    row = serving[NAMES].head(1)
    hottest = challenger.predict(row.assign(temp=training["temp"].max()))
    assert challenger.predict(row.assign(temp=np.float32(110))).tolist() == hottest.tolist()


def test_a_missing_number_counts_as_the_median(
    challenger: models.Challenger, serving: pd.DataFrame, training: pd.DataFrame
) -> None:
    """Where a gap is rare, as for the temperature, it is filled with the training's median."""
    row = serving[NAMES].head(1)
    filled = challenger.predict(row.assign(temp=training["temp"].median()))
    assert challenger.predict(row.assign(temp=np.float32("nan"))).tolist() == filled.tolist()


def test_a_frequent_gap_is_an_input_of_its_own(
    challenger: models.Challenger, serving: pd.DataFrame, training: pd.DataFrame
) -> None:
    """Where gaps are common, as for gusts and pressure, that there was one is told."""
    preparation = challenger.preparation
    flagged = [preparation.numbers[position] for position in preparation.flagged]
    assert flagged == ["wind_gust", "pressure"]
    row = serving[NAMES].head(1)
    filled = challenger.predict(row.assign(pressure=training["pressure"].median()))
    assert challenger.predict(row.assign(pressure=np.float32("nan"))).tolist() != filled.tolist()


def test_the_network_has_the_shape_of_its_settings(quick: models.Challenger) -> None:
    """Hidden widths and embeddings are those asked for, one embedding for each string column."""
    tuned = ChallengerSettings(hidden=(10,), embedding=3)
    network = build_network(quick.preparation, tuned)
    widths = [(each.num_embeddings, each.embedding_dim) for each in network.embeddings]
    sizes = quick.preparation.sizes
    assert widths == [(size, min(3, (size + 1) // 2)) for size in sizes]
    linear = [layer for layer in network.layers if isinstance(layer, torch.nn.Linear)]
    assert [layer.out_features for layer in linear] == [10, 1]


def test_it_refuses_rows_that_are_no_flights(quick: models.Challenger, small: pd.DataFrame) -> None:
    """A missing column is refused in use, a broken sensor in training."""
    with pytest.raises(InvalidInputError) as caught:
        quick.predict(small[NAMES].drop(columns="dest"))
    assert "dest is missing" in str(caught.value)
    with pytest.raises(InvalidInputError) as caught:
        models.train_challenger(small.assign(temp=500.0), settings=QUICK)
    assert "temp must lie between -130 and 135" in str(caught.value)


def test_one_outcome_is_not_enough(small: pd.DataFrame) -> None:
    """Training on punctual flights only is an error that says so."""
    with pytest.raises(ValueError, match="got one kind only"):
        models.train_challenger(small[~small["late"]], settings=QUICK)


def test_a_column_without_any_value_is_learnt_as_such(small: pd.DataFrame) -> None:
    """A weather column that is missing in every training row does not spoil the predictions."""
    model = models.train_challenger(small.assign(wind_gust=np.float32("nan")), settings=QUICK)
    assert np.isfinite(model.predict(small[NAMES])).all()


def test_without_torch_the_command_is_named(
    small: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error tells which extra brings PyTorch."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r'pip install "mlref\[torch\]"'):
        models.train_challenger(small)
