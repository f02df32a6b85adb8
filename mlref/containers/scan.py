"""What is in an image: parts, secrets, who is root, what is wrong with its recipe.

    report = scan("mlref-flights:1.0.0-minimal")
    report                       # findings as a table, the gravest first
    report.sbom["components"]    # CycloneDX, what vulnerability scanners read

No vulnerability is looked up here: that needs a database that changes daily. Give the bill of
materials to a scanner for it: `trivy sbom FILE`, `grype sbom:FILE` or `osv-scanner scan -L FILE`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from mlref.containers.image_files import open_image
from mlref.containers.images import Image
from mlref.containers.leaks import leak_findings
from mlref.containers.lint import Finding, Level, lint
from mlref.containers.privileges import privilege_findings
from mlref.containers.sbom import sbom_of
from mlref.tables import Table

__all__ = ["ScanReport", "by_level", "scan"]


@dataclass(frozen=True, kw_only=True)
class ScanReport:
    """What was found in an image.

    Attributes:
        name: of the image.
        digest: of the image.
        findings: the gravest first.
        sbom: its bill of materials, a CycloneDX document.
    """

    name: str
    digest: str
    findings: tuple[Finding, ...]
    sbom: dict[str, Any]

    @property
    def components(self) -> dict[str, int]:
        """How many parts of each kind it has, most first, for instance {"library": 29, ...}."""
        return dict(Counter(each["type"] for each in self.sbom["components"]).most_common())

    def table(self) -> Table:
        """One row for each finding: level, rule, what was found, why it matters, what to do."""
        rows = [
            (each.level, each.rule, each.found, each.why, each.advice) for each in self.findings
        ]
        return Table(("level", "rule", "found", "why it matters", "what to do"), tuple(rows))

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def scan(image: Image | str, *, dockerfile: str | os.PathLike[str] | None = None) -> ScanReport:
    """A report on an image, without running it.

    Args:
        image: its name, its digest, or the result of `build`.
        dockerfile: its recipe, to be examined by hadolint, too; None leaves that out.

    Raises:
        DockerUnavailableError: there is no daemon.
        MissingExtraError: the extra "cluster" is not installed.
        ContainerError: the daemon has no such image, or the recipe cannot be read.
    """
    recipe = () if dockerfile is None else lint(dockerfile)
    with open_image(image) as files:
        return ScanReport(
            name=files.name,
            digest=files.digest,
            findings=by_level([*leak_findings(files), *privilege_findings(files), *recipe]),
            sbom=sbom_of(files),
        )


def by_level(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest first; what is as grave stays in its order.

    Args:
        findings: in any order.
    """
    return tuple(sorted(findings, key=lambda each: get_args(Level).index(each.level)))
