"""A local AWS for the whole run, clients that speak to it, and what a model needs there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import boto3
import pytest
from botocore.config import Config
from support.local_account import model_tar, trusted_role
from support.waiting import until

from mlref.artifact import Artifact
from mlref.aws.local.cloud import Cloud, start

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlref:1.0.0"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
_numbers = itertools.count(1)


@dataclass
class Account:
    """Clients of a local AWS, and short ways to what tests need.

    Attributes:
        cloud: the local AWS.
        bucket: that is there.
    """

    cloud: Cloud
    bucket: str = "models"
    _clients: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, service: str) -> Any:
        """A client, by the service's name with underscores."""
        if service.startswith("_"):
            raise AttributeError(service)
        if service not in self._clients:
            self._clients[service] = self.client(service.replace("_", "-"))
        return self._clients[service]

    def client(self, service: str, *, retries: int = 2, **more: Any) -> Any:
        """A client that tries again so often, and has more settings of botocore's."""
        config = Config(retries={"mode": "standard", "total_max_attempts": retries + 1}, **more)
        return boto3.client(
            service,
            endpoint_url=self.cloud.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the local AWS takes any
            config=config,
        )

    def furnished(self) -> Self:
        """The same, with the bucket, and the role that models have."""
        self.s3.create_bucket(Bucket=self.bucket)
        assert trusted_role(self.iam, "sagemaker") == ROLE
        return self

    def name(self, what: str) -> str:
        """A name that nobody has."""
        return f"{what}-{next(_numbers)}"

    def model(self, artifact: Artifact, **container: Any) -> str:
        """A model that serves an artefact; returns its name."""
        key = f"{artifact.digest}/model.tar.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=model_tar(artifact.folder))
        return self.model_at(f"s3://{self.bucket}/{key}", **container)

    def model_at(self, uri: str, **container: Any) -> str:
        """A model with model data that is there already; returns its name."""
        name = self.name("model")
        primary = {"Image": IMAGE, "ModelDataUrl": uri, **container}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=primary)
        return name

    def config(self, *models: str, variants: dict[str, Any] | None = None, **more: Any) -> str:
        """A configuration with a variant (A, B ...) of each model; returns its name."""
        name = self.name("config")
        listed = [
            {
                "VariantName": letter,
                "ModelName": model,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
                **(variants or {}).get(letter, {}),
            }
            for letter, model in zip("ABCDEFGH", models, strict=False)
        ]
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=listed, **more
        )
        return name

    def endpoint(self, config: str, *, wait: bool = True) -> str:
        """An endpoint that is in service; returns its name."""
        name = self.name("endpoint")
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        if wait:
            assert self.settled(name)["EndpointStatus"] == "InService"
        return name

    def settled(self, endpoint: str) -> dict[str, Any]:
        """What DescribeEndpoint tells when nothing is under way any more."""
        busy = {"Creating", "Updating", "RollingBack"}

        def found() -> dict[str, Any] | None:
            told = self.sagemaker.describe_endpoint(EndpointName=endpoint)
            return None if told["EndpointStatus"] in busy else told

        return until(found)

    def now(self) -> datetime:
        """What time it is there."""
        return datetime.fromisoformat(self.cloud.status()["now"])

    def remove(self, endpoint: str) -> None:
        """Delete an endpoint."""
        self.sagemaker.delete_endpoint(EndpointName=endpoint)


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """A local AWS with a bucket, and clients for it."""
    with start(seed=0) as cloud:
        yield Account(cloud).furnished()


@pytest.fixture
def endpoint_of(account: Account) -> Iterator[Callable[..., str]]:
    """Makes endpoints, which are deleted after the test."""
    made: list[str] = []

    def make(config: str, **options: Any) -> str:
        made.append(account.endpoint(config, **options))
        return made[-1]

    yield make
    for name in made:
        account.settled(name)
        account.remove(name)
