"""What is known of an endpoint, whether it answers or not."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mlref.aws.local.sagemaker.updating import Update
from mlref.aws.local.world import arn

__all__ = ["Record"]


class Record:
    """An endpoint, whether it answers or not.

    Args:
        name: of the endpoint.
        settings: its configuration, as DescribeEndpointConfig gives it.
        at: when it is created.

    Attributes:
        config: the name of its configuration.
        config_settings: the configuration, also when it has been deleted.
        status: one of AWS's.
        reason: why it failed, or "".
        changes: how often its status has changed.
        deployment: the DeploymentConfig of the last update, or None.
        update: that is under way, or None.
        work: what happens to it in the background, or did.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], at: datetime) -> None:
        self.name = name
        self.arn = arn("sagemaker", f"endpoint/{name.lower()}")
        self.config: str = settings["EndpointConfigName"]
        self.config_settings = settings
        self.status = "Creating"
        self.reason = ""
        self.changes = 0
        self.created = at
        self.modified = at
        self.deployment: Mapping[str, Any] | None = None
        self.update: Update | None = None
        self.work: threading.Thread | None = None

    def becomes(self, status: str, at: datetime) -> None:
        """Have another status.

        Args:
            status: one of AWS's.
            at: when.
        """
        self.status = status
        self.changes += 1
        self.modified = at

    def listed(self) -> dict[str, Any]:
        """As ListEndpoints tells of it."""
        return {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "EndpointStatus": self.status,
        }
