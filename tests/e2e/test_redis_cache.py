"""A real Redis behind two servers' caches: shared, killed in the middle, and started again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlref.errors import ProcessExitedError
from mlref.runtime.clock import ManualClock
from mlref.runtime.process import ManagedProcess, start
from mlref.serving.cache_redis import RedisCache

COOL_DOWN_S = 5.0
PATIENT = {"timeout_s": 5.0}  # a busy machine is no reason to fail
PREDICTIONS = np.array([[0.25, 0.75], [0.5, 0.5]], dtype=np.float32)


class Redis:
    """A Redis on a socket of its own, which can be killed and started again."""

    def __init__(self, program: str, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self._command = [program, "--port", "0", "--unixsocket", str(self.socket)]
        self._command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        self.process = self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"unix://{self.socket}"

    def start(self, *options: str) -> ManagedProcess:
        """Start it, and wait until it answers."""
        self.process = start([*self._command, *options], name="redis")
        self.process.wait_ready(self._answers)
        return self.process

    def kill(self) -> None:
        """End it as `kill -9` does."""
        os.kill(self.process.pid, signal.SIGKILL)
        assert self.process.wait(10) == -signal.SIGKILL
        self.process.stop()

    def ask(self, *words: Any) -> Any:
        """What it says to one command."""
        import redis

        with closing(redis.Redis(unix_socket_path=str(self.socket))) as client:
            return client.execute_command(*words)

    def _answers(self) -> bool:
        import redis

        try:
            return bool(self.ask("PING"))
        except redis.ConnectionError:
            return False


@pytest.fixture
def server(require: Callable[[str, bool, str], None]) -> Iterator[Redis]:
    """A running Redis."""
    program = shutil.which("redis-server")
    require("redis", program is not None, "install redis-server")
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        redis = Redis(str(program), Path(folder))
        try:
            yield redis
        finally:
            redis.process.stop()


def _clock() -> ManualClock:
    return ManualClock(datetime(2013, 1, 1, tzinfo=UTC))


async def _put(cache: RedisCache, key: bytes, predictions: np.ndarray) -> None:
    """Put predictions and wait until they are there, or are lost."""
    cache.put(key, predictions)
    await cache.written()


def test_two_servers_share_what_one_has_put(server: Redis) -> None:
    """The second finds the same numbers, dtype and shape."""

    async def both() -> None:
        one, other = RedisCache(server.url, **PATIENT), RedisCache(server.url, **PATIENT)
        assert await one.fetch(b"key") is None
        await _put(one, b"key", PREDICTIONS)
        for cache in (one, other):
            found = await cache.fetch(b"key")
            assert found is not None
            np.testing.assert_array_equal(found, PREDICTIONS, strict=True)
        assert await other.fetch(b"another") is None
        assert (one.stats.hits, one.stats.misses, one.stats.errors) == (1, 1, 0)
        assert (other.stats.hits, other.stats.misses, other.stats.errors) == (1, 1, 0)
        await one.close()
        await other.close()

    asyncio.run(both())


def test_look_ups_of_one_moment_travel_together(server: Redis) -> None:
    """Fifty at a time are one command, and each gets its own answer."""

    async def many() -> None:
        cache = RedisCache(server.url, **PATIENT)
        keys = [b"%d" % n for n in range(50)]
        for n, key in enumerate(keys[:25]):
            cache.put(key, np.array([n], dtype=np.int64))
        await cache.written()
        found = await asyncio.gather(*[cache.fetch(key) for key in [*keys, keys[7]]])
        values = [None if array is None else int(array[0]) for array in found]
        assert values == [*range(25), *[None] * 25, 7]
        assert (cache.stats.hits, cache.stats.misses) == (26, 25)
        await cache.close()

    asyncio.run(many())
    told = server.ask("INFO", "commandstats")
    assert told["cmdstat_mget"]["calls"] == 1


def test_predictions_are_forgotten_in_time(server: Redis) -> None:
    """Each entry has the time to live that the cache was given."""

    async def put() -> None:
        cache = RedisCache(server.url, ttl_s=90, **PATIENT)
        await _put(cache, b"key", PREDICTIONS)
        await cache.close()

    asyncio.run(put())
    (key,) = server.ask("KEYS", "*")
    assert key.startswith(b"mlref:")
    assert 60_000 < server.ask("PTTL", key) <= 90_000


def test_what_somebody_else_wrote_is_a_miss(server: Redis) -> None:
    """A value that is no array is overwritten by the next one that is."""

    async def spoiled() -> None:
        cache = RedisCache(server.url, **PATIENT)
        await _put(cache, b"key", PREDICTIONS)
        (key,) = server.ask("KEYS", "*")
        server.ask("SET", key, b"garbage")
        assert await cache.fetch(b"key") is None
        assert (cache.stats.misses, cache.stats.errors) == (1, 0)
        await _put(cache, b"key", PREDICTIONS)
        assert await cache.fetch(b"key") is not None
        await cache.close()

    asyncio.run(spoiled())


def test_a_killed_redis_fails_no_request_and_is_used_again(server: Redis) -> None:
    """After `kill -9`: misses, one error, no exception. After the cool-down: hits."""

    async def through_it_all() -> None:
        clock = _clock()
        cache = RedisCache(server.url, retry_after_s=COOL_DOWN_S, clock=clock, **PATIENT)
        await _put(cache, b"key", PREDICTIONS)
        assert await cache.fetch(b"key") is not None

        server.kill()
        for _ in range(10):
            assert await cache.fetch(b"key") is None
            await _put(cache, b"key", PREDICTIONS)
        assert (cache.stats.hits, cache.stats.misses, cache.stats.errors) == (1, 9, 1)

        server.start()
        clock.advance(COOL_DOWN_S - 0.1)
        assert await cache.fetch(b"key") is None
        await _put(cache, b"key", PREDICTIONS)
        assert server.ask("DBSIZE") == 0, "it was asked before the cool-down was over"

        clock.advance(0.1)
        assert await cache.fetch(b"key") is None
        await _put(cache, b"key", PREDICTIONS)
        assert await cache.fetch(b"key") is not None
        assert cache.stats.errors == 1
        await cache.close()

    asyncio.run(through_it_all())


def test_look_ups_under_way_survive_the_kill(server: Redis) -> None:
    """Those that wait for a Redis that hangs, and is then killed, are answered with nothing."""

    async def hang() -> None:
        cache = RedisCache(server.url, **PATIENT)
        await _put(cache, b"key", PREDICTIONS)
        os.kill(server.process.pid, signal.SIGSTOP)
        waiting = [asyncio.ensure_future(cache.fetch(b"%d" % n)) for n in range(20)]
        await asyncio.wait(waiting, timeout=0.1)
        assert not any(task.done() for task in waiting)
        server.kill()
        assert await asyncio.gather(*waiting) == [None] * 20
        assert cache.stats.errors == 20
        await cache.close()

    asyncio.run(hang())


def test_a_late_answer_is_never_taken_for_another(server: Redis) -> None:
    """A Redis that answers after the limit does not answer the next question with it."""

    async def late() -> None:
        clock = _clock()
        cache = RedisCache(server.url, retry_after_s=COOL_DOWN_S, clock=clock, timeout_s=0.5)
        await _put(cache, b"one", np.array([1], dtype=np.int64))
        await _put(cache, b"two", np.array([2], dtype=np.int64))
        os.kill(server.process.pid, signal.SIGSTOP)
        assert await cache.fetch(b"one") is None
        assert cache.stats.errors == 1
        os.kill(server.process.pid, signal.SIGCONT)
        server.process.wait_ready(server._answers)
        clock.advance(COOL_DOWN_S)
        found = await cache.fetch(b"two")
        assert found is not None
        assert found.tolist() == [2]
        await cache.close()

    asyncio.run(late())


def test_who_gives_up_takes_nobody_along(server: Redis) -> None:
    """Two wait for one key; one is cancelled, and the other gets the predictions."""

    async def both() -> None:
        cache = RedisCache(server.url, **PATIENT)
        await _put(cache, b"key", PREDICTIONS)
        patient, hasty = (asyncio.ensure_future(cache.fetch(b"key")) for _ in range(2))
        asyncio.get_running_loop().call_soon(hasty.cancel)
        found = await asyncio.gather(patient, hasty, return_exceptions=True)
        assert isinstance(found[1], asyncio.CancelledError)
        np.testing.assert_array_equal(found[0], PREDICTIONS)
        await cache.close()

    asyncio.run(both())


def test_a_full_redis_still_answers_nobody_with_an_error(server: Redis) -> None:
    """A write that is refused is counted, and the request knows nothing of it."""

    async def full() -> None:
        cache = RedisCache(server.url, **PATIENT)
        server.ask("CONFIG", "SET", "maxmemory", "1")
        await _put(cache, b"key", PREDICTIONS)
        assert cache.stats.errors == 1
        assert await cache.fetch(b"key") is None
        await cache.close()

    asyncio.run(full())


def test_a_wrong_password_is_an_error_like_any_other(
    server: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted and logged, without the password."""
    server.ask("CONFIG", "SET", "requirepass", "right")

    async def refused() -> None:
        cache = RedisCache(f"unix://u:hunter2@{server.socket}", **PATIENT)
        assert await cache.fetch(b"key") is None
        assert cache.stats.errors == 1
        await cache.close()

    asyncio.run(refused())
    assert "AuthenticationError" in caplog.text
    assert "hunter2" not in caplog.text


def test_the_redis_of_this_test_ends_with_it(server: Redis) -> None:
    """`kill` really ends it: nothing answers on the socket any more."""
    server.kill()
    with pytest.raises(ProcessExitedError):
        server.process.wait_ready(server._answers, 1)
