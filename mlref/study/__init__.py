"""Learning with mlref: labs, interview cards, progress; notebooks that run as a batch.

To learn:

- `mlref.study.labs` are exercises that grade themselves; `mlref.study.grading` is their grader.
- `mlref.study.watch` grades them whenever a file is saved.
- `mlref.study.interview` holds the interview cards and the drill.
- `mlref.study.learner` is a learner's folder and what is kept of the progress in it.
- `mlref.study.glossary` tells what words mean, and where they are taught.
- `mlref.study.percent` is the format in which notebooks and labs are edited.

To run:

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
    "glossary",
    "grading",
    "interview",
    "labs",
    "learner",
    "percent",
    "progress",
    "report",
    "results",
    "runner",
    "selection",
    "target_table",
    "watch",
]
