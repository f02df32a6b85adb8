"""Keys that tell rows apart, and the cache in memory."""

from __future__ import annotations

import asyncio
import struct
import threading
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.runtime.clock import ManualClock
from mlref.schema import Column, Schema
from mlref.serving.cache import CacheKeys, MemoryCache, open_cache
from mlref.serving.exchange import Block, block_of
from mlref.serving.fast_decoding import FastDecoder
from mlref.serving.wire import dump

DIGEST = "ab" * 32
FLIGHTS = Schema(
    (
        Column("carrier", dtype="string"),
        Column("temp", nullable=True),
        Column("dest", dtype="string", nullable=True),
        Column("wind", nullable=True),
    )
)
MIXED = Schema(
    (
        Column("pixels", shape=(3,)),
        Column("day", dtype="int64"),
        Column("single", shape=(1,)),
        Column("name", dtype="string"),
        Column("temp", nullable=True),
    )
)
ROWS: dict[str, list[Any]] = {
    "carrier": ["UA", "B6"],
    "temp": [71.5, None],
    "dest": ["LAX", None],
    "wind": [3, 4],
}
MIXED_ROWS: dict[str, list[Any]] = {
    "pixels": [[1, 2.5, 3], [4, 5, 6]],
    "day": [2**53 + 1, -4],
    "single": [[1], [2]],
    "name": ["a", "b"],
    "temp": [0.1, None],
}
CASES = [(FLIGHTS, ROWS), (MIXED, MIXED_ROWS)]


def _decoded(schema: Schema, rows: Any) -> Block:
    return block_of(schema.decode(rows), schema)


def _key(schema: Schema, rows: Any) -> bytes:
    return CacheKeys(DIGEST, schema)(_decoded(schema, rows))


def _head(rows: dict[str, list[Any]], count: int) -> dict[str, list[Any]]:
    return {name: values[:count] for name, values in rows.items()}


@pytest.mark.parametrize("n_rows", [1, 2, 40])
@pytest.mark.parametrize(("schema", "rows"), CASES)
def test_the_same_rows_have_the_same_key_however_they_came(
    schema: Schema, rows: dict[str, list[Any]], n_rows: int
) -> None:
    """Columns, instances, lists, arrays, and both ways of reading JSON."""
    columns = _head({name: values * 20 for name, values in rows.items()}, n_rows)
    instances = [
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]
    arrays = schema.decode(columns).arrays
    keys = CacheKeys(DIGEST, schema)
    fast = FastDecoder(schema)
    quick = [fast(dump(body)) for body in ({"columns": columns}, {"instances": instances})]
    blocks = [
        _decoded(schema, columns),
        _decoded(schema, instances),
        _decoded(schema, arrays),
        Block(n_rows, [values.tolist() for values in arrays.values()]),
        *[block for block in quick if block is not None],
    ]
    assert len(blocks) == 6, "the fast decoder was not sure of rows that are as they should be"
    assert len({keys(block) for block in blocks}) == 1


def test_numbers_in_one_array_or_its_bytes_have_the_same_key() -> None:
    """A block may hold all numbers together, as an array of any layout or as its bytes."""
    keys, texts = CacheKeys(DIGEST, FLIGHTS), [["UA", "B6"], None, ["LAX", ""], None]
    numbers = np.array([[71.5, np.nan], [3, 4]], dtype=np.float32)
    together = [numbers, np.asfortranarray(numbers), numbers.tobytes()]
    found = {keys(Block(2, list(texts), numbers=each)) for each in together}
    assert found == {_key(FLIGHTS, ROWS)}


def test_text_in_arrays_has_the_same_key() -> None:
    """Also where the numbers stand together."""
    numbers = np.array([[71.5, np.nan], [3, 4]], dtype=np.float32).tobytes()
    texts = [np.array(values, dtype=object) for values in (["UA", "B6"], ["LAX", ""])]
    block = Block(2, [texts[0], None, texts[1], None], numbers=numbers)
    assert CacheKeys(DIGEST, FLIGHTS)(block) == _key(FLIGHTS, ROWS)


def test_ints_and_floats_are_the_same_number() -> None:
    """3 and 3.0 in a column of floats, and 0.1 and its float32."""
    for one, other in ((3, 3.0), (0.1, float(np.float32(0.1))), (16777217, 16777216.0)):
        pair = [_key(FLIGHTS, _head(ROWS | {"wind": [value]}, 1)) for value in (one, other)]
        assert pair[0] == pair[1]


