"""The challenger: a small network with embeddings, in PyTorch.

The network sees category codes and scaled numbers. Everything before that (code of each category,
fill-in for missing numbers, which numbers were missing) is learnt from the training rows, kept in
`Preparation`, and becomes part of the ONNX graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlref import flights
from mlref.runtime.lazy import extra
from mlref.schema import Rows, Schema

__all__ = ["Challenger", "ChallengerSettings", "Preparation", "build_network", "train_challenger"]


@dataclass(frozen=True, kw_only=True)
class ChallengerSettings:
    """Tunables of the challenger."""

    epochs: int = 6  # passes over the training rows; no early stopping
    batch_rows: int = 512  # rows per step
    learning_rate: float = 2e-3  # of Adam, falling to zero along a cosine
    weight_decay: float = 1e-4  # of AdamW
    dropout: float = 0.2  # share of activations dropped in training
    hidden: tuple[int, ...] = (64, 32)  # widths of the hidden layers
    embedding: int = 8  # width of each category's embedding, at most
    threads: int = 1  # so that sums are added in one order on every machine


@dataclass(frozen=True, eq=False)
class Preparation:
    """What stands between raw columns and the network.

    Attributes:
        categories: for each string column its known categories; the code of a category is its
            position + 1, and 0 is the code of any other.
        numbers: the number columns, in the order in which the network takes them.
        fill: float32 array of shape (len(numbers),): the median, put where a number is missing;
            0 for a column that never had a value.
        low: float32 array of the same shape, the least value of the training rows. A summer day is
            hotter than any day of the training: the network sees the hottest that it knows.
        high: float32 array of the same shape, the greatest value of the training rows.
        mean: float32 array of the same shape; the network takes (x - mean) / scale.
        scale: float32 array of the same shape.
        flagged: positions of the columns for which "was it missing" is an input of its own.
    """

    categories: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...]
    fill: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    flagged: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each string column."""
        return tuple(len(known) + 1 for known in self.categories.values())

    @property
    def width(self) -> int:
        """How many numbers the network takes: the columns, then the flags."""
        return len(self.numbers) + len(self.flagged)

    def apply(self, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Codes (int64, shape (n, strings)) and numbers (float32, shape (n, width))."""
        columns = []
        for name, known in self.categories.items():
            code_of = {value: code for code, value in enumerate(known, start=1)}
            columns.append([code_of.get(value, 0) for value in arrays[name]])
        codes = np.array(columns, dtype=np.int64).T.copy()
        raw = np.stack([arrays[name] for name in self.numbers], axis=1)
        missing = np.isnan(raw)
        clipped = np.clip(np.where(missing, self.fill, raw), self.low, self.high)
        scaled = (clipped - self.mean) / self.scale
        flags = missing[:, list(self.flagged)]
        return codes, np.concatenate([scaled, flags], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Challenger:
    """A trained network, its preparation, and the schema of the rows it takes."""

    network: Any
    preparation: Preparation
    inputs: Schema

    def predict(self, rows: Rows) -> np.ndarray:
        """The probability of being late, float32 array of shape (n,), for n raw flights."""
        with extra("torch"):
            import torch
        decoded = self.inputs.decode(rows, allow_empty=True)
        if decoded.n_rows == 0:
            return np.empty(0, dtype=np.float32)
        codes, numbers = self.preparation.apply(decoded.arrays)
        with torch.no_grad():
            result = self.network(torch.from_numpy(codes), torch.from_numpy(numbers))
        return np.asarray(result.numpy())


def build_network(preparation: Preparation, settings: ChallengerSettings | None = None) -> Any:
    """An untrained torch.nn.Module: (codes (n, s) int64, numbers (n, w) float32) -> (n,) in [0, 1].

    One embedding for each string column, joined with the numbers, then ReLU layers and a sigmoid.
    """
    with extra("torch"):
        import torch
    tuned = settings or ChallengerSettings()

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = [min(tuned.embedding, (size + 1) // 2) for size in preparation.sizes]
            self.embeddings = torch.nn.ModuleList(
                torch.nn.Embedding(size, width)
                for size, width in zip(preparation.sizes, widths, strict=True)
            )
            layers: list[torch.nn.Module] = []
            before = sum(widths) + preparation.width
            for after in tuned.hidden:
                layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
                layers += [torch.nn.Dropout(tuned.dropout)]
                before = after
            self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(before, 1))

        def forward(self, codes: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
            looked_up = [each(codes[:, i]) for i, each in enumerate(self.embeddings)]
            joined = torch.cat([*looked_up, numbers], dim=1)  # (n, sum of widths + numbers)
            return torch.sigmoid(self.layers(joined)).squeeze(1)

    return Network().eval()


def train_challenger(
    frame: Any, *, seed: int = 0, settings: ChallengerSettings | None = None
) -> Challenger:
    """The challenger, trained.

    Categories of the training rows are set to "unknown" at random now and then, so that the code
    of the unseen is trained too.

    Args:
        frame: flights as `flights.load` gives them; n >= 1 rows, both outcomes among them.
        seed: of the first weights, the order of rows, dropout.
        settings: tunables.

    Raises:
        InvalidInputError: the rows are no flights.
        ValueError: one outcome only.
    """
    with extra("torch"):
        import torch
    tuned = settings or ChallengerSettings()
    if frame["late"].nunique() < 2:  # noqa: PLR2004 - a class has two outcomes
        raise ValueError("training needs late flights and punctual ones, got one kind only")
    inputs = flights.known_categories(frame)
    arrays = inputs.decode(frame[list(inputs.names)]).arrays
    preparation = _prepare(inputs, arrays)
    codes, numbers = (torch.from_numpy(part) for part in preparation.apply(arrays))
    truth = torch.from_numpy(frame["late"].to_numpy().astype(np.float32))
    before = torch.get_num_threads()
    torch.set_num_threads(tuned.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build_network(preparation, tuned).train()
            _fit(network, codes, numbers, truth, tuned)
    finally:
        torch.set_num_threads(before)
    return Challenger(network.eval(), preparation, inputs)


_UNKNOWN_SHARE = 0.01


def _fit(network: Any, codes: Any, numbers: Any, truth: Any, tuned: ChallengerSettings) -> None:
    import torch

    steps = tuned.epochs * (len(truth) // tuned.batch_rows + 1)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=tuned.learning_rate, weight_decay=tuned.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(tuned.epochs):
        for rows in torch.split(torch.randperm(len(truth)), tuned.batch_rows):
            shown = codes[rows] * (torch.rand(len(rows), codes.shape[1]) >= _UNKNOWN_SHARE)
            optimiser.zero_grad()
            predicted = network(shown, numbers[rows])
            loss = torch.nn.functional.binary_cross_entropy(predicted, truth[rows])
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()


def _prepare(inputs: Schema, arrays: Mapping[str, np.ndarray]) -> Preparation:
    numbers = tuple(column.name for column in inputs if column.dtype == "float32")
    raw = np.stack([arrays[name] for name in numbers], axis=1).astype(np.float64)
    missing = np.isnan(raw)
    fill = np.nanmedian(np.where(missing.all(axis=0), 0, raw), axis=0)
    filled = np.where(missing, fill, raw)
    scale = filled.std(axis=0)
    return Preparation(
        categories={c.name: tuple(c.categories or ()) for c in inputs if c.dtype == "string"},
        numbers=numbers,
        fill=fill.astype(np.float32),
        low=filled.min(axis=0).astype(np.float32),
        high=filled.max(axis=0).astype(np.float32),
        mean=filled.mean(axis=0).astype(np.float32),
        scale=np.where(scale > 0, scale, 1).astype(np.float32),
        flagged=tuple(np.flatnonzero(missing.mean(axis=0) > 0.05).tolist()),  # noqa: PLR2004
    )
