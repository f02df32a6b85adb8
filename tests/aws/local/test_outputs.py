"""What jobs leave in S3: each file once, and again when it has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.aws import world

from mlref.aws.local.jobs.outputs import Outputs, Upload


def test_a_file_is_read_again_only_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint may have gigabytes, and is looked at every second."""
    place, read = world("b"), []
    real = Path.read_bytes

    def counted(path: Path) -> bytes:
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    upload = Upload(Outputs(place, None), tmp_path, "s3://b/checkpoints/")
    (tmp_path / "first.bin").write_bytes(b"1")
    upload.sync()
    upload.sync()
    assert read == ["first.bin"]
    (tmp_path / "first.bin").write_bytes(b"12")
    upload.sync()
    assert read == ["first.bin", "first.bin"]
    assert place.objects.get("s3://b/checkpoints/first.bin") == b"12"
