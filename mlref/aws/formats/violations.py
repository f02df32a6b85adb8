"""constraint_violations.json: where rows were not what they must be.

The classes are those of `mlref.drift.documents.violations`: the analyzer that finds them runs
without AWS.
"""

from __future__ import annotations

from mlref.drift.documents.codec import dump, parse
from mlref.drift.documents.violations import CheckType, Violation, Violations

__all__ = ["FILE", "CheckType", "Violation", "Violations", "dump", "load"]

FILE = "constraint_violations.json"
"""The file's name, under the prefix of a job's output; AWS's pages on containers of one's own also
spell it constraints_violations.json."""


def load(content: bytes | str, *, file: str = FILE) -> Violations:
    """The violations in a file.

    Args:
        content: of the file.
        file: its name or address, for messages.

    Raises:
        CloudFileError: they cannot be read; names the field.
    """
    return parse(Violations, content, file=file)
