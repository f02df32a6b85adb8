"""The SDK's own resources (`sagemaker.core`) speak to the local AWS, which they know nothing of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.local_account import IMAGE, LocalAccount

from mlref.artifact import TOLERANCE
from mlref.aws.sdk import patch_sdk

LIMIT_S = 120


@pytest.fixture(scope="module")
def account(aws_environment: LocalAccount) -> Iterator[LocalAccount]:
    """A local AWS, and the SDK's clients made for it."""
    with patch_sdk():
        yield aws_environment


def _model(account: LocalAccount, name: str, **more: Any) -> Any:
    from sagemaker.core.resources import Model
    from sagemaker.core.shapes import ContainerDefinition

    container = ContainerDefinition(image=IMAGE, model_data_url=account.model_data, **more)
    return Model.create(
        model_name=name, execution_role_arn=account.role, primary_container=container
    )


def _config(name: str, **models: Any) -> Any:
    from sagemaker.core.resources import EndpointConfig
    from sagemaker.core.shapes import ProductionVariant

    return EndpointConfig.create(
        endpoint_config_name=name,
        production_variants=[
            ProductionVariant(
                variant_name=variant,
                model_name=model,
                instance_type="ml.m5.large",
                initial_instance_count=1,
                initial_variant_weight=1.0,
            )
            for variant, model in models.items()
        ],
    )


def _answer(account: LocalAccount, endpoint: Any, **more: Any) -> Any:
    return endpoint.invoke(body=account.request, content_type="application/json", **more)


def test_an_endpoint_is_made_asked_updated_and_deleted(account: LocalAccount) -> None:
    """Each resource is created, found, listed, changed and gone; the answers are the model's."""
    from sagemaker.core.resources import Endpoint, EndpointConfig, Model
    from sagemaker.core.shapes import DesiredWeightAndCapacity

    model = _model(account, "core-model", environment={"SOME": "thing"})
    assert model.model_arn.endswith(":model/core-model")
    assert Model.get("core-model").primary_container.environment == {"SOME": "thing"}
    assert "core-model" in [each.model_name for each in Model.get_all(name_contains="core")]

    config = _config("core-one", A=model)
    endpoint = Endpoint.create(endpoint_name="core", endpoint_config_name=config)
    endpoint.wait_for_status("InService", poll=1, timeout=LIMIT_S)
    assert endpoint.production_variants[0].current_instance_count == 1
    answer = _answer(account, endpoint)
    assert answer.invoked_production_variant == "A"
    body = json.loads(answer.body.read())
    expected = account.artifact.golden.predictions
    np.testing.assert_allclose(body["predictions"], expected, atol=TOLERANCE)

    endpoint.endpoint_config_name = _config("core-two", B=model, C=model).endpoint_config_name
    endpoint.update()
    endpoint.wait_for_status("InService", poll=1, timeout=LIMIT_S)
    assert endpoint.endpoint_config_name == "core-two"
    assert _answer(account, endpoint, target_variant="C").invoked_production_variant == "C"
    found = Endpoint.get("core")
    assert [each.variant_name for each in found.production_variants] == ["B", "C"]
    named = Endpoint.get_all(status_equals="InService", name_contains="core")
    assert [each.endpoint_name for each in named] == ["core"]

    endpoint.update_weights_and_capacities(
        [DesiredWeightAndCapacity(variant_name="C", desired_weight=3.0)]  # it leaves out a 0
    )
    endpoint.wait_for_status("InService", poll=1, timeout=LIMIT_S)
    assert [each.current_weight for each in endpoint.production_variants] == [1.0, 3.0]
    assert {_answer(account, endpoint).invoked_production_variant for _ in range(60)} == {"B", "C"}

    endpoint.delete()
    endpoint.wait_for_delete(poll=1, timeout=LIMIT_S)
    for name in ("core-one", "core-two"):
        EndpointConfig.get(name).delete()
    model.delete()
    for kind in (Endpoint, EndpointConfig, Model):
        assert not list(kind.get_all(name_contains="core"))


