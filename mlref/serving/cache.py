"""Predictions that were made before, kept for the same rows and the same model.

    keys = CacheKeys(artifact.digest, artifact.inputs)
    key = keys(block)                       the model's bytes and the rows' values, hashed
    known = cache.get(key)                  where `cache.immediate`
    known = await cache.fetch(key)          anywhere
    cache.put(key, predictions)             returns at once

A model is a function: as long as its digest is the same, the same rows give the same predictions,
so nothing ever has to be invalidated. A new version has a new digest, and the old entries are
pushed out. A cache never fails a request: what it cannot tell is a miss.

`MemoryCache` belongs to one process; `mlref.serving.cache_redis` has one that several share.
"""

from __future__ import annotations

import math
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np

from mlref.runtime.clock import Clock, SystemClock
from mlref.runtime.lazy import extra
from mlref.schema import Schema
from mlref.serving.exchange import Block

__all__ = ["Cache", "CacheKeys", "CacheStats", "MemoryCache", "open_cache"]

_KEY_BYTES = 32
_NAN = np.float32(np.nan)
_NAN_BYTES = _NAN.tobytes()
_TEXT, _INT64, _FLOAT32 = "text", "int64", "float32"
_ENTRY_BYTES = 400  # what Python needs for an entry besides its numbers, measured
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_REDIS = ("redis", "rediss", "unix")


@dataclass(frozen=True)
class CacheStats:
    """What a cache has done so far, and what it holds.

    Attributes:
        hits: look-ups that found predictions.
        misses: look-ups that found none.
        errors: look-ups and writes that failed; the look-ups among them are no misses.
        entries: how many predictions are held, or None where that is not known.
        size_bytes: what they take, or None where that is not known.
    """

    hits: int
    misses: int
    errors: int = 0
    entries: int | None = None
    size_bytes: int | None = None


class Cache(Protocol):
    """Where predictions are kept.

    Attributes:
        immediate: whether `get` knows all that there is, so that nobody needs to wait.
    """

    immediate: bool

    @property
    def stats(self) -> CacheStats:
        """What the cache has done so far."""
        ...

    def get(self, key: bytes) -> np.ndarray | None:
        """The predictions, read-only, if they are at hand without waiting; else None."""
        ...

    async def fetch(self, key: bytes) -> np.ndarray | None:
        """The predictions, read-only, or None. May wait."""
        ...

    def put(self, key: bytes, predictions: np.ndarray) -> None:
        """Keep a copy of predictions. Does not wait."""
        ...

    async def close(self) -> None:
        """Give connections back; what is under way may be lost."""
        ...


class CacheKeys:
    """The keys of one model's rows.

    Rows with the same values have the same key, however they came: as columns or instances, lists
    or arrays, ints or floats. A float32 column counts as what the model will see: 0.1 and the
    float32 nearest to it are the same. So are all NaN, which stand for missing; 0.0 and -0.0 are
    not the same. Keys are 32 bytes of BLAKE2b, so nobody can make two inputs share one.

    Args:
        digest: of the artefact.
        schema: of its inputs.

    Raises:
        MissingExtraError: orjson is not installed.
    """

    def __init__(self, digest: str, schema: Schema) -> None:
        with extra("serve"):
            import orjson
        self._dumps = orjson.dumps
        self._prefix = blake2b(digest.encode(), digest_size=_KEY_BYTES).digest()
        self._kinds = [
            _TEXT if c.dtype == "string" else _INT64 if c.dtype == "int64" else _FLOAT32
            for c in schema
        ]
        placed = list(enumerate(schema))
        self._numbers = [p for p, c in placed if c.dtype == "float32" and not c.shape]
        self._others = [p for p, c in placed if c.dtype == "int64" or c.shape]

    def __call__(self, block: Block) -> bytes:
        """The key of some rows, 32 bytes.

        What is hashed tells the rows apart whatever their values: each part's length follows from
        the schema and the number of rows, but for the texts, which come last, as JSON.
        """
        numbers, columns, others = block.numbers, block.columns, b""
        if type(numbers) is not bytes:
            numbers = self._gathered(block)
        high = numbers[3::4]
        if high.count(0x7F) != numbers.count(_NAN_BYTES) or high.count(0xFF):
            numbers = _with_usual_nan(numbers)  # a NaN of another kind, or a huge number
        if self._others:
            others = b"".join([self._other(place, columns[place]) for place in self._others])
        if self._others or block.numbers is None:
            texts = self._dumps(self._texts(columns))
        else:  # the quick way: all that is left in the columns are lists of text
            try:
                texts = self._dumps(columns)
            except TypeError:
                texts = self._dumps(self._texts(columns))
        size = block.n_rows.to_bytes(8, "little")
        said = self._prefix + size + numbers + others + texts
        return blake2b(said).digest()[:_KEY_BYTES]

    def _gathered(self, block: Block) -> bytes:
        """All single numbers, one column after the other, as the bytes of float32."""
        if block.numbers is not None:
            return _float32(block.numbers)
        return b"".join([_float32(block.columns[place]) for place in self._numbers])

    def _texts(self, columns: list[Any]) -> list[Any]:
        """The columns of text as lists, and None in the place of the others."""
        paired = zip(self._kinds, columns, strict=True)
        return [list(values) if kind is _TEXT else None for kind, values in paired]

    def _other(self, place: int, values: Any) -> bytes:
        """A column of integers or of matrices as bytes."""
        if self._kinds[place] is _INT64:
            return np.asarray(values, dtype=np.int64).tobytes()
        return _with_usual_nan(_float32(values))


