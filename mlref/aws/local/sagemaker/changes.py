"""What may become of an endpoint: the rules of its updates, and what an update keeps.

Source: the API reference of UpdateEndpoint and UpdateEndpointWeightsAndCapacities; the Amazon
SageMaker Developer Guide, "Deployment guardrails", "Serverless Inference" and "Scale an endpoint to
zero instances".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlref.aws.local.errors import validation
from mlref.aws.local.hosting.elastic import Elastic
from mlref.aws.local.hosting.live import Group, Variant
from mlref.aws.local.services import Request

__all__ = ["Wanted", "check_scaled", "check_update", "retained", "wanted"]


@dataclass(frozen=True)
class Wanted:
    """What is asked for one variant.

    Attributes:
        variant: of the endpoint.
        weight: from now on, or None for no other one.
        count: instances from now on, or None for no other number.
        concurrency: MaxConcurrency and ProvisionedConcurrency from now on, or None.
    """

    variant: Variant
    weight: float | None = None
    count: int | None = None
    concurrency: tuple[int, int] | None = None

    def carry_out(self) -> None:
        """Have other workers; the weight is not the variant's own.

        Raises:
            WorkerError: one did not get ready.
        """
        fleet = self.variant.fleet
        if self.concurrency is not None and isinstance(fleet, Elastic):
            fleet.allow(*self.concurrency)
        elif self.count is not None:
            fleet.resize(self.count)


def wanted(endpoint: str, group: Group, asked: Mapping[str, Any]) -> Wanted:
    """A DesiredWeightAndCapacity that can be followed.

    Args:
        endpoint: its name.
        group: its variants.
        asked: as UpdateEndpointWeightsAndCapacities takes it.

    Raises:
        AwsError: there is no such variant, or it cannot become so.
    """
    name = asked["VariantName"]
    variant = group.named(name)
    if variant is None:
        known = ", ".join(each.name for each in group.variants)
        raise validation(f"endpoint {endpoint} has no variant {name!r}; it has {known}")
    weight = float(asked["DesiredWeight"]) if "DesiredWeight" in asked else None
    count, concurrency = asked.get("DesiredInstanceCount"), asked.get("ServerlessUpdateConfig")
    if isinstance(variant.fleet, Elastic):
        if count is not None:
            text = f"variant {name} is serverless and has no instances"
            raise validation(f"{text}; give ServerlessUpdateConfig instead of DesiredInstanceCount")
        if concurrency is None:
            return Wanted(variant, weight)
        return Wanted(variant, weight, None, _concurrency(name, variant.fleet, concurrency))
    if concurrency is not None:
        raise validation(f"variant {name} has instances; ServerlessUpdateConfig is not for it")
    if count == 0 and group.asynchronous is None and variant.components is None:
        raise validation(
            f"variant {name} must have at least 1 instance, got a DesiredInstanceCount of 0: only "
            f"asynchronous endpoints and those with inference components scale in to zero"
        )
    return Wanted(variant, weight, count)


def _concurrency(name: str, fleet: Elastic, asked: Mapping[str, Any]) -> tuple[int, int]:
    most = int(asked.get("MaxConcurrency", fleet.most))
    warm = int(asked.get("ProvisionedConcurrency", fleet.desired))
    if warm > most:
        text = f"variant {name}: ProvisionedConcurrency must be at most MaxConcurrency"
        raise validation(f"{text}, which is {most}, got {warm}")
    return most, warm


def check_update(
    before: Mapping[str, Any], after: Mapping[str, Any], deployment: Mapping[str, Any]
) -> None:
    """Refuse an update that an endpoint cannot make.

    Args:
        before: its configuration.
        after: the one that is to be.
        deployment: the DeploymentConfig; {} is all at once.

    Raises:
        AwsError: it is not possible from the one to the other, or not in that way.
    """
    old, new = before["ProductionVariants"], after["ProductionVariants"]
    if _serverless(new) and not _serverless(old):
        raise validation(
            "an endpoint with instances cannot become serverless; create another endpoint with "
            f"the configuration {after['EndpointConfigName']}"
        )
    if not {"BlueGreenUpdatePolicy", "RollingUpdatePolicy"} & set(deployment):
        return
    names = [sorted(each["VariantName"] for each in variants) for variants in (old, new)]
    if names[0] != names[1]:
        raise validation(
            f"a deployment with an update policy keeps the names of the variants: it has "
            f"{', '.join(names[0])}, the new configuration {', '.join(names[1])}; rename them, or "
            f"leave the policy out"
        )
    if "RollingUpdatePolicy" in deployment and (_serverless(old) or len(new) > 1):
        text = "a rolling update is for endpoints with instances and one variant"
        raise validation(f"{text}; give BlueGreenUpdatePolicy")


def _serverless(variants: Iterable[Mapping[str, Any]]) -> bool:
    return any("ServerlessConfig" in each for each in variants)


def check_scaled(
    resources: Iterable[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Refuse another name or instance type for a variant that is scaled automatically.

    Args:
        resources: that are scaled, as in "endpoint/flights/variant/blue".
        before: the endpoint's configuration.
        after: the one that is to be.

    Raises:
        AwsError: one would change.
    """
    old, new = (
        {each["VariantName"]: each.get("InstanceType") for each in one["ProductionVariants"]}
        for one in (before, after)
    )
    for resource in resources:
        name = resource.rpartition("/")[2]
        if name not in new or old.get(name) != new[name]:
            raise validation(
                f'The variant(s) "{name}" must be deregistered as scalable targets with AWS '
                f"Auto Scaling before they can be removed or have their instance type modified."
            )


def retained(
    request: Request, group: Group, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The new configuration, with what an endpoint is to keep of what it has now.

    Args:
        request: UpdateEndpoint's.
        group: the endpoint's variants.
        before: its configuration.
        after: the new configuration.

    Raises:
        AwsError: the request contradicts itself.
    """
    excluded = request.get("ExcludeRetainedVariantProperties", ())
    if not request.get("RetainAllVariantProperties"):
        if excluded:
            raise validation("ExcludeRetainedVariantProperties needs RetainAllVariantProperties")
        return after
    members = {"DesiredInstanceCount", "DesiredWeight", "DataCaptureConfig"}
    members -= {each["VariantPropertyType"] for each in excluded}
    variants = []
    for each in after["ProductionVariants"]:
        variant = group.named(each["VariantName"])
        kept = dict(each)
        if variant is not None and "DesiredWeight" in members:
            kept["InitialVariantWeight"] = variant.weight
        counted = "InitialInstanceCount" in each and "DesiredInstanceCount" in members
        if variant is not None and counted and not isinstance(variant.fleet, Elastic):
            kept["InitialInstanceCount"] = variant.fleet.desired
        variants.append(kept)
    found = {**after, "ProductionVariants": variants}
    if "DataCaptureConfig" in members and "DataCaptureConfig" in before:
        found["DataCaptureConfig"] = before["DataCaptureConfig"]
    return found
