"""Training jobs: CreateTrainingJob and its family. What they do is in `mlref.aws.local.jobs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.jobs.book import one_instance
from mlref.aws.local.jobs.folder import OPT_ML
from mlref.aws.local.jobs.inputs import in_s3, require_bucket, require_inputs
from mlref.aws.local.jobs.training import DAY_S, TrainingRun
from mlref.aws.local.sagemaker.script_jobs import ScriptJobs
from mlref.aws.local.services import Request, Response, operation, page, selected

__all__ = ["TrainingJobs"]

_NOT_DONE = (
    "DebugRuleConfigurations",
    "MlflowConfig",
    "ModelPackageConfig",
    "ProfilerRuleConfigurations",
    "ServerlessJobConfig",
)
"""The members of CreateTrainingJob that would have to start something that is not there."""

_KEPT = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "CheckpointConfig",
    "DebugHookConfig",
    "TensorBoardOutputConfig",
    "ExperimentConfig",
    "ProfilerConfig",
    "Environment",
    "RetryStrategy",
    "RemoteDebugConfig",
    "InfraCheckConfig",
)
"""The members of CreateTrainingJob that DescribeTrainingJob gives back as they were."""

_FLAGS = (
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
)


class TrainingJobs(ScriptJobs[TrainingRun]):
    """CreateTrainingJob and its family."""

    kind = "training"
    missing = "Requested resource not found."

    @operation
    def create_training_job(self, request: Request) -> Response:
        """CreateTrainingJob."""
        self._check(request)
        found = self.begin(TrainingRun, request, request["TrainingJobName"])
        return {"TrainingJobArn": found.arn}

    @operation
    def describe_training_job(self, request: Request) -> Response:
        """DescribeTrainingJob."""
        job = self.jobs.found(request["TrainingJobName"])
        given = job.request
        told: dict[str, Any] = {
            "TrainingJobName": job.name,
            "TrainingJobArn": job.arn,
            "ModelArtifacts": {"S3ModelArtifacts": job.model_uri},
            "TrainingJobStatus": job.status,
            "SecondaryStatus": job.secondary,
            "FailureReason": job.reason or None,
            "StoppingCondition": {
                "MaxRuntimeInSeconds": DAY_S,
                **given.get("StoppingCondition", {}),
            },
            "CreationTime": job.created,
            "TrainingStartTime": job.started,
            "TrainingEndTime": job.ended,
            "LastModifiedTime": job.modified,
            "SecondaryStatusTransitions": [dict(each) for each in job.transitions],
            "FinalMetricDataList": job.measures.final() or None,
            "TrainingTimeInSeconds": job.seconds,
            "BillableTimeInSeconds": job.seconds,
            **{member: given[member] for member in _KEPT if member in given},
            **{member: bool(given.get(member, False)) for member in _FLAGS},
        }
        return {name: value for name, value in told.items() if value is not None}

    @operation
    def list_training_jobs(self, request: Request) -> Response:
        """ListTrainingJobs."""
        for member in ("WarmPoolStatusEquals", "TrainingPlanArnEquals"):
            if member in request:
                return {"TrainingJobSummaries": []}  # no job here has either
        told = [
            {
                "TrainingJobName": each.name,
                "TrainingJobArn": each.arn,
                "CreationTime": each.created,
                "LastModifiedTime": each.modified,
                "TrainingJobStatus": each.status,
                "SecondaryStatus": each.secondary,
                **({"TrainingEndTime": each.ended} if each.ended else {}),
            }
            for each in self.jobs.all()
        ]
        wanted = {"SortOrder": "Ascending", **request}
        found = selected(told, wanted, name="TrainingJobName", status="TrainingJobStatus")
        return page(found, request, into="TrainingJobSummaries")

    @operation
    def stop_training_job(self, request: Request) -> Response:
        """StopTrainingJob."""
        self.stop(request["TrainingJobName"])
        return {}

    @operation
    def delete_training_job(self, request: Request) -> Response:
        """DeleteTrainingJob."""
        self.delete(request["TrainingJobName"])
        return {}

    def _check(self, request: Request) -> None:
        """Refuse what AWS would refuse, and what cannot be done here."""
        _check_members(request)
        _check_algorithm(request)
        _check_resources(request["ResourceConfig"])
        _check_time(request)
        _check_checkpoints(request)
        source = self.arn_of(request["TrainingJobName"])
        self.world.roles.trusts(request["RoleArn"], "sagemaker.amazonaws.com", source=source)
        require_bucket(self.world, request["OutputDataConfig"]["S3OutputPath"])
        seen: set[str] = set()
        for channel in request.get("InputDataConfig", ()):
            self._check_channel(channel, request)
            if channel["ChannelName"] in seen:
                raise validation(f"there are two channels {channel['ChannelName']!r}")
            seen.add(channel["ChannelName"])

    def _check_channel(self, channel: Mapping[str, Any], request: Request) -> None:
        name = f"channel {channel['ChannelName']!r}"
        source = channel["DataSource"].get("S3DataSource")
        if source is None:
            kinds = ", ".join(channel["DataSource"]) or "no source"
            raise _not_done(f"a {name} with {kinds}", "give an S3DataSource")
        if source["S3DataType"] not in {"S3Prefix", "ManifestFile"}:
            raise _not_done(
                f"a {name} of S3DataType {source['S3DataType']}", "give S3Prefix or ManifestFile"
            )
        mode = channel.get("InputMode", request["AlgorithmSpecification"]["TrainingInputMode"])
        if mode == "Pipe":
            raise _not_done(f"a {name} in Pipe mode", "give File or FastFile")
        if mode == "FastFile" and source["S3DataType"] != "S3Prefix":
            raise validation(f"{name}: FastFile mode needs the S3DataType S3Prefix")
        if channel.get("CompressionType", "None") != "None":
            raise validation(f"{name}: CompressionType is for Pipe mode only; leave it out")
        if channel.get("RecordWrapperType", "None") != "None":
            raise _not_done(f"a {name} with RecordWrapperType", "leave it out")
        require_inputs(self.world, source["S3DataType"], source["S3Uri"], request["RoleArn"])


def _check_members(request: Request) -> None:
    """Refuse what would start something that is not there, and what lacks a part."""
    for member in _NOT_DONE:
        if member in request:
            raise _not_done(member, "leave it out")
    for member in ("AlgorithmSpecification", "ResourceConfig", "RoleArn"):
        if member not in request:
            raise validation(f"{member} is missing; a training job needs it")


def _check_resources(resources: Mapping[str, Any]) -> None:
    """Refuse anything but one instance of a type."""
    for member in ("InstanceGroups", "InstancePreferences"):
        if member in resources:
            raise _not_done(f"ResourceConfig.{member}", "give InstanceType and InstanceCount")
    for member in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
        if member not in resources:
            raise validation(f"ResourceConfig.{member} is missing; a training job needs it")
    one_instance(resources["InstanceCount"], resources["InstanceType"], "training")


def _check_time(request: Request) -> None:
    """Refuse a time to wait that does not fit the time to run."""
    limits = request.get("StoppingCondition", {})
    longest = limits.get("MaxRuntimeInSeconds", DAY_S)
    if request.get("EnableManagedSpotTraining"):
        if limits.get("MaxWaitTimeInSeconds", 0) < longest:
            raise validation(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal "
                "to MaxRuntimeInSeconds"
            )
    elif "MaxWaitTimeInSeconds" in limits:
        raise validation("MaxWaitTimeInSeconds is for EnableManagedSpotTraining only")


def _check_checkpoints(request: Request) -> None:
    """Refuse checkpoints that could not be saved."""
    given = request.get("CheckpointConfig")
    if given is None:
        return
    in_s3(given["S3Uri"])
    path = given.get("LocalPath", OPT_ML)
    if path != OPT_ML and not path.startswith(f"{OPT_ML}/"):
        raise _not_done(f"a CheckpointConfig.LocalPath outside {OPT_ML}", f"got {path}")


def _check_algorithm(request: Request) -> None:
    """Refuse what cannot be run here."""
    algorithm = request["AlgorithmSpecification"]
    if "AlgorithmName" in algorithm:
        raise _not_done("AlgorithmName", "give TrainingImage")
    if "TrainingImage" not in algorithm:
        raise validation("AlgorithmSpecification needs a TrainingImage or an AlgorithmName")
    if "ContainerEntrypoint" not in algorithm and (
        "ContainerArguments" in algorithm
        or "sagemaker_program" not in request.get("HyperParameters", {})
    ):
        raise _not_done(
            "the entry point of an image",
            "give AlgorithmSpecification.ContainerEntrypoint, or the hyperparameters "
            "sagemaker_program and sagemaker_submit_directory: jobs are processes here, and no "
            "image is started",
        )


def _not_done(what: str, instead: str) -> AwsError:
    text = f"the local AWS does not have training jobs with {what}; {instead}"
    return AwsError("UnsupportedOperation", text)
