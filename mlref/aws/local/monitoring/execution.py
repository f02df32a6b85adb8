"""Executions of monitoring schedules, as ListMonitoringExecutions tells them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.jobs.inputs import DownloadError
from mlref.aws.local.monitoring.analysis import Task, examine
from mlref.aws.local.world import World

__all__ = ["Execution", "run"]

logger = logging.getLogger(__name__)

_REASON_CHARACTERS = 1024


@dataclass(frozen=True)
class Execution:
    """One of them.

    Attributes:
        schedule: the schedule's name.
        endpoint: whose captures it looked at.
        definition: name of the job definition; None if the schedule holds it itself.
        scheduled: when it was to run.
        created: when it began.
        modified: when its status was told.
        status: InProgress, Completed, CompletedWithViolations or Failed.
        reason: why it failed, or "".
    """

    schedule: str
    endpoint: str
    definition: str | None
    scheduled: datetime
    created: datetime
    modified: datetime
    status: str = "InProgress"
    reason: str = ""

    def summary(self) -> dict[str, Any]:
        """Its MonitoringExecutionSummary."""
        told = {
            "MonitoringScheduleName": self.schedule,
            "ScheduledTime": self.scheduled,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "MonitoringExecutionStatus": self.status,
            "EndpointName": self.endpoint,
            "FailureReason": self.reason or None,
            "MonitoringJobDefinitionName": self.definition,
            "MonitoringType": "DataQuality",
        }
        return {name: value for name, value in told.items() if value is not None}


def run(world: World, execution: Execution, task: Callable[[], Task]) -> Execution:
    """Execute; returns how it ended. Whatever goes wrong is told there.

    Args:
        world: S3, CloudWatch, the time and the roles.
        execution: as it began.
        task: what to do.
    """
    reason = ""
    try:
        found = examine(world, task())
        status = "CompletedWithViolations" if found else "Completed"
    except (AwsError, DownloadError) as error:
        status, reason = "Failed", getattr(error, "message", "") or str(error)
    except Exception as error:
        logger.exception("monitoring schedule %s", execution.schedule)
        status, reason = "Failed", f"InternalServerError: {error}"
    now = world.clock.now()
    return replace(execution, status=status, reason=reason[:_REASON_CHARACTERS], modified=now)
