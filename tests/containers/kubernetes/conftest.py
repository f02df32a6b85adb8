"""The example's objects, to be broken one thing at a time."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from mlref.containers.kubernetes import EXAMPLE, find_kubectl, parse, render
from mlref.errors import MissingExtraError
from mlref.runtime.lazy import installed

Require = Callable[[str, bool, str], None]
_HOW = 'pip install "mlref[cluster]"'


@pytest.fixture(scope="session")
def schemas(require: Require) -> None:
    """Skip, or fail where it is required, without the schemas of Kubernetes."""
    require("kubernetes", installed("kubernetes_validate"), _HOW)


@pytest.fixture(scope="session")
def kubectl(require: Require) -> None:
    """Skip, or fail where it is required, without kubectl."""
    try:
        found = shutil.which(find_kubectl()) is not None
    except MissingExtraError:
        found = False
    require("kubernetes", found, _HOW)


@pytest.fixture(scope="session")
def rendered() -> list[dict[str, Any]]:
    """All objects of the example; not to be changed."""
    return parse(render(EXAMPLE))


@pytest.fixture
def objects(rendered: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same by kind and name, to be changed at will."""
    return {f"{each['kind']}/{each['metadata']['name']}": copy.deepcopy(each) for each in rendered}
