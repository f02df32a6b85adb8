"""A processing job: objects in, a program, objects out.

    InProgress -> Completed | Failed | Stopping -> Stopped

The program finds its inputs below /opt/ml/processing, and itself described in /opt/ml/config. What
it leaves where an output has its LocalPath goes to S3: in the end, or while it runs (Continuous).
The first kilobyte of /opt/ml/output/message becomes the job's ExitMessage.

Source: the Amazon SageMaker Developer Guide, "Build Your Own Processing Container"; the API
reference of CreateProcessingJob and DescribeProcessingJob.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.jobs.execution import TIME_IS_UP, Ended, Plan, environment_of
from mlref.aws.local.jobs.folder import real, save_json
from mlref.aws.local.jobs.inputs import DownloadError, download, in_s3
from mlref.aws.local.jobs.measures import LogStream
from mlref.aws.local.jobs.outputs import Outputs, Upload, saving
from mlref.aws.local.jobs.run import REASON_CHARACTERS, Run
from mlref.aws.local.world import World

__all__ = ["DAY_S", "PLACE", "ProcessingRun"]

DAY_S = 86400
"""How long a job may run unless it says otherwise, in seconds."""

PLACE = "/opt/ml/processing"
"""Below which inputs and outputs lie."""

_LOG = "/aws/sagemaker/ProcessingJobs"
_FAILED = "AlgorithmError: See job logs for more information"


class ProcessingRun(Run):
    """A processing job, from its creation on.

    Args:
        world: the time, S3 and logs.
        request: of CreateProcessingJob, already checked.
        arn: of the job.
        environment: variables that all jobs have.
        mounts: whether the program gets an /opt/ml of its own.

    Attributes:
        request: as it was given.
        arn: as it was given.
        status: ProcessingJobStatus.
        reason: FailureReason, or "".
        message: ExitMessage, or "".
        created: when it was created.
        modified: when something changed last.
        started: when it began to work, or None.
        ended: when it ended, or None.
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
        super().__init__(world, request["ProcessingJobName"])
        self.request = request
        self.arn = arn
        self.status = "InProgress"
        self.reason = ""
        self.message = ""
        self.created = self.modified = world.clock.now()
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self._environment = environment
        self._mounts = mounts
        self._role: str = request["RoleArn"]
        self._outputs = Outputs(world, self._role)

    def stop(self) -> None:
        """See `Run.stop`; a job that has ended stays as it is."""
        with self._lock:
            if self.status == "InProgress":
                self.status, self.modified = "Stopping", self.world.clock.now()
                super().stop()

    def _attempt(self, folder: Path) -> None:
        self.started = self.world.clock.now()
        began_s = self.world.clock.monotonic()
        try:
            self._prepare(folder)
        except DownloadError as error:
            self._failed(f"ClientError: Data download failed: {error}")
            return
        given = self.request.get("StoppingCondition", {})
        spent_s = self.world.clock.monotonic() - began_s
        application = self.request["AppSpecification"]
        plan = Plan(
            name=f"processing job {self.name}",
            command=[
                *application["ContainerEntrypoint"],
                *application.get("ContainerArguments", ()),
            ],
            folder=folder,
            environment=environment_of(
                folder, self._environment, self.request.get("Environment", {})
            ),
            limit_s=max(given.get("MaxRuntimeInSeconds", DAY_S) - spent_s, 0.0),
            mounts=self._mounts,
        )
        log = LogStream(self.world, _LOG, self.name)
        with saving(self._uploads(folder, continuous=True), job=self.name):
            ended = self._execute(plan, log.put)
        self._take_message(folder)
        try:
            self._finish(folder, ended)
        except (AwsError, DownloadError) as error:
            self._failed(f"ClientError: Upload failed: {error}")

    def _prepare(self, folder: Path) -> None:
        """Everything that the program finds."""
        (folder / "output").mkdir(parents=True)
        for each in self.request.get("ProcessingInputs", ()):
            given = each["S3Input"]
            place = real(folder, given["LocalPath"])
            kind, uri = given["S3DataType"], given["S3Uri"]
            for _ in download(self.world, kind, uri, place, role=self._role):
                self._go_on()
        for each in self._wanted():
            real(folder, each["LocalPath"]).mkdir(parents=True, exist_ok=True)
        told = {name: value for name, value in self.request.items() if name != "Tags"}
        config = folder / "config"
        save_json(config / "processingjobconfig.json", {"ProcessingJobArn": self.arn, **told})
        host = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
        save_json(config / "resourceconfig.json", host)

    def _wanted(self) -> list[Mapping[str, Any]]:
        """The S3Output of each output."""
        outputs = self.request.get("ProcessingOutputConfig", {}).get("Outputs", ())
        return [each["S3Output"] for each in outputs]

    def _uploads(self, folder: Path, *, continuous: bool) -> list[Upload]:
        return [
            Upload(
                self._outputs,
                real(folder, each["LocalPath"]),
                in_s3(each["S3Uri"]).rstrip("/") + "/",
            )
            for each in self._wanted()
            if (each["S3UploadMode"] == "Continuous") is continuous
        ]

    def _take_message(self, folder: Path) -> None:
        path = folder / "output" / "message"
        if path.is_file():
            with path.open("rb") as file:
                self.message = file.read(REASON_CHARACTERS).decode("utf-8", "replace")

    def _finish(self, folder: Path, ended: Ended) -> None:
        """Save what the program has left, and say how the job ended."""
        for each in self._uploads(folder, continuous=True):
            each.sync()
        if ended.code and not ended.stopped:
            self._failed(_FAILED)
            return
        if not ended.stopped:
            for each in self._uploads(folder, continuous=False):
                each.sync()
        elif ended.stopped == TIME_IS_UP:
            self.reason = "The job ran longer than MaxRuntimeInSeconds and was stopped"
        self._end("Stopped" if ended.stopped or self._stop_asked else "Completed")

    def _stopped_early(self) -> None:
        self._end("Stopped")

    def _failed(self, reason: str) -> None:
        with self._lock:
            self.reason = reason[:REASON_CHARACTERS]
            self._end("Failed")

    def _end(self, status: str) -> None:
        with self._lock:
            self.status = status
            self.ended = self.modified = self.world.clock.now()
