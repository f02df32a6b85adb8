"""What is scaled: identifiers of resources, and the metrics that go with them."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.aws.local.autoscaling.resources import Place, watched
from mlref.aws.local.errors import AwsError
from mlref.aws.models import service_model

VARIANT = "endpoint/flights/variant/blue"
COMPONENT = "inference-component/flights"
INSTANCES, CONCURRENCY, COPIES = (
    "sagemaker:variant:DesiredInstanceCount",
    "sagemaker:variant:DesiredProvisionedConcurrency",
    "sagemaker:inference-component:DesiredCopyCount",
)


def _place(resource: str, dimension: str) -> Place:
    return Place.of(
        {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": dimension}
    )


def test_all_dimensions_of_sagemaker_are_there() -> None:
    """Those that AWS's model lists."""
    listed = service_model("application-autoscaling").shape_for("ScalableDimension").enum
    assert {name for name in listed if name.startswith("sagemaker:")} == {
        INSTANCES, CONCURRENCY, COPIES,
    }  # fmt: skip


def test_all_predefined_metrics_of_sagemaker_are_there() -> None:
    """Each for one dimension, by the names that AWS's model lists."""
    listed = service_model("application-autoscaling").shape_for("MetricType").enum
    found = []
    for place in (
        _place(VARIANT, INSTANCES),
        _place(VARIANT, CONCURRENCY),
        _place(COMPONENT, COPIES),
    ):
        for kind in listed:
            try:
                watched(place, {"PredefinedMetricSpecification": {"PredefinedMetricType": kind}})
            except AwsError:
                continue
            found.append(kind)
    assert sorted(found) == sorted(name for name in listed if name.startswith("SageMaker"))


@pytest.mark.parametrize(
    ("resource", "dimension", "dimensions"),
    [
        (VARIANT, INSTANCES, {"EndpointName": "flights", "VariantName": "blue"}),
        (VARIANT, CONCURRENCY, {"EndpointName": "flights", "VariantName": "blue"}),
        (COMPONENT, COPIES, {"InferenceComponentName": "flights"}),
    ],
)
def test_metrics_have_the_dimensions_of_the_resource(
    resource: str, dimension: str, dimensions: dict[str, str]
) -> None:
    """As SageMaker publishes them."""
    found = _place(resource, dimension).metric_dimensions
    assert {each["Name"]: each["Value"] for each in found} == dimensions


@pytest.mark.parametrize(
    ("kind", "place", "metric"),
    [
        ("SageMakerVariantInvocationsPerInstance", (VARIANT, INSTANCES),
         ("InvocationsPerInstance", "Sum", 60)),
        ("SageMakerInferenceComponentInvocationsPerCopy", (COMPONENT, COPIES),
         ("InvocationsPerCopy", "Sum", 60)),
        ("SageMakerVariantProvisionedConcurrencyUtilization", (VARIANT, CONCURRENCY),
         ("ServerlessProvisionedConcurrencyUtilization", "Average", 60)),
        ("SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution", (COMPONENT, COPIES),
         ("ConcurrentRequestsPerCopy", "Maximum", 10)),
    ],
)  # fmt: skip
def test_predefined_metrics(
    kind: str, place: tuple[str, str], metric: tuple[str, str, int]
) -> None:
    """By their names in CloudWatch."""
    given = {"PredefinedMetricSpecification": {"PredefinedMetricType": kind}}
    found = watched(_place(*place), given)
    assert (found["MetricName"], found["Statistic"], found["Period"]) == metric


@pytest.mark.parametrize(
    "given",
    [
        {"Metrics": [], "MetricName": "m"},
        {"MetricName": "m", "Statistic": "Sum"},
    ],
)
def test_customized_metrics_that_are_refused(given: dict[str, Any]) -> None:
    """Both ways at once, or half of one."""
    with pytest.raises(AwsError) as caught:
        watched(_place(VARIANT, INSTANCES), {"CustomizedMetricSpecification": given})
    assert caught.value.code == "ValidationException"
