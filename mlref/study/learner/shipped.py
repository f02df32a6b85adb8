"""What a learner's folder is made of: the notebooks, the exercises, and two files of its own."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from mlref import resources
from mlref.study.labs import all_labs, exercise_text
from mlref.study.labs.answers import FILES
from mlref.study.labs.lab import Lab

__all__ = ["digest", "lab_files", "shipped_files"]

_README = """# My copy of mlref

Everything here is yours to change: `mlref init` never overwrites what you have changed.

- Read: `jupyter lab notebooks/00_start_here.ipynb`, then one notebook for each question.
- Practise in JupyterLab: open `labs/NN_topic/exercise.ipynb`; `check("NN")` grades what you ran.
- Practise in an editor: `mlref watch`, then edit `labs/NN_topic/exercise.py`; saving grades it.
- Stuck? `mlref labs hint NN` gives one hint at a time.
- Answer as in an interview: `mlref drill`, or open `drill.ipynb`.
- Where was I, and what comes next? `mlref progress`
- Begin a lab again: `mlref labs reset NN`; what you wrote is kept in `.mlref/backups`.
- Is something missing on this machine? `mlref doctor`

Your progress is in `.mlref/progress.json`. To take it to another machine, copy this whole folder.
"""

_DRILL = ("from mlref.study.interview import widget", 'widget.drill("01")')


def shipped_files() -> dict[str, bytes]:
    """The files of a learner's folder, as they are shipped: relative path -> content.

    Raises:
        ResourceNotFoundError: mlref's notebooks or labs are not where they belong.
        LabError: one of the labs is damaged.
    """
    found = {"README.md": _README.encode(), "drill.ipynb": _drill_notebook()}
    for path in resources.notebooks():
        found[f"notebooks/{path.name}"] = path.read_bytes()
    for lab in all_labs():
        found |= lab_files(lab)
    return found


def lab_files(lab: Lab) -> dict[str, bytes]:
    """The files of one lab in a learner's folder: relative path -> content.

    Raises:
        LabError: the lab is damaged.
    """
    notebook, script = (f"labs/{lab.name}/{name}" for name in FILES)
    return {
        notebook: (lab.folder / "exercise.ipynb").read_bytes(),
        script: exercise_text(lab).encode(),
    }


def digest(content: bytes) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _drill_notebook() -> bytes:
    """A notebook of two cells that asks the first question."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"drill-{number}",
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(_DRILL, start=1)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return f"{json.dumps(content, indent=1)}\n".encode()
