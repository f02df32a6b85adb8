"""One local AWS for all clients that we did not write, and the environment that they get."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.local_account import LocalAccount, prepared

from mlref.artifact import Artifact
from mlref.aws.local.cloud import start


@pytest.fixture(scope="session")
def local_account(colours: Artifact) -> Iterator[LocalAccount]:
    """A local AWS with a role, a bucket and a model in it."""
    with start(seed=0) as cloud:
        yield prepared(cloud.url, colours)


@pytest.fixture(scope="module")
def aws_environment(local_account: LocalAccount) -> Iterator[LocalAccount]:
    """The local AWS, which the environment of this process leads to: four variables, no more."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
            patch.delenv(name, raising=False)
        for name, value in local_account.environment.items():
            patch.setenv(name, value)
        yield local_account
