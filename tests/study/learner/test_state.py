"""The progress on disk: whole, locked, and never lost."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlref.errors import FileWriteError, LearnerError, LearnerStateError, NoLearnerFolderError
from mlref.runtime.clock import ManualClock
from mlref.study.learner import state as state_module
from mlref.study.learner.state import FORMAT, State, Store, find_folder, open_store

MOMENT = "2013-01-01T00:00:00+00:00"
FULL: dict[str, Any] = {
    "format": FORMAT,
    "labs": {
        "01_deployment_steps": {
            "share": {"passed": MOMENT, "attempts": 2, "hints": 1, "solution_seen": None}
        }
    },
    "read": {"01_deployment_steps": MOMENT},
    "cards": {
        "01_deployment_steps": {
            "schedule": {"due": MOMENT},
            "reviews": [{"at": MOMENT, "rating": 3}],
            "weak": {"later_data": 2},
        }
    },
    "draft": {"answer": "half a sent"},
    "mock": {"cards": []},
    "shipped": {"README.md": "0" * 64},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The progress of a new folder, in 2013."""
    return Store(tmp_path, clock=ManualClock(datetime(2013, 1, 1, tzinfo=UTC)))


def _write(store: Store, content: str | bytes) -> None:
    store.private.mkdir(exist_ok=True)
    store.path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_a_new_folder_has_the_progress_of_a_beginner(store: Store) -> None:
    """Reading needs no file, and makes none."""
    assert store.read() == State()
    assert not store.private.exists()


def test_what_is_changed_in_the_block_is_there_afterwards(store: Store) -> None:
    """Another store of the same folder reads what one has written."""
    with store.update() as state:
        state.exercise("01", "share").attempts += 1
        state.card("01").weak["later_data"] = 2
        state.read["01"] = store.now()
    found = Store(store.folder).read()
    assert (found.labs["01"]["share"].attempts, found.cards["01"].weak) == (1, {"later_data": 2})
    assert found.read == {"01": MOMENT}


def test_a_full_state_survives_the_way_through_the_file(store: Store) -> None:
    """Every field is written and read."""
    _write(store, json.dumps(FULL))
    assert store.read().to_dict() == FULL
    with store.update():
        pass
    assert json.loads(store.path.read_text()) == FULL


def test_an_error_in_the_block_saves_nothing(store: Store) -> None:
    """Also Ctrl-C leaves the file as it was."""
    with store.update() as state:
        state.read["01"] = MOMENT

    def interrupted() -> None:
        with store.update() as state:
            state.read.clear()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.read().read == {"01": MOMENT}


def test_a_value_that_could_not_be_read_again_is_not_written(store: Store) -> None:
    """A mistake of a program does not cost the progress: the file stays as it is."""
    with store.update() as state:
        state.read["01"] = MOMENT
    with pytest.raises(ValueError, match=r"read\.02 must be a moment"), store.update() as state:
        state.read["02"] = "yesterday"
    assert store.read().read == {"01": MOMENT}


