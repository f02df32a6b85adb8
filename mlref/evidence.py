"""Figures that notebooks measure, and the claims that rest on them.

A notebook records what it measured; the file goes under its `out` folder. The committed run lies in
notebooks/evidence/. A claim names a figure and the bound that it must keep: when a figure leaves
its bound, the build fails.

    figures = Recorder("01_deployment_steps", out="build/runs")
    figures.record("01.auc", 0.70, unit="", kind="exact")

    claim = Claim("it still ranks flights half a year later", "01.auc", Bound.parse(">= 0.67"))
    check([claim], figures.evidence)          # [] when every claim holds

Kinds: an *exact* figure is the same on every machine up to rounding (a count, a parity, an AUC), a
*ratio* compares two things measured in the same run, a *recorded* one needs what is not here (a
GPU, a cloud account): it is shown with its machine and date, and exempt from the bounds. Where a
notebook cannot measure a figure, `Recorder.recall` takes the committed one and says whose it is.
"""

from __future__ import annotations

import json
import math
import numbers
import os
import platform
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from operator import eq, ge, gt, le, lt
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from mlref import resources
from mlref.errors import EvidenceError
from mlref.runtime import clock, files
from mlref.runtime.lazy import version_of
from mlref.tables import Table

__all__ = [
    "Bound",
    "Claim",
    "Evidence",
    "Figure",
    "Kind",
    "Recorder",
    "Violation",
    "answer",
    "check",
    "load",
    "load_claims",
]

Kind: TypeAlias = Literal["exact", "ratio", "recorded"]

FORMAT = "mlref-evidence/1"
_LIBRARIES = ("mlref", "numpy", "onnxruntime", "pandas", "scikit-learn", "torch")
_KEY = re.compile(r"\d\d\.[a-z0-9_]+(\.[a-z0-9_]+)*")
_OPERATORS = {"<=": le, ">=": ge, "==": eq, "<": lt, ">": gt}


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        value: the number.
        unit: "ms", "MB", "x" ... or "" for none.
        kind: exact, ratio or recorded.
        source: the day and the machine of another run that it was taken from; "" for this run.
    """

    value: float
    unit: str
    kind: Kind
    source: str = ""


@dataclass(frozen=True)
class Evidence:
    """What one run of one notebook measured.

    Attributes:
        topic: the notebook, for instance "01_deployment_steps".
        date: day of the run, ISO.
        machine: processor, cores, system.
        versions: of the libraries that matter.
        figures: key -> figure.
    """

    topic: str
    date: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON values."""
        return {
            "format": FORMAT,
            "topic": self.topic,
            "date": self.date,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "figures": {key: _written(figure) for key, figure in self.figures.items()},
        }


