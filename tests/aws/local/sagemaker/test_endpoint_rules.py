"""What endpoints and their configurations may be, and may become; no worker is a process here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.plant import IMAGE, Plant

from mlref.aws.local.errors import AwsError

ARN = "arn:aws:sagemaker:us-east-1:123456789012:"


@pytest.fixture
def plant() -> Iterator[Plant]:
    """A model "m", and no endpoint yet."""
    made = Plant()
    yield made
    made.close()


def _refused(call: Any, *given: Any, **named: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        call(*given, **named)
    return caught.value.code, caught.value.message


def test_names_that_differ_in_case_are_the_same(plant: Plant) -> None:
    """Of models, configurations and endpoints: they would have one ARN."""
    plant.endpoint(plant.config("a"), "live")
    for what, call, given in (
        ("model/m", plant.ask.create_model, {"ModelName": "M", "PrimaryContainer": {"Image": "i"}}),
        (
            "endpoint-config/a",
            plant.ask.create_endpoint_config,
            {
                "EndpointConfigName": "A",
                "ProductionVariants": [
                    {
                        "VariantName": "A",
                        "ModelName": "m",
                        "InstanceType": "ml.m5.large",
                        "InitialInstanceCount": 1,
                    }
                ],
            },
        ),
        (
            "endpoint/live",
            plant.ask.create_endpoint,
            {"EndpointName": "LIVE", "EndpointConfigName": "a"},
        ),
    ):
        code, text = _refused(call, **given)
        assert code == "ValidationException"
        assert "Cannot create already existing" in text
        assert f'"{ARN}{what}"' in text


def test_names_of_components_do_not_differ_in_case_alone(plant: Plant) -> None:
    """As those of endpoints."""
    plant.endpoint(plant.hosts("hosts"))
    plant.component("one")
    code, text = _refused(plant.component, "ONE")
    assert code == "ValidationException"
    assert f'already existing inference component "{ARN}inference-component/one"' in text


def test_a_configuration_may_be_deleted_while_it_is_used(plant: Plant) -> None:
    """The endpoint answers as before, can be scaled, and be given another one."""
    plant.endpoint(plant.config("a"))
    plant.ask.delete_endpoint_config(EndpointConfigName="a")
    plant.scale(DesiredInstanceCount=2)
    told = plant.settled()
    assert told["EndpointConfigName"] == "a"
    assert told["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    plant.update(plant.config("b"))
    assert plant.settled()["EndpointConfigName"] == "b"


def test_a_model_of_several_containers_is_not_served(plant: Plant) -> None:
    """Neither a serial pipeline nor direct calls: the first one alone would be another model."""
    containers = [{"Image": IMAGE, "ContainerHostname": name} for name in ("first", "second")]
    plant.ask.create_model(ModelName="two", Containers=containers)
    variant = {
        "VariantName": "A",
        "ModelName": "two",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    code, text = _refused(plant.create_config, "a", variant)
    assert code == "UnsupportedOperation"
    assert "model two has 2" in text
    plant.endpoint(plant.hosts("hosts"))
    code, text = _refused(plant.component, "two", "two")
    assert (code, "model two has 2" in text) == ("UnsupportedOperation", True)


def test_explainers_are_refused(plant: Plant) -> None:
    """Nothing would be explained."""
    explainer = {"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {}}}}
    code, text = _refused(plant.config, "a", ExplainerConfig=explainer)
    assert (code, "ExplainerConfig" in text) == ("UnsupportedOperation", True)


@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        ({"MemorySizeInMB": 1500}, "1024, 2048, 3072, 4096, 5120 or 6144, got 1500"),
        (
            {"MaxConcurrency": 1, "ProvisionedConcurrency": 3},
            "ProvisionedConcurrency must be at most MaxConcurrency, which is 1, got 3",
        ),
    ],
)
def test_serverless_sizes_that_there_are_not(
    plant: Plant, sizes: dict[str, int], what: str
) -> None:
    """Memory goes by the GB, and what is always warm is part of what is allowed."""
    code, text = _refused(plant.serverless, "s", **sizes)
    assert (code, what in text) == ("ValidationException", True)


def test_a_serverless_variant_gets_another_concurrency(plant: Plant) -> None:
    """ServerlessUpdateConfig: workers that are always warm come, and both numbers are told."""
    plant.endpoint(plant.serverless("s"))
    plant.scale(ServerlessUpdateConfig={"MaxConcurrency": 5, "ProvisionedConcurrency": 3})
    (told,) = plant.settled()["ProductionVariants"]
    sizes = {"MemorySizeInMB": 2048, "MaxConcurrency": 5, "ProvisionedConcurrency": 3}
    assert told["CurrentServerlessConfig"] == told["DesiredServerlessConfig"] == sizes
    assert plant.launches.alive == 3
    plant.scale(ServerlessUpdateConfig={"MaxConcurrency": 4})
    (told,) = plant.settled()["ProductionVariants"]
    assert told["DesiredServerlessConfig"] == {**sizes, "MaxConcurrency": 4}


def test_a_serverless_container_has_three_minutes_to_get_ready(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One on an instance has four."""
    limits: list[float] = []

    def launch(container: Any) -> Any:
        limits.append(container.ready_timeout_s)
        return plant.launches()

    monkeypatch.setattr(plant.launches, "launch", launch)
    plant.endpoint(plant.serverless("s"), "serverless")
    plant.endpoint(plant.config("a"), "instances")
    assert limits == [180.0, 240.0]


