"""Small labs to be written, cut and graded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.small_labs import write_lab

from mlref.study.labs.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A whole lab with three exercises."""
    return write_lab(tmp_path / "labs")


@pytest.fixture
def make_lab(tmp_path: Path) -> Callable[..., Lab]:
    """Writes a lab whose parts can be changed."""
    return lambda **parts: write_lab(tmp_path / "labs", **parts)
