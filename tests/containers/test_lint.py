"""Mistakes of a Dockerfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlref import errors
from mlref.containers.lint import lint

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(
    path
    for folder in ("deploy", "labs", "notebooks/src", "tools")
    for path in (ROOT / folder).rglob("*Dockerfile*")
)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_recipe_here_is_without_a_mistake(recipe: Path) -> None:
    """Nothing is found, and each rule that is left out has its reason."""
    assert [str(finding) for finding in lint(recipe)] == []


def test_our_recipe_is_among_those() -> None:
    """The test above has something to look at."""
    assert ROOT / "deploy/Dockerfile" in RECIPES


def test_planted_mistakes_are_found(tmp_path: Path) -> None:
    """A tag that moves, ADD where COPY will do, a shell between Docker and the server."""
    recipe = tmp_path / "Dockerfile"
    recipe.write_text("FROM python:latest\nADD app.py /app/\nCMD python3 /app/app.py\n")
    found = {finding.rule: finding for finding in lint(recipe)}
    assert set(found) == {"DL3007", "DL3020", "DL3025"}
    assert found["DL3020"].level == "error"
    assert found["DL3020"].found == "line 2: Use COPY instead of ADD for files and folders"
    assert found["DL3020"].why == "see https://github.com/hadolint/hadolint/wiki/DL3020"
    assert found["DL3020"].where == ("line 2",)


@pytest.mark.parametrize(
    ("above", "rules"),
    [
        ("", ["reason"]),
        ("# hadolint ignore=DL3006\n", ["reason", "reason"]),
        ("# The file is an archive of another kind.\n", []),
    ],
)
def test_a_rule_that_is_left_out_needs_a_reason(
    tmp_path: Path, above: str, rules: list[str]
) -> None:
    """A comment above says why; another rule that is left out is none."""
    recipe = tmp_path / "Dockerfile"
    recipe.write_text(f"FROM scratch\n{above}# hadolint ignore=DL3020\nADD app.py /app/\n")
    assert [finding.rule for finding in lint(recipe)] == rules


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """In one line, with what to do."""
    with pytest.raises(errors.ContainerError, match="No such file or directory; give the path"):
        lint(tmp_path / "Dockerfile")


def test_without_hadolint_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither this Python nor the PATH has it."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(errors.MissingExtraError, match=r'pip install "mlref\[cluster\]"'):
        lint(tmp_path / "Dockerfile")
