"""What a run leaves for CI, and what it shows to people."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from mlref.study import report
from mlref.study.results import CheckResult, Failure, NotebookResult, RunResult

FAILURE = Failure(
    cell=2,
    source="import x\n" + "\n".join(f"line_{n}" for n in range(20)),
    ename="ValueError",
    evalue="no [bold] <carrier> \x1b & \x00",
    traceback=("----", "ValueError: no [bold] <carrier>"),
)
PASSED = NotebookResult(
    name="00_good", status="passed", seconds=1.5, cpu_seconds=1.0, cells_done=3, cells_total=3
)
FAILED = replace(PASSED, name="01_bad", status="failed", cells_done=1, failure=FAILURE)


@pytest.fixture
def run(tmp_path: Path) -> RunResult:
    """Every outcome that there is."""
    crash = replace(FAILURE, cell=None, source="", log_tail="Segmentation fault")
    return RunResult(
        started=datetime(2013, 1, 1, tzinfo=UTC),
        seconds=75.0,
        out=tmp_path / "out",
        notebooks=(
            PASSED,
            FAILED,
            replace(FAILED, name="02_gone", status="crashed", failure=crash, cpu_seconds=None),
            replace(FAILED, name="03_slow", status="timeout"),
            replace(PASSED, name="04_next", status="stopped"),
        ),
        checks=(
            CheckResult(name="evidence", seconds=0.1, noun="claim", total=14),
            CheckResult(
                name="targets",
                seconds=2.0,
                problems=("local: refused",),
                noun="target",
                total=3,
            ),
        ),
    )


def _shown(run: RunResult) -> str:
    console = Console(file=io.StringIO(), width=80)
    report.print_failures(console, run)
    report.print_summary(console, run)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_junit_counts_what_it_holds(run: RunResult) -> None:
    """Each notebook is a testcase, and the counts of the suite are those of its cases."""
    root = ET.fromstring(report.junit(run))  # noqa: S314 - our own
    suites = {suite.get("name"): suite for suite in root}
    counts = {
        name: [int(suite.get(key, "-1")) for key in ("tests", "failures", "errors", "skipped")]
        for name, suite in suites.items()
    }
    assert counts == {"notebooks": [5, 1, 2, 1], "checks": [2, 1, 0, 0]}
    for suite in root:
        assert len(suite.findall("testcase")) == int(suite.get("tests", "-1"))
        assert float(suite.get("time", "-1")) > 0


def test_junit_has_the_shape_that_ci_reads(run: RunResult) -> None:
    """testsuites, testsuite, testcase with one outcome at most, each with what is required."""
    root = ET.fromstring(report.junit(run))  # noqa: S314 - our own
    assert root.tag == "testsuites"
    for case in root.iterfind("testsuite/testcase"):
        assert case.get("classname")
        assert case.get("name")
        assert float(case.get("time", "-1")) >= 0
        assert len(case) <= 1
        assert {child.tag for child in case} <= {"failure", "error", "skipped"}


def test_junit_is_xml_whatever_a_cell_prints(run: RunResult) -> None:
    """Characters that XML 1.0 cannot hold are replaced; the rest of the message survives."""
    node = ET.fromstring(report.junit(run)).find(".//failure")  # noqa: S314 - our own
    assert node is not None
    assert (
        node.get("message")
        == "ValueError: no [bold] <carrier> \N{REPLACEMENT CHARACTER} & \N{REPLACEMENT CHARACTER}"
    )
    assert "import x" in str(node.text)


def test_summary_is_written_as_json(run: RunResult) -> None:
    """summary.json tells each notebook, each check and the versions."""
    report.write(run)
    found = json.loads((run.out / "summary.json").read_text())
    assert (found["passed"], found["interrupted"]) == (False, True)
    assert found["notebooks"][0] == {
        "name": "00_good",
        "status": "passed",
        "seconds": 1.5,
        "cpu_seconds": 1.0,
        "cells_done": 3,
        "cells_total": 3,
        "failure": None,
    }
    assert found["notebooks"][1]["failure"]["evalue"] == FAILURE.evalue
    assert found["checks"][1]["problems"] == ["local: refused"]
    assert {"python", "mlref", "numpy"} <= found["versions"].keys()
    assert (run.out / "junit.xml").read_bytes() == report.junit(run)


def test_failures_are_shown_with_source_and_error(run: RunResult) -> None:
    """The failing cell, cut to a few lines, its error as it is, and a crash's log."""
    text = _shown(run)
    assert "code cell 2 of 3:\n    import x\n    line_0\n" in text
    assert "... 6 more lines" in text
    assert "ValueError: no [bold] <carrier>" in text
    assert "Segmentation fault" in text
    assert "- local: refused" in text


def test_the_summary_counts(run: RunResult) -> None:
    """The last lines tell how many passed, how long it took and where to look."""
    text = _shown(run)
    assert "1 of 5 notebooks passed, 14 of 14 claims, 2 of 3 targets in 1 min 15 s" in text
    assert "stopped by Ctrl-C" in text
    assert str(run.out) in text


def test_a_check_that_broke_off_is_named(run: RunResult) -> None:
    """A check that could count nothing is told by its name."""
    broken = CheckResult(name="evidence", seconds=0.1, problems=("OSError: no disk",))
    text = _shown(replace(run, checks=(broken,)))
    assert "1 of 5 notebooks passed, evidence failed in 1 min 15 s" in text


def test_the_last_line_tells_how_to_serve(run: RunResult) -> None:
    """Where the run left an artefact, the command that serves it can be copied."""
    good = replace(run, out=run.out.parent / "my out", notebooks=(PASSED,), checks=())
    assert "an artefact to serve" not in _shown(good)
    folder = good.out / "runs" / "01" / "champion"
    folder.mkdir(parents=True)
    (folder / "manifest.json").touch()
    assert _shown(good).splitlines()[-1] == f"an artefact to serve: mlref serve '{folder}'"


def test_a_good_run_shows_no_failure(run: RunResult) -> None:
    """Where nothing failed, only the summary is shown."""
    text = _shown(replace(run, notebooks=(PASSED,), checks=()))
    assert text.startswith("1 of 1 notebook passed in")
