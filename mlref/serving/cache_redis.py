"""Predictions in a Redis that several servers share.

A Redis may be slow, full or gone, and no request may suffer from it. So a look-up has a time limit;
when it passes, or the connection breaks, the request goes to the model, and the Redis is left alone
for a while (`retry_after_s`): otherwise each request would wait for the limit. Writes are sent in
the background, and dropped when too many wait.

Look-ups of one turn of the event loop travel together, as one MGET. Each value has a header that
tells dtype and shape; no pickle, so what a stranger writes there can give wrong numbers but run no
code. Whoever may write to that Redis decides what is answered: keep it private.
"""

from __future__ import annotations

import asyncio
import logging
import re
import struct
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from mlref.runtime.clock import Clock, SystemClock
from mlref.runtime.lazy import extra
from mlref.serving.cache import CacheStats

__all__ = ["RedisCache", "pack_array", "unpack_array"]

logger = logging.getLogger(__name__)

_MAGIC = b"mlr1"
_HEADER = struct.Struct("<4s4sI")  # magic, dtype, dimensions; then each of them
_SIZE = struct.Struct("<Q")
_DTYPES = {code.encode().ljust(4, b"\0"): np.dtype(code) for code in ("<f4", "<f8", "<i4", "<i8")}
_MOST_DIMENSIONS = 8
_PREFIX = b"mlref:predictions:1:"
_DATABASE = re.compile(r"(/[0-9]*)?")
_MOST_WRITES = 1024  # that wait at a time
_DAY_S = 86400.0


def pack_array(array: np.ndarray) -> bytes:
    """An array as bytes: a header with dtype and shape, then the numbers, little-endian.

    Raises:
        ValueError: the dtype is none of float32, float64, int32 and int64, or there are more than
            8 dimensions.
    """
    plain = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    code = plain.dtype.str.replace("=", "<").encode().ljust(4, b"\0")
    if code not in _DTYPES or plain.ndim > _MOST_DIMENSIONS:
        known = ", ".join(str(dtype) for dtype in _DTYPES.values())
        raise ValueError(
            f"an array must be of {known}, at most {_MOST_DIMENSIONS} dimensions, "
            f"got {array.dtype}{list(array.shape)}; convert it"
        )
    sizes = b"".join([_SIZE.pack(size) for size in plain.shape])
    return _HEADER.pack(_MAGIC, code, plain.ndim) + sizes + plain.tobytes()


def unpack_array(data: Any) -> np.ndarray | None:
    """The read-only array that `pack_array` wrote, or None for anything else."""
    if not isinstance(data, bytes) or len(data) < _HEADER.size:
        return None
    magic, code, dimensions = _HEADER.unpack_from(data)
    dtype = _DTYPES.get(code)
    start = _HEADER.size + _SIZE.size * dimensions
    if magic != _MAGIC or dtype is None or dimensions > _MOST_DIMENSIONS or len(data) < start:
        return None
    shape = struct.unpack_from(f"<{dimensions}Q", data, _HEADER.size)
    try:
        return np.frombuffer(data, dtype, offset=start).reshape(shape)
    except (ValueError, OverflowError):  # the numbers are not as many as the shape says
        return None


