"""What CloudWatch learns of a variant: counted in memory, and put together now and then.

One put for each request would cost more than the request. So latencies are counted by their value,
and CloudWatch gets values with how often each was seen, which its percentiles are exact with.

Source: the Amazon SageMaker Developer Guide, "Monitor Amazon SageMaker with Amazon CloudWatch".
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from mlref.aws.local.world import Metrics

__all__ = ["NAMESPACE", "Meter"]

NAMESPACE = "AWS/SageMaker"
"""Where the metrics of endpoints are."""

_FINE = range(200, 300)
_THROTTLED = 429
_CLIENT_ERRORS = range(400, 500)
_SERVER_ERRORS = range(500, 600)
_MICROSECONDS = 1_000_000


class Meter:
    """The metrics of one variant.

    Args:
        metrics: what CloudWatch keeps.
        endpoint: its name.
        variant: its name.
        component: the inference component that is measured instead, or "".
    """

    def __init__(
        self, metrics: Metrics, endpoint: str, variant: str, *, component: str = ""
    ) -> None:
        self._metrics = metrics
        self._dimensions = {"EndpointName": endpoint, "VariantName": variant}
        self._each = "InvocationsPerInstance"
        self._at_once = "ConcurrentRequestsPerModel"
        if component:
            self._dimensions = {"InferenceComponentName": component}
            self._each = "InvocationsPerCopy"
            self._at_once = "ConcurrentRequestsPerCopy"
        self._lock = threading.Lock()
        self._tallies: dict[tuple[str, str], Counter[float]] = {}
        self._fresh()

    def count(
        self,
        status: int,
        model_s: float,
        overhead_s: float,
        *,
        instances: int,
        model_status: int | None = None,
        queued: bool = False,
    ) -> None:
        """Count an answer.

        Args:
            status: that the caller got.
            model_s: how long the container took, in seconds.
            overhead_s: how long all else took, in seconds.
            instances: how many workers the variant had.
            model_status: that the container answered with, or None if it did not answer.
            queued: whether the request is one of an asynchronous endpoint, of which AWS puts
                nothing but errors and ModelLatency.
        """
        with self._lock:
            self._statuses[status if model_status is None else model_status] += 1
            self._latency[round(model_s * _MICROSECONDS)] += 1
            if queued:
                return
            if status != _THROTTLED:  # otherwise the model was not asked
                self._model_errors[0.0 if model_status in _FINE else 1.0] += 1
            self._per_instance[1 / instances if instances else 1.0] += 1
            self._overhead[round(overhead_s * _MICROSECONDS)] += 1

    def observe(self, name: str, value: float, unit: str) -> None:
        """Keep one observation of another metric.

        Args:
            name: for instance "ModelSetupTime".
            value: in its unit.
            unit: one of CloudWatch's.
        """
        self._metrics.put(NAMESPACE, name, self._dimensions, {value: 1}, unit=unit)

    def concurrent(self, requests: float) -> None:
        """Keep how many requests there were at a time, for the policies that look every 10 s.

        Args:
            requests: that were sent or waited, for each worker.
        """
        values = {requests: 1}
        self._metrics.put(
            NAMESPACE, self._at_once, self._dimensions, values, unit="Count", resolution_s=1
        )

    def tally(self, name: str, value: float, unit: str) -> None:
        """Count one observation of another metric, which many requests make.

        Args:
            name: for instance "ModelCacheHit".
            value: in its unit.
            unit: one of CloudWatch's.
        """
        with self._lock:
            self._tallies.setdefault((name, unit), Counter())[value] += 1

    def flush(self) -> None:
        """Put what was counted since the last time."""
        with self._lock:
            tallies, self._tallies = self._tallies, {}
        for (name, unit), values in tallies.items():
            self._put(name, values, unit)
        with self._lock:
            statuses = self._statuses
            if not statuses:
                return
            found = (self._model_errors, self._per_instance, self._latency, self._overhead)
            self._fresh()
        total = sum(statuses.values())
        for name, errors in (
            ("Invocation4XXErrors", _CLIENT_ERRORS),
            ("Invocation5XXErrors", _SERVER_ERRORS),
        ):
            count = sum(number for status, number in statuses.items() if status in errors)
            seen = {1.0: count, 0.0: total - count}
            self._put(name, {value: number for value, number in seen.items() if number}, "None")
        model_errors, per_instance, latency, overhead = found
        self._put("ModelLatency", latency, "Microseconds")
        if per_instance:
            self._put("Invocations", {1.0: per_instance.total()}, "None")
            self._put("InvocationModelErrors", model_errors, "None")
            self._put(self._each, per_instance, "None")
            self._put("OverheadLatency", overhead, "Microseconds")

    def _put(self, name: str, values: Mapping[float, float], unit: str) -> None:
        self._metrics.put(NAMESPACE, name, self._dimensions, values, unit=unit)

    def _fresh(self) -> None:
        self._statuses: Counter[int] = Counter()
        self._model_errors: Counter[float] = Counter()
        self._per_instance: Counter[float] = Counter()
        self._latency: Counter[float] = Counter()
        self._overhead: Counter[float] = Counter()
