"""Where the notebooks, their evidence, the labs, the cards and the deploy files are.

In a checkout they lie beside the package, where people edit them. In an installed wheel they lie
inside it, under mlref/_resources. Whoever asks here need not know which of both it is:

    for path in resources.notebooks():
        print(path.name)

Everything found here is to be read only: an installed package may belong to another user.
"""

from __future__ import annotations

import re
from pathlib import Path

from mlref.errors import ResourceNotFoundError

__all__ = ["KINDS", "checkout", "folder", "notebooks"]

KINDS = {
    "notebooks": "notebooks",
    "evidence": "notebooks/evidence",
    "labs": "labs",
    "deploy": "deploy",
    "cards": "mlref/study/cards",
}
"""Each kind of resource, and its folder in a checkout."""

_PACKAGE = Path(__file__).resolve().parent
_NUMBERED = re.compile(r"\d\d_[a-z0-9_]+\.ipynb")


def checkout() -> Path | None:
    """The root of the checkout that mlref runs from, or None for an installed package."""
    root = _PACKAGE.parent
    is_source = (root / "pyproject.toml").is_file() and not (_PACKAGE / "_resources").is_dir()
    return root if is_source else None


def folder(kind: str) -> Path:
    """The folder of one kind of resource.

    Args:
        kind: one of `KINDS`, for instance "notebooks".

    Raises:
        ResourceNotFoundError: no such kind, or its folder is not there.

    >>> folder("notebooks").name
    'notebooks'
    """
    if kind not in KINDS:
        raise ResourceNotFoundError(f"resource must be one of {', '.join(KINDS)}, got {kind!r}")
    path = _path(kind)
    if not path.is_dir():
        there = ", ".join(name for name in KINDS if _path(name).is_dir()) or "nothing"
        raise ResourceNotFoundError(
            f"{kind} are not in {path}; found: {there}; "
            f"install mlref again, or work in a complete checkout"
        )
    return path


def notebooks(where: Path | None = None) -> list[Path]:
    """The numbered notebooks, NN_topic.ipynb, in order.

    Args:
        where: the folder to look in; None means `folder("notebooks")`.

    Raises:
        ResourceNotFoundError: the folder is not there, or holds no numbered notebook.
    """
    root = folder("notebooks") if where is None else where
    found = sorted(path for path in root.glob("*.ipynb") if _NUMBERED.fullmatch(path.name))
    if not found:
        raise ResourceNotFoundError(
            f"no notebook NN_topic.ipynb in {root}; name a folder that holds some"
        )
    return found


def _path(kind: str) -> Path:
    """Where a kind of resource belongs, whether it is there or not."""
    place = KINDS[kind]
    root = checkout()
    if root is not None:
        return root / place
    if place.startswith("mlref/"):  # part of the package itself, also in a wheel
        return _PACKAGE.parent / place
    return _PACKAGE / "_resources" / place
