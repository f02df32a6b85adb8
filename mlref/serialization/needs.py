"""Which installed distributions a set of imported modules comes from, and how much disk they take.

Measured, not written by hand: a fresh process in which nothing else can be imported (`others`)
loads the model and lists `sys.modules`; `distributions` looks those modules up in the records of
what is installed. Without the first, libraries would count that others import just because they
happen to lie there, such as pytest.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import PurePath

__all__ = ["Needs", "distributions", "others"]

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True)
class Needs:
    """The distributions that were imported.

    Attributes:
        names: all of them, sorted.
        chosen: what a person would write down: those asked for by name, or, when none was, those
            that no other one of them requires.
        size_bytes: the disk space of all of them, as their records of installed files tell.
    """

    names: tuple[str, ...]
    chosen: tuple[str, ...]
    size_bytes: int

    def __str__(self) -> str:
        """Those to write down, and how many more they bring."""
        more = len(self.names) - len(self.chosen)
        return ", ".join(self.chosen) + (f" (+{more})" if more else "")


def distributions(
    modules: Mapping[str, str], path: Sequence[str], *, named: Sequence[str] = ()
) -> Needs:
    """The distributions that the modules come from.

    Args:
        modules: module name -> its file, "" where it has none.
        path: the `sys.path` of the process that imported them, of whatever environment.
        named: the distributions that somebody asked for.

    Returns:
        The needs. The standard library is none; a module that no distribution owns (a checkout on
        the path) counts as a distribution of its own name, of size 0.
    """
    owners, installed = _installed(tuple(path))
    names: set[str] = set()
    with_file = {name: file for name, file in modules.items() if file}
    for top in {name.partition(".")[0] for name in with_file}:
        found = owners.get(top, ())
        if len(found) > 1:  # several share a namespace: whose files are these?
            parts = [file for name, file in with_file.items() if name.partition(".")[0] == top]
            found = tuple(n for n in found if _owns(installed[n], parts)) or found
        if found:
            names.update(found)
        elif top not in sys.stdlib_module_names and not top.startswith("_"):
            names.add(top)
    asked = {_canonical(name) for name in named}
    required = set().union(*(_requires(installed[n]) for n in names if n in installed))
    return Needs(
        names=tuple(sorted(names)),
        chosen=tuple(sorted(asked & names if asked else names - required)),
        size_bytes=sum(_size_bytes(installed[n]) for n in names if n in installed),
    )


def others(names: Sequence[str], path: Sequence[str]) -> tuple[str, ...]:
    """The top-level modules that would not be there if only some distributions were installed.

    Args:
        names: the distributions; what they require is installed with them.
        path: where everything is installed, a `sys.path`.

    Returns:
        Sorted names; those of the standard library and of a checkout on the path are not among
        them.
    """
    owners, installed = _installed(tuple(path))
    wanted, waiting = set[str](), [_canonical(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += _requires(installed[name]) if name in installed else ()
    return tuple(sorted(top for top, holders in owners.items() if not wanted & set(holders)))


@functools.cache
def _installed(
    path: tuple[str, ...],
) -> tuple[dict[str, tuple[str, ...]], dict[str, metadata.Distribution]]:
    """Top-level module -> its distributions, and each distribution by its canonical name."""
    installed: dict[str, metadata.Distribution] = {}
    owners: dict[str, set[str]] = {}
    for each in metadata.distributions(path=[entry for entry in path if entry]):
        name = _canonical(each.metadata["Name"])
        if name in installed:
            continue
        installed[name] = each
        for top in _tops(each):
            owners.setdefault(top, set()).add(name)
    return {top: tuple(sorted(names)) for top, names in owners.items()}, installed


def _tops(each: metadata.Distribution) -> set[str]:
    declared = (each.read_text("top_level.txt") or "").split()
    if declared:
        return set(declared)
    modules = (file for file in each.files or () if file.suffix in {".py", ".so", ".pyd"})
    return {file.parts[0].partition(".")[0] for file in modules}


def _owns(each: metadata.Distribution, modules: Sequence[str]) -> bool:
    ours = {PurePath(file).parts for file in each.files or ()}
    return any(PurePath(m).parts[-len(f) :] == f for m in modules for f in ours)


def _requires(each: metadata.Distribution) -> set[str]:
    plain = (text for text in each.requires or () if "extra" not in text.partition(";")[2])
    found = (_REQUIREMENT.match(text) for text in plain)
    return {_canonical(match.group(1)) for match in found if match}


def _size_bytes(each: metadata.Distribution) -> int:
    return sum(file.size or 0 for file in each.files or ())


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
