"""A clock in 2013, and a small lab that is whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlref.runtime.clock import ManualClock
from mlref.study.labs.cutting import exercise_cells
from mlref.study.labs.lab import Lab, load_lab

LAB_TOML = """
title = "Adding"
minutes = 5
prerequisites = []
next = "notebook 02"
extras = []
""" + "".join(
    f"""
[[exercises]]
name = "{name}"
kind = "build"
title = "Add"
hints = ["one", "two", "three"]
"""
    for name in ("first", "second")
)
SOURCE = """# %% [markdown]
# # Adding

# %%
# answer: first
total = 1 + 1  # hole: the sum

# %%
print(total)

# %%
# answer: second
double = 2 * total  # hole: twice the sum
"""


@pytest.fixture
def clock() -> ManualClock:
    """A clock in 2013."""
    return ManualClock(datetime(2013, 1, 1, tzinfo=UTC))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab of two exercises, each a cell of code."""
    folder = tmp_path / "shipped" / "01_adding"
    folder.mkdir(parents=True)
    (folder / "lab.toml").write_text(LAB_TOML)
    (folder / "source.py").write_text(SOURCE)
    lab = load_lab(folder)
    cells = [
        {
            "cell_type": cell.kind,
            "id": f"cell-{number}",
            "metadata": {},
            "source": cell.source.splitlines(keepends=True),
            **({"outputs": [], "execution_count": None} if cell.kind == "code" else {}),
        }
        for number, cell in enumerate(exercise_cells(lab))
    ]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "exercise.ipynb").write_text(json.dumps(content, indent=1) + "\n")
    return lab
