"""Transform jobs: CreateTransformJob and its family. What they do is in `local.transform`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.hosting.workers import Worker
from mlref.aws.local.jobs.book import Book, one_instance
from mlref.aws.local.jobs.inputs import require_bucket, require_inputs
from mlref.aws.local.sagemaker.models import Models
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.transform.run import TransformRun
from mlref.aws.local.transform.settings import MOST_MB, Settings
from mlref.aws.local.world import World, arn

__all__ = ["Launch", "TransformJobs"]

Launch = Callable[[Mapping[str, Any], str | None], Worker]
"""Starts a worker of a container, as DescribeModel gives it, in a role."""

_KEPT = (
    "MaxConcurrentTransforms",
    "ModelClientConfig",
    "MaxPayloadInMB",
    "BatchStrategy",
    "Environment",
    "TransformInput",
    "TransformOutput",
    "TransformResources",
    "DataProcessing",
    "ExperimentConfig",
)
"""The members of CreateTransformJob that DescribeTransformJob gives back as they were."""


class TransformJobs(Part):
    """CreateTransformJob and its family.

    Args:
        world: the time, S3, logs and roles.
        models: those that there are.
        launch: starts a worker.
    """

    def __init__(self, world: World, models: Models, launch: Launch) -> None:
        self.jobs: Book[TransformRun] = Book("Could not find requested job with name: {name}")
        self._world = world
        self._models = models
        self._launch = launch

    @operation
    def create_transform_job(self, request: Request) -> Response:
        """CreateTransformJob."""
        name = request["TransformJobName"]
        model = self._models.found(request["ModelName"])
        containers = self._models.containers(request["ModelName"])
        if len(containers) != 1:
            raise _not_done("a model of several containers", "give a model of one")
        role = model.get("ExecutionRoleArn")
        self._check(request, role)
        given = {**containers[0].get("Environment", {}), **request.get("Environment", {})}
        container = {**containers[0], "Environment": given}
        found = self.jobs.begin(
            name,
            lambda: TransformRun(
                self._world,
                request,
                arn("sagemaker", f"transform-job/{name.lower()}"),
                launch=lambda: self._launch(container, role),
                role=role,
            ),
        )
        return {"TransformJobArn": found.arn}

    @operation
    def describe_transform_job(self, request: Request) -> Response:
        """DescribeTransformJob."""
        job = self.jobs.found(request["TransformJobName"])
        told: dict[str, Any] = {
            "TransformJobName": job.name,
            "TransformJobArn": job.arn,
            "TransformJobStatus": job.status,
            "FailureReason": job.reason or None,
            "ModelName": job.request["ModelName"],
            "CreationTime": job.created,
            "TransformStartTime": job.started,
            "TransformEndTime": job.ended,
            **{member: job.request[member] for member in _KEPT if member in job.request},
        }
        return {name: value for name, value in told.items() if value is not None}

    @operation
    def list_transform_jobs(self, request: Request) -> Response:
        """ListTransformJobs."""
        told = [
            {
                "TransformJobName": each.name,
                "TransformJobArn": each.arn,
                "CreationTime": each.created,
                "LastModifiedTime": each.ended or each.started or each.created,
                "TransformJobStatus": each.status,
                **({"TransformEndTime": each.ended} if each.ended else {}),
                **({"FailureReason": each.reason} if each.reason else {}),
            }
            for each in self.jobs.all()
        ]
        found = selected(told, request, name="TransformJobName", status="TransformJobStatus")
        return page(found, request, into="TransformJobSummaries")

    @operation
    def stop_transform_job(self, request: Request) -> Response:
        """StopTransformJob."""
        job = self.jobs.found(request["TransformJobName"])
        if job.status not in {"InProgress", "Stopping"}:
            raise validation(
                f"The request was rejected because the transform job is in status {job.status}."
            )
        job.stop()
        return {}

    def close(self) -> None:
        """End all jobs."""
        self.jobs.close()

    def _check(self, request: Request, role: str | None) -> None:
        """Refuse what AWS would refuse, and what cannot be done here."""
        given = request["TransformInput"]
        source = given["DataSource"]["S3DataSource"]
        if source["S3DataType"] not in {"S3Prefix", "ManifestFile"}:
            raise _not_done(f"S3DataType {source['S3DataType']}", "give S3Prefix or ManifestFile")
        if given.get("SplitType", "None") not in {"None", "Line"}:
            raise _not_done(f"SplitType {given['SplitType']}", "give None or Line")
        if "DataCaptureConfig" in request:
            raise _not_done("DataCaptureConfig", "leave it out; endpoints have data capture")
        resources = request["TransformResources"]
        one_instance(resources["InstanceCount"], resources["InstanceType"], "transform")
        try:
            settings = Settings(request)
        except ValueError as error:
            raise validation(str(error)) from error
        at_once = request.get("MaxConcurrentTransforms") or 1
        if settings.payload_mb * at_once > MOST_MB:
            raise validation(
                "The product of MaxConcurrentTransforms and MaxPayloadInMB must not exceed "
                f"{MOST_MB} MB, got {at_once} and {settings.payload_mb}"
            )
        require_bucket(self._world, request["TransformOutput"]["S3OutputPath"])
        require_inputs(self._world, source["S3DataType"], source["S3Uri"], role)


def _not_done(what: str, instead: str) -> AwsError:
    text = f"the local AWS does not have transform jobs with {what}; {instead}"
    return AwsError("UnsupportedOperation", text)