def _float32(values: Any) -> bytes:
    """Numbers as the bytes of float32 in C order."""
    if type(values) is bytes:
        return values
    array = np.asarray(values)
    if array.dtype != np.float32:  # by way of float64, as the decoders go
        array = array.astype(np.float64).astype(np.float32)
    return array.tobytes()


def _with_usual_nan(numbers: bytes) -> bytes:
    """The same float32 numbers, each NaN with the same bytes."""
    array = np.frombuffer(numbers, np.float32)
    return np.where(np.isnan(array), _NAN, array).tobytes()


class MemoryCache:
    """Predictions in this process; the one that was not asked for longest goes first.

    Threads may share it.

    Args:
        max_entries: how many predictions are kept at most.
        max_bytes: what they may take together, with what Python needs for each.
        ttl_s: seconds after which predictions are forgotten; None is never.
        clock: tells how old an entry is.

    Raises:
        ValueError: a limit is not above 0.

    >>> cache = MemoryCache(max_entries=2)
    >>> cache.put(b"key", np.array([0.25], dtype=np.float32))
    >>> cache.get(b"key"), cache.get(b"other")
    (array([0.25], dtype=float32), None)
    """

    immediate = True

    def __init__(
        self,
        max_entries: int = 10_000,
        max_bytes: int = 64 * 2**20,
        *,
        ttl_s: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        limits = {"max_entries": max_entries, "max_bytes": max_bytes, "ttl_s": ttl_s}
        for name, limit in limits.items():
            if limit is not None and not limit > 0:
                raise ValueError(f"{name} must be above 0, got {limit!r}; leave the cache out")
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._ttl_s = ttl_s
        self._now = (clock or SystemClock()).monotonic
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, tuple[np.ndarray, float]] = OrderedDict()
        self._hits = self._misses = self._size_bytes = 0

    @property
    def stats(self) -> CacheStats:
        """What the cache has done so far."""
        with self._lock:
            entries, size = len(self._entries), self._size_bytes
            return CacheStats(self._hits, self._misses, 0, entries, size)

    def get(self, key: bytes) -> np.ndarray | None:
        """The predictions, read-only, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._misses += 1
                return None
            if self._ttl_s is not None and self._now() >= entry[1]:
                self._drop(key)
                self._misses += 1
                return None
            self._entries.move_to_end(key)
            self._hits += 1
            return entry[0]

    async def fetch(self, key: bytes) -> np.ndarray | None:
        """The same as `get`."""
        return self.get(key)

    def put(self, key: bytes, predictions: np.ndarray) -> None:
        """Keep a copy of predictions; of those that exceed `max_bytes` alone, none."""
        size = _size(key, predictions)
        if size > self._max_bytes:
            return
        kept = predictions.copy()
        kept.flags.writeable = False
        expires_s = math.inf if self._ttl_s is None else self._now() + self._ttl_s
        with self._lock:
            if key in self._entries:
                self._drop(key)
            self._entries[key] = (kept, expires_s)
            self._size_bytes += size
            while len(self._entries) > self._max_entries or self._size_bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))

    async def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._size_bytes = 0

    def _drop(self, key: bytes) -> None:
        """Forget one entry. The lock is held."""
        self._size_bytes -= _size(key, self._entries.pop(key)[0])


def _size(key: bytes, predictions: np.ndarray) -> int:
    """What an entry takes, in bytes."""
    return _ENTRY_BYTES + len(key) + predictions.nbytes


def open_cache(spec: str | None) -> Cache | None:
    """The cache that a setting asks for, or None for no cache.

    Args:
        spec: None or "none"; "memory", a `MemoryCache`; or the address of a Redis:
            "redis://host:6379/0", "rediss://..." (TLS) or "unix:///path". Nothing is connected yet.

    Raises:
        ValueError: anything else.
        MissingExtraError: redis-py is not installed, and a Redis is asked for.
    """
    if spec is None or spec == "none":
        return None
    if spec == "memory":
        return MemoryCache()
    scheme = _SCHEME.match(spec)
    if scheme is not None and scheme[1].lower() in _REDIS:
        from mlref.serving.cache_redis import RedisCache

        return RedisCache(spec)
    # What does not look like a word or a scheme may hold a password.
    got = repr(spec) if spec.isidentifier() else f"{scheme[1]}://..." if scheme else "another text"
    raise ValueError(
        f"the cache must be none, memory, redis://host:port/db, rediss://... or unix:///path, "
        f"got {got}"
    )