class Recorder:
    """Records a notebook's figures; the file is whole after each of them.

    Args:
        topic: the notebook, for instance "01_deployment_steps".
        out: folder of the run; the figures go to `out`/evidence/`topic`.json.
        now: the clock.
        committed: the folder of the committed runs, for `recall`; None means mlref's own.

    Raises:
        EvidenceError: the topic does not begin with the number of a question.
    """

    def __init__(
        self,
        topic: str,
        out: str | os.PathLike[str],
        *,
        now: clock.Clock | None = None,
        committed: str | os.PathLike[str] | None = None,
    ) -> None:
        if not re.fullmatch(r"\d\d_[a-z0-9_]+", topic):
            raise EvidenceError(f'topic must look like "01_deployment_steps", got {topic!r}')
        self.path = Path(out) / "evidence" / f"{topic}.json"
        self._figures: dict[str, Figure] = {}
        self._topic = topic
        self._folder = committed
        self._date = (now or clock.SystemClock()).now().date().isoformat()

    @property
    def evidence(self) -> Evidence:
        """What was recorded until now."""
        versions = {name: v for name in _LIBRARIES if (v := version_of(name)) is not None}
        return Evidence(self._topic, self._date, _machine(), versions, dict(self._figures))

    def record(self, key: str, value: float, *, unit: str, kind: Kind) -> float:
        """The value, after it was written down.

        Args:
            key: "NN.name", NN the notebook's number.
            value: the figure; finite.
            unit: "ms", "MB", "x" ... or "".
            kind: "exact", "ratio" or "recorded".

        Raises:
            EvidenceError: a key of another notebook, a value that is not finite, or no such kind.
            FileWriteError: the file could not be saved.
        """
        if not _KEY.fullmatch(key) or key[:2] != self._topic[:2]:
            raise EvidenceError(f'key must look like "{self._topic[:2]}.name", got {key!r}')
        return self._keep(key, _figure(key, {"value": value, "unit": unit, "kind": kind}))

    @property
    def committed(self) -> Evidence:
        """The committed run of the same notebook.

        Raises:
            EvidenceError: there is none, or it cannot be read.
            ResourceNotFoundError: mlref came without its evidence.
        """
        return load(Path(self._folder or resources.folder("evidence"), f"{self._topic}.json"))

    def recall(self, key: str) -> float:
        """The value of the committed figure, written down as recorded elsewhere.

        For what cannot be measured here; the figure keeps the day and the machine of its run.

        Args:
            key: of a figure of this notebook.

        Raises:
            EvidenceError: no run was committed, or it has no such figure.
            FileWriteError: the file could not be saved.
        """
        run = self.committed
        if key not in run.figures:
            known = ", ".join(run.figures) or "none"
            raise EvidenceError(f"{key} is not among the committed figures; there are {known}")
        figure = run.figures[key]
        machine = " ".join(str(run.machine.get(part)) for part in ("system", "architecture"))
        source = figure.source or f"{run.date}, {machine}, {run.machine.get('cores')} cores"
        return self._keep(key, Figure(figure.value, figure.unit, "recorded", source))

    def value(self, key: str) -> float:
        """The figure of that key as it was recorded or recalled.

        Args:
            key: of a figure of this run.

        Raises:
            EvidenceError: it was neither recorded nor recalled in this run.
        """
        if key not in self._figures:
            raise EvidenceError(f"{key} was not recorded in this run; measure or recall it first")
        return self._figures[key].value

    def _keep(self, key: str, figure: Figure) -> float:
        self._figures[key] = figure
        self.path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(self.path, self.evidence.to_dict())
        return figure.value