def test_whole_numbers_are_told_apart_to_the_last_digit() -> None:
    """2**53 and 2**53 + 1 are the same float64 but not the same int64."""
    pair = [_key(MIXED, _head(MIXED_ROWS | {"day": [day]}, 1)) for day in (2**53, 2**53 + 1)]
    assert pair[0] != pair[1]


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF, 0x7FC12345])
@pytest.mark.parametrize("number", [1.0, 3.4e38, -3.4e38, 1.8e38])
def test_every_nan_is_missing(bits: int, number: float) -> None:
    """The sign and the payload of a NaN do not count, whatever numbers stand beside it."""
    raw = struct.pack("<I", bits) + struct.pack("<f", number)
    block = Block(1, [["UA"], None, ["LAX"], None], numbers=raw)
    rows = {"carrier": ["UA"], "temp": [None], "dest": ["LAX"], "wind": [number]}
    assert CacheKeys(DIGEST, FLIGHTS)(block) == _key(FLIGHTS, rows)
    matrix = Schema((Column("x", shape=(2,), nullable=True),))
    expected = _key(matrix, {"x": [[None, number]]})
    assert CacheKeys(DIGEST, matrix)(Block(1, [raw])) == expected


def test_the_zeros_are_two() -> None:
    """0.0 and -0.0 are documented to have two keys: a model may tell them apart."""
    pair = [_key(FLIGHTS, _head(ROWS | {"wind": [zero]}, 1)) for zero in (0.0, -0.0)]
    assert pair[0] != pair[1]


def test_another_model_has_other_keys() -> None:
    """The digest is part of the key."""
    block = _decoded(FLIGHTS, ROWS)
    keys = {CacheKeys(digest, FLIGHTS)(block) for digest in (DIGEST, "cd" * 32, "")}
    assert len(keys) == 3


TEXTS = Schema((Column("a", dtype="string"), Column("b", dtype="string")))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((["ab"], ["c"]), (["a"], ["bc"])),
        ((["a", "b"], ["", ""]), (["a", ""], ["b", ""])),
        ((["a\0"], ["b"]), (["a"], ["\0b"])),
        ((["a\0b"], [""]), (["a"], ["b"])),
        ((['a","b'], [""]), (["a"], ["b"])),
        ((["a"], ["b"]), (["a", "a"], ["b", "b"])),
        ((["é"], ["x"]), (["e\u0301"], ["x"])),
        ((["1"], ["x"]), (["1.0"], ["x"])),
    ],
)
def test_texts_are_told_apart(
    one: tuple[list[str], list[str]], other: tuple[list[str], list[str]]
) -> None:
    """Where one text ends and the next begins counts, whatever signs they hold."""
    keys = {_key(TEXTS, {"a": a, "b": b}) for a, b in (one, other)}
    assert len(keys) == 2


number = st.one_of(st.none(), st.floats(width=32, allow_nan=False, allow_infinity=False))
text = st.text(st.characters(codec="utf-8"), max_size=3)
table = st.lists(
    st.tuples(text, number, st.one_of(st.none(), text), number), min_size=1, max_size=3
)


@given(table, table)
def test_keys_are_equal_when_and_only_when_the_rows_are(one: Any, other: Any) -> None:
    """For any two tables: equal values, equal keys, and the other way round."""
    keys, values = [], []
    for rows in (one, other, list(one)):
        columns = dict(zip(FLIGHTS.names, map(list, zip(*rows, strict=True)), strict=True))
        keys.append(_key(FLIGHTS, columns))
        values.append(repr([(a, b, c or "", d) for a, b, c, d in rows]))
    assert (keys[0] == keys[1]) == (values[0] == values[1])
    assert keys[0] == keys[2]


def _array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_what_was_put_is_found() -> None:
    """The same numbers, dtype and shape."""
    cache = MemoryCache()
    predictions = np.arange(6, dtype=np.int64).reshape(2, 3)
    cache.put(b"key", predictions)
    found = cache.get(b"key")
    assert found is not None
    np.testing.assert_array_equal(found, predictions, strict=True)
    assert cache.get(b"other") is None
    assert asyncio.run(cache.fetch(b"key")) is found


def test_nobody_can_change_what_is_kept() -> None:
    """Neither who put it nor who got it."""
    cache, predictions = MemoryCache(), _array(1, 2)
    cache.put(b"key", predictions)
    predictions[0] = 9
    found = cache.get(b"key")
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 9
    assert found.tolist() == [1, 2]


def test_a_part_of_a_batch_does_not_keep_the_batch() -> None:
    """What is kept has memory of its own."""
    cache = MemoryCache()
    cache.put(b"key", np.zeros(1_000_000, dtype=np.float32)[5:6])
    found = cache.get(b"key")
    assert found is not None
    assert found.base is None


def test_the_one_not_asked_for_longest_goes_first() -> None:
    """A look-up counts as use; so does putting again."""
    cache = MemoryCache(max_entries=3)
    for key in (b"a", b"b", b"c"):
        cache.put(key, _array(1))
    cache.get(b"a")
    cache.put(b"b", _array(2))
    cache.put(b"d", _array(1))
    assert cache.get(b"c") is None
    assert all(cache.get(key) is not None for key in (b"a", b"b", b"d"))
    assert cache.stats.entries == 3


