"""The cache in a Redis, as far as it can be seen without one; tests/e2e has a real one."""

from __future__ import annotations

import asyncio
import logging
import pickle
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.runtime.clock import ManualClock
from mlref.serving.cache_redis import RedisCache, pack_array, unpack_array

SECRET = "hunter2"  # noqa: S105 - the test looks for it


@pytest.mark.parametrize(
    "array",
    [
        np.array([0.25, -1], dtype=np.float32),
        np.arange(6, dtype=np.int64).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
        np.arange(6, dtype=np.int32)[::2],
        np.arange(3, dtype=">f4"),
        np.empty((0, 3), dtype=np.float32),
        np.array(1.5, dtype=np.float32),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_comes_back_as_it_was(array: np.ndarray) -> None:
    """Numbers, dtype and shape, whatever its layout was; nobody can change it."""
    found = unpack_array(pack_array(array))
    assert found is not None
    np.testing.assert_array_equal(found, array.astype(array.dtype.newbyteorder("=")), strict=True)
    assert not found.flags.writeable
    assert found.flags.c_contiguous


def test_the_bytes_are_fixed() -> None:
    """Servers of different age may share a Redis, so the layout may only change with its name."""
    array = np.array([[1.0, 2.0]], dtype=np.float32)
    expected = b"mlr1" + b"<f4\0" + struct.pack("<IQQ", 2, 1, 2) + struct.pack("<2f", 1, 2)
    assert pack_array(array) == expected


@pytest.mark.parametrize(
    "array", [np.array(["a"], dtype=object), np.array([True]), np.array([1j]), np.ones((1,) * 9)]
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    """Objects would need pickle; the message says what is allowed."""
    with pytest.raises(ValueError, match="must be of float32, float64, int32, int64, at most 8"):
        pack_array(array)


GOOD = pack_array(np.arange(4, dtype=np.float32))


@pytest.mark.parametrize(
    "data",
    [
        None,
        "text",
        b"",
        b"mlr",
        GOOD[:-1],
        GOOD + b"\0",
        b"mlr2" + GOOD[4:],
        GOOD[:4] + b"|O8\0" + GOOD[8:],
        GOOD[:4] + b"<f8\0" + GOOD[8:],
        GOOD[:8] + struct.pack("<I", 2**32 - 1) + GOOD[12:],
        GOOD[:12] + struct.pack("<Q", 2**64 - 1) + GOOD[20:],
        GOOD[:8] + struct.pack("<I9Q", 9, *[1] * 9) + bytes(4),
        GOOD[:8] + struct.pack("<IQQQ", 3, 0, 2**63, 2**63),
        pickle.dumps(np.arange(4)),
    ],
)
def test_what_cannot_be_read_is_nothing(data: Any) -> None:
    """No error, and nothing that only looks like an array."""
    assert unpack_array(data) is None


@given(st.binary(max_size=80), st.integers(0, len(GOOD)))
def test_no_bytes_can_do_harm(data: bytes, place: int) -> None:
    """Whatever a stranger writes, it is an array of the size of the bytes, or nothing."""
    for each in (data, GOOD[:place] + data):
        found = unpack_array(each)
        assert found is None or found.nbytes <= len(each)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://:{SECRET}@host:6379/0", "redis://host:6379/0"),
        (f"redis://{SECRET}:{SECRET}@host", "redis://host"),
        (f"rediss://u:{SECRET}@[::1]:1/2", "rediss://[::1]:1/2"),
        (f"unix://u:{SECRET}@/run/redis.sock?db=1", "unix:///run/redis.sock"),
        (f"redis://host?password={SECRET}", "redis://host"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    """The cache names its address without it."""
    assert repr(RedisCache(url)) == f"RedisCache('{shown}')"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://",
        "http://host",
        f"redis://u:{SECRET}/x@host",
        f"redis://u:12/{SECRET}@host",
        f"redis://u:1?{SECRET}@host",
        f"redis://u:1#{SECRET}@host",
        f"redis://:{SECRET}@host:port",
        f"redis://:{SECRET}@host:99999",
        f"redis://[{SECRET}@host",
        f"redis://host?socket_timeout={SECRET}",
        f"redis://host?no_such_option={SECRET}",
        f"redis://host/{SECRET}",
        f"unix://u:{SECRET}@",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """When it is given, not at the first request; nothing of the password is in the traceback."""
    with pytest.raises(ValueError, match="Redis") as caught:
        RedisCache(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("name", ["ttl_s", "timeout_s", "max_connections"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    """The message names it."""
    limits: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be above 0, got 0"):
        RedisCache("redis://host", **limits)


@contextmanager
def _broken(caplog: pytest.LogCaptureFixture, url: str) -> Iterator[tuple[RedisCache, ManualClock]]:
    clock = ManualClock(datetime(2013, 1, 1, tzinfo=UTC))
    with caplog.at_level(logging.WARNING, "mlref.serving.cache_redis"):
        yield RedisCache(url, clock=clock, timeout_s=0.5), clock


def test_without_a_redis_each_look_up_is_a_miss(caplog: pytest.LogCaptureFixture) -> None:
    """One error for each cool-down, one line in the log, no exception, nothing of the password."""

    async def ask(cache: RedisCache, clock: ManualClock) -> None:
        for _ in range(3):
            assert await cache.fetch(b"key") is None
            cache.put(b"key", np.zeros(1, dtype=np.float32))
        assert cache.stats.errors == 1
        clock.advance(5)
        assert await cache.fetch(b"key") is None
        assert (cache.stats.errors, cache.stats.misses, cache.stats.hits) == (2, 2, 0)
        await cache.close()

    with _broken(caplog, f"unix://u:{SECRET}@/nowhere/redis.sock") as (cache, clock):
        asyncio.run(ask(cache, clock))
    assert len(caplog.messages) == 2
    assert all("unix:///nowhere/redis.sock failed" in line for line in caplog.messages)
    assert SECRET not in caplog.text


def test_a_silent_redis_is_left_after_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    """A server that takes the connection and says nothing delays the first requests only."""

    async def ask() -> int:
        connections = 0

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            while await reader.read(1000):
                pass
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with _broken(caplog, f"redis://127.0.0.1:{port}") as (cache, _):
            async with asyncio.timeout(5):
                found = await asyncio.gather(*[cache.fetch(b"%d" % n) for n in range(20)])
                assert found == [None] * 20
                for n in range(20):
                    assert await cache.fetch(b"%d" % n) is None
            assert (cache.stats.errors, cache.stats.misses) == (20, 20)
            await cache.close()
        server.close()
        await server.wait_closed()
        return connections

    assert asyncio.run(ask()) == 1
    assert len(caplog.messages) == 1


def test_nothing_is_at_hand_without_waiting() -> None:
    """`get` knows nothing, and does not count."""
    cache = RedisCache("redis://localhost")
    assert cache.get(b"key") is None
    assert (cache.stats.misses, cache.stats.errors, cache.immediate) == (0, 0, False)