@pytest.mark.parametrize(
    ("config", "wanted", "what"),
    [
        ("serverless", {"DesiredInstanceCount": 3}, "is serverless and has no instances"),
        (
            "serverless",
            {"ServerlessUpdateConfig": {"ProvisionedConcurrency": 3}},
            "at most MaxConcurrency, which is 2, got 3",
        ),
        ("config", {"ServerlessUpdateConfig": {"MaxConcurrency": 3}}, "has instances"),
        ("config", {"DesiredInstanceCount": 0}, "at least 1 instance"),
    ],
)
def test_a_variant_is_asked_what_it_can_be(
    plant: Plant, config: str, wanted: dict[str, Any], what: str
) -> None:
    """Instances for instances, concurrency for serverless, and zero not for real-time endpoints."""
    plant.endpoint(getattr(plant, config)("a"))
    code, text = _refused(plant.scale, **wanted)
    assert (code, what in text) == ("ValidationException", True)
    assert plant.told()["EndpointStatus"] == "InService"


def test_an_asynchronous_endpoint_scales_in_to_zero(plant: Plant) -> None:
    """Its requests wait in the meantime."""
    output = {"OutputConfig": {"S3OutputPath": "s3://models/answers"}}
    plant.endpoint(plant.config("a", AsyncInferenceConfig=output))
    plant.scale(DesiredInstanceCount=0)
    assert plant.settled()["ProductionVariants"][0]["CurrentInstanceCount"] == 0
    assert plant.launches.alive == 0


def test_instances_do_not_become_serverless(plant: Plant) -> None:
    """The other way is open."""
    plant.endpoint(plant.serverless("s"))
    plant.update(plant.config("a"))
    assert plant.settled()["EndpointConfigName"] == "a"
    code, text = _refused(plant.update, "s")
    assert code == "ValidationException"
    assert "an endpoint with instances cannot become serverless" in text


def _blue_green() -> dict[str, Any]:
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}


def _rolling() -> dict[str, Any]:
    size = {"Type": "CAPACITY_PERCENT", "Value": 50}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 0}}


@pytest.mark.parametrize("deployment", [_blue_green(), _rolling()])
def test_an_update_policy_keeps_the_names_of_variants(
    plant: Plant, deployment: dict[str, Any]
) -> None:
    """Without a policy they may change."""
    plant.endpoint(plant.config("a", count=2))
    other = plant.config("z", count=2, variant="Z")
    code, text = _refused(plant.update, other, DeploymentConfig=deployment)
    assert code == "ValidationException"
    assert "it has A, the new configuration Z" in text
    plant.update(other)
    assert plant.settled()["EndpointConfigName"] == "z"


def test_a_rolling_update_is_for_one_variant_with_instances(plant: Plant) -> None:
    """Neither serverless nor several variants."""
    variant = {"ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    two = plant.create_config("two", *({**variant, "VariantName": name} for name in "AB"))
    for name, config in (("first", plant.serverless("s")), ("second", two)):
        plant.endpoint(config, name)
        code, text = _refused(
            plant.ask.update_endpoint,
            EndpointName=name,
            EndpointConfigName=config,
            DeploymentConfig=_rolling(),
        )
        assert code == "ValidationException"
        assert "a rolling update is for endpoints with instances and one variant" in text


def test_a_deployment_is_checked_when_the_endpoint_is_created(plant: Plant) -> None:
    """It is kept for updates, which would have to follow it."""
    config = plant.config("a", count=10)
    size = {"Type": "INSTANCE_COUNT", "Value": 6}
    policy = {"MaximumBatchSize": size, "WaitIntervalInSeconds": 0}
    code, text = _refused(
        plant.ask.create_endpoint,
        EndpointName="e",
        EndpointConfigName=config,
        DeploymentConfig={"RollingUpdatePolicy": policy},
    )
    assert (code, "6 of 10 instances" in text) == ("ValidationException", True)


def test_what_is_retained_of_a_serverless_variant_is_its_weight(plant: Plant) -> None:
    """It has no number of instances to keep."""
    plant.endpoint(plant.serverless("s"))
    plant.scale(DesiredWeight=0.5)
    plant.settled()
    plant.update(plant.serverless("t"), RetainAllVariantProperties=True)
    told = plant.settled()
    assert told["EndpointConfigName"] == "t"
    assert told["ProductionVariants"][0]["CurrentWeight"] == 0.5


def test_captures_go_to_s3(plant: Plant) -> None:
    """Anything else is refused before an endpoint is made of it, and not while it starts."""
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "https://example.com/captures",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    code, text = _refused(plant.config, "elsewhere", DataCaptureConfig=capture)
    assert code == "ValidationException"
    assert "DestinationS3Uri of DataCaptureConfig: an address in S3 is s3://bucket/key" in text
