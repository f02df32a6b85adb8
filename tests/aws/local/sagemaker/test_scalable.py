"""Application Auto Scaling on the running local AWS: it starts and stops real workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.shop import CSV_ROWS, Shop, refused
from support.waiting import until

INSTANCES = "sagemaker:variant:DesiredInstanceCount"
COPIES = "sagemaker:inference-component:DesiredCopyCount"


def _target(resource: str, dimension: str = COPIES) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": resource,
        "ScalableDimension": dimension,
    }


def _tracked(metric: str) -> dict[str, Any]:
    return {
        "PolicyName": "track",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 5.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
        },
    }


def _targets(account: Any, resource: str) -> list[Any]:
    told = account.application_autoscaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[resource]
    )
    return list(told["ScalableTargets"])


def test_copies_follow_the_load(shop: Shop, colour: str) -> None:
    """Twenty calls a minute at a target of five: a second copy; the target goes with it."""
    name = shop.made(colour)
    scaling, target = shop.account.application_autoscaling, _target(f"inference-component/{name}")
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    policy = _tracked("SageMakerInferenceComponentInvocationsPerCopy")
    scaling.put_scaling_policy(**target, **policy)
    for _ in range(8):  # a minute in which time went on by itself may have fewer calls
        for _ in range(20):
            shop.ask(name)
        shop.account.cloud.advance(60)
        if shop.told(name)["RuntimeConfig"]["DesiredCopyCount"] == 2:
            break
    assert shop.told(name)["RuntimeConfig"] == {"DesiredCopyCount": 2, "CurrentCopyCount": 2}
    assert len(_targets(shop.account, target["ResourceId"])) == 1
    shop.delete(name)
    until(lambda: not _targets(shop.account, target["ResourceId"]))


def test_a_target_has_at_least_its_minimum(shop: Shop, colour: str) -> None:
    """Registered with a minimum of two, a component gets its second copy at once."""
    name = shop.made(colour)
    shop.account.application_autoscaling.register_scalable_target(
        **_target(f"inference-component/{name}"), MinCapacity=2, MaxCapacity=2
    )
    assert shop.told(name)["RuntimeConfig"]["CurrentCopyCount"] == 2


def test_instances_follow_the_load(
    account: Any, colour: str, endpoint_of: Callable[..., str]
) -> None:
    """The same for a variant; its target goes with the endpoint."""
    name = endpoint_of(account.config(colour))
    target = _target(f"endpoint/{name}/variant/A", INSTANCES)
    scaling = account.application_autoscaling
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    policy = _tracked("SageMakerVariantInvocationsPerInstance")
    scaling.put_scaling_policy(**target, **policy)
    for _ in range(8):
        for _ in range(20):
            account.sagemaker_runtime.invoke_endpoint(
                EndpointName=name, ContentType="text/csv", Body=CSV_ROWS
            )
        account.cloud.advance(60)
        (variant,) = account.settled(name)["ProductionVariants"]
        if variant["CurrentInstanceCount"] == 2:
            break
    assert variant["CurrentInstanceCount"] == 2


@pytest.mark.parametrize("kind", ["Model", "Copy"])
def test_requests_at_the_same_time_are_followed_within_a_minute(
    account: Any, shop: Shop, colour: str, endpoint_of: Callable[..., str], kind: str
) -> None:
    """One at a time, at a target of a half for each worker, needs two; every 10 s counts."""
    if kind == "Model":
        name, of = endpoint_of(account.config(colour)), "SageMakerVariant"
        target, dimension = _target(f"endpoint/{name}/variant/A", INSTANCES), "EndpointName"
    else:
        name, of = shop.made(colour), "SageMakerInferenceComponent"
        target, dimension = _target(f"inference-component/{name}"), "InferenceComponentName"
    scaling, named = account.application_autoscaling, {"Name": dimension, "Value": name}
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    policy = _tracked(f"{of}ConcurrentRequestsPer{kind}HighResolution")
    policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] = 0.5
    scaling.put_scaling_policy(**target, **policy)
    done: list[Any] = []
    for _ in range(10):  # a period in which time went on by itself may have no request
        if kind == "Model":
            account.sagemaker_runtime.invoke_endpoint(
                EndpointName=name, ContentType="text/csv", Body=CSV_ROWS
            )
        else:
            shop.ask(name)
        account.cloud.advance(10)
        done = scaling.describe_scaling_activities(
            ServiceNamespace="sagemaker", ResourceId=target["ResourceId"]
        )["ScalingActivities"]
        if done:
            break
    assert "to 2" in done[0]["Description"]
    (metric,) = account.cloudwatch.list_metrics(
        MetricName=f"ConcurrentRequestsPer{kind}", Dimensions=[named]
    )["Metrics"]
    assert metric["Namespace"] == "AWS/SageMaker"


def test_a_target_goes_with_its_endpoint(account: Any, colour: str) -> None:
    """And those of others with names that begin alike stay."""
    name, other = (account.endpoint(account.config(colour)) for _ in range(2))
    resources = [f"endpoint/{each}/variant/A" for each in (name, other)]
    for resource in resources:
        account.application_autoscaling.register_scalable_target(
            **_target(resource, INSTANCES), MinCapacity=1, MaxCapacity=2
        )
    account.remove(name)
    assert [len(_targets(account, each)) for each in resources] == [0, 1]
    account.remove(other)


@pytest.mark.parametrize(
    ("resource", "dimension"),
    [
        ("endpoint/none/variant/A", INSTANCES),
        ("inference-component/none", COPIES),
    ],
)
def test_what_is_not_there_is_no_target(account: Any, resource: str, dimension: str) -> None:
    """Refused when it is registered."""
    register = account.application_autoscaling.register_scalable_target
    code, _ = refused(register, **_target(resource, dimension), MinCapacity=1, MaxCapacity=2)
    assert code == "ValidationException"


def test_serverless_variants_are_not_scaled(
    account: Any, colour: str, endpoint_of: Callable[..., str]
) -> None:
    """Neither instances, of which they have none, nor provisioned concurrency."""
    config = account.name("serverless")
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 1}
    variant = {"VariantName": "A", "ModelName": colour, "ServerlessConfig": serverless}
    account.sagemaker.create_endpoint_config(
        EndpointConfigName=config, ProductionVariants=[variant]
    )
    resource = f"endpoint/{endpoint_of(config)}/variant/A"
    for dimension in (INSTANCES, "sagemaker:variant:DesiredProvisionedConcurrency"):
        with pytest.raises(ClientError, match="cannot scale"):
            account.application_autoscaling.register_scalable_target(
                **_target(resource, dimension), MinCapacity=1, MaxCapacity=2
            )


def test_a_scaled_variant_keeps_its_instance_type(
    account: Any, colour: str, endpoint_of: Callable[..., str]
) -> None:
    """An update that would change type or name is refused until the target is deregistered."""
    name = endpoint_of(account.config(colour))
    target = _target(f"endpoint/{name}/variant/A", INSTANCES)
    scaling, update = account.application_autoscaling, account.sagemaker.update_endpoint
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    other = account.config(colour, variants={"A": {"InstanceType": "ml.c5.large"}})
    renamed = account.config(colour, variants={"A": {"VariantName": "Z"}})
    for config in (other, renamed):
        code, text = refused(update, EndpointName=name, EndpointConfigName=config)
        assert code == "ValidationException"
        assert '"A" must be deregistered' in text
    scaling.deregister_scalable_target(**target)
    update(EndpointName=name, EndpointConfigName=other)
    assert account.settled(name)["EndpointConfigName"] == other
