"""The flights' cache: built once, believed only when it is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mlref import flights
from mlref.errors import FileWriteError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a fresh cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLREF_CACHE", str(tmp_path_factory.mktemp("cache")))
        flights.load([2])
        return flights.cache_path().read_bytes()


@pytest.fixture(scope="module")
def february(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The flights of February from a whole cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLREF_CACHE", str(tmp_path_factory.mktemp("cache")))
        flights.cache_path().write_bytes(whole)
        return flights.load([2])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the cache, in a folder of its own that does not exist yet."""
    monkeypatch.setenv("MLREF_CACHE", str(tmp_path / "cache" / "mlref"))
    return flights.cache_path()


def test_the_cache_lies_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLREF_CACHE comes first, then XDG_CACHE_HOME, then the home folder."""
    monkeypatch.setenv("MLREF_CACHE", "/somewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert flights.cache_path().parent == Path("/somewhere")
    monkeypatch.delenv("MLREF_CACHE")
    assert flights.cache_path().parent == Path("/elsewhere/mlref")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert flights.cache_path().parent == Path.home() / ".cache" / "mlref"


def test_the_first_load_builds_and_the_second_reads(
    cache: Path, february: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    """The first load makes the folder and one file; the second reads it and leaves it alone."""
    assert not cache.parent.exists()
    pd.testing.assert_frame_equal(flights.load([2]), february)
    before = cache.stat().st_mtime_ns
    pd.testing.assert_frame_equal(flights.load([2]), february)
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]
    assert cache.stat().st_mtime_ns == before
    assert not caplog.records


def test_a_built_cache_is_the_same_each_time(cache: Path, whole: bytes) -> None:
    """Building again gives the same bytes."""
    flights.load([2])
    assert cache.read_bytes() == whole


def flipped(data: bytes, position: int) -> bytes:
    """The same bytes but for one bit."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


@pytest.mark.parametrize(
    "position",
    [0, 1_000_000, -32 - 8 - 3000, -32 - 8 - 500, -1],
    ids=["magic", "values", "column", "schema", "digest"],
)
def test_a_flipped_bit_is_found(
    cache: Path,
    whole: bytes,
    february: pd.DataFrame,
    caplog: pytest.LogCaptureFixture,
    position: int,
) -> None:
    """One wrong bit, in the values or in what describes them: built again, with a warning."""
    cache.parent.mkdir(parents=True)
    cache.write_bytes(flipped(whole, position))
    pd.testing.assert_frame_equal(flights.load([2]), february)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("mlref.flights", "WARNING")
    assert f"the cache {cache} is broken" in record.getMessage()
    assert cache.read_bytes() == whole


@pytest.mark.parametrize("size", [0, 10, 2_000_000])
def test_a_cut_cache_is_built_again(
    cache: Path,
    whole: bytes,
    february: pd.DataFrame,
    caplog: pytest.LogCaptureFixture,
    size: int,
) -> None:
    """An empty file or the beginning of one is replaced, with a warning."""
    cache.parent.mkdir(parents=True)
    cache.write_bytes(whole[:size])
    pd.testing.assert_frame_equal(flights.load([2]), february)
    assert "is broken" in caplog.text
    assert cache.read_bytes() == whole


RACE = """
import sys
import pandas, pyarrow.parquet
from mlref import flights
print("ready", flush=True)
sys.stdin.readline()
frame = flights.load()
print(len(frame), int(frame["late"].sum()), flush=True)
"""


def test_two_processes_can_build_at_once(cache: Path, whole: bytes) -> None:
    """Both get all flights, one whole file is left, and nobody warns."""
    both = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", RACE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "MLREF_CACHE": str(cache.parent)},
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in both]
    assert answers == [("336776 87060\n", "")] * 2
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]
    assert cache.read_bytes() == whole


@pytest.mark.parametrize("below", ["file", "file/deeper"])
def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    """Where no folder can be, the error names it and MLREF_CACHE."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLREF_CACHE", str(tmp_path / below))
    with pytest.raises(FileWriteError, match="set MLREF_CACHE to one you can write in") as caught:
        flights.load([1])
    assert caught.value.filename == str(tmp_path / below)


def test_a_folder_that_takes_no_file_is_told(cache: Path) -> None:
    """Where the file cannot be saved, the error names it and what to do."""
    cache.mkdir(parents=True)
    with pytest.raises(FileWriteError, match="choose another name"):
        flights.load([1])