def test_the_memory_is_limited() -> None:
    """However many entries may be held, their bytes stay below the limit."""
    cache = MemoryCache(max_bytes=100_000)
    for n in range(100):
        cache.put(b"%d" % n, np.zeros(1000, dtype=np.float32))
        assert (cache.stats.size_bytes or 0) <= 100_000
    assert 20 <= (cache.stats.entries or 0) < 25  # of 4000 bytes and what Python needs
    cache.put(b"99", _array(1))
    cache.put(b"huge", np.zeros(100_000, dtype=np.float32))
    assert cache.get(b"huge") is None
    assert cache.get(b"99") is not None


def test_the_count_of_bytes_is_what_python_takes() -> None:
    """Within a half of what tracemalloc sees, for the smallest of predictions."""
    import tracemalloc

    cache = MemoryCache()
    keys = [n.to_bytes(32, "big") for n in range(5000)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for key in keys:
        cache.put(bytes(bytearray(key)), _array(1))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 0.5 * taken < (cache.stats.size_bytes or 0) < 2 * taken


def test_predictions_grow_old() -> None:
    """After `ttl_s` they are forgotten; putting them again makes them new."""
    clock = ManualClock(datetime(2013, 1, 1, tzinfo=UTC))
    cache = MemoryCache(ttl_s=10, clock=clock)
    cache.put(b"key", _array(1))
    clock.advance(9.9)
    assert cache.get(b"key") is not None
    cache.put(b"key", _array(2))
    clock.advance(9.9)
    assert cache.get(b"key") is not None
    clock.advance(0.1)
    assert cache.get(b"key") is None
    stats = cache.stats
    assert (stats.entries, stats.size_bytes, stats.hits, stats.misses) == (0, 0, 2, 1)


def test_predictions_are_too_old_at_the_limit() -> None:
    """At `ttl_s` itself they are gone."""
    clock = ManualClock(datetime(2013, 1, 1, tzinfo=UTC))
    cache = MemoryCache(ttl_s=10, clock=clock)
    cache.put(b"key", _array(1))
    clock.advance(10)
    assert cache.get(b"key") is None


def test_hits_and_misses_are_counted() -> None:
    """One of each look-up; a cache in memory has no errors."""
    cache = MemoryCache()
    cache.get(b"key")
    cache.put(b"key", _array(1))
    cache.get(b"key")
    cache.get(b"key")
    stats = cache.stats
    assert (stats.hits, stats.misses, stats.errors, stats.entries) == (2, 1, 0, 1)
    asyncio.run(cache.close())
    assert (cache.stats.entries, cache.stats.size_bytes) == (0, 0)


def test_threads_may_share_it() -> None:
    """After much traffic by four threads, entries and bytes still add up."""
    cache = MemoryCache(max_entries=50)

    def work(seed: int) -> None:
        for n in np.random.default_rng(seed).integers(0, 100, 3000).tolist():
            if cache.get(b"%d" % n) is None:
                cache.put(b"%d" % n, _array(*range(n % 7)))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = cache.stats
    assert stats.hits + stats.misses == 12_000
    assert stats.entries == 50
    left = [found for n in range(100) if (found := cache.get(b"%d" % n)) is not None]
    assert len(left) == 50
    asyncio.run(cache.close())
    assert cache.stats.size_bytes == 0


@pytest.mark.parametrize(
    "limits", [{"max_entries": 0}, {"max_bytes": -1}, {"ttl_s": 0.0}, {"ttl_s": float("nan")}]
)
def test_a_limit_that_keeps_nothing_is_refused(limits: dict[str, Any]) -> None:
    """The message names it."""
    with pytest.raises(ValueError, match=f"{next(iter(limits))} must be above 0"):
        MemoryCache(**limits)


def test_a_setting_opens_a_cache() -> None:
    """Nothing, memory, or a Redis that need not be there yet."""
    assert open_cache(None) is None
    assert open_cache("none") is None
    memory = open_cache("memory")
    assert isinstance(memory, MemoryCache)
    assert memory.immediate
    for address in ("redis://localhost:6379/0", "rediss://u:p@h:1", "unix:///run/redis.sock"):
        opened = open_cache(address)
        assert opened is not None
        assert not opened.immediate


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("", "another text"),
        ("Memory", "'Memory'"),
        ("memcached://host", "memcached://..."),
        ("http://user:hunter2@host", "http://..."),
        ("redis:/user:hunter2@host", "another text"),
        ("rediss//:hunter2@host", "another text"),
        ("user:hunter2@host:6379", "another text"),
    ],
)
def test_any_other_setting_is_refused(spec: str, shown: str) -> None:
    """The message says what is allowed, and quotes nothing that may be a password."""
    with pytest.raises(ValueError, match="must be none, memory, redis://") as caught:
        open_cache(spec)
    assert str(caught.value).endswith(f"got {shown}")
