"""Learning with mlref: notebooks that run as a batch, and what this machine can run.

- `mlref.study.selection` chooses notebooks and reads the parameters given to them.
- `mlref.study.runner` executes them, each in a child process, under a time limit.
- `mlref.study.results` is what came out; `mlref.study.report` writes it for people and for CI.
- `mlref.study.progress` shows it on the terminal while it happens.
- `mlref.study.after` holds the checks that follow the notebooks; `mlref.study.target_table` is one.
- `mlref.study.artifacts` finds the artefacts that notebooks leave.
- `mlref.study.chapters` lists the questions in the order in which they are taught.
- `mlref.study.extras` tells which optional parts are installed, and requires some.
- `mlref.study.doctor` tells what is installed, what is missing and what that unlocks.

Importing them only defines names. Running notebooks needs the extra "notebooks".
"""

from __future__ import annotations

__all__ = [
    "after",
    "artifacts",
    "chapters",
    "doctor",
    "extras",
    "progress",
    "report",
    "results",
    "runner",
    "selection",
    "target_table",
]
