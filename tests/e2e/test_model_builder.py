"""The SDK's ModelBuilder, in the mode SAGEMAKER_ENDPOINT, deploys on the local AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.local_account import IMAGE, TRUST, LocalAccount
from support.waiting import until

from mlref.artifact import TOLERANCE
from mlref.aws.sdk import patch_sdk

pytestmark = [  # what the SDK does among its own packages
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


@pytest.fixture(scope="module")
def account(aws_environment: LocalAccount) -> Iterator[LocalAccount]:
    """A local AWS, and the SDK's clients made for it: nothing but the environment and one call."""
    with patch_sdk():
        yield aws_environment


@pytest.fixture
def build(account: LocalAccount) -> Any:
    """Builds a model; returns the builder."""
    from sagemaker.serve import ModelBuilder
    from sagemaker.serve.mode.function_pointers import Mode

    def call(name: str, **more: Any) -> Any:
        builder = ModelBuilder(
            image_uri=IMAGE,
            s3_model_data_url=account.model_data,
            mode=Mode.SAGEMAKER_ENDPOINT,
            **{"role_arn": account.role, **more},
        )
        assert builder.build(model_name=name).model_name == name
        return builder

    return call


def _in_service(account: LocalAccount, endpoint: Any) -> Any:
    """The endpoint, when it answers; the SDK's own wait looks every half minute."""
    sagemaker = account.client("sagemaker")
    name = endpoint.endpoint_name

    def status() -> bool:
        told = sagemaker.describe_endpoint(EndpointName=name)
        assert told["EndpointStatus"] != "Failed", told
        return bool(told["EndpointStatus"] == "InService")

    until(status)
    endpoint.refresh()
    assert endpoint.endpoint_status == "InService"
    return endpoint


def _is_right(account: LocalAccount, endpoint: Any) -> None:
    """It answers the golden rows as the artefact does."""
    reply = endpoint.invoke(body=account.request, content_type="application/json")
    got = np.array(json.loads(reply.body.read())["predictions"])
    np.testing.assert_allclose(got, account.artifact.golden.predictions, rtol=0, atol=TOLERANCE)


def test_a_model_is_built_and_deployed(account: LocalAccount, build: Any) -> None:
    """On an instance; the model in it is the one in S3, under the names that were asked for."""
    builder = build("built")
    made = builder.deploy(
        endpoint_name="built-endpoint",
        instance_type="ml.m5.large",
        initial_instance_count=1,
        wait=False,
    )
    endpoint = _in_service(account, made)
    assert endpoint.endpoint_name == "built-endpoint"
    _is_right(account, endpoint)
    sagemaker = account.client("sagemaker")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint.endpoint_config_name)
    (variant,) = config["ProductionVariants"]
    assert (variant["ModelName"], variant["InstanceType"]) == ("built", "ml.m5.large")
    endpoint.delete()


def test_a_model_is_deployed_serverless(account: LocalAccount, build: Any) -> None:
    """By an inference_config, as the SDK has it."""
    from sagemaker.core.inference_config import ServerlessInferenceConfig

    kind = ServerlessInferenceConfig(memory_size_in_mb=2048, max_concurrency=2)
    made = build("serverless-built").deploy(
        endpoint_name="serverless-endpoint", inference_config=kind, wait=False
    )
    endpoint = _in_service(account, made)
    _is_right(account, endpoint)
    endpoint.delete()


def test_a_role_is_simulated_before_anything_is_made(account: LocalAccount, build: Any) -> None:
    """The SDK asks SimulatePrincipalPolicy: a role that lacks S3, and one that is not there."""
    from sagemaker.core.helper.iam_role_resolver import RoleValidationError

    iam = account.client("iam")
    made = iam.create_role(RoleName="poor", AssumeRolePolicyDocument=json.dumps(TRUST))
    for role in (made["Role"]["Arn"], "arn:aws:iam::123456789012:role/nobody"):
        with pytest.raises(RoleValidationError, match="cannot be used for 'serving' workloads"):
            build("never", role_arn=role)
    models = account.client("sagemaker").list_models(NameContains="never")["Models"]
    assert models == []
