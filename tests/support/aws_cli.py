"""AWS's command line, in its own environment, as somebody has it in a terminal."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["AWS", "Cli", "Result"]

AWS = Path(__file__).resolve().parents[2] / "build/envs/awscli/bin/aws"
"""The program that `make awscli` installs."""

_LIMIT_S = 180
_PASSED_ON = ("LANG", "PATH", "TMPDIR")  # no variable of AWS, and no one's files


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit status."""

    status: int
    output: str
    error: str

    @property
    def json(self) -> Any:
        """The output, read."""
        return json.loads(self.output)


@dataclass(frozen=True)
class Cli:
    """A terminal in which `aws` is typed.

    Attributes:
        folder: where it stands; also the home, so there is no configuration.
        variables: all that is set of AWS's.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, line: str, *arguments: str) -> Result:
        """Type a command.

        Args:
            line: without "aws"; split at spaces.
            arguments: further ones, as they are.
        """
        inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        done = subprocess.run(
            [AWS, *line.split(), *arguments],
            cwd=self.folder,
            env={**inherited, "HOME": str(self.folder), "AWS_PAGER": "", **self.variables},
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def do(self, line: str, *arguments: str) -> Result:
        """Type a command that has to succeed.

        Raises:
            AssertionError: it did not.
        """
        found = self(line, *arguments)
        assert found.status == 0, f"aws {line}: {found.error or found.output}"
        return found
