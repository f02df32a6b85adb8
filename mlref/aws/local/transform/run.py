"""A transform job: a worker is started, asked piece by piece, and ended.

    InProgress -> Completed | Failed | Stopping -> Stopped

Each object gets one with ".out" behind its name. An object of which a piece failed gets none, and
the job fails when the others are done. All are saved at the end, so a job that is stopped saves
nothing.

Source: the Amazon SageMaker Developer Guide, "Batch transform for inference" and its
"Troubleshooting"; the API reference of CreateTransformJob, TransformOutput and StopTransformJob.
"""

from __future__ import annotations

import gzip
import http.client
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.workers import Worker, WorkerError
from mlref.aws.local.jobs.inputs import DownloadError, Input, inputs_of, require_readable
from mlref.aws.local.jobs.measures import LogStream
from mlref.aws.local.jobs.outputs import Outputs
from mlref.aws.local.jobs.run import REASON_CHARACTERS, Run
from mlref.aws.local.transform.filters import LineError
from mlref.aws.local.transform.pieces import lines_of, pieces
from mlref.aws.local.transform.settings import Settings
from mlref.aws.local.world import World

__all__ = ["TransformRun"]

_LOG = "/aws/sagemaker/TransformJobs"
_OK = 200
_INVOCATIONS = "/invocations"


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
            f"MaxPayloadInMB={settings.payload_mb}, BatchStrategy={strategy}"
        )
        reasons: list[str] = []
        try:
            answered = self._transform(worker, folder, reasons)
        finally:
            worker.stop()
            for line in (*worker.log().splitlines(), *"\n".join(reasons).splitlines()):
                log.put(line)
        self._save(answered, reasons, log)

    def _transform(self, worker: Worker, folder: Path, reasons: list[str]) -> dict[str, Path]:
        """Answer all objects, also those behind one that fails.

        Args:
            worker: answers.
            folder: what is saved later is kept there.
            reasons: gets why objects failed.

        Returns:
            Under which address of S3 each file is to be saved.
        """
        source, found = self._settings.source, {}
        try:
            objects = inputs_of(self.world.objects, source["S3DataType"], source["S3Uri"])
        except AwsError as error:
            reasons.append(f"ClientError: {error}")
            return {}
        for number, each in enumerate(objects):
            self._go_on()
            try:
                content = self._answered(each, worker)
            except (AwsError, DownloadError, LineError) as error:
                reasons.append(f"ClientError: {error}")
            except (OSError, http.client.HTTPException) as error:
                what = f"the model container does not answer: {type(error).__name__}: {error}"
                reasons.append(f"AlgorithmError: {each.uri}: {what}")
            else:
                kept = found[f"{self._settings.output}/{each.path}.out"] = folder / str(number)
                kept.write_bytes(content)
        return found

    def _save(self, answered: Mapping[str, Path], reasons: list[str], log: LogStream) -> None:
        """Save what was answered, and say how the job ended; nobody stops it meanwhile.

        Args:
            answered: as `_transform` gives it.
            reasons: why objects failed.
            log: of the job.
        """
        with self._lock:
            self._go_on()
            for uri, kept in answered.items():
                try:
                    self._outputs.put(uri, kept.read_bytes())
                except (AwsError, DownloadError) as error:
                    reasons.append(f"ClientError: {error}")
                    log.put(reasons[-1])
            if not reasons:
                self._end("Completed")
                return
            more = f" (and {len(reasons) - 1} more; see the log)" if reasons[1:] else ""
            self._failed(f"{reasons[0][: REASON_CHARACTERS - len(more)]}{more}")

    def _answered(self, each: Input, worker: Worker) -> bytes:
        """The answers to an object, as they are saved."""
        require_readable(self.world, self._role, each.uri)
        content = self.world.objects.get(each.uri)
        try:
            if self._settings.gzip:
                content = _unpacked(content)
            answers = self._answers(content, worker)
        except LineError as error:
            raise LineError(f"{each.uri}: {error}") from error
        if not self._settings.lines_out:
            return b"".join(answers)
        return b"".join(answer.removesuffix(b"\n") + b"\n" for answer in answers)

    def _answers(self, content: bytes, worker: Worker) -> list[bytes]:
        """The answers to an object, piece by piece."""
        settings = self._settings
        if settings.by_line:
            cut = pieces(lines_of(content), most_bytes=settings.most_bytes, single=settings.single)
            with ThreadPoolExecutor(settings.at_once) as pool:
                return list(pool.map(lambda piece: self._piece(worker, piece), cut))
        if len(content) > settings.most_bytes:
            raise LineError(f"it has {len(content)} bytes, more than MaxPayloadInMB allows")
        if not settings.processed:
            return [self._ask(worker, content)]
        value = settings.reads.read(content)
        answer = self._ask(worker, self._filtered([content], [value]))
        return [self._made(value, answer)]

    def _piece(self, worker: Worker, lines: Sequence[bytes]) -> bytes:
        """The answer to some lines, filtered and joined as the job wants it."""
        settings = self._settings
        self._go_on()
        if not settings.processed:
            return self._ask(worker, b"\n".join(lines))
        read = [settings.reads.read(line) for line in lines]
        answers = lines_of(self._ask(worker, self._filtered(lines, read)))
        if len(answers) != len(lines):
            raise LineError(
                f"the model answered {len(lines)} lines with {len(answers)}, so no line can be "
                "told its answer"
            )
        made = [self._made(value, answer) for value, answer in zip(read, answers, strict=True)]
        return b"\n".join(made) + b"\n"

    def _filtered(self, records: Sequence[bytes], read: list[Any]) -> bytes:
        """What the model gets of some records."""
        settings = self._settings
        if settings.before.is_all:
            return b"\n".join(records)
        return b"\n".join(settings.reads.write(settings.before.apply(value)) for value in read)

    def _made(self, value: Any, answer: bytes) -> bytes:
        """What is saved of a record and its answer."""
        settings = self._settings
        found = settings.answers.read(answer)
        found = settings.reads.join(value, found) if settings.join else found
        return settings.answers.write(settings.after.apply(found))

    def _ask(self, worker: Worker, body: bytes) -> bytes:
        """What the model answers; asked again if it is not well, or answers too late.

        Raises:
            LineError: it refuses, or is not well for too long.
            OSError: it does not answer.
        """
        for left in range(self._settings.retries, -1, -1):
            try:
                status, answer = self._asked(worker, body)
            except (OSError, http.client.HTTPException):
                if not (left and worker.alive):
                    raise
            else:
                if status == _OK:
                    return answer
                if status < http.client.INTERNAL_SERVER_ERROR or not left:
                    break
            self._go_on()
        said = answer.decode("utf-8", "replace")
        raise LineError(f"the model answered with status {status}: {said}")

    def _asked(self, worker: Worker, body: bytes) -> tuple[int, bytes]:
        """Status and body of one answer."""
        settings = self._settings
        headers = {"Content-Type": settings.content_type, "Accept": settings.accept}
        connection = http.client.HTTPConnection(
            "127.0.0.1", worker.port, timeout=settings.timeout_s
        )
        with closing(connection):
            if math.isfinite(settings.most_bytes):
                connection.request("POST", _INVOCATIONS, body, headers)
            else:  # of any length, so AWS sends it in chunks
                headers["Transfer-Encoding"] = "chunked"
                connection.request("POST", _INVOCATIONS, [body], headers, encode_chunked=True)
            reply = connection.getresponse()
            return reply.status, reply.read()

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
