"""Every target times every model, each pair deployed once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mlref import targets

PARTS = {"container": "docker"}  # target -> what MLREF_REQUIRE calls what it needs
MODELS = ("digits", "diabetes", "champion")


@pytest.fixture(scope="session", params=targets.all_targets(), ids=lambda target: target.name)
def target(request: pytest.FixtureRequest) -> targets.Target:
    """A place where models run, if it can run here."""
    found: targets.Target = request.param
    reason = found.available()
    if reason is not None:
        part = PARTS.get(found.name, found.name)
        required = part in os.environ.get("MLREF_REQUIRE", "").split(",")
        (pytest.fail if required else pytest.skip)(f"{found.name}: {reason}")
    return found


@pytest.fixture(scope="session", params=MODELS)
def case(request: pytest.FixtureRequest) -> Any:
    """A model with rows and the original's predictions."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def deployed() -> Iterator[dict[tuple[str, str], targets.Endpoint]]:
    """The endpoints that tests share, by target and model."""
    endpoints: dict[tuple[str, str], targets.Endpoint] = {}
    with ExitStack() as stack:
        stack.callback(lambda: [endpoint.close() for endpoint in endpoints.values()])
        yield endpoints


@pytest.fixture
def endpoint(
    target: targets.Target, case: Any, deployed: dict[tuple[str, str], targets.Endpoint]
) -> targets.Endpoint:
    """The case's model, deployed at the target."""
    key = (target.name, case.artifact.manifest.name)
    if key not in deployed:
        deployed[key] = target.deploy(case.artifact)
    return deployed[key]
