"""Endpoints for inference components, and models to put on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.shop import Shop, hosts

from mlref.artifact import Artifact


@pytest.fixture
def open_shop(account: Any) -> Iterator[Callable[..., Shop]]:
    """Makes endpoints for components; whatever is on them is deleted after the test."""
    made: list[Shop] = []

    def make(**variant: Any) -> Shop:
        made.append(Shop(account, account.endpoint(hosts(account, **variant))))
        return made[-1]

    yield make
    for shop in made:
        for name in shop.names():
            shop.told(name)
            shop.delete(name)
        account.remove(shop.endpoint)


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    """One instance with two cores and 8 GiB."""
    return open_shop()


@pytest.fixture(scope="module")
def colour(account: Any, colours: Artifact) -> str:
    """A model."""
    return str(account.model(colours))


@pytest.fixture(scope="module")
def sugar(account: Any, diabetes: Any) -> str:
    """Another model."""
    return str(account.model(diabetes.artifact))
