"""One execution of a monitor: captures read, compared with the baseline, and reported.

    {S3Uri}/{endpoint}/{schedule}/2026/01/05/13/    of the execution at 13:00
        statistics.json
        constraints.json                            that the rows suggest
        constraint_violations.json                  of the baseline's constraints

Source: the Amazon SageMaker Developer Guide, "Interpret results" and "CloudWatch metrics". The
guide's pages name the metrics' namespace and dimensions in several ways; here they are those that
Amazon's example notebooks read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mlref.aws.formats import capture
from mlref.aws.local.errors import AwsError
from mlref.aws.local.jobs.inputs import DownloadError, require_readable
from mlref.aws.local.jobs.outputs import Outputs
from mlref.aws.local.monitoring.definition import Definition
from mlref.aws.local.world import World
from mlref.drift.baseline import Analysis, analyze
from mlref.drift.columns import Column
from mlref.drift.documents.codec import dump, parse
from mlref.drift.documents.constraints import Constraints
from mlref.drift.documents.statistics import Statistics
from mlref.drift.documents.violations import Violations
from mlref.errors import CloudFileError

__all__ = ["NAMESPACE", "Task", "examine"]

NAMESPACE = "aws/sagemaker/Endpoints/data-metrics"
"""Where the metrics of monitors are."""

_EMPTY = "Job inputs had no data"


@dataclass(frozen=True)
class Task:
    """What one execution has to do.

    Attributes:
        definition: what the job does.
        schedule: the schedule's name.
        scheduled: when it was to run.
        window: what it looks at: from the first moment up to, and without, the second.
        captured: address in S3 that the endpoint's captures are saved under.
    """

    definition: Definition
    schedule: str
    scheduled: datetime
    window: tuple[datetime, datetime]
    captured: str

    @property
    def report(self) -> str:
        """Where its files lie, ending in "/"."""
        at = f"{self.scheduled:%Y/%m/%d/%H}"
        return f"{self.definition.output}/{self.definition.endpoint}/{self.schedule}/{at}/"


def examine(world: World, task: Task) -> int:
    """Do it.

    Args:
        world: S3, CloudWatch and the roles.
        task: what to do.

    Returns:
        How many violations there are.

    Raises:
        DownloadError: what becomes the FailureReason.
    """
    try:
        return _examined(world, task)
    except (AwsError, CloudFileError) as error:
        raise DownloadError(getattr(error, "message", "") or str(error)) from error
    except ValueError as error:  # of the analyzer: no table
        raise DownloadError(f"the captures cannot be analyzed: {error}") from error


def _examined(world: World, task: Task) -> int:
    definition = task.definition
    statistics = constraints = None
    if definition.statistics:
        content = _read(world, task, definition.statistics)
        statistics = parse(Statistics, content, file=definition.statistics)
    if definition.constraints:
        content = _read(world, task, definition.constraints)
        constraints = parse(Constraints, content, file=definition.constraints)
    records = list(_records(world, task))
    names = [each.name for each in constraints.features] if constraints else []
    table = capture.columns(records, names=names, sides=definition.sides, file=task.captured)
    if not table or not any(table.values()):
        raise DownloadError(_EMPTY)
    found = analyze(table, statistics, constraints)
    outputs = Outputs(world, definition.role)
    outputs.put(f"{task.report}statistics.json", dump(found.statistics))
    outputs.put(f"{task.report}constraints.json", dump(found.constraints))
    told = dump(Violations(found.violations))
    outputs.put(f"{task.report}constraint_violations.json", told)
    emits = constraints is None or constraints.monitoring_config.emit_metrics == "Enabled"
    if definition.publishes and emits:
        _publish(world, task, found)
    return len(found.violations)


def _records(world: World, task: Task) -> Iterator[capture.CapturedRecord]:
    """The exchanges of the window, of all variants that there are or were."""
    begin, end = task.window
    first = begin.replace(minute=0, second=0, microsecond=0)
    for uri in world.objects.keys(f"{task.captured.rstrip('/')}/{task.definition.endpoint}/"):
        at = capture.moment_of(uri)
        if at is None or not first <= at < end:
            continue
        for record in capture.load(_read(world, task, uri), file=uri):
            if begin <= record.event_metadata.at < end:
                yield record


def _read(world: World, task: Task, uri: str) -> bytes:
    require_readable(world, task.definition.role, uri)
    return world.objects.get(uri)


def _publish(world: World, task: Task, found: Analysis) -> None:
    """Tell CloudWatch of each column: its values, how many there are, and how far it has gone."""
    dimensions = {"Endpoint": task.definition.endpoint, "MonitoringSchedule": task.schedule}

    def put(name: str, values: dict[float, float]) -> None:
        world.metrics.put(NAMESPACE, name, dimensions, values, unit="None", at=task.scheduled)

    for name, column in found.columns.items():
        if column.kind in {"Integral", "Fractional"}:
            put(f"feature_data_{name}", _counted(column))
        put(f"feature_non_null_{name}", {float(column.present): 1})
    for name, apart in (found.drift or {}).items():
        put(f"feature_baseline_drift_{name}", {apart: 1})


def _counted(column: Column) -> dict[float, float]:
    """How often each number occurs."""
    counts: dict[float, float] = {}
    for value in column.numbers.tolist():
        counts[value] = counts.get(value, 0) + 1
    return counts
