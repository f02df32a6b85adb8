"""README and glossary are up to date, and what the README tells people to type works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import readme
import typer

from mlref.cli import app
from mlref.study.chapters import CHAPTERS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text()


def test_generated_parts_are_current() -> None:
    """The committed README, picture and glossary are what the tool writes."""
    assert readme.stale(ROOT) == []


def test_table_has_a_row_for_each_question() -> None:
    """All fifteen questions stand in the table."""
    rows = re.findall(r"^\| (\d\d) \|", TEXT, re.MULTILINE)
    assert rows == [chapter.number for chapter in CHAPTERS]
    assert len(rows) == 15


def test_a_changed_table_is_noticed() -> None:
    """An edit inside the marks would be undone; text outside stays."""
    edited = TEXT.replace("| 01 |", "| 99 |")
    assert readme.readme_text(edited) == TEXT


def test_build_writes_what_check_misses(tmp_path: Path) -> None:
    """In a checkout without pictures and pages all are missed, then written, then current."""
    (tmp_path / "notebooks").mkdir()
    for path in (Path("README.md"), readme.PICTURE_NOTEBOOK):
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    (tmp_path / "README.md").write_text(readme.readme_text(TEXT))
    assert readme.stale(tmp_path) == [
        "docs/images/monitor.png",
        "docs/glossary.md",
        "docs/local-aws.md",
    ]
    readme.build(tmp_path)
    assert readme.stale(tmp_path) == []


def test_readme_without_marks_is_refused() -> None:
    """Without the marks the tool says so instead of writing somewhere."""
    with pytest.raises(ValueError, match="needs"):
        readme.readme_text("no marks here")


def test_notebook_without_the_picture_is_refused(tmp_path: Path) -> None:
    """A notebook that was not executed has no picture to give."""
    bare = tmp_path / "bare.ipynb"
    bare.write_text('{"cells": [{"metadata": {}, "outputs": []}]}')
    with pytest.raises(ValueError, match="execute it"):
        readme.picture(bare)


def test_links_lead_somewhere() -> None:
    """Each relative link and picture of the README is a file of the repository."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "mlref/study/learner/shipped.py"])
def test_commands_that_are_named_exist(page: str) -> None:
    """Each `mlref WORD` that people are told to type is a command."""
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    text = (ROOT / page).read_text()
    named = set(re.findall(r"(?:`|^    )mlref ([a-z]+)", text, re.MULTILINE))
    assert named - known == set()


def test_own_model_in_ten_lines(tmp_path: Path) -> None:
    """The Python block runs as it stands, in an empty folder, and prints three predictions."""
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(block.splitlines()) <= 10
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"\d+\.\d+", done.stdout)) == 3


def test_own_model_with_text_and_gaps(tmp_path: Path) -> None:
    """The script of docs/own-model.md runs as it stands and gives two rows of two classes."""
    text = (ROOT / "docs/own-model.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"\d\.\d+", done.stdout)) == 4
