"""Data capture: requests and responses kept in S3, as SageMaker keeps them.

The data plane only appends to a list. The lines are written, and put into S3, by `flush`: now and
then, and before anybody reads from S3. They are put there in the role of the model that answered;
where it may not, they are lost, and nobody but the log is told.

A body is kept as text if the configuration lists its Content-Type among those of CSV or JSON, and
in Base64 otherwise; it lists none unless CaptureContentTypeHeader does.

Source: the Amazon SageMaker Developer Guide, "Capture data from real-time endpoint", and the API
references of DataCaptureConfig and CaptureContentTypeHeader.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import random
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeGuard

from mlref.aws.formats import capture
from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.jobs.inputs import DownloadError, in_s3
from mlref.aws.local.jobs.outputs import Outputs
from mlref.aws.local.world import World

__all__ = ["Capture", "Exchange", "captures", "require_destination"]

logger = logging.getLogger(__name__)

_MOST = 1000  # records of one file


def captures(config: Mapping[str, Any] | None) -> TypeGuard[Mapping[str, Any]]:
    """Whether a DataCaptureConfig has anything captured; it does unless it says otherwise."""
    return bool(config and config.get("EnableCapture", True))


def require_destination(config: Mapping[str, Any] | None) -> None:
    """Refuse a DataCaptureConfig that does not capture to S3.

    Args:
        config: of an endpoint's configuration, or None.

    Raises:
        AwsError: DestinationS3Uri is no address there.
    """
    if not config:
        return
    try:
        in_s3(config["DestinationS3Uri"])
    except AwsError as error:
        raise validation(f"DestinationS3Uri of DataCaptureConfig: {error.message}") from error


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its response.

    Attributes:
        at: when the response was there.
        variant: that answered.
        request: its body.
        request_type: its Content-Type.
        response: its body.
        response_type: its Content-Type.
        inference_id: that the caller gave, or "".
        attributes: custom attributes that the caller gave, or "".
        role: the ARN of the one in which it is saved; None may do everything.
    """

    at: datetime
    variant: str
    request: bytes
    request_type: str
    response: bytes
    response_type: str
    inference_id: str = ""
    attributes: str = ""
    role: str | None = None


class Capture:
    """What keeps a sample of an endpoint's exchanges.

    Args:
        config: DataCaptureConfig of the endpoint's configuration.
        endpoint: the endpoint's name.
        world: holds S3, and the roles.
        chance: decides which exchanges belong to the sample.
    """

    def __init__(
        self, config: Mapping[str, Any], endpoint: str, world: World, chance: random.Random
    ) -> None:
        self.percentage = int(config["InitialSamplingPercentage"])
        self._destination = in_s3(config["DestinationS3Uri"]).rstrip("/")
        modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
        self._input = bool(modes & {"Input", "InputAndOutput"})
        self._output = bool(modes & {"Output", "InputAndOutput"})
        told = config.get("CaptureContentTypeHeader", {})
        self._csv = {kind.lower() for kind in told.get("CsvContentTypes", ())}
        self._json = {kind.lower() for kind in told.get("JsonContentTypes", ())}
        self._endpoint = endpoint
        self._world = world
        self._chance = chance
        self._held: list[Exchange] = []
        self._lock = threading.Lock()

    def wants(self) -> bool:
        """Whether the next exchange belongs to the sample."""
        return self._chance.random() * 100 < self.percentage

    def keep(self, exchange: Exchange) -> None:
        """Hold an exchange until the next `flush`."""
        self._held.append(exchange)

    def flush(self) -> None:
        """Save what is held; what S3 refuses is logged and lost, as it would be on AWS."""
        with self._lock:
            held, self._held = self._held, []
            folders: dict[str, list[Exchange]] = {}
            for each in held:
                folder = capture.hour_prefix(
                    self._destination, self._endpoint, each.variant, each.at
                )
                folders.setdefault(folder, []).append(each)
            for found in folders.values():
                for begin in range(0, len(found), _MOST):
                    self._save(found[begin : begin + _MOST])

    def _save(self, found: list[Exchange]) -> None:
        first = found[0]
        address = capture.key(
            self._destination, self._endpoint, first.variant, first.at, unique=str(uuid.uuid4())
        )
        try:
            content = capture.dump(map(self._record, found))
            Outputs(self._world, first.role).put(address, content)
        except (AwsError, DownloadError) as error:
            logger.warning("%d captures of %s are lost: %s", len(found), self._endpoint, error)

    def _record(self, exchange: Exchange) -> capture.CapturedRecord:
        request = response = None
        if self._input:
            request = self._side("INPUT", exchange.request, exchange.request_type)
        if self._output:
            response = self._side("OUTPUT", exchange.response, exchange.response_type)
        event = capture.EventMetadata(
            str(uuid.uuid4()),
            f"{exchange.at:%Y-%m-%dT%H:%M:%SZ}",
            inference_id=exchange.inference_id or None,
            custom_attributes=(exchange.attributes,) if exchange.attributes else None,
        )
        return capture.CapturedRecord(capture.CaptureData(request, response), event)

    def _side(
        self, mode: Literal["INPUT", "OUTPUT"], body: bytes, content_type: str
    ) -> capture.Payload:
        kind = content_type.partition(";")[0].strip().lower()
        encoding: Literal["CSV", "JSON"] | None = (
            "CSV" if kind in self._csv else "JSON" if kind in self._json else None
        )
        if encoding is not None:
            with contextlib.suppress(UnicodeDecodeError):
                return capture.Payload(mode, body.decode(), encoding, content_type)
        return capture.Payload(mode, base64.b64encode(body).decode(), "BASE64", content_type)
