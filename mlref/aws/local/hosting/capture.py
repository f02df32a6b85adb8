"""Data capture: requests and responses kept in S3, as SageMaker keeps them.

The data plane only appends to a list. The lines are written, and put into S3, by `flush`: now and
then, and before anybody reads from S3.

Source: the Amazon SageMaker Developer Guide, "Capture data from real-time endpoint", and the API
reference of DataCaptureConfig.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.world import World

__all__ = ["Capture", "Exchange"]

logger = logging.getLogger(__name__)

_CSV, _JSON = ("text/csv",), ("application/json",)
_MOST = 1000  # records of one file


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
    """

    at: datetime
    variant: str
    request: bytes
    request_type: str
    response: bytes
    response_type: str
    inference_id: str = ""
    attributes: str = ""


class Capture:
    """What keeps a sample of an endpoint's exchanges.

    Args:
        config: DataCaptureConfig of the endpoint's configuration.
        endpoint: the endpoint's name.
        world: holds S3.
        chance: decides which exchanges belong to the sample.
    """

    def __init__(
        self, config: Mapping[str, Any], endpoint: str, world: World, chance: random.Random
    ) -> None:
        self.percentage = int(config["InitialSamplingPercentage"])
        self._destination = str(config["DestinationS3Uri"]).rstrip("/")
        modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
        self._input = bool(modes & {"Input", "InputAndOutput"})
        self._output = bool(modes & {"Output", "InputAndOutput"})
        told = config.get("CaptureContentTypeHeader", {})
        self._csv: Sequence[str] = told.get("CsvContentTypes", _CSV)
        self._json: Sequence[str] = told.get("JsonContentTypes", _JSON)
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
            by_variant: dict[str, list[Exchange]] = {}
            for each in held:
                by_variant.setdefault(each.variant, []).append(each)
            for variant, found in by_variant.items():
                for begin in range(0, len(found), _MOST):
                    self._save(variant, found[begin : begin + _MOST])

    def _save(self, variant: str, found: list[Exchange]) -> None:
        at = found[0].at
        name = f"{at:%M-%S}-{at.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        folder = f"{self._destination}/{self._endpoint}/{variant}/{at:%Y/%m/%d/%H}"
        lines = [json.dumps(self._record(each), separators=(",", ":")) for each in found]
        try:
            self._world.objects.put(f"{folder}/{name}", ("\n".join(lines) + "\n").encode())
        except AwsError as error:
            logger.warning("%d captures of %s are lost: %s", len(found), self._endpoint, error)

    def _record(self, exchange: Exchange) -> dict[str, Any]:
        data: dict[str, Any] = {}
        if self._input:
            data["endpointInput"] = self._side("INPUT", exchange.request, exchange.request_type)
        if self._output:
            data["endpointOutput"] = self._side("OUTPUT", exchange.response, exchange.response_type)
        event = {"eventId": str(uuid.uuid4())}
        if exchange.attributes:
            event["customAttributes"] = exchange.attributes
        if exchange.inference_id:
            event["inferenceId"] = exchange.inference_id
        event["inferenceTime"] = f"{exchange.at:%Y-%m-%dT%H:%M:%SZ}"
        return {"captureData": data, "eventMetadata": event, "eventVersion": "0"}

    def _side(self, mode: str, body: bytes, content_type: str) -> dict[str, str]:
        kind = content_type.partition(";")[0].strip().lower()
        encoding = "CSV" if kind in self._csv else "JSON" if kind in self._json else "BASE64"
        text = ""
        if encoding != "BASE64":
            try:
                text = body.decode()
            except UnicodeDecodeError:
                encoding = "BASE64"
        if encoding == "BASE64":
            text = base64.b64encode(body).decode()
        return {
            "observedContentType": content_type,
            "mode": mode,
            "data": text,
            "encoding": encoding,
        }
