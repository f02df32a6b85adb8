"""What Application Auto Scaling can scale: the instances of variants, and copies of components.

Source: the Application Auto Scaling API reference, RegisterScalableTarget.
"""

from __future__ import annotations

import re

from mlref.aws.local.errors import validation
from mlref.aws.local.hosting.elastic import Elastic
from mlref.aws.local.hosting.hosting import Hosting
from mlref.aws.local.hosting.live import Variant
from mlref.aws.local.sagemaker.endpoints import Endpoints
from mlref.aws.local.sagemaker.inference_components import InferenceComponents

__all__ = ["Scalable"]

_INSTANCES = "sagemaker:variant:DesiredInstanceCount"
_COPIES = "sagemaker:inference-component:DesiredCopyCount"
_VARIANT = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")


class Scalable:
    """Implements `autoscaling.resources.ScalableResources`.

    Args:
        endpoints: whose variants are scaled.
        components: that are scaled.
        hosting: tells how many instances there are.
    """

    def __init__(
        self, endpoints: Endpoints, components: InferenceComponents, hosting: Hosting
    ) -> None:
        self._endpoints = endpoints
        self._components = components
        self._hosting = hosting

    def get(self, resource_id: str, dimension: str) -> int:
        """The capacity that is wanted at present.

        Args:
            resource_id: as in "endpoint/flights/variant/blue".
            dimension: as in "sagemaker:variant:DesiredInstanceCount".

        Raises:
            AwsError: there is no such resource, or the local AWS cannot scale it.
        """
        if dimension == _COPIES:
            return self._components.get(resource_id, dimension)
        return self._variant(resource_id, dimension)[1].fleet.desired

    def set(self, resource_id: str, dimension: str, capacity: int) -> None:
        """Change the capacity that is wanted; it takes its time to get there.

        Args:
            resource_id: as in "endpoint/flights/variant/blue".
            dimension: as in "sagemaker:variant:DesiredInstanceCount".
            capacity: from now on.

        Raises:
            AwsError: there is no such resource, or it cannot be changed now.
        """
        if dimension == _COPIES:
            self._components.set(resource_id, dimension, capacity)
            return
        endpoint, variant = self._variant(resource_id, dimension)
        wanted = {"VariantName": variant.name, "DesiredInstanceCount": capacity}
        self._endpoints.update_endpoint_weights_and_capacities(
            {"EndpointName": endpoint, "DesiredWeightsAndCapacities": [wanted]}
        )

    def _variant(self, resource_id: str, dimension: str) -> tuple[str, Variant]:
        """An endpoint, and one of its variants.

        Raises:
            AwsError: there is no such, or it has no instances.
        """
        found = _VARIANT.fullmatch(resource_id)
        live = self._hosting.live(found[1]) if found else None
        variant = live.groups[0].named(found[2]) if live and found else None
        if variant is None or found is None:
            raise validation(f"there is no {resource_id} that is in service")
        if dimension != _INSTANCES or isinstance(variant.fleet, Elastic):
            text = f"the local AWS cannot scale {dimension} of {resource_id}: it scales"
            raise validation(f"{text} the instances of variants and the copies of components")
        return found[1], variant
