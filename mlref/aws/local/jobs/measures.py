"""What a job prints, kept: its log, and the metrics that regular expressions find in it."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlref.aws.local.errors import validation
from mlref.aws.local.world import World

__all__ = ["NAMESPACE", "LogStream", "Measures"]

NAMESPACE = "/aws/sagemaker/TrainingJobs"
"""Where the metrics of training jobs are, and the name of their group of logs."""

_LAST = 40  # lines that an error may quote


class LogStream:
    """The log of a job, in CloudWatch Logs.

    Args:
        world: holds the logs.
        group: for instance "/aws/sagemaker/TrainingJobs".
        job: its name; the stream is named after it and the second in which it began.

    Attributes:
        last: the last lines.
    """

    def __init__(self, world: World, group: str, job: str) -> None:
        self._world = world
        self._group = group
        self._stream = f"{job}/algo-1-{int(world.clock.now().timestamp())}"
        self.last: list[str] = []

    def put(self, line: str) -> None:
        """Keep a line."""
        self.last = [*self.last[1 - _LAST :], line]
        self._world.logs.put(self._group, self._stream, [line])


class Measures:
    """The metrics of a training job.

    Args:
        world: holds what CloudWatch keeps.
        job: its name.
        definitions: MetricDefinitions: a name and a regular expression with a group each.

    Raises:
        AwsError: an expression is none, or has no group.
    """

    def __init__(self, world: World, job: str, definitions: Sequence[Mapping[str, str]]) -> None:
        self._world = world
        self._dimensions = {"TrainingJobName": job}
        self._found: dict[str, tuple[float, datetime]] = {}
        self._lock = threading.Lock()
        self._patterns: dict[str, re.Pattern[str]] = {}
        for each in definitions:
            name, text = each["Name"], each["Regex"]
            try:
                pattern = re.compile(text)
            except re.error as error:
                raise validation(f"the Regex of metric {name!r} cannot be read: {error}") from error
            if pattern.groups < 1:
                raise validation(
                    f"the Regex of metric {name!r} needs a group, as in loss=([0-9.]+)"
                )
            if name in self._patterns:
                raise validation(f"metric {name!r} is defined twice")
            self._patterns[name] = pattern

    def look(self, line: str) -> None:
        """Take in a line: all values that stand in it."""
        for name, pattern in self._patterns.items():
            for match in pattern.finditer(line):
                self._take(name, match.group(1))

    def final(self) -> list[dict[str, Any]]:
        """FinalMetricDataList: the last value of each metric."""
        with self._lock:
            return [
                {"MetricName": name, "Value": value, "Timestamp": at}
                for name, (value, at) in self._found.items()
            ]

    def _take(self, name: str, text: str | None) -> None:
        try:
            value = float(text or "")
        except ValueError:
            return
        if not math.isfinite(value):
            return
        at = self._world.clock.now()
        with self._lock:
            self._found[name] = (value, at)
        self._world.metrics.put(NAMESPACE, name, self._dimensions, {value: 1}, unit="None", at=at)