def test_half_a_character_of_a_terminal_is_kept(store: Store) -> None:
    """A lone surrogate, which UTF-8 cannot hold, does not cost the answer."""
    with store.update() as state:
        state.draft = {"answer": "caf\udcc3 ✓"}
    assert store.read().draft == {"answer": "caf\udcc3 ✓"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "null",
        "[]",
        '{"labs": {}}',
        '{"format": "other/1"}',
        '{"format": "mlref-progress/0x2"}',
        b"\xff\xfe",
        "[" * 100_000,
        '{"format": "mlref-progress/1", "draft": {"seconds": NaN}}',
        '{"format": "mlref-progress/1", "draft": {"seconds": 1e999}}',
    ],
)
def test_a_damaged_file_is_set_aside(
    store: Store, content: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Its bytes are under another name, a message says where, and the learner can go on."""
    _write(store, content)
    with caplog.at_level(logging.INFO, "mlref"):
        assert store.read() == State()
    (aside,) = store.private.glob("progress.json.corrupt-*")
    assert aside.name == "progress.json.corrupt-20130101T000000Z"
    assert aside.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert len(store.notices) == len(caplog.records) == 1
    assert str(aside) in store.notices[0]
    assert not store.path.exists()


def test_damaged_twice_in_a_second_loses_nothing(store: Store) -> None:
    """The second file gets a name of its own."""
    for content in ("first", "second"):
        _write(store, content)
        store.read()
    kept = sorted(path.read_text() for path in store.private.glob("progress.json.corrupt-*"))
    assert kept == ["first", "second"]


def test_an_update_begins_anew_after_a_damaged_file(store: Store) -> None:
    """Writing sets it aside, too."""
    _write(store, "{")
    with store.update() as state:
        state.read["01"] = MOMENT
    assert store.read().read == {"01": MOMENT}
    assert len(store.notices) == 1


def test_the_file_of_a_newer_mlref_is_left_alone(store: Store) -> None:
    """The message says how to update; reading and writing are both refused."""
    content = '{"format": "mlref-progress/2", "labs": "otherwise"}'
    _write(store, content)
    with pytest.raises(LearnerStateError, match="pip install --upgrade mlref"):
        store.read()
    with pytest.raises(LearnerStateError), store.update():
        pass
    assert store.path.read_text() == content
    assert store.notices == []


def test_a_file_that_cannot_be_read_is_not_taken_for_a_damaged_one(store: Store) -> None:
    """It stays in its place, and the message says what to do."""
    store.path.mkdir(parents=True)
    with pytest.raises(LearnerError, match="cannot be read"):
        store.read()
    assert store.path.is_dir()


def test_a_folder_that_cannot_hold_the_progress_is_told(store: Store) -> None:
    """The error names the place and the next step."""
    store.private.write_text("a file is in the way")
    with pytest.raises(FileWriteError, match="mlref init DIR"), store.update():
        pass


@contextmanager
def _no_room(size_bytes: int) -> Iterator[None]:
    """A block in which the system refuses files of more bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_keeps_the_old_progress(store: Store) -> None:
    """The write fails with a clear error; the file is as it was, no half of it lies around."""
    with store.update() as state:
        state.read["01"] = MOMENT
    before = store.path.read_bytes()
    with _no_room(100), pytest.raises(FileWriteError, match="untouched"), store.update() as state:
        state.draft = {"answer": "x" * 10_000}
    assert store.path.read_bytes() == before
    assert sorted(path.name for path in store.private.iterdir()) == ["lock", "progress.json"]


WRITER = """
import sys
from pathlib import Path
from mlref.study.learner.state import Store
store = Store(Path(sys.argv[1]))
for _ in range(20):
    with store.update() as state:
        state.exercise("01", "share").attempts += 1
"""


def test_several_processes_lose_no_change(store: Store) -> None:
    """Each of three processes counts to twenty; the sum is sixty."""
    command = [sys.executable, "-c", WRITER, str(store.folder)]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    assert store.read().labs["01"]["share"].attempts == 60


KILLED = """
import sys
from pathlib import Path
from mlref.study.learner.state import Store
with Store(Path(sys.argv[1])).update() as state:
    state.read.clear()
    print("in the block", flush=True)
    sys.stdin.read()
"""


def test_a_writer_that_is_killed_leaves_no_lock_behind(store: Store) -> None:
    """Its change is not there, the old progress is, and the next one can write."""
    with store.update() as state:
        state.read["01"] = MOMENT
    command = [sys.executable, "-c", KILLED, str(store.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"in the block\n"
        writer.kill()
    with store.update() as state:
        assert state.read == {"01": MOMENT}


def test_threads_lose_no_change(store: Store) -> None:
    """The lock holds within one process, too."""

    def write() -> None:
        for _ in range(10):
            with Store(store.folder).update() as state:
                state.exercise("01", "share").attempts += 1

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read().labs["01"]["share"].attempts == 30


def test_reading_does_not_wait_for_a_writer(store: Store) -> None:
    """While somebody writes, the old progress is read."""
    with store.update():
        assert Store(store.folder).read() == State()


def test_a_lock_that_is_never_given_back_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever: the error names the lock."""
    monkeypatch.setattr(state_module, "_LOCK_TRIES", 2)
    store.private.mkdir()
    descriptor = os.open(store.private / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(LearnerError, match="another program has held"), store.update():
            pass
    finally:
        os.close(descriptor)


def test_the_folder_is_found_from_below(tmp_path: Path) -> None:
    """The nearest folder upward counts."""
    (tmp_path / ".mlref").mkdir()
    below = tmp_path / "labs" / "01_deployment_steps"
    below.mkdir(parents=True)
    assert find_folder(below, environ={}) == tmp_path


def test_the_environment_names_the_folder(tmp_path: Path) -> None:
    """MLREF_FOLDER counts more than where one stands."""
    for name in ("named", "here"):
        (tmp_path / name / ".mlref").mkdir(parents=True)
    environ = {"MLREF_FOLDER": str(tmp_path / "named")}
    assert find_folder(tmp_path / "here", environ=environ) == tmp_path / "named"


def test_a_wrong_name_in_the_environment_is_refused(tmp_path: Path) -> None:
    """It is not silently replaced by another folder."""
    (tmp_path / ".mlref").mkdir()
    environ = {"MLREF_FOLDER": str(tmp_path / "absent")}
    with pytest.raises(NoLearnerFolderError, match="MLREF_FOLDER names"):
        find_folder(tmp_path, environ=environ)


def test_no_folder_is_told_with_the_command_that_makes_one(tmp_path: Path) -> None:
    """The message names `mlref init`."""
    with pytest.raises(NoLearnerFolderError, match="mlref init DIR"):
        find_folder(tmp_path, environ={})


def test_the_store_of_the_folder_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an argument, the current folder is where the search begins."""
    (tmp_path / ".mlref").mkdir()
    (tmp_path / "labs").mkdir()
    monkeypatch.delenv("MLREF_FOLDER", raising=False)
    monkeypatch.chdir(tmp_path / "labs")
    assert open_store().folder == tmp_path


def test_a_folder_that_was_deleted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal may stand where nothing is any more."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(NoLearnerFolderError, match="was deleted; go to your own with cd"):
        find_folder(environ={})
