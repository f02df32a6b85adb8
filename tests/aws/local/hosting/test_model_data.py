"""Model data from S3: unpacked once, and nothing outside its folder."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

import pytest
from support.aws import DictObjects

from mlref.aws.local.hosting.model_data import ModelDataError, ModelFolders


def _archive(*names: str, content: bytes = b"weights") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def objects() -> DictObjects:
    """A bucket."""
    return DictObjects("models")


def test_an_archive_is_unpacked_once(objects: DictObjects, tmp_path: Path) -> None:
    """The same bytes under another name are the same folder; other bytes another one."""
    objects.put("s3://models/a.tar.gz", _archive("m/model.onnx"))
    objects.put("s3://models/b.tar.gz", objects.get("s3://models/a.tar.gz"))
    objects.put("s3://models/c.tar.gz", _archive("m/model.onnx", content=b"others"))
    folders = ModelFolders(objects, tmp_path)
    first = folders.unpacked("s3://models/a.tar.gz")
    assert (first / "m/model.onnx").read_bytes() == b"weights"
    assert folders.unpacked("s3://models/b.tar.gz") == first
    assert folders.unpacked("s3://models/c.tar.gz") != first


def test_a_prefix_is_copied_as_it_is(objects: DictObjects, tmp_path: Path) -> None:
    """As an S3DataSource with uncompressed data."""
    objects.put("s3://models/raw/model.onnx", b"1")
    objects.put("s3://models/raw/code/inference.py", b"2")
    found = ModelFolders(objects, tmp_path).unpacked("s3://models/raw/")
    assert (found / "model.onnx").read_bytes() == b"1"
    assert (found / "code/inference.py").read_bytes() == b"2"


def test_what_leads_out_of_the_folder_is_refused(objects: DictObjects, tmp_path: Path) -> None:
    """Nothing of such an archive is kept."""
    objects.put("s3://models/bad.tar.gz", _archive("fine", "../../escaped"))
    with pytest.raises(ModelDataError, match="escaped"):
        ModelFolders(objects, tmp_path / "in").unpacked("s3://models/bad.tar.gz")
    assert not list(tmp_path.rglob("escaped"))
    assert not list(tmp_path.rglob("fine"))


@pytest.mark.parametrize("content", [b"no archive", b"", _archive("m")[:-20]])
def test_what_is_no_archive_is_refused(
    objects: DictObjects, tmp_path: Path, content: bytes
) -> None:
    """With the address, and what it should have been."""
    objects.put("s3://models/bad.tar.gz", content)
    with pytest.raises(ModelDataError, match=r"s3://models/bad\.tar\.gz.*valid tar\.gz"):
        ModelFolders(objects, tmp_path).unpacked("s3://models/bad.tar.gz")


def test_what_is_not_there_is_said(objects: DictObjects, tmp_path: Path) -> None:
    """An object, a prefix, a bucket."""
    folders = ModelFolders(objects, tmp_path)
    for uri in ("s3://models/no.tar.gz", "s3://models/no/", "s3://other/no.tar.gz"):
        with pytest.raises(ModelDataError, match=uri):
            folders.unpacked(uri)


def test_a_temporary_root_is_removed(objects: DictObjects) -> None:
    """With all that was unpacked."""
    objects.put("s3://models/a.tar.gz", _archive("model.onnx"))
    folders = ModelFolders(objects)
    found = folders.unpacked("s3://models/a.tar.gz")
    folders.close()
    assert not found.exists()


def test_a_damaged_archive_is_refused(objects: DictObjects, tmp_path: Path) -> None:
    """By its checksum: one bit of the content is another one."""
    noise = random.Random(0).randbytes(100_000)  # noqa: S311 - so that it is not compressed
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("weights")
        member.size = len(noise)
        archive.addfile(member, io.BytesIO(noise))
    content = bytearray(buffer.getvalue())
    content[len(content) // 2] ^= 1
    objects.put("s3://models/damaged.tar.gz", bytes(content))
    folders = ModelFolders(objects, tmp_path)
    with pytest.raises(ModelDataError, match="Failed to extract model data archive"):
        folders.unpacked("s3://models/damaged.tar.gz")
    assert list(tmp_path.iterdir()) == []


def test_folders_of_the_console_are_no_files(objects: DictObjects, tmp_path: Path) -> None:
    """An empty object whose key ends in a slash; a key below a file is refused."""
    objects.put("s3://models/raw2/", b"")
    objects.put("s3://models/raw2/code/", b"")
    objects.put("s3://models/raw2/code/inference.py", b"x")
    found = ModelFolders(objects, tmp_path).unpacked("s3://models/raw2/")
    assert [each.name for each in found.rglob("*")] == ["code", "inference.py"]
    objects.put("s3://models/raw2/code/inference.py/x", b"x")
    with pytest.raises(ModelDataError, match="cannot be a file"):
        ModelFolders(objects, tmp_path / "other").unpacked("s3://models/raw2/")
