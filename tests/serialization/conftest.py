"""Both models, trained small, and one comparison of all formats for all tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mlref import flights, models
from mlref.models.challenger import ChallengerSettings
from mlref.models.champion import ChampionSettings
from mlref.serialization import Comparison, compare


@dataclass(frozen=True)
class Trained:
    """Two models, and raw flights to ask them about."""

    champion: models.Champion
    challenger: models.Challenger
    rows: Any


@pytest.fixture(scope="session")
def trained() -> Trained:
    """Models trained on 5,000 flights; 2,000 others with gaps and unseen destinations."""
    training = flights.load(flights.TRAINING_MONTHS)
    training = training.iloc[:: len(training) // 5000]
    champion = models.train_champion(training, settings=ChampionSettings(iterations=40))
    challenger = models.train_challenger(training, settings=ChallengerSettings(epochs=1))
    serving = flights.load([6, 9])
    rows = serving.iloc[:: len(serving) // 2000][list(flights.FEATURES.names)]
    assert rows.isna().to_numpy().any()
    assert (~rows["dest"].isin(champion.inputs["dest"].categories)).any()
    return Trained(champion, challenger, rows.reset_index(drop=True))


@pytest.fixture(scope="session")
def comparison(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """All formats, measured once."""
    folder = tmp_path_factory.mktemp("formats")
    return compare(trained.champion, trained.challenger, trained.rows, folder, repeats=2)