class RedisCache:
    """Predictions in a Redis. Belongs to one event loop; connects when it is first asked.

    Args:
        url: "redis://[[user]:password@]host[:port][/db]", "rediss://..." (TLS), or
            "unix:///path[?db=0]".
        ttl_s: seconds after which the Redis forgets predictions.
        timeout_s: seconds that a look-up or a write may take, the connection included. More for a
            Redis that is far away.
        retry_after_s: seconds for which a Redis that failed is not asked.
        max_connections: at most so many are open.
        clock: tells when to ask again.

    Raises:
        ValueError: no such address, or a limit is not above 0.
        MissingExtraError: redis-py is not installed.
    """

    immediate = False

    def __init__(
        self,
        url: str,
        ttl_s: float = _DAY_S,
        *,
        timeout_s: float = 0.05,
        retry_after_s: float = 5.0,
        max_connections: int = 8,
        clock: Clock | None = None,
    ) -> None:
        limits = {"ttl_s": ttl_s, "timeout_s": timeout_s, "max_connections": max_connections}
        for name, limit in limits.items():
            if not limit > 0:
                raise ValueError(f"{name} must be above 0, got {limit!r}; leave the cache out")
        self._address = _without_secrets(url)
        self._client = _client(url, self._address, timeout_s, max_connections)
        self._ttl_ms = max(1, round(ttl_s * 1e3))
        self._timeout_s, self._retry_after_s = timeout_s, retry_after_s
        self._now = (clock or SystemClock()).monotonic
        self._rests_until_s: float | None = None
        self._asked: dict[bytes, asyncio.Future[np.ndarray | _Failed | None]] = {}
        self._writes: dict[bytes, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hits = self._misses = self._errors = 0

    def __repr__(self) -> str:
        return f"RedisCache({self._address!r})"

    @property
    def stats(self) -> CacheStats:
        """What this cache has done so far; what the Redis holds is not asked."""
        return CacheStats(self._hits, self._misses, self._errors)

    def get(self, key: bytes) -> np.ndarray | None:  # noqa: ARG002 - the protocol has it
        """None: nothing is at hand without waiting, see `fetch`. Not counted."""
        return None

    async def fetch(self, key: bytes) -> np.ndarray | None:
        """The predictions, read-only, or None; within `timeout_s`, and without an error.

        While a Redis that failed is left alone, each look-up is a miss.
        """
        if self._rests():
            self._misses += 1
            return None
        found = self._asked.get(key)
        if found is None:
            if not self._asked:
                self._start(self._look_up())
            found = self._asked[key] = asyncio.get_running_loop().create_future()
        known = await asyncio.shield(found)  # others may wait for it, too
        if isinstance(known, _Failed):
            self._errors += 1
            return None
        if known is None:
            self._misses += 1
        else:
            self._hits += 1
        return known

    def put(self, key: bytes, predictions: np.ndarray) -> None:
        """Send predictions to the Redis in the background; call it in the event loop."""
        if self._rests() or len(self._writes) >= _MOST_WRITES:
            return
        packed = pack_array(predictions)
        if not self._writes:
            self._start(self._write())
        self._writes[key] = packed

    async def written(self) -> None:
        """Wait until what was put is in the Redis, or is lost."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Give the connections back, after what is under way."""
        await self.written()
        await self._client.aclose()

    def _rests(self) -> bool:
        return self._rests_until_s is not None and self._now() < self._rests_until_s

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin in the next turn of the loop; what is wanted until then goes along."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_up(self) -> None:
        """Ask for everything that was wanted in this turn of the loop."""
        asked, self._asked = self._asked, {}
        try:
            async with asyncio.timeout(self._timeout_s):
                values = await self._client.mget([_PREFIX + key for key in asked])
        except Exception as error:  # noqa: BLE001 - whatever it is, the model can answer
            self._failed(error)
            for future in asked.values():
                future.set_result(_Failed())
            return
        self._rests_until_s = None
        for future, value in zip(asked.values(), values, strict=True):
            future.set_result(unpack_array(value))

    async def _write(self) -> None:
        """Send everything that was put in this turn of the loop."""
        writes, self._writes = self._writes, {}
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.pipeline(transaction=False) as pipeline,
            ):
                for key, value in writes.items():
                    pipeline.set(_PREFIX + key, value, px=self._ttl_ms)
                await pipeline.execute()
        except Exception as error:  # noqa: BLE001 - the predictions are with the client already
            self._errors += 1
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Leave the Redis alone for a while. Its own words are not repeated: they may quote."""
        if not self._rests():
            logger.warning(
                "%s failed (%s); it is asked again in %g s",
                self._address,
                type(error.__cause__ or error).__name__,
                self._retry_after_s,
            )
        self._rests_until_s = self._now() + self._retry_after_s


class _Failed:
    """What a look-up gives when the Redis did not answer."""


def _without_secrets(url: str) -> str:
    """Scheme, host, port and path of an address."""
    problem = (
        "a Redis is addressed as redis://[user:password@]host[:port][/db], rediss://... or "
        "unix:///path; percent-encode special signs of the password"
    )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(problem) from None  # the reason would quote what may be the password
    local, path = parts.scheme == "unix", parts.path
    remote = parts.scheme in {"redis", "rediss"} and host != "" and bool(_DATABASE.fullmatch(path))
    right = path.startswith("/") if local else remote
    if not right or (not local and "@" in parts.query + parts.fragment):  # a password's end
        raise ValueError(problem)
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"


def _client(url: str, address: str, timeout_s: float, max_connections: int) -> Any:
    """A client that does not try again by itself: the request would wait for it."""
    with extra("redis"):
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    try:
        pool: Any = BlockingConnectionPool.from_url(
            url,
            max_connections=max_connections,
            timeout=timeout_s,
            socket_timeout=None,  # the limit is on the whole look-up, see _look_up
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
        )
        pool.make_connection()  # connects nothing, but looks at the parameters
    except (ValueError, TypeError):
        text = f"the Redis at {address} has parameters that redis-py does not know; correct its URL"
        raise ValueError(text) from None
    return Redis.from_pool(pool)
