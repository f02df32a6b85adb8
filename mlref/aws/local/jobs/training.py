"""A training job: data in, a script, a model out.

    Starting -> Downloading -> Training -> Uploading -> Completed
    (if anything goes wrong) -> Failed
    (at any time) -> Stopping -> Uploading -> Stopped | MaxRuntimeExceeded

A stopped job saves what lies in /opt/ml/model: after SIGTERM its script has 120 seconds to put it
there. Checkpoints are saved while it runs.

Source: the Amazon SageMaker Developer Guide, "Use Your Own Training Algorithms" and "Checkpoints in
Amazon SageMaker AI"; the API reference of DescribeTrainingJob.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from mlref.aws.local.archives import packed
from mlref.aws.local.errors import AwsError
from mlref.aws.local.jobs.contract import Training
from mlref.aws.local.jobs.execution import TIME_IS_UP, Ended, Plan, environment_of
from mlref.aws.local.jobs.folder import OPT_ML, first_text, real
from mlref.aws.local.jobs.inputs import DownloadError, download, in_s3
from mlref.aws.local.jobs.measures import NAMESPACE, LogStream, Measures
from mlref.aws.local.jobs.outputs import Outputs, Upload, saving
from mlref.aws.local.jobs.run import REASON_CHARACTERS, Run
from mlref.aws.local.jobs.script import Script, ScriptError
from mlref.aws.local.world import World

__all__ = ["DAY_S", "TrainingRun"]

DAY_S = 86400
"""How long a job may run unless it says otherwise, in seconds."""

_MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training in progress",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}
_ENDS = {"Completed", "Failed", "Stopped", "MaxRuntimeExceeded"}
_STATUS = {
    "Completed": "Completed",
    "Failed": "Failed",
    "Stopping": "Stopping",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
}
_FOLDERS = ("model", "output/data", "input/data", "input/config", "code")
_CHECKPOINTS = f"{OPT_ML}/checkpoints"


class TrainingRun(Run):
    """A training job, from its creation on.

    Args:
        world: the time, S3, logs and metrics.
        request: of CreateTrainingJob, already checked.
        arn: of the job.
        environment: variables that all jobs have.
        mounts: whether the script gets an /opt/ml of its own.

    Attributes:
        request: as it was given.
        arn: as it was given.
        status: TrainingJobStatus.
        secondary: SecondaryStatus.
        transitions: SecondaryStatusTransitions.
        reason: FailureReason, or "".
        created: when it was created.
        modified: when something changed last.
        started: when billing began, or None.
        ended: when billing ended, or None.
        measures: the metrics.
    """

    def __init__(
        self,
        world: World,
        request: Mapping[str, Any],
        arn: str,
        *,
        environment: Mapping[str, str],
        mounts: bool = True,
    ) -> None:
        super().__init__(world, request["TrainingJobName"])
        self.request = request
        self.arn = arn
        self._environment = environment
        self._mounts = mounts
        definitions = request["AlgorithmSpecification"].get("MetricDefinitions", ())
        self.measures = Measures(world, self.name, definitions)
        self.status = "InProgress"
        self.secondary = ""
        self.transitions: list[dict[str, Any]] = []
        self.reason = ""
        self.created = world.clock.now()
        self.modified = self.created
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self._output = in_s3(request["OutputDataConfig"]["S3OutputPath"]).rstrip("/")
        self._role = request.get("RoleArn")
        self._outputs = Outputs(world, self._role)
        self._now("Starting")

    @property
    def model_uri(self) -> str:
        """Where the model lies when the job has ended."""
        compressed = self.request["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP"
        name = "model.tar.gz" if compressed else "model/"
        return f"{self._output}/{self.name}/output/{name}"

    @property
    def seconds(self) -> int | None:
        """For how long the job is billed, in seconds; None before it has ended."""
        if self.started is None or self.ended is None:
            return None
        return max(math.ceil((self.ended - self.started).total_seconds()), 1)

    def stop(self) -> None:
        """See `Run.stop`; a job that has ended stays as it is."""
        with self._lock:
            if self.secondary in _ENDS:
                return
            if self.status == "InProgress":
                self._now("Stopping")
            super().stop()

    def _attempt(self, folder: Path) -> None:
        self.started = self.world.clock.now()
        began_s = self.world.clock.monotonic()
        self._now("Downloading")
        try:
            plan = self._prepared(folder)
        except DownloadError as error:
            self._failed(f"ClientError: Data download failed: {error}")
            return
        except ScriptError as error:
            self._failed(f"AlgorithmError: {error}, exit code: 1")
            return
        limit_s = self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DAY_S)
        left_s = max(limit_s - (self.world.clock.monotonic() - began_s), 0.0)
        plan = Plan(**{**vars(plan), "limit_s": left_s})
        self._now("Training")
        log = LogStream(self.world, NAMESPACE, self.name)

        def on_line(line: str) -> None:
            log.put(line)
            self.measures.look(line)

        checkpoints = self._checkpoint_uploads(folder)
        with saving(checkpoints, job=self.name):
            ended = self._execute(plan, on_line)
        try:
            for each in checkpoints:
                each.sync()
            self._finish(folder, ended, plan, log)
        except (AwsError, DownloadError) as error:
            self._failed(f"ClientError: Artifact upload failed: {error}")

    def _prepared(self, folder: Path) -> Plan:
        """Everything that the script finds, and the script."""
        request = self.request
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        for channel in request.get("InputDataConfig", ()):
            source = channel["DataSource"]["S3DataSource"]
            target = folder / "input" / "data" / channel["ChannelName"]
            for _ in download(
                self.world, source["S3DataType"], source["S3Uri"], target, role=self._role
            ):
                self._go_on()
        if "CheckpointConfig" in request:
            saved, place = self._checkpoints(), self._checkpoint_folder(folder)
            for _ in download(self.world, "S3Prefix", saved, place, role=self._role):
                self._go_on()
        algorithm = request["AlgorithmSpecification"]
        hyperparameters = request.get("HyperParameters", {})
        script = None if "ContainerEntrypoint" in algorithm else Script.of(hyperparameters)
        training = Training(
            self.name,
            self.arn,
            hyperparameters,
            tuple(request.get("InputDataConfig", ())),
            request["ResourceConfig"].get("InstanceType", ""),
            program="" if script is None else script.program,
            source="" if script is None else script.source,
        )
        training.save(folder)
        if script is None:
            command = [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", ())]
            cwd = OPT_ML
        else:
            cwd = script.fetch(self.world.objects, folder)
            command = script.command(cwd, training.own_hyperparameters())
        given = (self._environment, training.variables(), request.get("Environment", {}))
        return Plan(
            name=f"training job {self.name}",
            command=command,
            folder=folder,
            environment=environment_of(folder, *given),
            cwd=cwd,
            mounts=self._mounts,
        )

    def _finish(self, folder: Path, ended: Ended, plan: Plan, log: LogStream) -> None:
        """Save what the script has left, and say how the job ended."""
        if ended.code and not ended.stopped:
            self._upload_data(folder)
            self._failed(_reason(folder, ended, plan, log))
            return
        self._now("Uploading")
        self._upload_data(folder)
        model = folder / "model"
        if self.model_uri.endswith("/"):
            Upload(self._outputs, model, self.model_uri).sync()
        else:
            self._outputs.put(self.model_uri, packed(model))
        if ended.stopped == TIME_IS_UP:
            self._now("MaxRuntimeExceeded")
        else:
            self._now("Stopped" if self._stop_asked else "Completed")

    def _upload_data(self, folder: Path) -> None:
        """output.tar.gz, if the script has left anything else than a model."""
        data = folder / "output" / "data"
        if any(path.is_file() for path in data.rglob("*")):
            self._outputs.put(f"{self._output}/{self.name}/output/output.tar.gz", packed(data))

    def _checkpoint_uploads(self, folder: Path) -> list[Upload]:
        """What saves the checkpoints, if the job has some."""
        if "CheckpointConfig" not in self.request:
            return []
        return [Upload(self._outputs, self._checkpoint_folder(folder), self._checkpoints())]

    def _checkpoints(self) -> str:
        return in_s3(self.request["CheckpointConfig"]["S3Uri"]).rstrip("/") + "/"

    def _checkpoint_folder(self, folder: Path) -> Path:
        return real(folder, self.request["CheckpointConfig"].get("LocalPath", _CHECKPOINTS))

    def _stopped_early(self) -> None:
        self._now("Stopped")

    def _failed(self, reason: str) -> None:
        with self._lock:
            self.reason = reason[:REASON_CHARACTERS]
            self._now("Failed")

    def _now(self, secondary: str) -> None:
        """Go on to another secondary status; while it is stopping, the job stays so."""
        with self._lock:
            at = self.world.clock.now()
            if self.transitions:
                self.transitions[-1]["EndTime"] = at
            message = self.reason or _MESSAGES[secondary]
            self.transitions.append(
                {"Status": secondary, "StartTime": at, "StatusMessage": message}
            )
            self.modified = at
            if secondary in _ENDS:
                self.transitions[-1]["EndTime"] = at
                self.ended = at
            self.secondary = secondary
            self.status = _STATUS.get(secondary, self.status)


def _reason(folder: Path, ended: Ended, plan: Plan, log: LogStream) -> str:
    """Why a script failed: what it has written, or what its log ends with."""
    try:
        said = first_text(folder / "output" / "failure", REASON_CHARACTERS)
    except UnicodeDecodeError:
        said = "the file /opt/ml/output/failure is not UTF-8"
    if said is None and plan.cwd == OPT_ML:  # an entry point of one's own; no toolkit tells more
        said = ""
    if said is None:
        command = " ".join(plan.command)
        last = "\n".join(log.last[-3:])
        said = (
            f'ExecuteUserScriptError:\nExitCode {ended.code}\nErrorMessage "{last}"\n'
            f'Command "{command}"'
        )
    tail = f", exit code: {ended.code}"
    return f"AlgorithmError: {said}"[: REASON_CHARACTERS - len(tail)] + tail
