"""Roles, and a model in a bucket of its own that they may or may not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.local_account import model_tar
from support.roles import IMAGE, Roles


@pytest.fixture(scope="module")
def roles(account: Any) -> Roles:
    """For roles."""
    return Roles(account)


@pytest.fixture(scope="module")
def model_uri(account: Any, diabetes: Any) -> str:
    """Where model data lies in a bucket of its own."""
    account.s3.create_bucket(Bucket="guarded")
    account.s3.put_object(
        Bucket="guarded", Key="a/model.tar.gz", Body=model_tar(diabetes.artifact.folder)
    )
    return "s3://guarded/a/model.tar.gz"


@pytest.fixture(scope="module")
def create(account: Any) -> Callable[..., str]:
    """Makes a model in a role; returns its name."""

    def make(role: str, uri: str) -> str:
        name = str(account.name("guarded"))
        account.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=role,
            PrimaryContainer={"Image": IMAGE, "ModelDataUrl": uri},
        )
        return name

    return make
