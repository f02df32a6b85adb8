"""The fifteen questions and what their notebooks need."""

from __future__ import annotations

import pytest

from mlref.errors import ResourceNotFoundError
from mlref.study import extras
from mlref.study.chapters import CHAPTERS, chapter, extras_of


@pytest.mark.parametrize(
    ("notebook", "expected"),
    [
        ("00_start_here", {"notebooks", "train"}),
        ("01_deployment_steps", {"notebooks", "train", "serve", "torch"}),
        ("01_somebody_elses", {"notebooks"}),
    ],
)
def test_a_notebook_needs_its_extras(notebook: str, expected: set[str]) -> None:
    """All need what runs notebooks; those of mlref need what they import, too."""
    assert set(extras_of(notebook)) == expected


def test_chapters_name_extras_that_exist() -> None:
    """What a chapter needs can be installed, and "notebooks" is not said fifteen times."""
    known = {one.name for one in extras.all_extras(extras.requirements())}
    assert {extra for each in CHAPTERS for extra in each.extras} <= known - {"notebooks"}


def test_a_chapter_has_a_number() -> None:
    """It is found by it; a number without a question is refused."""
    assert chapter(9) is chapter("09") is chapter("09_drift")
    with pytest.raises(ResourceNotFoundError, match="questions 1 to 15, got 16"):
        chapter(16)
