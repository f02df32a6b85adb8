"""The checks that follow the notebooks; what one of them finds fails the run."""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from rich.console import Console

from mlref import resources
from mlref.study.results import CheckResult, RunResult

__all__ = ["Check", "checks", "followed_by"]

Check: TypeAlias = Callable[[RunResult, Console], CheckResult | None]
"""Takes the run and the console; shows what there is to see, returns what it found.

None means that there was nothing to check.
"""


def checks(*, everything: bool, figures: Path) -> list[tuple[str, Check]]:
    """The names and the checks, in their order.

    Args:
        everything: whether all notebooks ran, or only some that were named. What is not about
            the notebooks themselves follows a run of all.
        figures: the folder in which the notebooks recorded what they measured.
    """
    always: list[tuple[str, Check]] = [("evidence", functools.partial(_evidence, figures))]
    return [*always, ("targets", _targets)] if everything else always


def followed_by(run: RunResult, console: Console, steps: Sequence[tuple[str, Check]]) -> RunResult:
    """The run with what the checks found. A check that raises has one problem: its error.

    Args:
        run: the notebooks' results.
        console: where the checks show what they find.
        steps: as `checks` returns them.
    """
    found = []
    for name, step in steps:
        began = time.monotonic()
        try:
            result = step(run, console)
        except Exception as error:  # noqa: BLE001 - a broken check is a failed one; the others still run
            problem = f"{type(error).__name__}: {error}"
            seconds = time.monotonic() - began
            result = CheckResult(name=name, seconds=seconds, problems=(problem,))
        if result is not None:
            found.append(result)
    seconds = run.seconds + sum(check.seconds for check in found)
    return replace(run, checks=(*run.checks, *found), seconds=seconds)


def _evidence(figures: Path, run: RunResult, console: Console) -> CheckResult | None:
    """The claims of the cards against what this run's notebooks measured; None if none has any."""
    from mlref import evidence

    began = time.monotonic()
    problems: list[str] = []
    total = recalled = 0
    for notebook in run.notebooks:
        card = resources.folder("cards") / f"{notebook.name}.toml"
        claims = evidence.load_claims(card) if card.is_file() else []
        if claims and notebook.passed:
            measured = evidence.load(figures / f"{notebook.name}.json")
            problems += [str(violation) for violation in evidence.check(claims, measured)]
            total += len(claims)
            there = (measured.figures.get(claim.key) for claim in claims)
            recalled += sum(figure is not None and figure.kind == "recorded" for figure in there)
    if not total:
        return None
    console.print(_told(total, len(problems), recalled), highlight=False)
    return CheckResult(
        name="evidence",
        seconds=time.monotonic() - began,
        problems=tuple(problems),
        noun="claim",
        total=total,
    )


def _told(total: int, wrong: int, recalled: int) -> str:
    """What became of the claims, in one line."""
    if wrong:
        return f"evidence: {wrong} of {total} claims {'does' if wrong == 1 else 'do'} not hold"
    told = f"evidence: {total} claims hold" if total > 1 else "evidence: 1 claim holds"
    return f"{told}; {recalled} of them as recorded, not measured here" if recalled else told


def _targets(run: RunResult, console: Console) -> CheckResult:
    """The champion on every target."""
    from mlref.models import pack_champion
    from mlref.study import target_table
    from mlref.targets import all_targets

    with tempfile.TemporaryDirectory(prefix="mlref-model-") as folder:
        champion = pack_champion(Path(folder) / "champion")
        return target_table.check(run.out, console, targets=all_targets(), artifact=champion)
