"""What becomes of an asynchronous request: fetched from S3, its answer put there, somebody told.

All of it is done in the role of the model, so a role that may not read, write or publish is what
fails here, as it does on AWS.

Source: the Amazon SageMaker Developer Guide, "Asynchronous inference: Prerequisites", "Check
prediction results" and "Monitor asynchronous endpoint"; the API reference of
AsyncInferenceNotificationConfig.
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.backlog import Job
from mlref.aws.local.hosting.forwarding import Reply
from mlref.aws.local.hosting.live import Variant
from mlref.aws.local.jobs.inputs import DownloadError, in_s3, require_readable
from mlref.aws.local.jobs.outputs import Outputs
from mlref.aws.local.world import REGION, World

__all__ = ["Publish", "Results"]

logger = logging.getLogger(__name__)

Publish = Callable[[str, str, str], object]
"""Sends a message: topic, subject, text."""

_INCLUDED = 128 * 1024  # bytes of an answer that a message may include
_MICROSECONDS = 1_000_000


class Results:
    """What fetches requests, saves answers and tells of them; its calls block.

    Args:
        world: holds S3, the roles and the time.
        publish: sends a message to a topic of SNS.
    """

    def __init__(self, world: World, publish: Publish) -> None:
        self._world = world
        self._publish = publish

    def fetched(self, variant: Variant, job: Job) -> bytes:
        """The body of a request.

        Args:
            variant: that is to answer.
            job: the request.

        Raises:
            AwsError: there is no such object, or the role may not read it.
        """
        if job.body is not None:
            return job.body
        began, source = time.perf_counter(), in_s3(job.source)
        try:
            require_readable(self._world, variant.role, source)
            body = self._world.objects.get(source)
        except (AwsError, DownloadError) as error:
            variant.meter.tally("RequestDownloadFailures", 1.0, "Count")
            raise _refusal(error) from error
        _took(variant, "RequestDownloadLatency", began)
        return body

    def completed(self, variant: Variant, job: Job, reply: Reply) -> None:
        """Save an answer, and tell of it.

        Args:
            variant: that answered.
            job: the request.
            reply: the answer.

        Raises:
            AwsError: it could not be saved.
        """
        began = time.perf_counter()
        try:
            Outputs(self._world, variant.role).put(in_s3(job.output), reply.body)
        except (AwsError, DownloadError) as error:
            variant.meter.tally("ResponseUploadFailures", 1.0, "Count")
            raise _refusal(error) from error
        _took(variant, "ResponseUploadLatency", began)
        told = {"contentType": reply.content_type, "outputLocation": job.output}
        self._tell(variant, job, "Completed", reply.body, responseParameters=told)

    def failed(self, variant: Variant, job: Job, error: AwsError) -> None:
        """Save what went wrong, and tell of it.

        Args:
            variant: that was to answer.
            job: the request.
            error: what went wrong.
        """
        told: dict[str, Any] = {"failureReason": error.message}
        if job.failure:
            told["responseParameters"] = {"failureLocation": job.failure}
            try:
                content = error.message.encode()
                Outputs(self._world, variant.role).put(in_s3(job.failure), content)
            except (AwsError, DownloadError) as lost:
                variant.meter.tally("ResponseUploadFailures", 1.0, "Count")
                logger.warning("%s: the failure could not be saved: %s", job.endpoint, lost)
        said = str(error.fields.get("OriginalMessage", "")).encode()
        self._tell(variant, job, "Failed", said, **told)

    def _tell(self, variant: Variant, job: Job, status: str, answer: bytes, **told: Any) -> None:
        """Send the message that SageMaker sends."""
        kind = "Success" if status == "Completed" else "Error"
        config = job.config.get("NotificationConfig", {})
        topic = config.get(f"{kind}Topic")
        if not topic:
            return
        wanted = config.get("IncludeInferenceResponseIn", ())
        if f"{kind.upper()}_NOTIFICATION_TOPIC" in wanted and 0 < len(answer) <= _INCLUDED:
            content = base64.b64encode(answer).decode()
            told["responseBody"] = {"content": content, "encoding": "BASE64"}
        text = json.dumps({**self._message(job, status), **told})
        try:
            self._require_publishing(variant.role, topic)
            self._publish(topic, f"InferenceResult {status}", text)
        except AwsError as error:
            variant.meter.tally("NotificationFailures", 1.0, "Count")
            logger.warning("%s: nobody was told: %s", job.endpoint, error)

    def _message(self, job: Job, status: str) -> dict[str, Any]:
        asked = {"contentType": job.headers["content-type"], "endpointName": job.endpoint}
        if job.source:
            asked["inputLocation"] = job.source
        return {
            "awsRegion": REGION,
            "eventTime": _iso(self._world.clock.now()),
            "receivedTime": _iso(job.received),
            "invocationStatus": status,
            "requestParameters": asked,
            "inferenceId": job.id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }

    def _require_publishing(self, role: str | None, topic: str) -> None:
        if role is not None and not self._world.roles.allows(role, "sns:Publish", topic):
            text = f"Access denied: the role {role} lacks sns:Publish on {topic}"
            raise AwsError("AuthorizationError", text, status=403)


def _refusal(error: AwsError | DownloadError) -> AwsError:
    return error if isinstance(error, AwsError) else AwsError("AccessDenied", str(error))


def _took(variant: Variant, name: str, began: float) -> None:
    microseconds = float(round((time.perf_counter() - began) * _MICROSECONDS))
    variant.meter.tally(name, microseconds, "Microseconds")


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
