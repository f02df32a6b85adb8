"""constraints.json: what rows must be like.

The classes are those of `mlref.drift.documents.constraints`: the analyzer that suggests and checks
them runs without AWS.
"""

from __future__ import annotations

from mlref.drift.documents.codec import dump, parse
from mlref.drift.documents.constraints import (
    Constraints,
    DistributionConstraints,
    DistributionOverrides,
    FeatureConstraints,
    MonitoringConfig,
    MonitoringOverrides,
    NumConstraints,
    StringConstraints,
    Switch,
)

__all__ = [
    "FILE",
    "Constraints",
    "DistributionConstraints",
    "DistributionOverrides",
    "FeatureConstraints",
    "MonitoringConfig",
    "MonitoringOverrides",
    "NumConstraints",
    "StringConstraints",
    "Switch",
    "dump",
    "load",
]

FILE = "constraints.json"
"""The file's name, under the prefix of a job's output."""


def load(content: bytes | str, *, file: str = FILE) -> Constraints:
    """The constraints in a file.

    Args:
        content: of the file.
        file: its name or address, for messages.

    Raises:
        CloudFileError: they cannot be read; names the field.
    """
    return parse(Constraints, content, file=file)
