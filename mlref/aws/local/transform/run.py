"""A transform job: a worker is started, asked piece by piece, and ended.

    InProgress -> Completed | Failed | Stopping -> Stopped

Each object gets one with ".out" behind its name. An object of which a piece failed gets none, and
the job fails; those before it stay.

Source: the Amazon SageMaker Developer Guide, "Batch transform for inference"; the API reference of
CreateTransformJob.
"""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.workers import Worker, WorkerError
from mlref.aws.local.jobs.inputs import DownloadError, Input, in_s3, inputs_of, require_readable
from mlref.aws.local.jobs.measures import LogStream
from mlref.aws.local.jobs.outputs import Outputs
from mlref.aws.local.jobs.run import REASON_CHARACTERS, Run
from mlref.aws.local.transform.filters import Filter, LineError, LineFormat, joined
from mlref.aws.local.transform.pieces import lines_of, pieces
from mlref.aws.local.world import World

__all__ = ["PAYLOAD_MB", "Settings", "TransformRun"]

PAYLOAD_MB = 6
"""MaxPayloadInMB unless a job says otherwise."""

_LOG = "/aws/sagemaker/TransformJobs"
_OK = 200
_TIMEOUT_S = 600
_MOST_AT_ONCE = 16


class Settings:
    """A request of CreateTransformJob, read.

    Args:
        request: already checked against the model of the operation.

    Raises:
        ValueError: a filter that SageMaker does not have, or for content that has no lines.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        given, output = request["TransformInput"], request["TransformOutput"]
        processing = request.get("DataProcessing", {})
        self.source: Mapping[str, str] = given["DataSource"]["S3DataSource"]
        self.content_type: str = given.get("ContentType", "application/octet-stream")
        self.gzip = given.get("CompressionType", "None") == "Gzip"
        self.by_line = given.get("SplitType", "None") == "Line"
        self.single = request.get("BatchStrategy", "MultiRecord") == "SingleRecord"
        self.accept: str = output.get("Accept", "*/*")
        self.lines_out = output.get("AssembleWith", "None") == "Line"
        self.output = in_s3(output["S3OutputPath"]).rstrip("/")
        self.at_once: int = min(request.get("MaxConcurrentTransforms") or 1, _MOST_AT_ONCE)
        self.most_bytes: int = (request.get("MaxPayloadInMB") or PAYLOAD_MB) * 2**20
        self.before = Filter.of(processing.get("InputFilter", "$"))
        self.after = Filter.of(processing.get("OutputFilter", "$"))
        self.join = processing.get("JoinSource", "None") == "Input"
        self.processed = self.join or not (self.before.is_all and self.after.is_all)
        if self.processed:
            self.reads = LineFormat.of(self.content_type)
            answered = self.content_type if self.accept == "*/*" else self.accept
            self.answers = LineFormat.of(answered)
            if not self.by_line:
                raise ValueError("DataProcessing needs SplitType Line here")
        client = request.get("ModelClientConfig", {})
        self.timeout_s: float = client.get("InvocationsTimeoutInSeconds", _TIMEOUT_S)
        self.retries: int = client.get("InvocationsMaxRetries", 3)


class TransformRun(Run):
    """A transform job, from its creation on.

    Args:
        world: the time, S3, logs.
        request: of CreateTransformJob, already checked.
        arn: of the job.
        launch: starts a worker of the model.
        role: of the model, in which objects are read and written; or None.

    Attributes:
        request: as it was given.
        arn: as it was given.
        status: TransformJobStatus.
        reason: FailureReason, or "".
        created: when it was created.
        started: when its worker was asked for, or None.
        ended: when it ended, or None.
    """

    def __init__(
        self,
        world: World,
        request: Mapping[str, Any],
        arn: str,
        *,
        launch: Callable[[], Worker],
        role: str | None,
    ) -> None:
        super().__init__(world, request["TransformJobName"])
        self.request = request
        self.arn = arn
        self.status = "InProgress"
        self.reason = ""
        self.created = world.clock.now()
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self._launch = launch
        self._role = role
        self._settings = Settings(request)
        self._outputs = Outputs(world, role)

    def stop(self) -> None:
        """See `Run.stop`; a job that has ended stays as it is."""
        with self._lock:
            if self.status == "InProgress":
                self.status = "Stopping"
                super().stop()

    def _attempt(self, folder: Path) -> None:
        del folder  # a transform job has none
        self.started = self.world.clock.now()
        settings, log = self._settings, LogStream(self.world, _LOG, self.name)
        try:
            worker = self._launch()
        except WorkerError as error:
            for line in error.log.splitlines():
                log.put(line)
            self._failed(f"AlgorithmError: the model container {error}")
            return
        strategy = "SingleRecord" if settings.single else "MultiRecord"
        log.put(
            f"MaxConcurrentTransforms={settings.at_once}, "
            f"MaxPayloadInMB={settings.most_bytes // 2**20}, BatchStrategy={strategy}"
        )
        reason = ""
        try:
            kind, uri = settings.source["S3DataType"], settings.source["S3Uri"]
            for each in inputs_of(self.world.objects, kind, uri):
                self._go_on()
                self._transform(each, worker)
        except (AwsError, DownloadError, LineError) as error:
            reason = f"ClientError: {error}"
        except (OSError, http.client.HTTPException) as error:
            reason = f"AlgorithmError: the model container does not answer: {error}"
        finally:
            worker.stop()
            for line in (*worker.log().splitlines(), *reason.splitlines()):
                log.put(line)
        if reason:
            self._failed(reason)
        else:
            self._end("Completed")

    def _transform(self, each: Input, worker: Worker) -> None:
        """Answer one object."""
        settings = self._settings
        require_readable(self.world, self._role, each.uri)
        content = self.world.objects.get(each.uri)
        try:
            if settings.gzip:
                content = _unpacked(content)
            found = self._answered(content, worker)
        except LineError as error:
            raise LineError(f"{each.uri}: {error}") from error
        self._outputs.put(f"{settings.output}/{each.path}.out", found)

    def _answered(self, content: bytes, worker: Worker) -> bytes:
        """The answers to an object, as they are saved."""
        settings = self._settings
        if not settings.by_line:
            if len(content) > settings.most_bytes:
                raise LineError(f"it has {len(content)} bytes, more than MaxPayloadInMB allows")
            answers = [self._ask(worker, content)]
        else:
            cut = pieces(lines_of(content), most_bytes=settings.most_bytes, single=settings.single)
            with ThreadPoolExecutor(settings.at_once) as pool:
                answers = list(pool.map(lambda piece: self._piece(worker, piece), cut))
        if not settings.lines_out:
            return b"".join(answers)
        return b"".join(answer.removesuffix(b"\n") + b"\n" for answer in answers)

    def _piece(self, worker: Worker, lines: Any) -> bytes:
        """The answer to some lines, filtered and joined as the job wants it."""
        settings = self._settings
        self._go_on()
        if not settings.processed:
            return self._ask(worker, b"\n".join(lines))
        read = [settings.reads.read(line) for line in lines]
        sent = lines
        if not settings.before.is_all:
            sent = [settings.reads.write(settings.before.apply(value)) for value in read]
        answers = lines_of(self._ask(worker, b"\n".join(sent)))
        if len(answers) != len(lines):
            raise LineError(
                f"the model answered {len(lines)} lines with {len(answers)}, so no line can be "
                "told its answer"
            )
        made = []
        for value, answer in zip(read, answers, strict=True):
            found = settings.answers.read(answer)
            found = joined(value, found) if settings.join else found
            made.append(settings.answers.write(settings.after.apply(found)))
        return b"\n".join(made) + b"\n"

    def _ask(self, worker: Worker, body: bytes) -> bytes:
        """What the model answers; asked again if it is not well.

        Raises:
            LineError: it refuses, or is not well for too long.
        """
        settings = self._settings
        headers = {"Content-Type": settings.content_type, "Accept": settings.accept}
        for left in range(settings.retries, -1, -1):
            connection = http.client.HTTPConnection(
                "127.0.0.1", worker.port, timeout=settings.timeout_s
            )
            with closing(connection):
                connection.request("POST", "/invocations", body, headers)
                reply = connection.getresponse()
                answer = reply.read()
            if reply.status == _OK:
                return answer
            if reply.status < http.client.INTERNAL_SERVER_ERROR or not left:
                break
            self._go_on()
        said = answer.decode("utf-8", "replace")
        raise LineError(f"the model answered with status {reply.status}: {said}")

    def _stopped_early(self) -> None:
        self._end("Stopped")

    def _failed(self, reason: str) -> None:
        with self._lock:
            self.reason = reason[:REASON_CHARACTERS]
            self._end("Failed")

    def _end(self, status: str) -> None:
        with self._lock:
            if self._stop_asked and status == "Failed":
                status = "Stopped"
            self.status = status
            self.ended = self.world.clock.now()


def _unpacked(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise LineError(f"it is not gzip: {error}") from error
