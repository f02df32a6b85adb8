"""Notebooks, labs, cards and learners."""

from __future__ import annotations

from mlref.errors._root import MlrefError

__all__ = [
    "CardError",
    "LabError",
    "LearnerError",
    "LearnerStateError",
    "NoLearnerFolderError",
    "NotebookError",
]


class NotebookError(MlrefError, RuntimeError):
    """A notebook that cannot be built, run or checked."""


class LabError(MlrefError, ValueError):
    """A lab, or an answer to one of its exercises, that cannot be read or used."""


class CardError(MlrefError, ValueError):
    """An interview card that is not what a card must be; the message lists every problem."""


class LearnerError(MlrefError, RuntimeError):
    """Something is wrong with a learner's folder."""


class NoLearnerFolderError(LearnerError, LookupError):
    """There is no learner's folder here, nor above; `mlref init` makes one."""


class LearnerStateError(LearnerError, ValueError):
    """The progress was written by a newer mlref; it stays as it is."""
