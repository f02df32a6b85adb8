"""Inference components on the running local AWS: created, asked, described and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.shop import CSV_ROWS, GOLDEN, NEEDS, ROLE, Shop, hosts, refused


def test_two_models_share_an_instance(shop: Shop, colour: str, sugar: str, diabetes: Any) -> None:
    """Each answers by its name; the variant is told, and each has metrics of its own."""
    one, two = shop.made(colour), shop.made(sugar)
    reply = shop.ask(one)
    assert (reply["Body"], reply["InvokedProductionVariant"]) == (GOLDEN, "A")
    assert shop.ask(one, TargetVariant="A")["Body"] == GOLDEN
    golden = json.loads((diabetes.artifact.folder / "golden.json").read_text())
    body = json.dumps({"instances": golden["instances"]})
    runtime = shop.account.sagemaker_runtime
    found = runtime.invoke_endpoint(
        EndpointName=shop.endpoint,
        InferenceComponentName=two,
        ContentType="application/json",
        Body=body,
    )
    assert len(json.loads(found["Body"].read())["predictions"]) == len(golden["instances"])
    stream = runtime.invoke_endpoint_with_response_stream(
        EndpointName=shop.endpoint,
        InferenceComponentName=one,
        ContentType="text/csv",
        Body=CSV_ROWS,
    )
    assert b"".join(part["PayloadPart"]["Bytes"] for part in stream["Body"]) == GOLDEN
    assert shop.metric("Invocations", one)["Sum"] == 3
    assert shop.metric("InvocationsPerCopy", two)["Sum"] == 1
    assert shop.metric("ModelLatency", two)["SampleCount"] == 1


def test_a_component_is_described_and_listed(shop: Shop, colour: str) -> None:
    """With what it was created with; lists can be narrowed."""
    name = shop.made(colour)
    told = shop.told(name)
    assert told["Specification"] == {
        "ModelName": colour,
        "ComputeResourceRequirements": NEEDS,
    }
    assert told["RuntimeConfig"] == {"DesiredCopyCount": 1, "CurrentCopyCount": 1}
    assert (told["EndpointName"], told["VariantName"]) == (shop.endpoint, "A")
    assert shop.names() == [name]
    for narrow in ({"VariantNameEquals": "B"}, {"StatusEquals": "Failed"}):
        listed = shop.call("list_inference_components", EndpointNameEquals=shop.endpoint, **narrow)
        assert listed["InferenceComponents"] == []


def test_a_component_may_bring_its_own_container(shop: Shop, account: Any, colour: str) -> None:
    """Image and ArtifactUrl instead of a model."""
    model = account.sagemaker.describe_model(ModelName=colour)["PrimaryContainer"]
    container = {"Image": model["Image"], "ArtifactUrl": model["ModelDataUrl"]}
    name = shop.made(
        colour,
        Specification={"Container": container, "ComputeResourceRequirements": NEEDS},
    )
    assert shop.ask(name)["Body"] == GOLDEN
    told = shop.told(name)["Specification"]["Container"]
    assert told["DeployedImage"]["SpecifiedImage"] == model["Image"]
    assert told["ArtifactUrl"] == model["ModelDataUrl"]


def test_the_name_of_a_component_is_required_there_and_nowhere_else(
    shop: Shop, colour: str, account: Any, endpoint_of: Callable[..., str]
) -> None:
    """In SageMaker's words."""
    text = (
        "Inference Component Name header is required for endpoints to which you plan to deploy "
        "inference components. Please include Inference Component Name header or consider using "
        "SageMaker models."
    )
    assert refused(shop.ask, None) == ("ValidationError", text)
    code, text = refused(shop.ask, "none")
    assert (code, "Inference Component none" in text) == ("ValidationError", True)
    direct = Shop(account, endpoint_of(account.config(colour)))
    code, text = refused(direct.ask, "none")
    assert code == "ValidationError"
    assert "Inference Component Name header is not allowed" in text
    code, text = refused(direct.create, colour)
    assert code == "ValidationException"
    assert "Inference Components are not supported in this Endpoint" in text


