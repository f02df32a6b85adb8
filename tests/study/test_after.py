"""Checks that follow the notebooks."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from mlref import resources
from mlref.errors import EvidenceError
from mlref.evidence import Recorder, load_claims
from mlref.study import after
from mlref.study.results import CheckResult, NotebookResult, RunResult


def _run(out: Path) -> RunResult:
    return RunResult(started=datetime(2013, 1, 1, tzinfo=UTC), seconds=1.0, out=out, notebooks=())


def _passed(name: str) -> NotebookResult:
    """A notebook that ran without an error."""
    return NotebookResult(
        name=name, status="passed", seconds=1.0, cpu_seconds=None, cells_done=1, cells_total=1
    )


def _good(_run: RunResult, _console: Console) -> CheckResult:
    return CheckResult(name="good", seconds=2.0)


def _broken(_run: RunResult, _console: Console) -> CheckResult:
    raise OSError("no disk")


def test_a_check_that_raises_fails_and_the_others_run(tmp_path: Path) -> None:
    """A broken check has one problem, its error; the next one is still asked."""
    console = Console(file=io.StringIO())
    run = after.followed_by(_run(tmp_path), console, [("broken", _broken), ("good", _good)])
    assert [(check.name, check.problems) for check in run.checks] == [
        ("broken", ("OSError: no disk",)),
        ("good", ()),
    ]
    assert not run.passed
    assert run.seconds >= 3.0


def test_the_targets_follow_a_run_of_all_notebooks() -> None:
    """Running one notebook does not deploy a model everywhere."""
    names = [name for name, _ in after.checks(everything=True, figures=Path())]
    assert names == ["evidence", "targets"]
    names = [name for name, _ in after.checks(everything=False, figures=Path())]
    assert names == ["evidence"]


def _measured(folder: Path, auc: float) -> Path:
    """Figures for every claim of card 01, all in their bounds but for the AUC given."""
    recorder = Recorder("01_deployment_steps", folder)
    for claim in load_claims(resources.folder("cards") / "01_deployment_steps.toml"):
        limit = claim.bound.comparisons[0][1]
        value = auc if claim.key == "01.champion_auc" else limit
        recorder.record(claim.key, value, unit="", kind="exact")
    return recorder.path.parent


def _checked(figures: Path) -> tuple[CheckResult, str]:
    """What the check found, and what it showed."""
    (step,) = after.checks(everything=False, figures=figures)
    run = replace(_run(figures), notebooks=(_passed("01_deployment_steps"),))
    console = Console(file=io.StringIO(), width=80)
    found = step[1](run, console)
    assert found is not None
    assert isinstance(console.file, io.StringIO)
    return found, console.file.getvalue()


def test_claims_that_hold_pass(tmp_path: Path) -> None:
    """Figures in their bounds leave no problem; the claims are counted, and one line says so."""
    result, shown = _checked(_measured(tmp_path, auc=0.7))
    assert result.problems == ()
    assert result.noun == "claim"
    assert result.total >= 10
    assert shown == f"evidence: {result.total} claims hold\n"


def test_figures_that_were_only_recalled_are_told(tmp_path: Path) -> None:
    """Where a part was missing and a recorded figure stands in, the line does not claim a run."""
    path = _measured(tmp_path, auc=0.7) / "01_deployment_steps.json"
    values = json.loads(path.read_text())
    values["figures"]["01.parity"] |= {"kind": "recorded", "source": "2013-01-01, Linux"}
    path.write_text(json.dumps(values))
    result, shown = _checked(path.parent)
    assert result.problems == ()
    assert shown == (
        f"evidence: {result.total} claims hold; 1 of them as recorded, not measured here\n"
    )


def test_a_run_without_claims_has_no_evidence_check(tmp_path: Path) -> None:
    """A notebook without a card, or one that failed, leaves nothing to check or to show."""
    notebook = _passed("00_start_here")
    failed = replace(notebook, name="01_deployment_steps", status="failed")
    run = replace(_run(tmp_path), notebooks=(notebook, failed))
    console = Console(file=io.StringIO())
    steps = after.checks(everything=False, figures=tmp_path)
    assert after.followed_by(run, console, steps).checks == ()
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == ""


def test_a_figure_out_of_its_bound_fails_the_run(tmp_path: Path) -> None:
    """A claim that the run does not bear out is a problem that names figure and bound."""
    result, shown = _checked(_measured(tmp_path, auc=0.6))
    (problem,) = result.problems
    assert shown == f"evidence: 1 of {result.total} claims does not hold\n"
    assert "01.champion_auc: is 0.6, must be >= 0.67" in problem


def test_a_claim_whose_figure_is_missing_fails_the_run(tmp_path: Path) -> None:
    """A figure that a notebook stopped recording is a problem that names it."""
    path = _measured(tmp_path, auc=0.7) / "01_deployment_steps.json"
    values = json.loads(path.read_text())
    del values["figures"]["01.parity"]
    path.write_text(json.dumps(values))
    (problem,) = _checked(path.parent)[0].problems
    assert problem.startswith("01.parity: was not measured")


def test_a_card_whose_evidence_is_pending_leaves_nothing_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook may run before its card is complete; that is no failure, and no check."""
    (tmp_path / "02_containers.toml").write_text('pending = ["evidence"]\n[[points]]\ntext = "x"\n')
    monkeypatch.setattr(resources, "folder", lambda _kind: tmp_path)
    run = replace(_run(tmp_path), notebooks=(_passed("02_containers"),))
    steps = after.checks(everything=False, figures=tmp_path)
    assert after.followed_by(run, Console(file=io.StringIO()), steps).checks == ()


def test_figures_that_were_not_recorded_fail_the_run(tmp_path: Path) -> None:
    """A notebook with a card that recorded nothing is an error, not a pass."""
    with pytest.raises(EvidenceError, match="cannot be read"):
        _checked(tmp_path)
