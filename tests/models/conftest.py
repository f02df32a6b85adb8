"""The two models, trained once, and the flights that they are judged on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlref import artifact, flights, models
from mlref.models.packing import pack_model

NAMES = list(flights.FEATURES.names)


@pytest.fixture(scope="session")
def training() -> pd.DataFrame:
    """The flights of January to March."""
    return flights.load(flights.TRAINING_MONTHS)


@pytest.fixture(scope="session")
def serving() -> pd.DataFrame:
    """The flights of April to December."""
    return flights.load(flights.SERVING_MONTHS)


@pytest.fixture(scope="session")
def champion(training: pd.DataFrame) -> models.Champion:
    """The champion."""
    return models.train_champion(training)


@pytest.fixture(scope="session")
def challenger(training: pd.DataFrame) -> models.Challenger:
    """The challenger."""
    return models.train_challenger(training)


@pytest.fixture(scope="session")
def judged(champion: models.Champion, serving: pd.DataFrame) -> models.Evaluation:
    """The champion's figures on every flight after the training."""
    return models.evaluate(champion, serving)


@pytest.fixture(scope="session")
def challenged(challenger: models.Challenger, serving: pd.DataFrame) -> models.Evaluation:
    """The challenger's figures on the same flights."""
    return models.evaluate(challenger, serving)


@pytest.fixture(scope="session")
def graphs(champion: models.Champion, challenger: models.Challenger) -> dict[str, Any]:
    """Both models as onnx.ModelProto."""
    return {"champion": models.to_onnx(champion), "challenger": models.to_onnx(challenger)}


@pytest.fixture(scope="session")
def packed(
    champion: models.Champion,
    judged: models.Evaluation,
    tmp_path_factory: pytest.TempPathFactory,
) -> artifact.Artifact:
    """The champion's artefact."""
    folder = tmp_path_factory.mktemp("packed") / "champion"
    return pack_model(folder, champion, version="1.0.0", evaluation=judged)


@pytest.fixture(scope="session")
def hard_rows(serving: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """10,000 flights: all with an unseen destination, others with gaps, and made-up extremes."""
    unseen = serving[~serving["dest"].isin(training["dest"])]
    rows = pd.concat([unseen, serving.drop(unseen.index).sample(10_000 - 971, random_state=0)])
    rows = rows[NAMES].reset_index(drop=True)
    weather = [column.name for column in flights.FEATURES if column.nullable]
    rows.loc[1000:1099, "carrier"] = "ZZ"
    rows.loc[1100:1149, "origin"] = ""
    rows.loc[1200:1299, weather] = float("nan")
    bounded = [column for column in flights.FEATURES if column.dtype == "float32"]
    for number, column in enumerate(bounded):
        rows.loc[2000 + 20 * number : 2009 + 20 * number, column.name] = column.low
        rows.loc[2010 + 20 * number : 2019 + 20 * number, column.name] = column.high
    rows.loc[3000:3009, [c.name for c in bounded]] = [c.low for c in bounded]
    rows.loc[3010:3019, [c.name for c in bounded]] = [c.high for c in bounded]
    return rows.astype({column.name: "float32" for column in bounded})


@pytest.fixture(scope="session")
def small(training: pd.DataFrame) -> pd.DataFrame:
    """3,000 flights of the training: enough to see that training works, not that it is good."""
    return training.sample(3000, random_state=0).reset_index(drop=True)


@pytest.fixture(scope="session")
def shuffled(training: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two samples, to train on and to judge, of 10,000 and 20,000 flights with shuffled answers."""
    sample = training.sample(30_000, random_state=0).reset_index(drop=True)
    sample["late"] = sample["late"].sample(frac=1, random_state=1).to_numpy()
    return sample.iloc[:10_000], sample.iloc[10_000:]


TWIN = """
import hashlib, json, sys
from datetime import UTC, datetime
from pathlib import Path
from mlref import flights, models
from mlref.models.challenger import ChallengerSettings
from mlref.models.champion import ChampionSettings
from mlref.models.packing import pack_model

def digest(data):
    return hashlib.sha256(data).hexdigest()

sample = flights.load([1]).sample(3000, random_state=0).reset_index(drop=True)
months = flights.load([4, 6, 10]).sample(6000, random_state=0).sort_index()
rows = months[list(flights.FEATURES.names)]
told = {}
for name, model in {
    "champion": models.train_champion(sample, seed=3, settings=ChampionSettings(iterations=10)),
    "challenger": models.train_challenger(sample, seed=3, settings=ChallengerSettings(epochs=1)),
}.items():
    folder = Path(sys.argv[1]) / name
    evaluation = models.evaluate(model, months)
    created = datetime(2024, 1, 2, tzinfo=UTC)
    pack_model(
        folder, model, version="1.0.0", training=sample, evaluation=evaluation, created=created
    )
    told[name] = {
        "predictions": digest(model.predict(rows).tobytes()),
        "files": {path.name: digest(path.read_bytes()) for path in sorted(folder.iterdir())},
    }
print(json.dumps(told))
"""


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes, which order sets differently, made of the same small sample and seed."""
    import json
    import os
    import subprocess
    import sys

    def told(seed: str, folder: Path) -> dict[str, Any]:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", TWIN, str(folder)]
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=folder
        )
        assert run.returncode == 0, run.stderr
        return dict(json.loads(run.stdout))

    return [told(seed, tmp_path_factory.mktemp(f"twin{seed}")) for seed in ("1", "22")]
