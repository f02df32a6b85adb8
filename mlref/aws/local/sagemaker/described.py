"""What DescribeEndpoint tells of an endpoint and of its variants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.capture import captures
from mlref.aws.local.hosting.elastic import Elastic
from mlref.aws.local.hosting.live import Live, Variant
from mlref.aws.local.sagemaker.models import Models

if TYPE_CHECKING:
    from mlref.aws.local.sagemaker.endpoint_records import Record

__all__ = ["described_endpoint", "described_variants"]


def described_endpoint(record: Record, live: Live | None, models: Models) -> dict[str, Any]:
    """An endpoint as DescribeEndpoint tells of it.

    Args:
        record: the endpoint.
        live: what answers, or None.
        models: tell which image a variant runs, if its model is still there.
    """
    config = record.config_settings
    told: dict[str, Any] = {
        **record.listed(),
        "EndpointConfigName": record.config,
        "FailureReason": record.reason or None,
        "LastDeploymentConfig": record.deployment,
        "AsyncInferenceConfig": config.get("AsyncInferenceConfig"),
    }
    if live is not None:
        group = live.groups[0]
        told["ProductionVariants"] = described_variants(group.variants, models)
        if group.shadow is not None:
            told["ShadowProductionVariants"] = described_variants([group.shadow], models)
        told["DataCaptureConfig"] = _capture(config.get("DataCaptureConfig"))
    update = record.update
    if update is not None:
        told["PendingDeploymentSummary"] = update.described(models)
    return {name: value for name, value in told.items() if value is not None}


def described_variants(variants: Iterable[Variant], models: Models) -> list[dict[str, Any]]:
    """Variants as ProductionVariants of DescribeEndpoint.

    Args:
        variants: of an endpoint.
        models: tell which image a variant runs, if its model is still there.
    """
    found = []
    for variant in variants:
        told: dict[str, Any] = {
            "VariantName": variant.name,
            "CurrentWeight": variant.weight,
            "DesiredWeight": variant.weight,
        }
        fleet = variant.fleet
        if isinstance(fleet, Elastic):
            ready = min(fleet.desired, len(fleet))
            told["CurrentServerlessConfig"] = _serverless(variant, fleet.most, ready)
            told["DesiredServerlessConfig"] = _serverless(variant, fleet.most, fleet.desired)
        else:
            told["CurrentInstanceCount"] = len(fleet)
            told["DesiredInstanceCount"] = fleet.desired
            if scaling := variant.settings.get("ManagedInstanceScaling"):
                told["ManagedInstanceScaling"] = scaling
        images = _images(models, variant.settings.get("ModelName"))
        if images:
            told["DeployedImages"] = [
                {"SpecifiedImage": image, "ResolvedImage": image} for image in images
            ]
        found.append(told)
    return found


def _serverless(variant: Variant, most: int, warm: int) -> dict[str, Any]:
    """A ServerlessConfig, as it is by now."""
    memory = variant.settings["ServerlessConfig"]["MemorySizeInMB"]
    told = {"MemorySizeInMB": memory, "MaxConcurrency": most}
    return {**told, "ProvisionedConcurrency": warm} if warm else told


def _capture(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not config:
        return None
    return {
        "EnableCapture": captures(config),
        "CaptureStatus": "Started" if captures(config) else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }


def _images(models: Models, name: str | None) -> list[str]:
    try:
        return [each["Image"] for each in models.containers(name)] if name else []
    except AwsError:
        return []
