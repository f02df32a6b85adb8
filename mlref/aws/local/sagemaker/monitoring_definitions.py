"""Job definitions of data quality: CreateDataQualityJobDefinition and its family."""

from __future__ import annotations

import threading
from typing import Any

from mlref.aws.local.errors import conflict, not_found, validation
from mlref.aws.local.hosting.capture import captures
from mlref.aws.local.monitoring.definition import Definition
from mlref.aws.local.sagemaker.endpoints import Endpoints
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.world import World, arn

__all__ = ["MonitoringDefinitions"]


class MonitoringDefinitions(Part):
    """CreateDataQualityJobDefinition and its family.

    Args:
        world: the time, and the roles.
        endpoints: those that there are.
    """

    def __init__(self, world: World, endpoints: Endpoints) -> None:
        self._world = world
        self._endpoints = endpoints
        self._made: dict[str, tuple[dict[str, Any], Definition]] = {}
        self._lock = threading.Lock()

    @operation
    def create_data_quality_job_definition(self, request: Request) -> Response:
        """CreateDataQualityJobDefinition."""
        name = request["JobDefinitionName"]
        definition = Definition.of_data_quality(request)
        self.check(definition)
        told = {member: value for member, value in request.items() if member != "Tags"}
        told["JobDefinitionArn"] = arn("sagemaker", f"data-quality-job-definition/{name.lower()}")
        told["CreationTime"] = self._world.clock.now()
        with self._lock:
            if name in self._made:
                raise conflict(f"Job definition {self._made[name][0]['JobDefinitionArn']} exists")
            self._made[name] = told, definition
        return {"JobDefinitionArn": told["JobDefinitionArn"]}

    @operation
    def describe_data_quality_job_definition(self, request: Request) -> Response:
        """DescribeDataQualityJobDefinition."""
        return self._found(request["JobDefinitionName"])[0]

    @operation
    def list_data_quality_job_definitions(self, request: Request) -> Response:
        """ListDataQualityJobDefinitions."""
        with self._lock:
            made = list(self._made.values())
        told = [
            {
                "MonitoringJobDefinitionName": each["JobDefinitionName"],
                "MonitoringJobDefinitionArn": each["JobDefinitionArn"],
                "CreationTime": each["CreationTime"],
                "EndpointName": definition.endpoint,
            }
            for each, definition in made
            if request.get("EndpointName", definition.endpoint) == definition.endpoint
        ]
        found = selected(told, request, name="MonitoringJobDefinitionName", times=["CreationTime"])
        return page(found, request, into="JobDefinitionSummaries")

    @operation
    def delete_data_quality_job_definition(self, request: Request) -> Response:
        """DeleteDataQualityJobDefinition; a schedule that names it fails from then on."""
        told, _ = self._found(request["JobDefinitionName"])
        with self._lock:
            self._made.pop(request["JobDefinitionName"], None)
        self._world.tags.forget(told["JobDefinitionArn"])
        return {}

    def found(self, name: str) -> Definition:
        """A job definition.

        Raises:
            AwsError: there is none of that name.
        """
        return self._found(name)[1]

    def check(self, definition: Definition) -> None:
        """Return if a definition can be worked with.

        Raises:
            AwsError: its endpoint is not there or captures nothing, or its role cannot be taken.
        """
        self.captured(definition)
        source = arn("sagemaker", f"endpoint/{definition.endpoint.lower()}")
        self._world.roles.trusts(definition.role, "sagemaker.amazonaws.com", source=source)

    def captured(self, definition: Definition) -> str:
        """The address in S3 under which the captures of a definition's endpoint lie.

        Raises:
            AwsError: there is no such endpoint, or it captures nothing.
        """
        name = definition.endpoint
        found = self._endpoints.found(name).config_settings.get("DataCaptureConfig") or {}
        if not captures(found):
            raise validation(
                f"the endpoint {name} captures no data; give its configuration a DataCaptureConfig "
                f"with EnableCapture, and update it"
            )
        return str(found["DestinationS3Uri"])

    def _found(self, name: str) -> tuple[dict[str, Any], Definition]:
        found = self._made.get(name)
        if found is None:
            wanted = arn("sagemaker", f"data-quality-job-definition/{name.lower()}")
            raise not_found(f"Could not find job definition {wanted}")
        return found
