"""What is scaled: the variants and the inference components of SageMaker's endpoints.

Whoever has them (the endpoints of the local AWS) implements `ScalableResources`. `Place` tells what
a resource's identifier means, and `watched` which metric a predefined one is.

Source: Application Auto Scaling API Reference, RegisterScalableTarget and
PredefinedMetricSpecification; SageMaker Developer Guide, "Amazon SageMaker metrics in Amazon
CloudWatch".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.world import ACCOUNT

__all__ = ["Place", "ScalableResources", "watched"]


class ScalableResources(Protocol):
    """Whoever has capacity that can be changed."""

    def get(self, resource_id: str, dimension: str) -> int:
        """The capacity that is wanted at present.

        Args:
            resource_id: as in "endpoint/flights/variant/blue".
            dimension: as in "sagemaker:variant:DesiredInstanceCount".

        Raises:
            AwsError: there is no such resource.
        """
        ...

    def set(self, resource_id: str, dimension: str, capacity: int) -> None:
        """Change the capacity that is wanted; the resource may take its time to get there.

        Args:
            resource_id: as in "endpoint/flights/variant/blue".
            dimension: as in "sagemaker:variant:DesiredInstanceCount".
            capacity: from now on.

        Raises:
            AwsError: there is no such resource, or it cannot be changed now.
        """
        ...


_VARIANT = re.compile(r"endpoint/(?P<EndpointName>[^/]+)/variant/(?P<VariantName>[^/]+)")
_COMPONENT = re.compile(r"inference-component/(?P<InferenceComponentName>[^/]+)")
_DIMENSIONS = {
    "sagemaker:variant:DesiredInstanceCount": (_VARIANT, "desired instance count"),
    "sagemaker:variant:DesiredProvisionedConcurrency": (
        _VARIANT,
        "desired provisioned concurrency",
    ),
    "sagemaker:inference-component:DesiredCopyCount": (_COMPONENT, "desired copy count"),
}
_ROLE = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


@dataclass(frozen=True, order=True)
class Place:
    """A dimension of a resource: what names a scalable target.

    Attributes:
        resource_id: as in "endpoint/flights/variant/blue".
        dimension: as in "sagemaker:variant:DesiredInstanceCount".
    """

    resource_id: str
    dimension: str

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Place:
        """The place that a request names.

        Raises:
            AwsError: it is none that the local AWS can scale.
        """
        service, dimension = request["ServiceNamespace"], request["ScalableDimension"]
        if service != "sagemaker":
            text = f"the local AWS scales sagemaker only, got {service}"
            raise AwsError("UnsupportedOperation", f"{text}; use a real account for it")
        if dimension not in _DIMENSIONS:
            raise validation(
                "unsupported service namespace, resource type or scalable dimension: "
                f"sagemaker has {', '.join(_DIMENSIONS)}, got {dimension}"
            )
        if _DIMENSIONS[dimension][0].fullmatch(request["ResourceId"]) is None:
            kind = _DIMENSIONS[dimension][0]
            shape = "endpoint/NAME/variant/NAME" if kind is _VARIANT else "inference-component/NAME"
            text = f"the ResourceId of {dimension} is {shape}, got {request['ResourceId']!r}"
            raise validation(text)
        return cls(request["ResourceId"], dimension)

    @property
    def words(self) -> str:
        """What is scaled, as activities call it."""
        return _DIMENSIONS[self.dimension][1]

    @property
    def role(self) -> str:
        """The role that AWS uses for it."""
        return _ROLE

    @property
    def metric_dimensions(self) -> list[dict[str, str]]:
        """The dimensions of its metrics in CloudWatch."""
        found = _DIMENSIONS[self.dimension][0].fullmatch(self.resource_id)
        groups = found.groupdict() if found else {}
        return [{"Name": name, "Value": value} for name, value in groups.items()]

    def told(self) -> dict[str, str]:
        """The members of a response that name it."""
        return {
            "ServiceNamespace": "sagemaker",
            "ResourceId": self.resource_id,
            "ScalableDimension": self.dimension,
        }


@dataclass(frozen=True)
class _Predefined:
    """A metric that a policy can name."""

    name: str
    statistic: str
    period_s: int
    dimension: str


_INSTANCES, _CONCURRENCY, _COPIES = _DIMENSIONS
_PREDEFINED = {
    "SageMakerVariantInvocationsPerInstance": _Predefined(
        "InvocationsPerInstance", "Sum", 60, _INSTANCES
    ),
    "SageMakerVariantProvisionedConcurrencyUtilization": _Predefined(
        "ServerlessProvisionedConcurrencyUtilization", "Average", 60, _CONCURRENCY
    ),
    "SageMakerInferenceComponentInvocationsPerCopy": _Predefined(
        "InvocationsPerCopy", "Sum", 60, _COPIES
    ),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": _Predefined(
        "ConcurrentRequestsPerModel", "Maximum", 10, _INSTANCES
    ),
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": _Predefined(
        "ConcurrentRequestsPerCopy", "Maximum", 10, _COPIES
    ),
}


def watched(place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    """The members of PutMetricAlarm that say which metric a policy watches.

    Args:
        place: what it scales.
        given: TargetTrackingScalingPolicyConfiguration.

    Raises:
        AwsError: it names no metric, two, or one of another kind of resource.
    """
    predefined = given.get("PredefinedMetricSpecification")
    customized = given.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        text = "a target tracking policy needs exactly one of PredefinedMetricSpecification"
        raise validation(f"{text} and CustomizedMetricSpecification")
    if customized is not None:
        return _customized(customized)
    assert predefined is not None  # noqa: S101 - one of the two is there
    kind = predefined["PredefinedMetricType"]
    fitting = [name for name, each in _PREDEFINED.items() if each.dimension == place.dimension]
    if kind not in fitting:
        text = f"the predefined metrics of {place.dimension} are {', '.join(fitting)}"
        raise validation(f"{text}; got {kind}")
    metric = _PREDEFINED[kind]
    return {
        "Namespace": "AWS/SageMaker",
        "MetricName": metric.name,
        "Dimensions": place.metric_dimensions,
        "Statistic": metric.statistic,
        "Period": metric.period_s,
    }


def _customized(given: Mapping[str, Any]) -> dict[str, Any]:
    """Of a metric that a policy describes itself, or of an expression."""
    names = ("MetricName", "Namespace", "Statistic")
    own = [name for name in names if name in given]
    if "Metrics" in given:
        if own:
            raise validation(f"Metrics does not go together with {', '.join(own)}")
        return {"Metrics": [_with_period(query) for query in given["Metrics"]]}
    if len(own) < len(names):
        missing = ", ".join(name for name in names if name not in given)
        raise validation(f"the CustomizedMetricSpecification lacks {missing}")
    more = {name: given[name] for name in ("Dimensions", "Unit") if name in given}
    return {**{name: given[name] for name in names}, **more, "Period": 60}


def _with_period(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query as CloudWatch takes it; here the period is always a minute."""
    if "MetricStat" not in query:
        return dict(query)
    return {**query, "MetricStat": {"Period": 60, **query["MetricStat"]}}
