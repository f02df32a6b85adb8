"""One report on an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlref import containers, errors
from mlref.containers.images import dockerfile


def test_our_minimal_image_and_its_recipe_are_without_a_finding(
    minimal: containers.Image,
) -> None:
    """Nothing is found, and the report says what was looked at."""
    report = containers.scan(minimal, dockerfile=dockerfile())
    assert report.findings == ()
    assert (report.name, report.digest) == (minimal.name, minimal.digest)
    assert report.components["library"] > 20
    assert (report.components["platform"], report.components["machine-learning-model"]) == (1, 1)


def test_the_gravest_comes_first(planted: Callable[..., str], tmp_path: Path) -> None:
    """Findings of the image and of its recipe are one list."""
    recipe = tmp_path / "Dockerfile"
    recipe.write_text("FROM scratch\nADD app.py /app/\n")
    files = {"/bin/sh": ("x", 0o755, 0), "/bin/su": ("x", 0o4755, 0)}
    report = containers.scan(planted(files), dockerfile=str(recipe))
    assert [(finding.level, finding.rule) for finding in report.findings] == [
        ("error", "root"),
        ("error", "DL3020"),
        ("warning", "setuid"),
        ("note", "shell"),
    ]
    assert [row[1] for row in report.table().rows] == ["root", "DL3020", "setuid", "shell"]
    assert "<table>" in report._repr_html_()


def test_a_recipe_that_is_not_there_is_told(minimal: containers.Image, tmp_path: Path) -> None:
    """Before the image is read."""
    with pytest.raises(errors.ContainerError, match="cannot be read as a Dockerfile"):
        containers.scan(minimal, dockerfile=tmp_path / "none")
