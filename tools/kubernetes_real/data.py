"""What the autoscaler sees: pods, samples and readings, as plain values.

These are the inputs of a vector. Numbers are whole: milli-units (1000 is one core, one byte, one
request a second) and seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Case", "Pod", "Readings", "Sample"]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One pod of the target.

    Attributes:
        requests_milli: what each container requests, by container and resource.
        phase: Pending, Running, Succeeded or Failed.
        ready: status of its Ready condition: "True", "False", "Unknown"; None if it has none.
        started_age_s: how long ago it started; None if it has no start time.
        ready_age_s: how long ago its Ready condition changed last.
        deleted: whether its deletion has begun.
    """

    requests_milli: Mapping[str, Mapping[str, int]]
    phase: str = "Running"
    ready: str | None = "True"
    started_age_s: int | None = 3600
    ready_age_s: int = 3540
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one pod used, as metrics.k8s.io tells it.

    Attributes:
        usage_milli: by container and resource.
        age_s: how long before the question the sample ended.
        window_s: how long the sample is.
    """

    usage_milli: Mapping[str, Mapping[str, int]]
    age_s: int = 10
    window_s: int = 30


@dataclass(frozen=True, kw_only=True)
class Readings:
    """All that can be measured for one target.

    Attributes:
        samples: by pod; a pod that is not here has no metrics.
        pods_milli: custom metrics of pods, by metric and pod.
        object_milli: custom metrics of the object that the metric describes, by metric.
        external_milli: external metrics, by metric: one value for each series.
    """

    samples: Mapping[str, Sample] = field(default_factory=dict)
    pods_milli: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    object_milli: Mapping[str, int] = field(default_factory=dict)
    external_milli: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question to the autoscaler: a target with its pods, and the autoscaler's own spec.

    Attributes:
        name: unique; also the name of its namespace.
        kind: the rule that it is about.
        about: what happens in it, in words.
        replicas: what the target asks for.
        spec: of the HorizontalPodAutoscaler, as the API takes it, without scaleTargetRef.
        pods: by name.
        readings: what can be measured.
        status_replicas: how many pods the target says that it has; None means `replicas`.
    """

    name: str
    kind: str
    about: str
    replicas: int
    spec: Mapping[str, Any]
    pods: Mapping[str, Pod] = field(default_factory=dict)
    readings: Readings = field(default_factory=Readings)
    status_replicas: int | None = None
