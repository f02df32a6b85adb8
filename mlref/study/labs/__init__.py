"""Labs: exercises that grade themselves, the same in a notebook, in the terminal and in CI.

In a notebook a learner needs three names:

    from mlref.study.labs import check, hint, todo

    check("01")             # grades what was last executed in this kernel
    hint("01", "leaks")     # the first of three hints, and the next one each time

- `mlref.study.labs.lab` is what a lab is, and how one is found.
- `mlref.study.labs.cutting` makes exercises and solutions from one source.
- `mlref.study.labs.answers` reads what a learner has written.
- `mlref.study.labs.checks` is what checks are written with.
- `mlref.study.labs.dockerfiles` tries answers out with Docker.
- `mlref.study.labs.clouds` tries them out on a local AWS.
- `mlref.study.labs.live` grades the code of a running notebook.
- `mlref.study.grading` runs an answer and its checks.
"""

from __future__ import annotations

from typing import NoReturn

from mlref.study.labs.answers import Answer, answers_in, read_answers
from mlref.study.labs.cutting import exercise_text, solution, starting_code
from mlref.study.labs.lab import Exercise, Lab, all_labs, find_lab, load_lab
from mlref.study.labs.live import check, hint

__all__ = [
    "Answer",
    "Exercise",
    "Lab",
    "all_labs",
    "answers_in",
    "check",
    "exercise_text",
    "find_lab",
    "hint",
    "load_lab",
    "read_answers",
    "solution",
    "starting_code",
    "todo",
]


def todo(what: str) -> NoReturn:
    """Never returns: this part of an exercise is not written yet.

    Args:
        what: what belongs here.

    Raises:
        NotImplementedError: always, saying what is to be written.
    """
    raise NotImplementedError(f"not written yet: {what}")
