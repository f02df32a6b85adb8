"""Inference components: models that share the instances of an endpoint, each with its own copies.

Source: the API reference of CreateInferenceComponent and its family; the Amazon SageMaker Developer
Guide, "Deploy models for real-time inference".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.hosting.hosting import Hosting
from mlref.aws.local.hosting.live import Variant
from mlref.aws.local.hosting.workers import WorkerError
from mlref.aws.local.sagemaker.copies import Component, Copies
from mlref.aws.local.sagemaker.endpoints import Endpoints
from mlref.aws.local.sagemaker.models import Models
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.world import World, arn

__all__ = ["InferenceComponents"]

logger = logging.getLogger(__name__)

_DIMENSION = "sagemaker:inference-component:DesiredCopyCount"
_RESOURCE = "inference-component/"
_BUSY = frozenset({"Creating", "Updating", "Deleting"})
_LONGEST = 1024  # characters of a FailureReason


class InferenceComponents(Part):
    """CreateInferenceComponent and its family, and what Application Auto Scaling needs of them.

    Args:
        world: the time, and what resources carry.
        models: which the components name.
        endpoints: on whose instances they are.
        hosting: runs them.

    Attributes:
        on_removal: called with the name of a component that is gone.
    """

    def __init__(
        self, world: World, models: Models, endpoints: Endpoints, hosting: Hosting
    ) -> None:
        self._world = world
        self._endpoints = endpoints
        self._copies = Copies(models, hosting, self._role_of)
        self._records: dict[str, Component] = {}
        self._lock = threading.RLock()
        self.on_removal: Callable[[str], object] = lambda _: None
        endpoints.guards.append(self._guard)

    def _role_of(self, endpoint: str) -> str | None:
        config = self._endpoints.found(endpoint).config_settings
        role: str | None = config.get("ExecutionRoleArn")
        return role

    @operation
    def create_inference_component(self, request: Request) -> Response:
        """CreateInferenceComponent.

        Raises:
            AwsError: it cannot be: the name is taken, the endpoint is of another kind ...
        """
        name, endpoint = request["InferenceComponentName"], request["EndpointName"]
        self._endpoints.in_service(endpoint, "create an inference component on")
        host = self._copies.host(endpoint, request.get("VariantName"))
        specification = self._checked(_specification(request, host) or {})
        copies = request.get("RuntimeConfig", {}).get("CopyCount", 1)
        if copies < 1:
            text = "Inference components copy count must be an integer larger than 0"
            raise validation(f"{text} at creation; scale in to 0 afterwards")
        with self._lock:
            record = Component(request, host.name, self._world.clock.now())
            if any(each.arn == record.arn for each in self._records.values()):
                text = "Cannot create already existing inference component"
                raise validation(f'{text} "{record.arn}".')
            record.specification, record.copies = specification, copies
            self._records[name] = record
        self._begin(record, "Creating", lambda: self._copies.create(record))
        return {"InferenceComponentArn": record.arn}

    @operation
    def describe_inference_component(self, request: Request) -> Response:
        """DescribeInferenceComponent.

        Raises:
            AwsError: there is none of that name.
        """
        record = self._found(request["InferenceComponentName"])
        specification = dict(record.specification)
        container = specification.get("Container")
        if container:
            images = {"SpecifiedImage": container["Image"], "ResolvedImage": container["Image"]}
            told = {"DeployedImage": {**images, "ResolutionTime": record.created}}
            kept = {name: value for name, value in container.items() if name != "Image"}
            specification["Container"] = {**told, **kept}
        current = len(record.served.fleet) if record.served is not None else 0
        found: dict[str, Any] = {
            **record.listed(),
            "Specification": specification,
            "RuntimeConfig": {"DesiredCopyCount": record.desired, "CurrentCopyCount": current},
            "FailureReason": record.reason or None,
            "LastDeploymentConfig": record.deployment,
        }
        return {name: value for name, value in found.items() if value is not None}

    @operation
    def list_inference_components(self, request: Request) -> Response:
        """ListInferenceComponents."""
        items = [record.listed() for record in list(self._records.values())]
        for member in ("EndpointName", "VariantName"):
            wanted = request.get(f"{member}Equals")
            items = [each for each in items if wanted in {None, each[member]}]
        status, name = "InferenceComponentStatus", "InferenceComponentName"
        found = selected(items, request, name=name, status=status)
        return page(found, request, into="InferenceComponents")

    @operation
    def update_inference_component(self, request: Request) -> Response:
        """UpdateInferenceComponent: another specification, other copies, or both.

        Raises:
            AwsError: there is none of that name, it is busy, or it cannot become so.
        """
        record = self._idle(request["InferenceComponentName"])
        given = _specification(request, self._copies.host(record.endpoint, record.variant))
        copies = request.get("RuntimeConfig", {}).get("CopyCount", record.copies)
        if given is None:
            self._rescale(record, copies)
            return {"InferenceComponentArn": record.arn}
        merged = {**record.specification, **given}
        for one, other in (("ModelName", "Container"), ("Container", "ModelName")):
            if one in given and other not in given:
                merged.pop(other, None)
        specification = self._checked(merged)
        record.deployment = request.get("DeploymentConfig", record.deployment)
        self._begin(record, "Updating", lambda: self._copies.replace(record, specification, copies))
        return {"InferenceComponentArn": record.arn}

    @operation
    def update_inference_component_runtime_config(self, request: Request) -> Response:
        """UpdateInferenceComponentRuntimeConfig: another number of copies.

        Raises:
            AwsError: there is none of that name, or it is busy.
        """
        record = self._idle(request["InferenceComponentName"])
        self._rescale(record, request["DesiredRuntimeConfig"]["CopyCount"])
        return {"InferenceComponentArn": record.arn}

    @operation
    def delete_inference_component(self, request: Request) -> Response:
        """DeleteInferenceComponent; it is gone when its copies have ended.

        Raises:
            AwsError: there is none of that name, or it is busy.
        """
        record = self._idle(request["InferenceComponentName"])
        self._begin(record, "Deleting", lambda: self._copies.delete(record))
        return {}

    def get(self, resource_id: str, dimension: str) -> int:
        """The copies that are wanted; see `autoscaling.ScalableResources`.

        Args:
            resource_id: as in "inference-component/flights".
            dimension: DesiredCopyCount of an inference component.

        Raises:
            AwsError: there is no such component.
        """
        return self._scaled(resource_id, dimension).desired

    def set(self, resource_id: str, dimension: str, capacity: int) -> None:
        """Want another number of copies; see `autoscaling.ScalableResources`.

        Args:
            resource_id: as in "inference-component/flights".
            dimension: DesiredCopyCount of an inference component.
            capacity: how many.

        Raises:
            AwsError: there is no such component, or it is busy.
        """
        record = self._idle(self._scaled(resource_id, dimension).name)
        self._rescale(record, capacity)

    def settle(self) -> None:
        """Wait until nothing is under way in the background."""
        for record in list(self._records.values()):
            if record.work is not None:
                record.work.join()

    def _scaled(self, resource_id: str, dimension: str) -> Component:
        if dimension != _DIMENSION or not resource_id.startswith(_RESOURCE):
            raise validation(f"{resource_id} has no {dimension}")
        return self._found(resource_id.removeprefix(_RESOURCE))

    def _found(self, name: str) -> Component:
        record = self._records.get(name)
        if record is None:
            wanted = arn("sagemaker", f"inference-component/{name.lower()}")
            raise validation(f'Could not find inference component "{wanted}".')
        return record

    def _idle(self, name: str) -> Component:
        """A component to which something can be done now."""
        record = self._found(name)
        if record.status in _BUSY:
            text = f'Cannot update in-progress inference component "{record.arn}"'
            raise validation(f"{text}: it is {record.status}; wait until it is InService or Failed")
        return record

    def _guard(self, endpoint: str, what: str) -> None:
        """Refuse to delete or to replace an endpoint that has components."""
        found = [each.name for each in list(self._records.values()) if each.endpoint == endpoint]
        if found:
            raise validation(
                f'Cannot {what} endpoint "{arn("sagemaker", f"endpoint/{endpoint.lower()}")}": it '
                f"has inference components: {', '.join(sorted(found))}. Delete them first."
            )

    def _checked(self, specification: Mapping[str, Any]) -> Mapping[str, Any]:
        """A specification that can be followed.

        Raises:
            AwsError: it cannot.
        """
        if "BaseInferenceComponentName" in specification:
            raise validation("the local AWS has no adapter inference components")
        if ("ModelName" in specification) == ("Container" in specification):
            raise validation("a Specification needs ModelName or Container: exactly one of the two")
        needed = specification.get("ComputeResourceRequirements")
        if needed is None:
            raise validation("a Specification needs ComputeResourceRequirements")
        most = needed.get("MaxMemoryRequiredInMb")
        if most is not None and most < needed["MinMemoryRequiredInMb"]:
            raise validation("MaxMemoryRequiredInMb must be at least MinMemoryRequiredInMb")
        container = self._copies.container(specification)
        if "Image" not in container:
            raise validation("a Container needs an Image")
        if container.get("Mode") == "MultiModel":
            raise validation("a multi-model container cannot be an inference component")
        return specification

    def _rescale(self, record: Component, copies: int) -> None:
        self._begin(record, "Updating", lambda: self._copies.rescale(record, copies), copies)

    def _begin(
        self,
        record: Component,
        status: str,
        work: Callable[[], None],
        coming: int | None = None,
    ) -> None:
        """Do something in the background, and tell how it ended."""

        def run() -> None:
            reason = ""
            try:
                work()
                if status == "Deleting":
                    self._forget(record)
                    return
            except (AwsError, WorkerError) as error:
                told = error.message if isinstance(error, AwsError) else str(error)
                reason = told[:_LONGEST]
            except Exception:
                logger.exception("the inference component %s", record.name)
                reason = "Request to service failed. The log of the local AWS tells more."
            record.reason, record.coming = reason, None
            record.modified = self._world.clock.now()
            record.status = "Failed" if record.served is None else "InService"

        with self._lock:
            if record.work is not None:
                self._idle(record.name)
            record.status, record.coming = status, coming
            record.work = threading.Thread(target=run, name=f"component {record.name}", daemon=True)
            record.work.start()

    def _forget(self, record: Component) -> None:
        self._world.tags.forget(record.arn)
        with self._lock:
            del self._records[record.name]
        self.on_removal(record.name)


def _specification(request: Request, host: Variant) -> Mapping[str, Any] | None:
    """The specification of a request for the instances of a variant, or None without any.

    Raises:
        AwsError: there are two, or none for instances of that type.
    """
    several = request.get("Specifications")
    if several is None:
        found: Mapping[str, Any] | None = request.get("Specification")
        return found
    if "Specification" in request:
        raise validation("give Specification or Specifications, not both")
    kind = host.settings.get("InstanceType")
    for each in several:
        if each.get("InstanceType", kind) == kind:
            return {name: value for name, value in each.items() if name != "InstanceType"}
    raise validation(f"no Specification is for {kind}, the InstanceType of variant {host.name}")
