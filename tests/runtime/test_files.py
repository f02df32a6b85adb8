"""Files are saved whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mlref.errors import EndpointUnreachableError, FileWriteError
from mlref.runtime.files import (
    cache_folder,
    replacing,
    write_bytes,
    write_json,
    write_text,
)

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    """All that lies in a folder, hidden files too."""
    return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths


def test_bytes_are_saved(tmp_path: Path) -> None:
    """The file holds the very bytes, and nothing else is left in the folder."""
    write_bytes(tmp_path / "a.bin", b"\x00\r\n\xff")
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\r\n\xff"
    assert names(tmp_path) == ["a.bin"]


def test_text_is_utf8_with_bare_newlines(tmp_path: Path) -> None:
    """Text is UTF-8 whatever the locale, and line ends are not translated."""
    write_text(str(tmp_path / "a.txt"), "é\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\nb\n"


def test_json_is_canonical(tmp_path: Path) -> None:
    """Keys are sorted, the indent is 2, text is readable, a newline ends the file."""
    write_json(tmp_path / "a.json", {"b": [1, None], "a": "é"})
    expected = '{\n  "a": "é",\n  "b": [\n    1,\n    null\n  ]\n}\n'
    assert (tmp_path / "a.json").read_bytes() == expected.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_without_nan(tmp_path: Path, value: float) -> None:
    """JSON has no NaN; the old file stays when somebody tries."""
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": value})
    assert json.loads((tmp_path / "a.json").read_text()) == 1
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    """A saved file is as readable as any other new file, not private as temporary files are."""
    before = os.umask(mask)
    try:
        write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_reader_of_the_old_file_keeps_it(tmp_path: Path) -> None:
    """Who has the old file open reads it to its end: it is replaced, not overwritten."""
    write_text(tmp_path / "a", "old")
    with (tmp_path / "a").open() as file:
        write_text(tmp_path / "a", "new")
        assert file.read() == "old"
    assert (tmp_path / "a").read_text() == "new"


def test_temporary_lies_beside_with_the_same_suffix(tmp_path: Path) -> None:
    """Some libraries choose the format by the suffix, and a rename works on one disk only."""
    with replacing(tmp_path / "a.csv.gz") as path:
        assert path.parent == tmp_path
        assert path.suffixes[-2:] == [".csv", ".gz"]
        assert path.read_bytes() == b""
        path.write_bytes(b"x")
        assert not (tmp_path / "a.csv.gz").exists()
    assert (tmp_path / "a.csv.gz").read_bytes() == b"x"


def test_longest_name_is_saved(tmp_path: Path) -> None:
    """A name of 255 bytes leaves room for no prefix; it is saved all the same."""
    name = "é" * 125 + ".json"
    write_json(tmp_path / name, 1)
    assert names(tmp_path) == [name]


def test_error_in_the_block_keeps_the_old_file(tmp_path: Path) -> None:
    """The block's own error comes out unchanged, the old file stays, nothing is left behind."""
    write_text(tmp_path / "a", "old")

    def fail() -> None:
        with replacing(tmp_path / "a") as path:
            path.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_error_about_another_file_passes_through(tmp_path: Path) -> None:
    """A source that is missing is not a failure to save."""
    with pytest.raises(FileNotFoundError, match=r"source\.csv"), replacing(tmp_path / "a"):
        (tmp_path / "source.csv").read_bytes()
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), EndpointUnreachableError()])
def test_error_of_the_network_passes_through(tmp_path: Path, error: OSError) -> None:
    """A download that breaks inside the block is not a failure to save."""
    with pytest.raises(type(error)) as caught, replacing(tmp_path / "a"):
        raise error
    assert caught.value is error
    assert names(tmp_path) == []


def test_missing_folder(tmp_path: Path) -> None:
    """A folder that does not exist is named, with what to do."""
    with pytest.raises(FileWriteError, match="create its folder first") as caught:
        write_bytes(tmp_path / "no" / "a", b"")
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(tmp_path / "no" / "a")
    assert names(tmp_path) == []


def test_folder_of_that_name(tmp_path: Path) -> None:
    """A folder is not replaced by a file."""
    (tmp_path / "a").mkdir()
    with pytest.raises(FileWriteError, match="a folder has this one") as caught:
        write_bytes(tmp_path / "a", b"")
    assert caught.value.errno == errno.EISDIR
    assert names(tmp_path) == ["a"]


def test_disk_full(tmp_path: Path) -> None:
    """A write that finds the disk full, as /dev/full reports it, says what to do."""
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("this system has no /dev/full")
    write_text(tmp_path / "a", "old")

    def fill() -> None:
        with replacing(tmp_path / "a") as path:
            path.unlink()
            path.symlink_to("/dev/full")
            path.write_bytes(b"new")

    with pytest.raises(FileWriteError, match="free some space") as caught:
        fill()
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


FILE_SIZE_LIMIT = """
import errno, os, resource, sys
from mlref.errors import FileWriteError
from mlref.runtime.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_bytes("a", b"x" * 1_000_000)
except FileWriteError as error:
    sys.stdout.write(f"{errno.errorcode[error.errno]} {error.filename} {error}")
"""


def test_file_size_limit(tmp_path: Path) -> None:
    """A file cut short by the system is not saved; the old one is untouched, nothing is left."""
    write_text(tmp_path / "a", "old")
    command = [sys.executable, "-c", FILE_SIZE_LIMIT]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == (
        "EFBIG a [Errno 27] not saved (File too large): raise the limit on file size (ulimit -f) "
        "or save less; what was there before is untouched: 'a'"
    )
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_link_itself_is_replaced(tmp_path: Path) -> None:
    """Saving over a symbolic link leaves alone what it points to."""
    write_text(tmp_path / "real", "real")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "real"


def test_device_or_pipe_is_refused(tmp_path: Path) -> None:
    """A pipe stays a pipe, and so does one that a link points to; nothing is left beside it."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for target in (pipe, link):
        with pytest.raises(FileWriteError, match="choose the name of a file") as caught:
            write_bytes(target, b"new")
        assert caught.value.filename == str(target)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()
    assert names(tmp_path) == ["link", "pipe"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MLREF_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/mlref"),
        ({"HOME": "/c"}, "/c/.cache/mlref"),
    ],
)
def test_the_cache_is_where_the_user_wants_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    """MLREF_CACHE decides, then XDG_CACHE_HOME, then the home folder."""
    for name in ("MLREF_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(cache_folder()) == expected
