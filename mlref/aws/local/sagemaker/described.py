"""What DescribeEndpoint tells of the variants of an endpoint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.live import Variant
from mlref.aws.local.sagemaker.models import Models

__all__ = ["described_variants"]


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
        serverless = variant.settings.get("ServerlessConfig")
        if serverless:
            told["CurrentServerlessConfig"] = serverless
        else:
            told["CurrentInstanceCount"] = len(variant.fleet)
            told["DesiredInstanceCount"] = variant.fleet.desired
            if scaling := variant.settings.get("ManagedInstanceScaling"):
                told["ManagedInstanceScaling"] = scaling
        images = _images(models, variant.settings.get("ModelName"))
        if images:
            told["DeployedImages"] = [
                {"SpecifiedImage": image, "ResolvedImage": image} for image in images
            ]
        found.append(told)
    return found


def _images(models: Models, name: str | None) -> list[str]:
    try:
        return [each["Image"] for each in models.containers(name)] if name else []
    except AwsError:
        return []
