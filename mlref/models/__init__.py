"""The two models of the handbook, and how they are judged.

`train_champion` fits gradient boosting with scikit-learn, `train_challenger` a small network with
embeddings in PyTorch. Both take raw flights and tell the probability of being late; `to_onnx` turns
either into ONE graph from raw named columns, strings included, to that probability. `pack_champion`
and `pack_challenger` do it all: data, training, judgement, conversion, artefact.

    champion = train_champion(flights.load(flights.TRAINING_MONTHS))
    evaluate(champion, flights.load(flights.SERVING_MONTHS)).mean_auc
"""

from mlref.models.challenger import Challenger, train_challenger
from mlref.models.champion import Champion, train_champion
from mlref.models.conversion import to_onnx
from mlref.models.evaluation import (
    Comparison,
    Evaluation,
    Predictor,
    compare,
    evaluate,
)
from mlref.models.packing import (
    fingerprint,
    golden_rows,
    pack_challenger,
    pack_champion,
    pack_model,
)

__all__ = [
    "Challenger",
    "Champion",
    "Comparison",
    "Evaluation",
    "Predictor",
    "compare",
    "evaluate",
    "fingerprint",
    "golden_rows",
    "pack_challenger",
    "pack_champion",
    "pack_model",
    "to_onnx",
    "train_challenger",
    "train_champion",
]
