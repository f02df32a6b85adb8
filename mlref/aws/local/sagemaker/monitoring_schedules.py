"""Monitoring schedules and their executions: CreateMonitoringSchedule and its family.

An execution runs in the moment at which it is due, to its end; whoever lets the time pass with
`Cloud.advance` finds its report when that returns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import AwsError, conflict, not_found, validation
from mlref.aws.local.monitoring.analysis import Task
from mlref.aws.local.monitoring.definition import Definition
from mlref.aws.local.monitoring.execution import Execution, run
from mlref.aws.local.monitoring.rhythm import Rhythm
from mlref.aws.local.sagemaker.monitoring_definitions import MonitoringDefinitions
from mlref.aws.local.services import Part, Request, Response, operation, page, selected
from mlref.aws.local.timers import Timer
from mlref.aws.local.world import World, arn

__all__ = ["MonitoringSchedules", "Schedule"]

_TYPE = "DataQuality"
_EXECUTION_TIMES = ("CreationTime", "ScheduledTime", "LastModifiedTime")


@dataclass(eq=False)
class Schedule:
    """One of them.

    Attributes:
        name: of the schedule.
        created: when it was made.
        modified: when it was changed last.
        config: its MonitoringScheduleConfig.
        definition: gives what its job does.
        endpoint: whose captures it looks at.
        rhythm: when it runs.
        status: Scheduled or Stopped.
        timer: of its next execution, or None.
        executions: those that there were, in order.
    """

    name: str
    created: datetime
    modified: datetime
    config: dict[str, Any]
    definition: Callable[[], Definition]
    endpoint: str
    rhythm: Rhythm
    status: str = "Stopped"
    timer: Timer | None = None
    executions: list[Execution] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """Its Amazon Resource Name."""
        return arn("sagemaker", f"monitoring-schedule/{self.name.lower()}")

    @property
    def definition_name(self) -> str | None:
        """The job definition that it names; None if it holds its own."""
        return self.config.get("MonitoringJobDefinitionName")

    def described(self) -> dict[str, Any]:
        """What DescribeMonitoringSchedule tells."""
        told: dict[str, Any] = {
            "MonitoringScheduleArn": self.arn,
            "MonitoringScheduleName": self.name,
            "MonitoringScheduleStatus": self.status,
            "MonitoringType": _TYPE,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "MonitoringScheduleConfig": self.config,
            "EndpointName": self.endpoint,
        }
        if self.executions:
            told["LastMonitoringExecutionSummary"] = self.executions[-1].summary()
        return told

    def summary(self) -> dict[str, Any]:
        """What ListMonitoringSchedules tells."""
        left_out = {"MonitoringScheduleConfig", "LastMonitoringExecutionSummary"}
        told = {name: value for name, value in self.described().items() if name not in left_out}
        if self.definition_name is not None:
            told["MonitoringJobDefinitionName"] = self.definition_name
        return told


class MonitoringSchedules(Part):
    """CreateMonitoringSchedule and its family.

    Args:
        world: the time, S3, CloudWatch and the roles.
        definitions: the job definitions that there are.
    """

    def __init__(self, world: World, definitions: MonitoringDefinitions) -> None:
        self._world = world
        self._definitions = definitions
        self._schedules: dict[str, Schedule] = {}
        self._lock = threading.RLock()

    @operation
    def create_monitoring_schedule(self, request: Request) -> Response:
        """CreateMonitoringSchedule."""
        name, now = request["MonitoringScheduleName"], self._world.clock.now()
        definition, rhythm = self._read(request["MonitoringScheduleConfig"])
        with self._lock:
            if name in self._schedules:
                raise conflict(f"Monitoring schedule {self._schedules[name].arn} already exists")
            made = self._schedules[name] = Schedule(
                name,
                now,
                now,
                dict(request["MonitoringScheduleConfig"]),
                definition,
                definition().endpoint,
                rhythm,
            )
            self._start(made)
        return {"MonitoringScheduleArn": made.arn}

    @operation
    def update_monitoring_schedule(self, request: Request) -> Response:
        """UpdateMonitoringSchedule."""
        definition, rhythm = self._read(request["MonitoringScheduleConfig"])
        with self._lock:
            found = self._found(request)
            found.config = dict(request["MonitoringScheduleConfig"])
            found.definition, found.endpoint, found.rhythm = (
                definition,
                definition().endpoint,
                rhythm,
            )
            found.modified = self._world.clock.now()
            if found.status == "Scheduled":
                self._start(found)
        return {"MonitoringScheduleArn": found.arn}

    @operation
    def start_monitoring_schedule(self, request: Request) -> Response:
        """StartMonitoringSchedule."""
        with self._lock:
            found = self._found(request)
            if found.status != "Scheduled":
                found.modified = self._world.clock.now()
                self._start(found)
        return {}

    @operation
    def stop_monitoring_schedule(self, request: Request) -> Response:
        """StopMonitoringSchedule."""
        with self._lock:
            self._stop(self._found(request))
        return {}

    @operation
    def delete_monitoring_schedule(self, request: Request) -> Response:
        """DeleteMonitoringSchedule; its reports stay in S3."""
        with self._lock:
            found = self._found(request)
            self._stop(found)
            del self._schedules[found.name]
        self._world.tags.forget(found.arn)
        return {}

    @operation
    def describe_monitoring_schedule(self, request: Request) -> Response:
        """DescribeMonitoringSchedule."""
        with self._lock:
            return self._found(request).described()

    @operation
    def list_monitoring_schedules(self, request: Request) -> Response:
        """ListMonitoringSchedules."""
        with self._lock:
            told = [each.summary() for each in self._schedules.values()]
        found = selected(
            _matching(told, request),
            request,
            name="MonitoringScheduleName",
            status="MonitoringScheduleStatus",
        )
        return page(found, request, into="MonitoringScheduleSummaries")

    @operation
    def list_monitoring_executions(self, request: Request) -> Response:
        """ListMonitoringExecutions."""
        with self._lock:
            told = [run.summary() for each in self._schedules.values() for run in each.executions]
        if "MonitoringScheduleName" in request:
            wanted = request["MonitoringScheduleName"]
            told = [each for each in told if each["MonitoringScheduleName"] == wanted]
        found = selected(
            _matching(told, request),
            request,
            name="MonitoringScheduleName",
            status="MonitoringExecutionStatus",
            times=_EXECUTION_TIMES,
        )
        return page(found, request, into="MonitoringExecutionSummaries")

    def _found(self, request: Request) -> Schedule:
        name = request["MonitoringScheduleName"]
        found = self._schedules.get(name)
        if found is None:
            wanted = arn("sagemaker", f"monitoring-schedule/{name.lower()}")
            raise not_found(f"Could not find monitoring schedule {wanted}")
        return found

    def _read(self, config: Request) -> tuple[Callable[[], Definition], Rhythm]:
        """What a MonitoringScheduleConfig says, or a refusal."""
        kind = config.get("MonitoringType", _TYPE)
        if kind != _TYPE:
            raise AwsError(
                "UnsupportedOperation",
                f"the local AWS does not have monitoring of {kind}; give {_TYPE}",
            )
        if "ScheduleConfig" not in config:
            raise validation("MonitoringScheduleConfig needs a ScheduleConfig")
        name, given = (
            config.get("MonitoringJobDefinitionName"),
            config.get("MonitoringJobDefinition"),
        )
        if (name is None) == (given is None):
            raise validation(
                "MonitoringScheduleConfig needs either MonitoringJobDefinitionName or "
                "MonitoringJobDefinition"
            )
        if given is not None:
            definition = Definition.of_schedule(given)
            self._definitions.check(definition)
            return (lambda: definition), Rhythm.of(config["ScheduleConfig"])
        self._definitions.found(str(name))
        return (lambda: self._definitions.found(str(name))), Rhythm.of(config["ScheduleConfig"])

    def _start(self, schedule: Schedule) -> None:
        """Plan the next execution, and no other."""
        self._stop(schedule)
        schedule.status = "Scheduled"
        self._plan(schedule, schedule.rhythm.after(self._world.clock.now()))

    def _plan(self, schedule: Schedule, at: datetime) -> None:
        schedule.timer = self._world.timers.at(at, lambda: self._execute(schedule, at))

    def _stop(self, schedule: Schedule) -> None:
        if schedule.timer is not None:
            schedule.timer.cancel()
        if schedule.status != "Stopped":
            schedule.status, schedule.modified = "Stopped", self._world.clock.now()

    def _execute(self, schedule: Schedule, scheduled: datetime) -> None:
        """Run once, and plan the next time."""
        with self._lock:
            if schedule.status != "Scheduled":
                return
            timer, rhythm, definition = schedule.timer, schedule.rhythm, schedule.definition
            now, name = self._world.clock.now(), schedule.definition_name
            begun = Execution(schedule.name, schedule.endpoint, name, scheduled, now, now)
            schedule.executions.append(begun)

        def task() -> Task:
            told, window = definition(), rhythm.window(scheduled)
            captured = self._definitions.captured(told)
            return Task(told, schedule.name, scheduled, window, captured)

        ended = run(self._world, begun, task)
        with self._lock:
            schedule.executions[schedule.executions.index(begun)] = ended
            if schedule.timer is not timer:  # it was planned anew meanwhile
                return
            if rhythm.once:
                self._stop(schedule)
            elif schedule.status == "Scheduled":
                self._plan(schedule, rhythm.after(scheduled))


def _matching(told: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    """Those of an endpoint, a job definition and a type, if the request asks for one."""
    asked = {
        "EndpointName": request.get("EndpointName"),
        "MonitoringJobDefinitionName": request.get("MonitoringJobDefinitionName"),
        "MonitoringType": request.get("MonitoringTypeEquals"),
    }
    return [
        each
        for each in told
        if all(value is None or each.get(member) == value for member, value in asked.items())
    ]
