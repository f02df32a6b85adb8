"""Optional dependencies: import them where they are used, and say what to install if absent.

    with extra("train"):
        import pandas as pd

When pandas is absent this raises `MissingExtraError`, whose message ends in the command that brings
it: pip install "mlref[train]". `installed` asks beforehand, without importing anything, and
`version_of` tells which version it would be.
"""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING

from mlref.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["extra", "installed", "version_of"]


@contextmanager
def extra(name: str) -> Iterator[None]:
    """A block whose imports come with one of mlref's extras.

    Only the absence of somebody else's module is translated. An error inside an installed library,
    a missing part of mlref itself, and a module that this Python was built without pass through
    unchanged, because no `pip install` would cure them.

    Args:
        name: the extra that brings what the block imports, for instance "train".

    Raises:
        MissingExtraError: a module is not installed; its `name` attribute tells which.

    >>> with extra("train"):  # doctest: +ELLIPSIS
    ...     import no_such_module
    Traceback (most recent call last):
    mlref.errors.MissingExtraError: no_such_module is not installed; ... pip install "mlref[train]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        top = (error.name or "").partition(".")[0]
        if not top or top == "mlref" or top in sys.stdlib_module_names:
            raise
        raise MissingExtraError(
            f"{error.name} is not installed; it comes with the extra {name!r}: "
            f'pip install "mlref[{name}]"',
            name=error.name,
        ) from error


def installed(module: str) -> bool:
    """Whether a top-level module could be imported; nothing is imported to find out.

    A mere folder of that name in the working directory does not count.

    Args:
        module: a name without dots, for instance "pandas".

    Raises:
        ValueError: the name has dots; looking into a package would import it.

    >>> installed("json"), installed("no_such_module")
    (True, False)
    """
    if not module.isidentifier():
        raise ValueError(
            f"module must be a top-level name, got {module!r}; "
            f"pass {module.partition('.')[0]!r}, the package that holds it"
        )
    try:
        spec = importlib.util.find_spec(module)
    except ValueError:  # imported already, by other means than a file
        return True
    return spec is not None and spec.origin is not None


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution, or None where it is not installed.

    Args:
        distribution: the name that pip uses, for instance "scikit-learn"; not the module's.

    >>> version_of("no-such-distribution") is None
    True
    """
    try:
        return metadata.version(distribution)
    except (metadata.PackageNotFoundError, ValueError):  # the latter for ""
        return None
