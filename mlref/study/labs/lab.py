"""What a lab is: its folder, its exercises, what it needs, and how it is found.

A lab is a folder labs/NN_topic that holds

    lab.toml         title, minutes, prerequisites, what comes next, and the exercises with hints
    source.py        the text and the solutions in the percent format, with the holes marked
    exercise.ipynb   the same with the holes empty; generated from source.py
    checks.py        what a right answer satisfies; more of it may stand in checks_NAME.py
    wrong/*.py       plausible wrong answers that the checks must reject
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeGuard, get_args

from mlref import resources
from mlref.errors import LabError, ResourceNotFoundError

__all__ = ["HINTS", "Exercise", "Kind", "Lab", "all_labs", "find_lab", "load_lab"]

Kind: TypeAlias = Literal["build", "calculation", "incident"]
"""What an exercise asks for: code, a figure, or a broken deployment to be repaired."""

HINTS = 3
"""Each exercise has so many hints, from a nudge to nearly the answer."""

_DEFAULT_TIME_S = 60.0
_DEFAULT_MEMORY_MB = 2048


@dataclass(frozen=True)
class Exercise:
    """One thing to do.

    Attributes:
        name: the name that its answer cell begins with.
        kind: "build", "calculation" or "incident".
        title: what it is about, in a few words.
        hints: three of them.
        needs: exercises whose answers its own answer uses; they are graded with the solutions of
            those, so that one mistake is told once.
    """

    name: str
    kind: Kind
    title: str
    hints: tuple[str, ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lab:
    """One lab. `time_limit_s` (wall clock) and `memory_limit_bytes` (RSS) hold for one exercise."""

    folder: Path
    title: str
    minutes: int
    prerequisites: tuple[str, ...]
    next: str
    extras: tuple[str, ...]
    exercises: tuple[Exercise, ...]
    time_limit_s: float
    memory_limit_bytes: int

    @property
    def name(self) -> str:
        """Number and topic, as the folder is named: "01_deployment_steps"."""
        return self.folder.name

    @property
    def check_files(self) -> list[Path]:
        """checks.py, then checks_NAME.py for each NAME that there is, in order."""
        more = sorted(self.folder.glob("checks_*.py"))
        return [self.folder / "checks.py", *(path for path in more if path.is_file())]

    @property
    def number(self) -> str:
        """The number of its question, two digits."""
        return self.name[:2]

    @property
    def about(self) -> str:
        """How long it takes, what it asks for, and what comes next, as one line of Markdown."""
        before = " and ".join(self.prerequisites) or "none"
        return f"*{self.minutes} minutes. Prerequisite: {before}. Next: {self.next}.*"

    def exercise(self, name: str) -> Exercise:
        """One exercise.

        Raises:
            LabError: the lab has none of that name; the message lists those it has.
        """
        for each in self.exercises:
            if each.name == name:
                return each
        names = [each.name for each in self.exercises]
        near = difflib.get_close_matches(name, names, n=1)
        meant = f"; did you mean {near[0]}" if near else ""
        raise LabError(
            f"lab {self.number} has no exercise {name!r}{meant}; it has: {', '.join(names)}"
        )


def all_labs(where: Path | None = None) -> list[Lab]:
    """The labs that are written, in order.

    Args:
        where: the folder that holds them; None means mlref's own.

    Raises:
        ResourceNotFoundError: the folder is not there.
        LabError: the description of one of them is wrong.
    """
    return [load_lab(folder) for folder in _folders(where)]


def find_lab(name: str, where: Path | None = None) -> Lab:
    """The lab of a number or name: "1", "01" or "01_deployment_steps".

    Args:
        name: as it was typed.
        where: the folder that holds the labs; None means mlref's own.

    Raises:
        ResourceNotFoundError: there is no such lab; the message lists those that there are.
        LabError: its description is wrong.
    """
    folders = _folders(where)
    for folder in folders:
        if name == folder.name or (name.isdecimal() and name.zfill(2) == folder.name[:2]):
            return load_lab(folder)
    known = ", ".join(folder.name for folder in folders) or "none"
    raise ResourceNotFoundError(f"no lab is called {name!r}; there are: {known}")


def _folders(where: Path | None) -> list[Path]:
    """The folders of the labs, in order."""
    root = resources.folder("labs") if where is None else where
    if not root.is_dir():
        raise ResourceNotFoundError(f"labs are looked for in {root}, which is no folder")
    return [path.parent for path in sorted(root.glob("[0-9][0-9]_*/lab.toml"))]


def load_lab(folder: Path) -> Lab:
    """The lab in a folder.

    Raises:
        LabError: lab.toml is not there or wrong; the message lists every problem.
    """
    path = folder / "lab.toml"
    place = f"{folder.name}/lab.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{place} cannot be read: {error}") from error
    if problems := list(_problems(values)):
        raise LabError("\n".join(f"{place}: {problem}" for problem in problems))
    return Lab(
        folder=folder,
        title=values["title"],
        minutes=values["minutes"],
        prerequisites=tuple(values["prerequisites"]),
        next=values["next"],
        extras=tuple(values["extras"]),
        exercises=tuple(_exercise(each) for each in values["exercises"]),
        time_limit_s=float(values.get("time_limit_s", _DEFAULT_TIME_S)),
        memory_limit_bytes=values.get("memory_limit_mb", _DEFAULT_MEMORY_MB) * 2**20,
    )


def _exercise(values: Mapping[str, Any]) -> Exercise:
    return Exercise(
        name=values["name"],
        kind=values["kind"],
        title=values["title"],
        hints=tuple(values["hints"]),
        needs=tuple(values.get("needs", ())),
    )


_KEYS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "minutes": int,
    "prerequisites": list,
    "next": str,
    "extras": list,
    "exercises": list,
}
_LIMITS: dict[str, type | tuple[type, ...]] = {
    "time_limit_s": (int, float),
    "memory_limit_mb": int,
}


def _problems(values: Mapping[str, Any]) -> Iterator[str]:
    """All that is wrong with a description."""
    for key in sorted(values.keys() - _KEYS.keys() - _LIMITS.keys()):
        yield f"{key} is no key of a lab; the keys are {', '.join([*_KEYS, *_LIMITS])}"
    for key, kind in {**_KEYS, **_LIMITS}.items():
        if key not in values:
            if key in _KEYS:
                yield f"{key} is missing"
        elif not isinstance(values[key], kind) or isinstance(values[key], bool):
            yield f"{key} is of the wrong type: {values[key]!r}"
        else:
            yield from _value_problems(key, values[key])
    exercises = values.get("exercises")
    seen: set[str] = set()
    for number, each in enumerate(exercises if isinstance(exercises, list) else (), start=1):
        yield from (f"exercise {number}: {problem}" for problem in _exercise_problems(each, seen))


def _value_problems(key: str, value: Any) -> Iterator[str]:
    """What is wrong with a value of the right type."""
    if key in {*_LIMITS, "minutes"} and not (value > 0 and math.isfinite(value)):
        yield f"{key} must be above 0 and finite, got {value!r}"
    elif key in {"title", "next"} and not _is_line(value):
        yield f"{key} must be one line of text, got {value!r}"
    elif key in {"prerequisites", "extras"} and not _texts(value):
        yield f"{key} must be a list of texts, got {value!r}"
    elif key == "exercises" and not value:
        yield "exercises is empty; a lab without any would be solved by doing nothing"


def _exercise_problems(values: Any, seen: set[str]) -> Iterator[str]:
    """All that is wrong with the description of one exercise."""
    if not isinstance(values, dict):
        yield "write it below [[exercises]]"
        return
    for key in sorted(values.keys() - {"name", "kind", "title", "hints", "needs"}):
        yield f"{key} is no key of an exercise"
    name = values.get("name")
    if not isinstance(name, str) or not name.isidentifier():
        yield f"name must be a Python name, got {name!r}"
    elif name in seen:
        yield f"the name {name} is taken by an exercise before it"
    needs = values.get("needs", [])
    if not _texts(needs):
        yield f"needs must be a list of names, got {needs!r}"
    elif unknown := [needed for needed in needs if needed not in seen]:
        yield f"it needs {', '.join(unknown)}, which is no exercise before it"
    seen.add(str(name))
    if values.get("kind") not in get_args(Kind):
        yield f"kind must be one of {', '.join(get_args(Kind))}, got {values.get('kind')!r}"
    if not _is_line(values.get("title")):
        yield "title is missing, or not one line of text"
    hints = values.get("hints")
    if not _texts(hints) or len(hints) != HINTS or len(set(hints)) != HINTS:
        yield f"it needs {HINTS} different hints"


def _is_line(value: Any) -> bool:
    """Whether this is a text of one line, and not empty."""
    return isinstance(value, str) and len(value.strip().splitlines()) == 1


def _texts(values: Any) -> TypeGuard[list[str]]:
    """Whether this is a list of texts, none of them empty."""
    return isinstance(values, list) and all(isinstance(v, str) and v.strip() for v in values)