def test_what_is_refused_is_told_as_the_sdk_tells_it(account: LocalAccount) -> None:
    """AWS's codes, a container that refuses, and an endpoint that fails with its reason."""
    from botocore.exceptions import ClientError
    from sagemaker.core.resources import Endpoint, EndpointConfig, Model
    from sagemaker.core.utils.exceptions import FailedStatusError

    with pytest.raises(ClientError, match=r"ValidationException.*Could not find model"):
        Model.get("nobody")
    with pytest.raises(ClientError, match="Could not find endpoint"):
        Endpoint.get("nobody")
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        Endpoint.create(endpoint_name="nothing", endpoint_config_name="nobody")

    model = _model(account, "wrong-model")
    config = _config("wrong-config", A=model)
    endpoint = Endpoint.create(endpoint_name="wrong", endpoint_config_name=config)
    endpoint.wait_for_status("InService", poll=1, timeout=LIMIT_S)
    with pytest.raises(ClientError) as refused:
        endpoint.invoke(body=b'{"instances": []}', content_type="application/json")
    assert refused.value.response["Error"]["Code"] == "ModelError"
    assert refused.value.response["OriginalStatusCode"] == 422
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        Endpoint.create(endpoint_name="wrong", endpoint_config_name=config)
    EndpointConfig.get("wrong-config").delete()  # the endpoint goes on without it
    assert Endpoint.get("wrong").endpoint_status == "InService"
    endpoint.delete()

    s3 = account.client("s3")
    s3.put_object(Bucket=account.bucket, Key="broken.tar.gz", Body=b"no archive")
    broken = replace(account, model_data=f"s3://{account.bucket}/broken.tar.gz")
    config = _config("broken-config", A=_model(broken, "broken-model"))
    endpoint = Endpoint.create(endpoint_name="broken", endpoint_config_name=config)
    with pytest.raises(FailedStatusError, match=r"broken\.tar\.gz"):
        endpoint.wait_for_status("InService", poll=1, timeout=LIMIT_S)
    endpoint.delete()


def _packages(account: LocalAccount, group: str, commits: list[str]) -> list[str]:
    """ARNs of versions in a group.

    Made with boto3: the SDK's `ModelPackage.create` looks for a ModelPackageName in the response,
    and its `get_all` for one in a list of versions; AWS sends neither.
    """
    client = account.client("sagemaker")
    specification = {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": account.model_data}],
        "SupportedContentTypes": ["application/json"],
        "SupportedResponseMIMETypes": ["application/json"],
    }
    return [
        client.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus="PendingManualApproval",
            CustomerMetadataProperties={"git": commit},
            InferenceSpecification=specification,
        )["ModelPackageArn"]
        for commit in commits
    ]


def test_a_model_is_registered_approved_and_deployed(account: LocalAccount) -> None:
    """A version waits for approval; only then a model is made of it, which answers as packed."""
    from botocore.exceptions import ClientError
    from sagemaker.core.resources import Endpoint, Model, ModelPackage, ModelPackageGroup
    from sagemaker.core.shapes import ContainerDefinition

    group = ModelPackageGroup.create(
        model_package_group_name="core-group", model_package_group_description="prices"
    )
    group.wait_for_status("Completed", poll=1, timeout=LIMIT_S)
    assert ModelPackageGroup.get("core-group").model_package_group_description == "prices"
    first, second = map(ModelPackage.get, _packages(account, "core-group", ["abc", "def"]))
    first.wait_for_status("Completed", poll=1, timeout=LIMIT_S)
    assert (first.model_package_version, second.model_package_version) == (1, 2)
    assert first.customer_metadata_properties == {"git": "abc"}

    def made(package: Any) -> Any:
        return Model.create(
            model_name="core-packaged",
            execution_role_arn=account.role,
            primary_container=ContainerDefinition(model_package_name=package.model_package_arn),
        )

    with pytest.raises(ClientError, match=r"ValidationException.*PendingManualApproval"):
        made(first)
    first.update(model_approval_status="Approved", approval_description="looks right")
    assert ModelPackage.get(first.model_package_arn).model_approval_status == "Approved"

    config = _config("core-packaged", A=made(first))
    endpoint = Endpoint.create(endpoint_name="core-packaged", endpoint_config_name=config)
    endpoint.wait_for_status("InService", poll=1, timeout=LIMIT_S)
    body = json.loads(_answer(account, endpoint).body.read())
    expected = account.artifact.golden.predictions
    np.testing.assert_allclose(body["predictions"], expected, atol=TOLERANCE)
    endpoint.delete()

    with pytest.raises(ClientError, match="ConflictException"):
        group.delete()
    for each in (first, second):
        account.client("sagemaker").delete_model_package(ModelPackageName=each.model_package_arn)
    group.delete()
    with pytest.raises(ClientError, match="core-group"):
        ModelPackageGroup.get("core-group")
