"""Which version of a model answers a request, and which one answers in its shadow.

A `Router` is any function from a request to the version that shall answer. `Weighted` is the usual
one: so many parts of the requests to one version, so many to another. A `Shadow` answers the same
rows as well; its answers go to a function of yours and never to the client.
"""

from __future__ import annotations

import hashlib
import logging
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from mlref.serving.exchange import Request

__all__ = ["Router", "Shadow", "ShadowJob", "ShadowResult", "Weighted"]

logger = logging.getLogger(__name__)

Router: TypeAlias = Callable[[Request], str]
"""From a request to the version that answers it."""

_LAST = 2**64


class Weighted:
    """Each version gets its share of the requests.

    Args:
        weights: version -> weight, at least 0 and not all 0; only their ratio counts.
        sticky_header: requests with the same value of this header get the same version; those
            without it are drawn.
        seed: of the draw.

    Raises:
        ValueError: no weights, or one that is negative or not finite.

    >>> Weighted({"1.0.0": 9, "2.0.0": 1}, seed=1)(Request("POST", "/v1/predict", ()))
    '1.0.0'
    """

    def __init__(
        self, weights: Mapping[str, float], *, sticky_header: str | None = None, seed: int = 0
    ) -> None:
        given = [float(weight) for weight in weights.values()]
        if not given or min(given) < 0 or not 0 < sum(given) < math.inf:
            text = "weights must map versions to numbers of at least 0, not all of them 0"
            raise ValueError(f"{text}, got {dict(weights)!r}")
        self.weights = dict(weights)
        self._versions = list(weights)
        self._bounds = np.cumsum(given) / sum(given)
        self._header = sticky_header.lower().encode("latin-1") if sticky_header else None
        self._random = random.Random(seed)  # noqa: S311 - no secret

    def __call__(self, request: Request) -> str:
        """The version that answers this request."""
        value = request.header(self._header) if self._header else None
        if value is None:
            draw = self._random.random()
        else:
            digest = hashlib.blake2b(value.encode(), digest_size=8).digest()
            draw = int.from_bytes(digest, "big") / _LAST
        place = int(np.searchsorted(self._bounds, draw, side="right"))
        return self._versions[min(place, len(self._versions) - 1)]


@dataclass(frozen=True, eq=False)
class ShadowResult:
    """What a version said in the shadow of another.

    Attributes:
        model: name of the model.
        version: version that answered the client.
        shadow: version that answered in its shadow.
        predictions: what the client got, shape (n, *output.shape).
        shadow_predictions: what the shadow said, of the same shape; None if it failed.
        error: why it failed, or None.
    """

    model: str
    version: str
    shadow: str
    predictions: np.ndarray
    shadow_predictions: np.ndarray | None
    error: Exception | None = None


@dataclass(frozen=True)
class Shadow:
    """A version that answers in the shadow of the one that answers the client.

    Attributes:
        version: the version in the shadow.
        observe: called with each `ShadowResult`, in the event loop: it must be quick.
        share: part of the requests that it gets, from 0 to 1. Under load it gets none.
    """

    version: str
    observe: Callable[[ShadowResult], Any]
    share: float = 1.0
    _random: random.Random = field(default_factory=lambda: random.Random(0), repr=False)  # noqa: S311

    def __post_init__(self) -> None:
        """Refuse a share that is none.

        Raises:
            ValueError: it does not lie between 0 and 1.
        """
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must lie between 0 and 1, got {self.share!r}")

    def takes(self) -> bool:
        """Whether it gets this request."""
        return self.share >= 1 or self._random.random() < self.share


@dataclass(slots=True, eq=False)
class ShadowJob:
    """Rows on their way to the version in the shadow, as a batch takes them.

    Attributes:
        shadow: who is told.
        answering: name and version of the model that has answered the client.
        predictions: what it said.
        block: the rows.
        count: called with the model's name, the shadow's version, and "ok" or "error".
        cancelled: never; somebody always waits.
    """

    shadow: Shadow
    answering: tuple[str, str]
    predictions: np.ndarray
    block: Any
    count: Callable[[str, str, str], None]
    cancelled: bool = False

    def answered(self, predictions: np.ndarray) -> None:
        """Tell the observer what both said."""
        self._tell(predictions, None)

    def failed(self, error: Exception) -> None:
        """Tell the observer that only one answered."""
        self._tell(None, error)

    def _tell(self, predictions: np.ndarray | None, error: Exception | None) -> None:
        (name, version), shadow = self.answering, self.shadow.version
        self.count(name, shadow, "error" if error else "ok")
        try:
            self.shadow.observe(
                ShadowResult(name, version, shadow, self.predictions, predictions, error)
            )
        except Exception:
            logger.exception("the observer of shadow %s %s failed", name, shadow)
