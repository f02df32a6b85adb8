"""A local AWS in the background: one for each user, found from any program, and never mistaken."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.waiting import until

from mlref.aws.local import background
from mlref.aws.local.cloud import Cloud
from mlref.errors import CloudError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of this test's own; what runs there ends with the test."""
    monkeypatch.setenv("MLREF_CACHE", str(tmp_path))
    yield tmp_path / "cloud"
    found = background.find()
    if found is not None:
        background.end(found)


def _children(pid: int) -> list[int]:
    """The children of a process."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(each) for each in listed.split()]


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_answers_is_found_and_ends(cache: Path) -> None:
    """It is found by what it wrote, has the seed that it was given, and leaves nothing behind."""
    begun = background.begin(port=0, seed=7)
    assert background.find() == begun
    assert Cloud(begun.url).status()["pid"] == begun.pid
    assert (begun.seed, begun.workers) == (7, "processes")
    assert background.end(begun) is True
    assert background.find() is None
    until(lambda: not _is_there(begun.pid))
    assert not (cache / "state.json").exists()


def test_it_outlives_the_program_that_began_it() -> None:
    """It is nobody's child: the shell of a terminal that is closed does not take it along."""
    code = "from mlref.aws.local import background; print(background.begin(port=0).url)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = background.find()
    assert found is not None
    assert found.url == done.stdout.strip()
    assert found.pid not in _children(os.getpid())
    assert Cloud(found.url).status()["pid"] == found.pid


def test_there_is_one_for_each_user() -> None:
    """A second one is refused, with the address of the first, which goes on."""
    begun = background.begin(port=0)
    with pytest.raises(CloudError, match=rf"runs already at {begun.url}; `mlref cloud stop` ends"):
        background.begin(port=0)
    assert background.find() == begun


def test_of_two_that_begin_at_once_one_wins() -> None:
    """The lock decides, so neither overwrites what the other has told."""

    def begin() -> str:
        try:
            return background.begin(port=0).url
        except CloudError as error:
            assert "a local AWS runs already" in str(error)  # noqa: PT017 - one of two has to
            return ""

    with ThreadPoolExecutor(2) as pool:
        urls = [each.result() for each in [pool.submit(begin), pool.submit(begin)]]
    found = background.find()
    assert found is not None
    assert sorted(urls) == ["", found.url]


def test_a_killed_one_is_told_once_and_forgotten() -> None:
    """`kill -9` leaves a state file behind; nobody believes it, and a new one can begin."""
    begun = background.begin(port=0)
    os.kill(begun.pid, signal.SIGKILL)
    until(lambda: background.find() is None)
    assert background.crashed() == begun
    assert background.crashed() is None
    again = background.begin(port=0)
    assert again.pid != begun.pid
    assert background.crashed() is None


def test_a_state_file_of_a_dead_one_stops_nobody_else(cache: Path) -> None:
    """The number of a dead process may be another program's by now: it is not ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        cache.mkdir()
        told = {"url": "http://127.0.0.1:1", "pid": other.pid, "started": "2026-01-05T00:00:00"}
        (cache / "state.json").write_text(json.dumps(told))
        (cache / "lock").touch()
        assert background.find() is None
        assert background.end(background.Background(**told)) is True
        assert other.poll() is None
        other.kill()


def test_a_port_in_use_is_told(cache: Path) -> None:
    """The reason stands in the error, not only in the log; and nothing is left that holds on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CloudError, match=str(port)):
            background.begin(port=port)
    assert background.find() is None
    assert not (cache / "state.json").exists()


def test_one_that_ignores_sigterm_is_killed() -> None:
    """A stopped process does not answer to SIGTERM; SIGKILL ends it all the same."""
    begun = background.begin(port=0)
    os.kill(begun.pid, signal.SIGSTOP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "_DRAIN_S", 0.2)
        assert background.end(begun) is False
    until(lambda: not _is_there(begun.pid))
