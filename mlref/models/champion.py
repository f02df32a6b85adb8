"""The champion: gradient boosting on the flights, with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlref import flights
from mlref.runtime.lazy import extra
from mlref.schema import Rows, Schema

__all__ = ["Champion", "ChampionSettings", "train_champion"]

_CATEGORIES = [column.name for column in flights.FEATURES if column.dtype == "string"]
_NUMBERS = [column.name for column in flights.FEATURES if column.dtype != "string"]


@dataclass(frozen=True, kw_only=True)
class ChampionSettings:
    """Tunables of the champion."""

    iterations: int = 200  # trees; no early stopping, so that a run can be repeated
    learning_rate: float = 0.05  # weight of each tree
    max_leaves: int = 15  # per tree
    threads: int = 1  # so that sums are added in one order on every machine


@dataclass(frozen=True)
class Champion:
    """A fitted scikit-learn pipeline and the schema that it was fitted on."""

    pipeline: Any
    inputs: Schema

    def predict(self, rows: Rows) -> np.ndarray:
        """The probability of being late, float64 array of shape (n,), for n raw flights."""
        with extra("train"):
            import pandas as pd
            from threadpoolctl import threadpool_limits
        decoded = self.inputs.decode(rows, allow_empty=True)
        if decoded.n_rows == 0:
            return np.empty(0)
        frame = pd.DataFrame(decoded.arrays, columns=list(self.inputs.names))
        with threadpool_limits(1, user_api="openmp"):
            return np.asarray(self.pipeline.predict_proba(frame)[:, 1])


def train_champion(
    frame: Any, *, seed: int = 0, settings: ChampionSettings | None = None
) -> Champion:
    """The champion, fitted.

    Carrier, origin and destination become numbers by an ordinal encoder, for which an unseen
    category is -1; the trees send missing numbers the way that they learnt.

    Args:
        frame: flights as `flights.load` gives them; n >= 1 rows, both outcomes among them.
        seed: of the trees' random choices.
        settings: tunables.

    Raises:
        InvalidInputError: the rows are no flights.
        ValueError: one outcome only, or a column without any value.
    """
    with extra("train"):
        import pandas as pd
        from sklearn.compose import ColumnTransformer
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import OrdinalEncoder
        from threadpoolctl import threadpool_limits
    tuned = settings or ChampionSettings()
    features = frame[list(flights.FEATURES.names)]
    flights.validate(features, on_unknown="impute")
    if frame["late"].nunique() < 2:  # noqa: PLR2004 - a class has two outcomes
        raise ValueError("training needs late flights and punctual ones, got one kind only")
    empty = [name for name in features if features[name].isna().all()]
    if empty:
        raise ValueError(f"training needs values in every column, got none in {', '.join(empty)}")
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    pipeline = Pipeline(
        [
            (
                "columns",
                ColumnTransformer(
                    [("categories", encoder, _CATEGORIES), ("numbers", "passthrough", _NUMBERS)]
                ),
            ),
            (
                "trees",
                HistGradientBoostingClassifier(
                    max_iter=tuned.iterations,
                    learning_rate=tuned.learning_rate,
                    max_leaf_nodes=tuned.max_leaves,
                    early_stopping=False,
                    random_state=seed,
                ),
            ),
        ]
    )
    plain = pd.DataFrame({name: features[name].to_numpy() for name in features})
    with threadpool_limits(tuned.threads, user_api="openmp"):
        pipeline.fit(plain, frame["late"].to_numpy())
    return Champion(pipeline, flights.known_categories(frame))