def test_components_go_before_their_endpoint(shop: Shop, colour: str) -> None:
    """Neither deleted nor updated while it has some."""
    name = shop.made(colour)
    client = shop.account.sagemaker
    code, text = refused(client.delete_endpoint, EndpointName=shop.endpoint)
    assert code == "ValidationException"
    assert f"has inference components: {name}" in text
    config = hosts(shop.account)
    _, text = refused(client.update_endpoint, EndpointName=shop.endpoint, EndpointConfigName=config)
    assert f"has inference components: {name}" in text


def test_a_component_that_is_busy_or_not_there_isrefused(shop: Shop, colour: str) -> None:
    """As SageMaker does while one is being created; and by its ARN."""
    name = shop.create(colour)
    client = shop.account.sagemaker
    _, text = refused(client.delete_inference_component, InferenceComponentName=name)
    assert text.startswith("Cannot update in-progress inference component")
    shop.told(name)
    _, text = refused(shop.create, colour, InferenceComponentName=name)
    assert text.startswith("Cannot create already existing inference component")
    shop.delete(name)
    for call in (client.describe_inference_component, client.delete_inference_component):
        _, text = refused(call, InferenceComponentName=name)
        assert text.startswith('Could not find inference component "arn:aws:sagemaker:')


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"RuntimeConfig": {"CopyCount": 0}}, "larger than 0"),
        ({"VariantName": "B"}, "must be one of A"),
        ({"Specification": {"ComputeResourceRequirements": NEEDS}}, "ModelName or Container"),
        ({"Specification": {"ModelName": "none"}}, "needs ComputeResourceRequirements"),
        (
            {"Specification": {"ModelName": "none", "ComputeResourceRequirements": NEEDS}},
            "Could not find model",
        ),
        (
            {
                "Specification": {
                    "ModelName": "none",
                    "ComputeResourceRequirements": {**NEEDS, "MaxMemoryRequiredInMb": 512},
                }
            },
            "at least MinMemoryRequiredInMb",
        ),
        (
            {"Specification": {"Container": {}, "ComputeResourceRequirements": NEEDS}},
            "needs an Image",
        ),
        ({"Specification": {"BaseInferenceComponentName": "x"}}, "adapter"),
        ({"EndpointName": "none"}, "Could not find endpoint"),
    ],
)
def test_wrong_requests_are_told_what_is_wrong(
    shop: Shop, colour: str, request_: dict[str, Any], words: str
) -> None:
    """Before anything is started."""
    code, text = refused(shop.create, colour, **request_)
    assert code == "ValidationException"
    assert words in text
    assert shop.names() == []


def test_specifications_name_instance_types(shop: Shop, colour: str) -> None:
    """That of the variant's instances counts; without one the request is refused."""
    each = {"ModelName": colour, "ComputeResourceRequirements": NEEDS}
    name = shop.account.name("component")
    request = {
        "InferenceComponentName": name,
        "EndpointName": shop.endpoint,
        "RuntimeConfig": {"CopyCount": 1},
    }
    create = shop.account.sagemaker.create_inference_component
    others = [{**each, "InstanceType": "ml.g5.xlarge"}]
    _, text = refused(create, **request, Specifications=others)
    assert "ml.m5.large" in text
    create(**request, Specifications=[*others, {**each, "InstanceType": "ml.m5.large"}])
    assert shop.told(name)["InferenceComponentStatus"] == "InService"


@pytest.mark.parametrize(
    ("variants", "more", "words"),
    [
        ([{}, {"VariantName": "B", "ModelName": "MODEL"}], {}, "and others have one"),
        (
            [{}],
            {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://models/out"}}},
            "real-time endpoints only",
        ),
        (
            [{"ModelName": "MODEL", "ManagedInstanceScaling": {"Status": "ENABLED"}}],
            {},
            "only supported for inference component endpoints",
        ),
    ],
)
def test_configurations_that_do_not_go_together(
    account: Any, colour: str, variants: list[dict[str, Any]], more: dict[str, Any], words: str
) -> None:
    """Refused when the configuration is created."""
    plain = {"VariantName": "A", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    listed = [{**plain, **each} for each in variants]
    for each in listed:
        if "ModelName" in each:
            each["ModelName"] = colour
    code, text = refused(
        account.sagemaker.create_endpoint_config,
        EndpointConfigName=account.name("wrong"),
        ExecutionRoleArn=ROLE,
        ProductionVariants=listed,
        **more,
    )
    assert code == "ValidationException"
    assert words in text
