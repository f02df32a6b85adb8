"""What is installed, what is missing, how to get it, and what each part unlocks.

The answer comes from mlref's own metadata and from looking for programs; nothing heavy is imported,
so it works with the core dependencies alone.
"""

from __future__ import annotations

import importlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

import mlref
from mlref import resources
from mlref.errors import ResourceNotFoundError
from mlref.study import extras
from mlref.study.extras import Extra

__all__ = ["Program", "Report", "examine", "programs", "render"]

_DOCKER_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """One external program."""

    name: str
    path: str | None  # None if absent
    note: str  # what is wrong though it is there; empty if nothing is
    chapter: str  # what it serves
    command: str  # how to get it


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was found."""

    python: str
    mlref: str
    place: str  # the checkout's root, or the installed package's folder
    core_problems: tuple[str, ...]  # why not even the core works; empty if it does
    resources: dict[str, int | None]  # kind -> how many files or folders; None if absent
    extras: tuple[Extra, ...]
    programs: tuple[Program, ...]
    tensorflow_environment: str | None  # the folder of a separate environment, if there is one

    @property
    def healthy(self) -> bool:
        """Whether the core works; what is optional does not count."""
        return not self.core_problems

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {"healthy": self.healthy, **asdict(self)}


def examine() -> Report:
    """What this machine has."""
    requirements = extras.requirements()
    return Report(
        python=platform.python_version(),
        mlref=mlref.__version__,
        place=str(resources.checkout() or Path(mlref.__file__).parent),
        core_problems=_core_problems(requirements),
        resources={kind: _count(kind) for kind in resources.KINDS},
        extras=tuple(extras.all_extras(requirements)),
        programs=tuple(programs()),
        tensorflow_environment=_tensorflow_environment(),
    )


def _core_problems(requirements: Sequence[str]) -> tuple[str, ...]:
    """Why not even the core works."""
    problems = [f"missing: {name}" for name in extras.missing(requirements, "")]
    for module in ("numpy", "onnxruntime"):
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - a broken binary fails in its own way
            problems.append(f"{module} cannot be imported: {error}")
    return tuple(problems)


def _count(kind: str) -> int | None:
    """How many resources of a kind there are."""
    patterns = {"notebooks": "*.ipynb", "evidence": "*.json", "labs": "*/lab.toml"}
    try:
        return sum(1 for _ in resources.folder(kind).glob(patterns.get(kind, "*")))
    except ResourceNotFoundError:
        return None


def _tensorflow_environment() -> str | None:
    """The separate environment for TensorFlow, which `all` leaves out."""
    root = resources.checkout() or Path.cwd()
    folder = root / "build" / "envs" / "tensorflow"
    return str(folder) if (folder / "bin" / "python").exists() else None


_PROGRAMS = (
    # names, chapter, Debian, Homebrew
    (("docker",), "2 containers", "docker.io", "--cask docker"),
    (("redis-server",), "6 scaling, 11 security", "redis-server", "redis"),
    (("mosquitto",), "12 edge", "mosquitto", "mosquitto"),
    (("prometheus",), "13 monitoring", "prometheus", "prometheus"),
    (("chromium", "chromium-browser", "google-chrome"), "the pages' tests", "chromium",
     "--cask chromium"),
)  # fmt: skip


def programs(which: Callable[[str], str | None] = shutil.which) -> list[Program]:
    """The external programs that chapters use where they are there.

    Args:
        which: tells a program's path, or None.
    """
    found = []
    for names, chapter, debian, brew in _PROGRAMS:
        path = next((path for name in names if (path := which(name))), None)
        command = f"brew install {brew}" if sys.platform == "darwin" else f"apt install {debian}"
        found.append(
            Program(
                name=names[0],
                path=path,
                note=_docker_note(path) if names[0] == "docker" and path else "",
                chapter=chapter,
                command=command,
            )
        )
    return found


def _docker_note(path: str) -> str:
    """Why Docker cannot be used though it is installed; empty if it can."""
    try:
        done = subprocess.run(
            [path, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            timeout=_DOCKER_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "its daemon does not answer"
    return "" if done.returncode == 0 else "its daemon does not answer"


def render(console: Console, report: Report) -> None:
    """Show a report; readable in 80 columns and without colours."""
    core = "ok" if report.healthy else "broken"
    console.print(
        Text.assemble(
            ("mlref ", "bold"),
            f"{report.mlref}, Python {report.python}, core ",
            (core, _style(good=report.healthy)),
        )
    )
    for problem in report.core_problems:
        console.print(Text(f"  {problem}", "red"))
    console.print(Text(report.place, "dim"), soft_wrap=True)
    counts = [f"{kind} {count}" for kind, count in report.resources.items() if count is not None]
    console.print(Text(", ".join(counts) or "no notebooks, labs or cards found"))
    console.print()
    console.print(_extras_table(report))
    console.print()
    console.print(_programs_table(report))
    console.print()
    for line in _last_lines(report):
        console.print(Text(line), soft_wrap=True)


def _style(*, good: bool) -> str:
    return "green" if good else "yellow"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    return table


def _extras_table(report: Report) -> Table:
    """One line for each extra."""
    table = _table("extra", "state", "unlocks")
    for one in report.extras:
        state = Text("missing" if one.missing else "ok", _style(good=not one.missing))
        table.add_row(one.name, state, one.unlocks)
    return table


def _last_lines(report: Report) -> Iterator[str]:
    """What has a version out of range, and how to get all that is missing."""
    lacking = [one for one in report.extras if one.missing]
    if wrong := {name for one in lacking for name in one.missing if " (needs " in name}:
        yield f"of another version: {', '.join(sorted(wrong))}"
    if names := [one.name for one in lacking if one.name != "tensorflow"]:
        yield f"get every extra that is missing: {extras.command(names)}"
    if report.tensorflow_environment:
        yield f"separate TensorFlow environment: {report.tensorflow_environment}"
    elif any(one.name == "tensorflow" for one in lacking):
        yield f"get TensorFlow: {extras.command(['tensorflow'])}"


def _programs_table(report: Report) -> Table:
    """One line for each external program."""
    table = _table("program", "state", "chapter", "get it")
    for one in report.programs:
        good = one.path is not None and not one.note
        state = Text("ok" if good else ("idle" if one.path else "missing"), _style(good=good))
        get = one.note if one.path else one.command
        table.add_row(one.name, state, one.chapter, get)
    return table
