"""Containers that others delete at the same time, or that the daemon keeps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mlref import containers, errors
from mlref.containers import engine, removal


class _Kept:
    """A container of which the daemon says something else than yes; None for yes."""

    def __init__(self, status: int | None, said: str = "") -> None:
        self.id, self._status, self._said = "0123456789abcdef", status, said

    def remove(self, **_: Any) -> None:
        import docker

        if self._status is not None:
            response = SimpleNamespace(status_code=self._status, url="", reason="")
            raise docker.errors.APIError("no", response=response, explanation=self._said)


def _remove(monkeypatch: pytest.MonkeyPatch, *found: _Kept) -> int:
    pytest.importorskip("docker")
    monkeypatch.setattr(engine, "connect", lambda: None)
    monkeypatch.setattr(removal, "labelled", lambda *_: found)
    return containers.remove_containers()


def test_what_others_delete_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone, or about to go; that is no error."""
    busy = _Kept(409, "removal of container x is already in progress")
    assert _remove(monkeypatch, _Kept(None), _Kept(404, "No such container"), busy) == 1


def test_what_the_daemon_keeps_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are deleted."""
    match = "^1 containers were deleted, and 1 not: 0123456789ab: driver failed; look at"
    with pytest.raises(errors.ContainerError, match=match):
        _remove(monkeypatch, _Kept(500, "driver failed"), _Kept(None))
