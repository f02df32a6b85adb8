"""The copies of inference components: started, replaced, scaled and ended.

An update with another specification starts all new copies, lets them take over in a single step,
and then ends the old ones. The batches and waits of a rolling update are kept, and not followed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.hosting.components import Instances, Resources
from mlref.aws.local.hosting.hosting import Hosting
from mlref.aws.local.hosting.live import Variant
from mlref.aws.local.hosting.specs import VariantSpec
from mlref.aws.local.hosting.workers import WorkerError
from mlref.aws.local.sagemaker.models import Models
from mlref.aws.local.services import Request
from mlref.aws.local.world import arn

__all__ = ["Component", "Copies"]


class Component:
    """An inference component, whether it answers or not.

    Args:
        request: CreateInferenceComponent's.
        variant: on whose instances it is.
        at: when it is created.

    Attributes:
        specification: of each copy.
        copies: that are wanted.
        coming: that are wanted once the change under way has ended, or None.
        status: one of AWS's.
        reason: why it failed, or "".
        served: what answers, or None.
    """

    def __init__(self, request: Request, variant: str, at: datetime) -> None:
        self.name: str = request["InferenceComponentName"]
        self.arn = arn("sagemaker", f"inference-component/{self.name.lower()}")
        self.endpoint: str = request["EndpointName"]
        self.variant = variant
        self.specification: Mapping[str, Any] = {}
        self.copies = 0
        self.coming: int | None = None
        self.status = "Creating"
        self.reason = ""
        self.created = self.modified = at
        self.deployment: Mapping[str, Any] | None = None
        self.served: Variant | None = None
        self.work: threading.Thread | None = None

    @property
    def desired(self) -> int:
        """Copies that were asked for last."""
        return self.copies if self.coming is None else self.coming

    def listed(self) -> dict[str, Any]:
        """As ListInferenceComponents tells of it."""
        return {
            "InferenceComponentName": self.name,
            "InferenceComponentArn": self.arn,
            "EndpointName": self.endpoint,
            "EndpointArn": arn("sagemaker", f"endpoint/{self.endpoint.lower()}"),
            "VariantName": self.variant,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "InferenceComponentStatus": self.status,
        }


class Copies:
    """What runs inference components.

    Args:
        models: which the components name.
        hosting: runs the copies.
        role_of: the role of an endpoint's configuration, in which model data is read.
    """

    def __init__(
        self, models: Models, hosting: Hosting, role_of: Callable[[str], str | None]
    ) -> None:
        self._models = models
        self._hosting = hosting
        self._role_of = role_of

    def host(self, endpoint: str, name: str | None) -> Variant:
        """The variant on whose instances a component goes.

        Args:
            endpoint: its name.
            name: of the variant, or None where there is only one.

        Raises:
            AwsError: there is none.
        """
        live = self._hosting.live(endpoint)
        variants = live.groups[0].variants if live is not None else ()
        hosts = [each for each in variants if each.components is not None]
        if not hosts:
            raise validation(
                "Invalid request provided: Inference Components are not supported in this "
                "Endpoint. Please make sure this endpoint can deploy inference components."
            )
        fitting = [each for each in hosts if name in {None, each.name}]
        if len(fitting) != 1:
            known = ", ".join(each.name for each in hosts)
            raise validation(f"VariantName must be one of {known}, got {name!r}")
        return fitting[0]

    def container(self, specification: Mapping[str, Any]) -> Mapping[str, Any]:
        """The container of a copy.

        Args:
            specification: that has a ModelName or a Container.

        Raises:
            AwsError: there is no such model, or it has several containers.
        """
        if "ModelName" in specification:
            return self._models.container(specification["ModelName"])
        given = dict(specification["Container"])
        url = given.pop("ArtifactUrl", None)
        return given if url is None else {**given, "ModelDataUrl": url}

    def create(self, record: Component) -> None:
        """Start the first copies.

        Args:
            record: the component.

        Raises:
            WorkerError: there is no room, or one did not get ready.
        """
        host, instances = self._host_of(record)
        needed = Resources.needed(record.specification["ComputeResourceRequirements"])
        instances.place(record.name, needed, record.copies)
        try:
            served = self._started(record, record.specification, record.copies)
        except BaseException:
            instances.release(record.name)
            raise
        self._serve(record, host, served)

    def replace(self, record: Component, specification: Mapping[str, Any], copies: int) -> None:
        """Other copies take over; if they do not start, those that are there stay.

        Args:
            record: the component.
            specification: of the new copies.
            copies: how many.

        Raises:
            WorkerError: there is no room, or one did not get ready.
        """
        host, instances = self._host_of(record)
        instances.place(
            record.name, Resources.needed(specification["ComputeResourceRequirements"]), copies
        )
        try:
            served = self._started(record, specification, copies)
        except BaseException:
            before = Resources.needed(record.specification["ComputeResourceRequirements"])
            if record.served is None:
                instances.release(record.name)
            else:
                instances.place(record.name, before, record.copies)
            raise
        old = record.served
        record.specification, record.copies = specification, copies
        self._serve(record, host, served)
        if old is not None:
            self._hosting.end(old, drain=True)

    def rescale(self, record: Component, copies: int) -> None:
        """Have more copies, or fewer; if there is no room, those that are there stay.

        Args:
            record: the component.
            copies: how many.

        Raises:
            WorkerError: there is no room, or one did not get ready.
        """
        if record.served is None:  # it has failed before
            self.replace(record, record.specification, copies)
            return
        _, instances = self._host_of(record)
        needed = Resources.needed(record.specification["ComputeResourceRequirements"])
        before, record.copies = record.copies, copies
        try:
            if copies > before:
                instances.place(record.name, needed, copies)
            record.served.fleet.resize(copies)
        except WorkerError:
            record.copies = before
            record.served.fleet.resize(before)
            raise
        finally:
            instances.place(record.name, needed, record.copies)

    def delete(self, record: Component) -> None:
        """End all copies.

        Args:
            record: the component.
        """
        try:
            host, instances = self._host_of(record)
        except AwsError:  # the endpoint has failed meanwhile
            pass
        else:
            if host.components is not None:
                host.components.pop(record.name, None)
            instances.release(record.name)
        if record.served is not None:
            self._hosting.end(record.served)

    def _started(self, record: Component, specification: Mapping[str, Any], copies: int) -> Variant:
        """A component whose copies are ready.

        Raises:
            WorkerError: one did not get ready; none is left.
        """
        settings = {"VariantName": record.variant, **specification.get("StartupParameters", {})}
        role = self._role_of(record.endpoint)
        spec = VariantSpec(settings, self.container(specification), role)
        served = self._hosting.component(record.endpoint, record.name, spec)
        try:
            served.fleet.resize(copies)
        except WorkerError as error:
            self._hosting.end(served)
            text = f"The container of inference component {record.name} {error}."
            raise WorkerError(f"{text} Please check its CloudWatch logs.") from error
        except BaseException:
            self._hosting.end(served)
            raise
        return served

    def _serve(self, record: Component, host: Variant, served: Variant) -> None:
        record.served = served
        if host.components is not None:
            host.components[record.name] = served

    def _host_of(self, record: Component) -> tuple[Variant, Instances]:
        host = self.host(record.endpoint, record.variant)
        if not isinstance(host.fleet, Instances):
            raise TypeError(f"{host.name} has no instances for inference components")
        return host, host.fleet
