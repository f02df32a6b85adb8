"""Where rows were not what they must be: the file constraint_violations.json.

Source: the Amazon SageMaker Developer Guide, "Schema for Violations (constraint_violations.json
file)".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mlref.drift.documents.codec import Extra

__all__ = ["CheckType", "Violation", "Violations"]

CheckType = Literal[
    "data_type_check",
    "completeness_check",
    "baseline_drift_check",
    "missing_column_check",
    "extra_column_check",
    "categorical_values_check",
]
"""What can be found."""


@dataclass(frozen=True)
class Violation:
    """One of them.

    Attributes:
        feature_name: the column; "Missing columns" and "Extra columns" where it is none.
        constraint_check_type: what was checked.
        description: what was expected and what was found.
        extra: whatever else the file says.
    """

    feature_name: str
    constraint_check_type: CheckType
    description: str
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class Violations:
    """The whole file.

    Attributes:
        violations: all of them.
        extra: whatever else the file says.
    """

    violations: tuple[Violation, ...]
    extra: Extra = field(default_factory=dict)
