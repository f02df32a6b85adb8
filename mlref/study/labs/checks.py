"""What a lab's checks.py is made of.

A check is a function that takes the learner's answer. Its docstring says what is checked, as the
learner reads it; it calls `reject` when the answer is wrong:

    @exercise("share")
    def it_is_a_share(answer):
        '''The share lies between 0 and 1.'''
        share = answer.number("share")
        if not 0 <= share <= 1:
            reject(f"share is {share:g}", why="a share is a part of the whole, from 0 to 1")

The checks of an exercise run in the order in which they stand, from the obvious to the subtle; the
first that rejects ends them, since what follows would only repeat it. A check that needs what is
not here, a Docker daemon for instance, calls `leave_out`: the others still decide.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from mlref.errors import LabError

__all__ = [
    "Answer",
    "LeftOut",
    "Rejected",
    "exercise",
    "exercise_of",
    "label_of",
    "leave_out",
    "reject",
]

_MARK = "_mlref_exercise"

Check = TypeVar("Check", bound=Callable[["Answer"], None])


class Rejected(Exception):  # noqa: N818 - a verdict, no failure of the program
    """An answer is wrong. `why` says why that matters."""

    def __init__(self, message: str, *, why: str) -> None:
        super().__init__(message)
        self.why = why

    def __reduce__(self) -> Any:
        return (_rejected, (str(self), self.why))


def _rejected(message: str, why: str) -> Rejected:
    return Rejected(message, why=why)


def reject(message: str, *, why: str) -> NoReturn:
    """Never returns: the answer is wrong.

    Args:
        message: what is wrong with it, with what was got and what was expected.
        why: why it matters where a model is deployed.

    Raises:
        Rejected: always.
    """
    raise Rejected(message, why=why)


class LeftOut(Exception):  # noqa: N818 - a verdict, no failure of the program
    """A check cannot be made here. `part` is what it needs, `how` says how to get that."""

    def __init__(self, message: str, *, part: str, how: str) -> None:
        super().__init__(message)
        self.part = part
        self.how = how


def leave_out(message: str, *, part: str, how: str) -> NoReturn:
    """Never returns: this check is not made, as something is not here.

    Args:
        message: what was not made, and what an answer that passes has been through instead.
        part: what is not here, as MLREF_REQUIRE calls it; where that lists it, the answer fails.
        how: how to get it.

    Raises:
        LeftOut: always.
    """
    raise LeftOut(message, part=part, how=how)


def exercise(name: str) -> Callable[[Check], Check]:
    """A decorator that makes a function a check of an exercise."""

    def mark(check: Check) -> Check:
        if not (check.__doc__ or "").strip():
            raise LabError(f"the check {check.__name__} has no docstring; learners read it")
        if other := exercise_of(check):
            raise LabError(f"the check {check.__name__} is one of {other} already; write another")
        setattr(check, _MARK, name)
        return check

    return mark


def exercise_of(check: object) -> str | None:
    """The exercise that a function checks, or None if it is no check."""
    return getattr(check, _MARK, None)


def label_of(check: Callable[..., object]) -> str:
    """What a check checks, in its own words."""
    return " ".join((check.__doc__ or check.__name__).split())


def _is_finite_number(value: Any) -> bool:
    """Whether a value is a number that a float can hold; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


class Answer:
    """What an answer defined: its names as attributes, its text as `code`.

    Args:
        names: the variables after the answer's cell was executed.
        code: the cell.
    """

    def __init__(self, names: Mapping[str, Any], code: str) -> None:
        self._names = dict(names)
        self.code = code

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._names:
            reject(
                f"`{name}` is not defined when your cell has run",
                why="the checks look for that name; keep the names of the exercise",
            )
        return self._names[name]

    def number(self, name: str) -> float:
        """A finite number that the answer must have defined.

        Raises:
            Rejected: it is not defined, or no finite number.
        """
        value = getattr(self, name)
        if not _is_finite_number(value):
            reject(
                f"`{name}` must be a finite number, got {value!r:.80}",
                why="the checks calculate with it",
            )
        return float(value)

    def function(self, name: str) -> Callable[..., Any]:
        """A function that the answer must have defined.

        Raises:
            Rejected: it is not defined, or cannot be called.
        """
        value = getattr(self, name)
        if not callable(value):
            reject(f"`{name}` must be a function, got {value!r:.80}", why="the checks call it")
        return value  # type: ignore[no-any-return]  # callable, of whatever signature
