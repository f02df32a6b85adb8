"""A world without S3 and CloudWatch, for tests of what is neither; its clock stands still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlref.aws.local.errors import AwsError
from mlref.aws.local.timers import LocalClock, Timers
from mlref.aws.local.world import World, split_uri
from mlref.runtime.clock import ManualClock

__all__ = ["START", "DictObjects", "RecordedMetrics", "world"]

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class DictObjects:
    """Objects in a dictionary; see `mlref.aws.local.world.Objects`."""

    def __init__(self, *buckets: str) -> None:
        self.buckets: dict[str, dict[str, bytes]] = {name: {} for name in buckets}

    def get(self, uri: str) -> bytes:
        """The content of an object."""
        found, key = self._of(uri)
        if key not in found:
            raise AwsError("NoSuchKey", f"there is no object {uri}", status=404)
        return found[key]

    def put(self, uri: str, content: bytes) -> None:
        """Save an object."""
        found, key = self._of(uri)
        found[key] = bytes(content)

    def keys(self, prefix: str) -> list[str]:
        """The objects that begin so."""
        found, begin = self._of(prefix)
        bucket = split_uri(prefix)[0]
        return [f"s3://{bucket}/{key}" for key in sorted(found) if key.startswith(begin)]

    def exists(self, uri: str) -> bool:
        """Whether there is such an object."""
        bucket, key = split_uri(uri)
        return key in self.buckets.get(bucket, {})

    def _of(self, uri: str) -> tuple[dict[str, bytes], str]:
        bucket, key = split_uri(uri)
        if bucket not in self.buckets:
            raise AwsError("NoSuchBucket", f"there is no bucket {bucket!r}", status=404)
        return self.buckets[bucket], key


@dataclass
class RecordedMetrics:
    """Keeps what is put; see `mlref.aws.local.world.Metrics`."""

    puts: list[dict[str, Any]] = field(default_factory=list)

    def put(
        self,
        namespace: str,
        name: str,
        dimensions: Mapping[str, str],
        values: Mapping[float, float],
        *,
        unit: str,
        at: datetime | None = None,
        resolution_s: int = 60,
    ) -> None:
        """Keep observations."""
        self.puts.append(
            {
                "namespace": namespace,
                "name": name,
                "dimensions": dict(dimensions),
                "values": dict(values),
                "unit": unit,
                "at": at,
                "resolution_s": resolution_s,
            }
        )

    def of(self, name: str) -> list[dict[str, Any]]:
        """What was put of a metric."""
        return [each for each in self.puts if each["name"] == name]


def world(*buckets: str, start: datetime = START, **parts: Any) -> World:
    """A world with empty buckets, in which time passes only by `world.timers.advance`."""
    timers = Timers(LocalClock(ManualClock(start)))
    given = {"objects": DictObjects(*buckets), "metrics": RecordedMetrics(), **parts}
    return World(timers=timers, **given)
