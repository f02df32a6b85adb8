"""Processing jobs: CreateProcessingJob and its family. See `mlref.aws.local.jobs` for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.jobs.book import one_instance
from mlref.aws.local.jobs.inputs import require_bucket, require_inputs
from mlref.aws.local.jobs.processing import PLACE, ProcessingRun
from mlref.aws.local.sagemaker.script_jobs import ScriptJobs
from mlref.aws.local.services import Request, Response, operation, page, selected

__all__ = ["ProcessingJobs"]

_KEPT = (
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "StoppingCondition",
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
)
"""The members of CreateProcessingJob that DescribeProcessingJob gives back as they were."""


class ProcessingJobs(ScriptJobs[ProcessingRun]):
    """CreateProcessingJob and its family."""

    kind = "processing"
    missing = "Could not find requested job with name: {name}"

    @operation
    def create_processing_job(self, request: Request) -> Response:
        """CreateProcessingJob."""
        self._check(request)
        found = self.begin(ProcessingRun, request, request["ProcessingJobName"])
        return {"ProcessingJobArn": found.arn}

    @operation
    def describe_processing_job(self, request: Request) -> Response:
        """DescribeProcessingJob."""
        job = self.jobs.found(request["ProcessingJobName"])
        told: dict[str, Any] = {
            "ProcessingJobName": job.name,
            "ProcessingJobArn": job.arn,
            "ProcessingJobStatus": job.status,
            "ExitMessage": job.message or None,
            "FailureReason": job.reason or None,
            "CreationTime": job.created,
            "LastModifiedTime": job.modified,
            "ProcessingStartTime": job.started,
            "ProcessingEndTime": job.ended,
            **{member: job.request[member] for member in _KEPT if member in job.request},
        }
        return {name: value for name, value in told.items() if value is not None}

    @operation
    def list_processing_jobs(self, request: Request) -> Response:
        """ListProcessingJobs."""
        told = [
            {
                "ProcessingJobName": each.name,
                "ProcessingJobArn": each.arn,
                "CreationTime": each.created,
                "LastModifiedTime": each.modified,
                "ProcessingJobStatus": each.status,
                **({"ProcessingEndTime": each.ended} if each.ended else {}),
                **({"FailureReason": each.reason} if each.reason else {}),
                **({"ExitMessage": each.message} if each.message else {}),
            }
            for each in self.jobs.all()
        ]
        wanted = {"SortOrder": "Ascending", **request}
        found = selected(told, wanted, name="ProcessingJobName", status="ProcessingJobStatus")
        return page(found, request, into="ProcessingJobSummaries")

    @operation
    def stop_processing_job(self, request: Request) -> Response:
        """StopProcessingJob."""
        self.stop(request["ProcessingJobName"])
        return {}

    @operation
    def delete_processing_job(self, request: Request) -> Response:
        """DeleteProcessingJob."""
        self.delete(request["ProcessingJobName"])
        return {}

    def _check(self, request: Request) -> None:
        """Refuse what AWS would refuse, and what cannot be done here."""
        cluster = request["ProcessingResources"]["ClusterConfig"]
        if "InstancePreferences" in cluster:
            raise _not_done("InstancePreferences", "give InstanceType and InstanceCount")
        for member in ("InstanceType", "InstanceCount"):
            if member not in cluster:
                raise validation(f"ClusterConfig.{member} is missing; a processing job needs it")
        one_instance(cluster["InstanceCount"], cluster["InstanceType"], "processing")
        if "ContainerEntrypoint" not in request["AppSpecification"]:
            raise _not_done(
                "the entry point of an image",
                "give AppSpecification.ContainerEntrypoint: jobs are processes here, and no image "
                "is started",
            )
        source = self.arn_of(request["ProcessingJobName"])
        self.world.roles.trusts(request["RoleArn"], "sagemaker.amazonaws.com", source=source)
        inputs = request.get("ProcessingInputs", ())
        outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", ())
        _check_names([each["InputName"] for each in inputs], "inputs")
        _check_names([each["OutputName"] for each in outputs], "outputs")
        for each in inputs:
            self._check_input(each, request["RoleArn"])
        for each in outputs:
            self._check_output(each)
        places = [each["S3Input"]["LocalPath"].rstrip("/") for each in inputs]
        for one in places:
            inside = [
                each for each in places if each is not one and f"{each}/".startswith(f"{one}/")
            ]
            if inside:
                raise validation(f"LocalPath {inside[0]} of an input lies in {one} of another one")

    def _check_input(self, given: Mapping[str, Any], role: str) -> None:
        name = f"an input ({given['InputName']})"
        source = given.get("S3Input")
        if source is None or given.get("AppManaged"):
            raise _not_done(f"{name} that is no S3Input", "give an S3Input")
        _check_path(source, f"the input {given['InputName']}")
        if source.get("S3InputMode", "File") != "File":
            raise _not_done(f"{name} in Pipe mode", "give File")
        if source.get("S3CompressionType", "None") != "None":
            raise validation(f"{name}: S3CompressionType is for Pipe mode only; leave it out")
        require_inputs(self.world, source["S3DataType"], source["S3Uri"], role)

    def _check_output(self, given: Mapping[str, Any]) -> None:
        target = given.get("S3Output")
        if target is None or given.get("AppManaged"):
            raise _not_done(f"an output ({given['OutputName']}) that is no S3Output", "give one")
        _check_path(target, f"the output {given['OutputName']}")
        require_bucket(self.world, target["S3Uri"])


def _check_names(names: list[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise validation(f"there are two {what} {twice[0]!r}; names must be unique")


def _check_path(given: Mapping[str, Any], what: str) -> None:
    """Refuse a place where a container of SageMaker would have none."""
    path = given.get("LocalPath", "")
    if (path != PLACE and not path.startswith(f"{PLACE}/")) or ".." in path.split("/"):
        raise validation(f"LocalPath of {what} must be a path under {PLACE}, got {path!r}")


def _not_done(what: str, instead: str) -> AwsError:
    text = f"the local AWS does not have processing jobs with {what}; {instead}"
    return AwsError("UnsupportedOperation", text)
