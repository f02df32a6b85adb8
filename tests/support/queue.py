"""Requests to an asynchronous endpoint of the test: `data_plane(asynchronous=CONFIG)`."""

from __future__ import annotations

import json
from typing import Any

from support.data_plane import DataPlane
from support.waiting import until

__all__ = ["CONFIG", "later", "message", "settled"]

CONFIG: dict[str, Any] = {
    "OutputConfig": {
        "S3OutputPath": "s3://b/answers",
        "S3FailurePath": "s3://b/failures",
        "NotificationConfig": {"SuccessTopic": "arn:success", "ErrorTopic": "arn:error"},
    },
    "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1},
}


def later(plane: DataPlane, body: bytes = b"1", **headers: str) -> tuple[str, str]:
    """Where the answer will be, and where the failure."""
    named = {f"x_amzn_sagemaker_{name}": value for name, value in headers.items()}
    told = dict(plane.ask("later", body, **named).headers)
    return (
        told["X-Amzn-SageMaker-OutputLocation"],
        told["X-Amzn-SageMaker-FailureLocation"],
    )


def message(plane: DataPlane, number: int = 0) -> dict[str, Any]:
    """One of the messages, as soon as it is there."""
    until(lambda: len(plane.told) > number)
    return dict(json.loads(plane.told[number][2]))


def settled(plane: DataPlane) -> None:
    """Wait until nobody works on anything."""

    def idle() -> bool:
        plane.asynchronous.measure()
        return plane.world.metrics.of("ApproximateBacklogSize")[-1]["values"] == {0.0: 1}

    until(idle)
