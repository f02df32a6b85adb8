"""A run of notebooks, told to people and to CI.

`print_failures` and `print_summary` are for the terminal. `write` saves, below the run's `out`,
junit.xml (one testcase for each notebook and check, as CI systems read it) and summary.json (all
that is known, with versions).
"""

from __future__ import annotations

import platform
import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from mlref.runtime.files import write_bytes, write_json
from mlref.study import artifacts
from mlref.study.progress import duration
from mlref.study.results import CheckResult, NotebookResult, RunResult

__all__ = ["failure_text", "junit", "print_failures", "print_summary", "summary", "write"]

_SHOWN_SOURCE_LINES = 15
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LIBRARIES = (
    "mlref", "ipykernel", "nbclient", "nbconvert", "numpy", "onnxruntime", "papermill", "pandas",
    "scikit-learn", "torch",
)  # fmt: skip


def failure_text(result: NotebookResult) -> str:
    """What went wrong in a notebook: the cell, its source, the error; empty if nothing did."""
    failure = result.failure
    if failure is None:
        return ""
    parts = []
    if failure.cell is not None:
        lines = failure.source.strip().splitlines()
        cut = len(lines) - _SHOWN_SOURCE_LINES
        shown = lines[:_SHOWN_SOURCE_LINES] + ([f"... {cut} more lines"] if cut > 0 else [])
        parts.append(f"code cell {failure.cell} of {result.cells_total}:")
        parts.append("\n".join(f"    {line}" for line in shown))
    parts.append(f"{failure.ename}: {failure.evalue}")
    inner = [line for line in failure.traceback if line.strip("- ")]
    if inner:
        parts.append("its traceback ends in:\n" + "\n".join(f"    {line}" for line in inner))
    if failure.log_tail:
        log = "\n".join(f"    {line}" for line in failure.log_tail.splitlines())
        parts.append(f"the last lines of its log:\n{log}")
    return "\n".join(parts)


def print_failures(console: Console, run: RunResult) -> None:
    """Show every failure, notebooks first, then the checks; nothing if there is none."""
    for result in run.notebooks:
        if result.failure is not None:
            title = Text(f"{result.name}: {result.status}", "bold red")
            console.print(Rule(title, align="left", style="red"))
            console.print(Text(failure_text(result)))
    for check in run.checks:
        if check.problems:
            title = Text(f"{check.name}: failed", "bold red")
            console.print(Rule(title, align="left", style="red"))
            for problem in check.problems:
                console.print(Text(f"- {problem}"))


def print_summary(console: Console, run: RunResult, *, runs: Path | None = None) -> None:
    """Show the counts, the time and where everything lies, in two lines.

    A third tells how to serve an artefact, where notebooks have left one.

    Args:
        console: where it is shown.
        run: what happened.
        runs: where the notebooks wrote; None means `out`/runs.
    """
    passed = sum(result.passed for result in run.notebooks)
    cpu_s = sum(result.cpu_seconds or 0.0 for result in run.notebooks)
    line = Text(style="green" if run.passed else "bold red")
    line.append(f"{passed} of {_count(len(run.notebooks), 'notebook')} passed")
    for check in run.checks:
        line.append(f", {_counted(check)}")
    line.append(f" in {duration(run.seconds)} (cpu {duration(cpu_s)})")
    if run.interrupted:
        line.append(", stopped by Ctrl-C", "yellow")
    console.print(line, soft_wrap=True)
    console.print(Text(f"pages, junit.xml and summary.json: {run.out}", "dim"), soft_wrap=True)
    found = artifacts.to_serve(runs or run.out / "runs")
    if found is not None and not run.interrupted:
        typed = f"mlref serve {shlex.quote(str(found))}"
        console.print(Text(f"an artefact to serve: {typed}"), soft_wrap=True)


def _counted(check: CheckResult) -> str:
    """How much of what a check looked at is as it should be."""
    if check.total:
        good = check.total - len(check.problems)
        return f"{good} of {_count(check.total, check.noun)}"
    return f"{check.name} {'failed' if check.problems else 'passed'}"


def summary(run: RunResult) -> dict[str, Any]:
    """What summary.json holds: plain dicts, lists, text and finite numbers."""
    return {
        "started": run.started.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 3),
        "passed": run.passed,
        "interrupted": run.interrupted,
        "notebooks": [_rounded(asdict(result)) for result in run.notebooks],
        "checks": [_rounded(asdict(check)) for check in run.checks],
        "versions": _versions(),
    }


def junit(run: RunResult) -> bytes:
    """What junit.xml holds, in the dialect of Jenkins, GitLab and pytest: UTF-8 bytes."""
    root = ET.Element("testsuites")
    stamp = run.started.isoformat(timespec="seconds")
    _suite(root, "notebooks", stamp, (_case(result) for result in run.notebooks))
    if run.checks:
        _suite(root, "checks", stamp, (_check_case(check) for check in run.checks))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def write(run: RunResult) -> None:
    """Save junit.xml and summary.json in the run's `out`.

    Raises:
        FileWriteError: a file could not be saved.
    """
    run.out.mkdir(parents=True, exist_ok=True)
    write_bytes(Path(run.out) / "junit.xml", junit(run))
    write_json(Path(run.out) / "summary.json", summary(run))


def _suite(root: ET.Element, name: str, stamp: str, cases: Iterable[ET.Element]) -> None:
    """A testsuite with its counts."""
    suite = ET.SubElement(root, "testsuite", name=name, timestamp=stamp)
    suite.extend(cases)
    suite.set("tests", str(len(suite)))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("time", f"{sum(float(case.get('time', 0)) for case in suite):.3f}")


def _case(result: NotebookResult) -> ET.Element:
    """A notebook's testcase: a raising cell is a failure, a crash or a time-out an error."""
    case = ET.Element(
        "testcase", classname="notebooks", name=result.name, time=f"{result.seconds:.3f}"
    )
    if result.status == "stopped":
        ET.SubElement(case, "skipped", message="stopped by the user")
    elif result.failure is not None:
        tag = "failure" if result.status == "failed" else "error"
        message = f"{result.failure.ename}: {result.failure.evalue}"
        node = ET.SubElement(case, tag, message=_xml(message), type=_xml(result.failure.ename))
        node.text = _xml(failure_text(result))
    return case


def _check_case(check: CheckResult) -> ET.Element:
    """A check's testcase."""
    case = ET.Element("testcase", classname="checks", name=check.name, time=f"{check.seconds:.3f}")
    if check.problems:
        count = _count(len(check.problems), "problem")
        node = ET.SubElement(case, "failure", message=count, type="CheckFailed")
        node.text = _xml("\n".join(check.problems))
    return case


def _xml(text: str) -> str:
    """Text without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    """Seconds to the millisecond."""
    return {
        key: round(value, 3) if key.endswith("seconds") and value is not None else value
        for key, value in fields.items()
    }


def _versions() -> dict[str, str]:
    """Python and those libraries that notebooks' results depend on most, where installed."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
