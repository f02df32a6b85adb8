"""A request of CreateTransformJob, read: what is sent at a time, and what is made of the answers.

Source: the API reference of CreateTransformJob; the Amazon SageMaker Developer Guide, "Associate
Prediction Results with Input Records".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.jobs.inputs import in_s3
from mlref.aws.local.transform.filters import Filter, LineFormat

__all__ = ["MOST_MB", "Settings"]

MOST_MB = 100
"""What all requests that are on their way may have together, in MB."""

_PAYLOAD_MB = 6
_TIMEOUT_S = 600
_MOST_AT_ONCE = 16
_LINES_OF_JSON = "application/jsonlines"


class Settings:
    """A request of CreateTransformJob, read.

    Args:
        request: already checked against the model of the operation.

    Attributes:
        most_bytes: that a request to the model may have; infinite is as many as there are.
        by_line: whether an object is sent in lines, and not as a whole.
        processed: whether lines are filtered or joined.

    Raises:
        ValueError: a filter that SageMaker does not have, or formats that do not go together.
        AwsError: it asks for what cannot be done here.
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
        self.payload_mb: int = request.get("MaxPayloadInMB", _PAYLOAD_MB)
        self.most_bytes: float = self.payload_mb * 2**20 or math.inf
        self.before = Filter.of(processing.get("InputFilter", "$"))
        self.after = Filter.of(processing.get("OutputFilter", "$"))
        self.join = processing.get("JoinSource", "None") == "Input"
        self.processed = self.join or not (self.before.is_all and self.after.is_all)
        if self.processed:
            answered = self.content_type if self.accept == "*/*" else self.accept
            self.reads, self.answers = LineFormat.of(self.content_type), LineFormat.of(answered)
            self._check_processing(answered)
        client = request.get("ModelClientConfig", {})
        self.timeout_s: float = client.get("InvocationsTimeoutInSeconds", _TIMEOUT_S)
        self.retries: int = client.get("InvocationsMaxRetries", 3)

    def _check_processing(self, answered: str) -> None:
        """Refuse formats and delimiters by which no record could be told from the next."""
        if self.reads.kind == "CSV" and not self.by_line:
            raise ValueError("DataProcessing of text/csv needs SplitType Line, got None")
        if self.join and self.answers.kind == "CSV" and not self.lines_out:
            raise ValueError("JoinSource Input of text/csv needs AssembleWith Line, got None")
        if self.join and _plain(answered) != _plain(self.content_type):
            raise ValueError(
                f"JoinSource Input needs an Accept that is the ContentType, got {answered!r} and "
                f"{self.content_type!r}"
            )
        if self.join and self.by_line != self.lines_out:
            raise ValueError("JoinSource Input needs an AssembleWith that is the SplitType")
        if _plain(self.content_type) == _LINES_OF_JSON and not self.by_line:
            raise AwsError(
                "UnsupportedOperation",
                f"the local AWS does not have DataProcessing of {_LINES_OF_JSON} with SplitType "
                "None; give Line",
            )


def _plain(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