@dataclass(frozen=True)
class Bound:
    """What a figure must keep: one or two comparisons with numbers.

    >>> Bound.parse(">= 0.67").holds(0.7), Bound.parse("2 .. 5").holds(6)
    (True, False)
    """

    text: str
    comparisons: tuple[tuple[str, float], ...]

    @classmethod
    def parse(cls, text: str) -> Bound:
        """The bound that a text means: "<= 1e-5", ">= 3", "== 8", "< 2", "> 0" or "2 .. 5".

        Raises:
            EvidenceError: the text means none.
        """
        number = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
        one = re.fullmatch(rf"\s*(<=|>=|==|<|>)\s*({number})\s*", text)
        if one:
            return cls(text.strip(), ((one[1], float(one[2])),))
        two = re.fullmatch(rf"\s*({number})\s*\.\.\s*({number})\s*", text)
        if two and float(two[1]) <= float(two[2]):
            return cls(text.strip(), ((">=", float(two[1])), ("<=", float(two[2]))))
        raise EvidenceError(f'a bound looks like "<= 1e-5", "== 8" or "2 .. 5", got {text!r}')

    def holds(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return all(bool(_OPERATORS[sign](value, limit)) for sign, limit in self.comparisons)


@dataclass(frozen=True)
class Claim:
    """One sentence of an answer, the figure under it, and the bound of the figure."""

    text: str
    key: str
    bound: Bound


@dataclass(frozen=True)
class Violation:
    """A claim that does not hold, and why."""

    claim: Claim
    reason: str

    def __str__(self) -> str:
        """One line: key, what is wrong, the claim."""
        return f"{self.claim.key}: {self.reason} (claim: {self.claim.text})"


def check(claims: Iterable[Claim], evidence: Evidence) -> list[Violation]:
    """The claims that the figures do not bear out; empty when all hold.

    A missing figure is a violation. A "recorded" figure is exempt from its bound.
    """
    violations = []
    for claim in claims:
        figure = evidence.figures.get(claim.key)
        if figure is None:
            violations.append(Violation(claim, "was not measured"))
        elif figure.kind != "recorded" and not claim.bound.holds(figure.value):
            reason = f"is {figure.value:.10g}, must be {claim.bound.text}"
            violations.append(Violation(claim, reason))
    return violations


def answer(claims: Iterable[Claim], evidence: Evidence) -> Table:
    """A table of the claims with what was measured for each.

    Raises:
        EvidenceError: a claim does not hold: an answer is never shown without its evidence.
    """
    listed = list(claims)
    violations = check(listed, evidence)
    if violations:
        raise EvidenceError("\n".join(str(violation) for violation in violations))
    rows = []
    for claim in listed:
        figure = evidence.figures[claim.key]
        unit = f" {figure.unit}" if figure.unit else ""
        of = f" {figure.source or evidence.date}" if figure.kind == "recorded" else ""
        measured = f"{_shown(figure.value)}{unit}"
        rows.append((claim.text, measured, claim.bound.text, figure.kind + of))
    return Table(("claim", "measured", "bound", "kind"), tuple(rows))


def load(path: str | os.PathLike[str]) -> Evidence:
    """The run in a file.

    Raises:
        EvidenceError: not such a file; the message names what is wrong with it.
    """
    name = Path(path).name
    try:
        values = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EvidenceError(f"{name} cannot be read: {error}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise EvidenceError(f"{name} is no evidence file: format must be {FORMAT!r}")
    try:
        wrong = [key for key in ("machine", "versions") if not isinstance(values[key], dict)]
        if wrong or not isinstance(values["topic"], str):
            raise TypeError(f"wrong type of {', '.join(wrong) or 'topic'}")
        date.fromisoformat(values["date"])
        figures = {key: _figure(key, each) for key, each in values["figures"].items()}
        machine, versions = dict(values["machine"]), dict(values["versions"])
        return Evidence(values["topic"], values["date"], machine, versions, figures)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EvidenceError(f"{name} does not hold what {FORMAT} needs: {error}") from error


def load_claims(path: str | os.PathLike[str]) -> list[Claim]:
    """The claims of an interview card: its points that name a figure.

    Raises:
        EvidenceError: no such file or not TOML, the points are no list of tables, one of them has a
            figure or a bound but not all of text, figure and bound, or a bound cannot be read.
    """
    name = Path(path).name
    try:
        card = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{name} cannot be read: {error}") from error
    points = card.get("points", [])
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise EvidenceError(f"{name}: points must be tables; write each below [[points]]")
    return [_claim(name, point) for point in points if point.keys() & {"evidence", "bound"}]


def _claim(card: str, point: Mapping[str, Any]) -> Claim:
    """The claim of one point that names a figure."""
    key = point.get("evidence", "a point with a bound")
    wrong = [each for each in ("text", "evidence", "bound") if not isinstance(point.get(each), str)]
    if wrong:
        raise EvidenceError(f"{card}: {key} has no {' and no '.join(wrong)}")
    try:
        return Claim(point["text"], key, Bound.parse(point["bound"]))
    except EvidenceError as error:
        raise EvidenceError(f"{card}: {key}: {error}") from error


def _written(figure: Figure) -> dict[str, Any]:
    found = {"value": figure.value, "unit": figure.unit, "kind": figure.kind}
    return {**found, "source": figure.source} if figure.source else found


def _shown(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"


def _figure(key: str, values: Mapping[str, Any]) -> Figure:
    value, unit, kind = values["value"], values["unit"], values["kind"]
    if not _KEY.fullmatch(key):
        raise EvidenceError(f'key must look like "01.name", got {key!r}')
    if not _is_finite(value):
        raise EvidenceError(f"{key} must be a finite number, got {value!r}")
    if kind not in get_args(Kind):
        raise EvidenceError(f"{key}: kind must be exact, ratio or recorded, got {kind!r}")
    if not isinstance(unit, str):
        raise EvidenceError(f'{key}: unit must be text, "" for none, got {unit!r}')
    if not isinstance(source := values.get("source", ""), str):
        raise EvidenceError(f"{key}: source must be text, got {source!r}")
    return Figure(float(value), unit, kind, source)


def _is_finite(value: Any) -> bool:
    """Whether it is a number, NumPy's included, that a float holds."""
    try:
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return real and math.isfinite(value)
    except OverflowError:
        return False


def _machine() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
