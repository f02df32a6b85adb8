"""The optional parts of mlref: what each lacks here, what it unlocks, and how to get it.

The answer comes from mlref's own metadata; nothing is imported to find out. Where mlref runs
without being installed, there is no metadata, and no extra is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata

from mlref import resources
from mlref.errors import MissingExtraError
from mlref.runtime import lazy

__all__ = ["Extra", "all_extras", "command", "missing", "require", "requirements"]

UNLOCKS = {
    "train": "the flights data, training the models",
    "serve": "the model server and its client",
    "simd": "large matrices read four times faster",
    "lambda": "the model as an AWS Lambda function",
    "redis": "a response cache that servers share",
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
_APART = "tensorflow"  # in a checkout it has an environment of its own


@dataclass(frozen=True, kw_only=True)
class Extra:
    """One optional part of mlref."""

    name: str
    missing: tuple[str, ...]  # distributions that are absent, or of a version out of range
    unlocks: str
    command: str  # how to get it


def requirements() -> list[str]:
    """What mlref's metadata asks for; empty when it runs without being installed."""
    try:
        return metadata.requires("mlref") or []
    except metadata.PackageNotFoundError:
        return []


def all_extras(
    lines: Sequence[str], version_of: Callable[[str], str | None] = lazy.version_of
) -> list[Extra]:
    """Each extra of some requirements, with what it lacks.

    Args:
        lines: requirements as `importlib.metadata.requires` gives them.
        version_of: tells a distribution's installed version, or None.

    >>> all_extras(['absent>=1; extra == "train"'])[0].missing
    ('absent',)
    """
    names = sorted({name for line in lines for name in _extras_in(line)} - _GROUPS)
    order = list(UNLOCKS)
    names.sort(key=lambda name: order.index(name) if name in order else len(order))
    return [
        Extra(
            name=name,
            missing=tuple(missing(lines, name, version_of)),
            unlocks=UNLOCKS.get(name, ""),
            command=command([name]),
        )
        for name in names
    ]


def missing(
    lines: Sequence[str], extra: str, version_of: Callable[[str], str | None] = lazy.version_of
) -> list[str]:
    """What one extra asks for and is not there, or is there in a version out of range.

    Args:
        lines: requirements as `importlib.metadata.requires` gives them.
        extra: the extra's name; "" stands for the core.
        version_of: tells a distribution's installed version, or None.
    """
    from packaging.requirements import Requirement

    found = []
    for line in lines:
        requirement = Requirement(line)
        wanted = _extras_in(line) == ({extra} if extra else set())
        marker = requirement.marker
        if not wanted or (marker is not None and not marker.evaluate({"extra": extra})):
            continue
        version = version_of(requirement.name)
        if version is None:
            found.append(requirement.name)
        elif not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement.name} {version} (needs {requirement.specifier})")
    return found


def _extras_in(line: str) -> set[str]:
    """The extras that a requirement's marker names."""
    return set(re.findall(r"extra\s*==\s*['\"]([^'\"]+)['\"]", line))


def command(names: Iterable[str]) -> str:
    """The one command that brings some extras; in a checkout, it is to be typed there.

    Args:
        names: extras, in any order. In a checkout, TensorFlow must be asked for alone: it gets an
            environment of its own.

    Raises:
        ValueError: in a checkout, TensorFlow is among others.
    """
    wanted = sorted(set(names))
    if resources.checkout() is None:
        return f'pip install "mlref[{",".join(wanted)}]"'
    if wanted == [_APART]:
        return f"make {_APART}"
    if _APART in wanted:
        raise ValueError(f"ask for {_APART} alone, got {', '.join(wanted)}")
    return f'pip install -e ".[{",".join(wanted)}]"'


def require(
    names: Iterable[str],
    lines: Sequence[str] | None = None,
    version_of: Callable[[str], str | None] = lazy.version_of,
) -> None:
    """Return if all of some extras are installed.

    Args:
        names: extras, in any order.
        lines: requirements; None means mlref's own.
        version_of: tells a distribution's installed version, or None.

    Raises:
        MissingExtraError: the message lists what each extra lacks, and the one command that brings
            it all.
    """
    asked = requirements() if lines is None else lines
    lacking = {
        name: found for name in sorted(set(names)) if (found := missing(asked, name, version_of))
    }
    if not lacking:
        return
    listed = "\n".join(f"  {name}: {', '.join(found)}" for name, found in lacking.items())
    how = command(lacking)
    if resources.checkout() is not None:
        how = f"make run, or {how}"
    raise MissingExtraError(f"these extras are not installed:\n{listed}\nget them all: {how}")
