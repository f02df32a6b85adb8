"""What can happen while `mlref watch` runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from mlref.study.grading import ExerciseResult
    from mlref.study.labs.answers import Answer

__all__ = ["Broken", "Checking", "Event", "Graded", "Idle", "Key", "Read", "Saved"]


@dataclass(frozen=True)
class Key:
    """A key was pressed."""

    key: str


@dataclass(frozen=True)
class Saved:
    """A file has changed."""


@dataclass(frozen=True)
class Read:
    """The files were read."""

    answers: Mapping[str, Answer]


@dataclass(frozen=True)
class Checking:
    """An exercise is being graded."""

    name: str


@dataclass(frozen=True)
class Graded:
    """An exercise was graded, with this code."""

    name: str
    code: str
    result: ExerciseResult


@dataclass(frozen=True)
class Idle:
    """The grader has ended; `problem` is why it could not read or grade."""

    problem: str = ""


@dataclass(frozen=True)
class Broken:
    """Something failed that nobody can go on without."""

    error: Exception


Event: TypeAlias = Key | Saved | Read | Checking | Graded | Idle | Broken
