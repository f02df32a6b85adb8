"""What is installed, what is missing, how to get it, and what each part unlocks.

The answer comes from mlref's own metadata and from looking for programs; nothing heavy is imported,
so it works with the core dependencies alone.
"""

from __future__ import annotations

import importlib
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

import mlref
from mlref import resources
from mlref.errors import ResourceNotFoundError

__all__ = ["Extra", "Program", "Report", "examine", "extras", "programs", "render"]

UNLOCKS = {
    "train": "the flights data, training the models",
    "serve": "the model server and its client",
    "torch": "the second model, PyTorch's formats",
    "aws": "AWS, the local one and the real one",
    "sagemaker": "the SageMaker SDK",
    "tracking": "MLflow: experiments, model registry",
    "cluster": "Docker and clusters",
    "edge": "small devices, updates over MQTT",
    "llm": "the language-model engine",
    "study": "labs, interview cards, the drill",
    "notebooks": "reading and running the notebooks",
    "tensorflow": "TensorFlow SavedModel (heavy, never in 'all')",
    "dev": "contributing: tests, lint, types",
}
_GROUPS = {"all"}  # extras that only name others
_DOCKER_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Extra:
    """One optional part of mlref."""

    name: str
    missing: tuple[str, ...]  # distributions that are absent, or of a version out of range
    unlocks: str
    command: str  # how to get it


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
    requirements = _requirements()
    return Report(
        python=platform.python_version(),
        mlref=mlref.__version__,
        place=str(resources.checkout() or Path(mlref.__file__).parent),
        core_problems=_core_problems(requirements),
        resources={kind: _count(kind) for kind in resources.KINDS},
        extras=tuple(extras(requirements)),
        programs=tuple(programs()),
        tensorflow_environment=_tensorflow_environment(),
    )


def _requirements() -> list[str]:
    """What mlref's metadata asks for; empty when it runs without being installed."""
    try:
        return metadata.requires("mlref") or []
    except metadata.PackageNotFoundError:
        return []


def _version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def extras(
    requirements: Sequence[str], version_of: Callable[[str], str | None] = _version
) -> list[Extra]:
    """Each extra of some requirements, with what it lacks.

    Args:
        requirements: lines as `importlib.metadata.requires` gives them.
        version_of: tells a distribution's installed version, or None.

    >>> extras(['absent>=1; extra == "train"'])[0].missing
    ('absent',)
    """
    names = sorted({name for line in requirements for name in _extras_in(line)} - _GROUPS)
    order = list(UNLOCKS)
    names.sort(key=lambda name: order.index(name) if name in order else len(order))
    return [
        Extra(
            name=name,
            missing=tuple(_missing(requirements, name, version_of)),
            unlocks=UNLOCKS.get(name, ""),
            command=f'pip install "mlref[{name}]"',
        )
        for name in names
    ]


def _extras_in(line: str) -> set[str]:
    """The extras that a requirement's marker names."""
    return set(re.findall(r"extra\s*==\s*['\"]([^'\"]+)['\"]", line))


def _missing(
    requirements: Sequence[str], extra: str, version_of: Callable[[str], str | None]
) -> list[str]:
    """What a requirement of the extra (or of the core, for "") asks for and is not there."""
    from packaging.requirements import Requirement

    missing = []
    for line in requirements:
        requirement = Requirement(line)
        wanted = _extras_in(line) == ({extra} if extra else set())
        marker = requirement.marker
        if not wanted or (marker is not None and not marker.evaluate({"extra": extra})):
            continue
        version = version_of(requirement.name)
        if version is None:
            missing.append(requirement.name)
        elif not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"{requirement.name} {version} (needs {requirement.specifier})")
    return missing


def _core_problems(requirements: Sequence[str]) -> tuple[str, ...]:
    """Why not even the core works."""
    problems = [f"missing: {name}" for name in _missing(requirements, "", _version)]
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
    if any(one.missing for one in report.extras):
        console.print(_commands(report), soft_wrap=True)
    console.print()
    console.print(_programs_table(report))
    console.print()
    where = report.tensorflow_environment or "none (in a checkout: make tensorflow)"
    console.print(Text(f"separate TensorFlow environment: {where}"), soft_wrap=True)


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


def _commands(report: Report) -> Text:
    """How to get the extras that are missing; empty if none is."""
    lines = [
        f"{one.command}  # brings {', '.join(one.missing)}" for one in report.extras if one.missing
    ]
    return Text("\n".join(lines))


def _programs_table(report: Report) -> Table:
    """One line for each external program."""
    table = _table("program", "state", "chapter", "get it")
    for one in report.programs:
        good = one.path is not None and not one.note
        state = Text("ok" if good else ("idle" if one.path else "missing"), _style(good=good))
        get = one.note if one.path else one.command
        table.add_row(one.name, state, one.chapter, get)
    return table
