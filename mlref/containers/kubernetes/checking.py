"""All checks of a folder at once, and what they found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlref.containers.kubernetes.building import build
from mlref.containers.kubernetes.objects import Object, Violation, name_of
from mlref.containers.kubernetes.policy import check_policy
from mlref.containers.kubernetes.schemas import check_schema
from mlref.containers.kubernetes.versions import CHECKED
from mlref.errors import ManifestError
from mlref.runtime.lazy import extra
from mlref.tables import Table

__all__ = ["Report", "check", "parse", "validate"]

_KUSTOMIZE = "kustomize.config.k8s.io/"


@dataclass(frozen=True)
class Report:
    """What some objects are, and what is wrong with them.

    Attributes:
        objects: kind and name of each.
        versions: of Kubernetes, whose schemas they were checked against.
        violations: what is wrong; empty if nothing is.
    """

    objects: tuple[str, ...]
    versions: tuple[str, ...]
    violations: tuple[Violation, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.violations

    def require_good(self) -> None:
        """Do nothing if nothing is wrong.

        Raises:
            ManifestError: something is; the message lists all of it.
        """
        if self.violations:
            raise ManifestError("\n".join([str(self).splitlines()[0], *map(str, self.violations)]))

    def table(self) -> Table:
        """A row for each object: what is wrong with it."""
        rows = []
        for name in self.objects:
            mine = [each for each in self.violations if each.object == name]
            rows += [(name, each.rule, each.message) for each in mine] or [(name, "-", "good")]
        return Table(("object", "rule", "finding"), tuple(rows))

    def __str__(self) -> str:
        """The verdict in a line, then each violation in a line."""
        found = len(self.violations)
        verdict = "nothing is wrong" if not found else f"{found} wrong"
        against = f"Kubernetes {', '.join(self.versions)}"
        lines = [f"{len(self.objects)} objects, {against}: {verdict}"]
        return "\n".join([*lines, *(f"  {each}" for each in self.violations)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def validate(folder: str | os.PathLike[str], *, versions: Sequence[str] = CHECKED) -> Report:
    """Build a folder with kustomize, and check what comes out: schema first, then policy.

    Args:
        folder: with a kustomization.yaml.
        versions: of Kubernetes, whose schemas count.

    Raises:
        ManifestError: the folder cannot be built, or there is no schema of a version.
        MissingExtraError: a part of the extra "cluster" or "serve" is not installed.
    """
    return check(build(Path(folder)), versions=versions)


def check(objects: Iterable[Object], *, versions: Sequence[str] = CHECKED) -> Report:
    """Check objects that are at hand. No kubectl is needed.

    Where a schema finds something, the policy is not asked: it may rely on fields being there.

    Args:
        objects: as `build` or `parse` gives them.
        versions: of Kubernetes, whose schemas count.

    Raises:
        ManifestError: there is no schema of a version.
        MissingExtraError: a part of the extra "cluster" or "serve" is not installed.
    """
    every = list(objects)
    found = [each for version in versions for each in check_schema(every, version)]
    names = tuple(name_of(each) for each in every)
    return Report(names, tuple(versions), tuple(found or check_policy(every)))


def parse(files: Mapping[str, str]) -> list[dict[str, Any]]:
    """The objects in files as `render` gives them, kustomize's own left out.

    Raises:
        ManifestError: a file is not YAML, or holds something else than objects.
        MissingExtraError: PyYAML is not installed.
    """
    with extra("cluster"):
        import yaml

    found = []
    for name, text in files.items():
        try:
            documents = [each for each in yaml.safe_load_all(text) if each is not None]
        except yaml.YAMLError as error:
            raise ManifestError(f"{name} is not YAML: {error}") from error
        for each in documents:
            if not isinstance(each, dict):
                wanted = f"{name} must hold objects, which have apiVersion and kind, got"
                raise ManifestError(f"{wanted} {type(each).__name__}; mend or leave out the file")
        found += [each for each in documents if not _is_kustomize(each)]
    return found


def _is_kustomize(document: Any) -> bool:
    return str(document.get("apiVersion", "")).startswith(_KUSTOMIZE)
