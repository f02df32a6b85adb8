"""What the server counts, and how Prometheus reads it.

    mlref_requests_total{route,status,model,version}       replies
    mlref_request_duration_seconds{route}                  from a request's last byte to its reply
    mlref_refused_requests_total{reason}                   overload, body too large, time-out ...
    mlref_batch_rows{model,version}                        rows that went through a model together
    mlref_batch_requests{model,version}                    requests that they belonged to
    mlref_model_duration_seconds{model,version}            what the model needed for them
    mlref_shadow_requests_total{model,version,result}      requests that a version saw in the shadow
    mlref_in_flight_requests                               requests without a reply yet
    mlref_queue_rows                                       rows that wait for a model
    mlref_event_loop_lag_seconds                           how late the event loop is
    mlref_ready                                            1 while new requests are welcome
    mlref_model_info{model,version,digest}                 1 for each model that is served
    mlref_cache_requests_total{result}                     look-ups: hit, miss, error
    mlref_cache_entries, mlref_cache_bytes                 what the cache holds

and process_* of this process. A write to the cache that failed counts as an error, too. Counting
costs a dictionary look-up and an addition: the objects of prometheus_client, which lock for each,
first come in when somebody reads.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mlref.runtime.lazy import extra
from mlref.serving.cache import CacheStats

__all__ = ["DURATION_BUCKETS_S", "MODEL_BUCKETS_S", "ROW_BUCKETS", "Gauges", "Metrics"]

DURATION_BUCKETS_S = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds, in seconds, of the histogram of whole requests."""

MODEL_BUCKETS_S = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds, in seconds, of the histogram of a model's time for a batch."""

ROW_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
"""Upper bounds of the histograms of a batch."""

_OTHER = "other"
_MOST_SERIES = 1000  # of one family; whoever needs more puts into labels what does not belong there


@dataclass(frozen=True, kw_only=True)
class Gauges:
    """What is looked at when somebody reads; None is not shown.

    Attributes:
        in_flight: requests without a reply yet.
        queue_rows: rows that wait for a model.
        lag_s: how late the event loop is, in seconds.
        ready: whether new requests are welcome.
        models: name, version and digest of each model that is served.
        cache: what the cache has done, or None if there is no cache.
    """

    in_flight: Callable[[], int] | None = None
    queue_rows: Callable[[], int] | None = None
    lag_s: Callable[[], float] | None = None
    ready: Callable[[], bool] | None = None
    models: Callable[[], Iterable[tuple[str, str, str]]] | None = None
    cache: Callable[[], CacheStats | None] | None = None


class Metrics:
    """The counts of one server. All methods belong to the event loop's thread.

    Labels must be few: routes are templates ("/v2/models/{model}/infer"), models those that are
    served. Beyond 1000 combinations, what is new is counted as "other".

    Args:
        gauges: what is looked at when somebody reads; may be set later, too.

    Attributes:
        gauges: likewise.
    """

    def __init__(self, gauges: Gauges | None = None) -> None:
        self.gauges = gauges or Gauges()
        # Each a list: the counts of the buckets, of what is beyond them, and the sum.
        self._requests: dict[tuple[str, int, str, str], list[float]] = {}
        self._batches: dict[tuple[str, str], tuple[list[float], list[float], list[float]]] = {}
        self._refused: dict[str, int] = {}
        self._shadow: dict[tuple[str, str, str], int] = {}
        self._registry: Any = None

    def request(self, route: str, status: int, seconds: float, model: str, version: str) -> None:
        """Count a reply.

        Args:
            route: the template of the path, never the path itself.
            status: of the reply.
            seconds: from the request's last byte to its reply.
            model: the name of the model that was asked, or "".
            version: its version, or "".
        """
        try:
            series = self._requests[route, status, model, version]
        except KeyError:
            series = self._new_request((route, status, model, version))
        series[bisect_left(DURATION_BUCKETS_S, seconds)] += 1
        series[-1] += seconds

    def batch(self, model: str, version: str, rows: int, requests: int, seconds: float) -> None:
        """Count a call of a model.

        Args:
            model: its name.
            version: its version.
            rows: how many went through it together.
            requests: to how many requests they belonged.
            seconds: what it took.
        """
        try:
            of_rows, of_requests, of_seconds = self._batches[model, version]
        except KeyError:
            of_rows, of_requests, of_seconds = self._new_batch((model, version))
        of_rows[bisect_left(ROW_BUCKETS, rows)] += 1
        of_rows[-1] += rows
        of_requests[bisect_left(ROW_BUCKETS, requests)] += 1
        of_requests[-1] += requests
        of_seconds[bisect_left(MODEL_BUCKETS_S, seconds)] += 1
        of_seconds[-1] += seconds

    def refused(self, reason: str) -> None:
        """Count a request that was refused for the server's sake: "in_flight", "lag", "body" ..."""
        if reason not in self._refused and len(self._refused) >= _MOST_SERIES:
            reason = _OTHER
        self._refused[reason] = self._refused.get(reason, 0) + 1

    def shadow(self, model: str, version: str, result: str) -> None:
        """Count a request that a version saw in the shadow.

        Args:
            model: the name of the model.
            version: the one in the shadow.
            result: "ok", "error", or "skipped" for want of time.
        """
        key = (model, version, result)
        if key not in self._shadow and len(self._shadow) >= _MOST_SERIES:
            key = (_OTHER, "", result)
        self._shadow[key] = self._shadow.get(key, 0) + 1

    def render(self, accept: str | None = None) -> tuple[bytes, str]:
        """The exposition for Prometheus, and its content type.

        Args:
            accept: the header Accept of who reads; OpenMetrics if it asks for that.

        Raises:
            MissingExtraError: prometheus_client is not installed.
        """
        with extra("serve"):
            from prometheus_client import CollectorRegistry, ProcessCollector
            from prometheus_client.exposition import choose_encoder
        if self._registry is None:
            self._registry = CollectorRegistry(auto_describe=False)
            self._registry.register(_Collector(self))
            ProcessCollector(registry=self._registry)
        encode, content_type = choose_encoder(accept or "")
        return encode(self._registry), content_type

    def _new_request(self, key: tuple[str, int, str, str]) -> list[float]:
        """The series of replies that are counted for the first time."""
        if len(self._requests) >= _MOST_SERIES:
            key = (_OTHER, key[1], "", "")
        return self._requests.setdefault(key, _empty(DURATION_BUCKETS_S))

    def _new_batch(self, key: tuple[str, str]) -> tuple[list[float], list[float], list[float]]:
        """The series of a model that is counted for the first time."""
        if len(self._batches) >= _MOST_SERIES:
            key = (_OTHER, "")
        bounds = (ROW_BUCKETS, ROW_BUCKETS, MODEL_BUCKETS_S)
        rows, requests, seconds = map(_empty, bounds)
        return self._batches.setdefault(key, (rows, requests, seconds))

    def _families(self) -> Iterator[Any]:
        """All that was counted, as prometheus_client has it."""
        yield from self._request_families()
        yield from self._batch_families()
        yield _counter(
            "mlref_refused_requests",
            "Requests refused for the server's sake.",
            ("reason",),
            {(reason,): n for reason, n in self._refused.items()},
        )
        yield _counter(
            "mlref_shadow_requests",
            "Requests that a version saw in the shadow.",
            ("model", "version", "result"),
            self._shadow,
        )
        yield from _gauge_families(self.gauges)

    def _request_families(self) -> Iterator[Any]:
        counts: dict[tuple[str, ...], float] = {}
        by_route: dict[tuple[str, ...], list[float]] = {}
        for (route, status, model, version), series in self._requests.items():
            counts[route, str(status), model, version] = sum(series[:-1])
            before = by_route.get((route,), _empty(DURATION_BUCKETS_S))
            by_route[route,] = [a + b for a, b in zip(before, series, strict=True)]
        labels = ("route", "status", "model", "version")
        yield _counter("mlref_requests", "Replies.", labels, counts)
        text = "Seconds from a request's last byte to its reply."
        name = "mlref_request_duration_seconds"
        yield _histogram(name, text, ("route",), DURATION_BUCKETS_S, by_route)

    def _batch_families(self) -> Iterator[Any]:
        told = (
            ("mlref_batch_rows", "Rows that went through a model together.", ROW_BUCKETS),
            ("mlref_batch_requests", "Requests whose rows went together.", ROW_BUCKETS),
            ("mlref_model_duration_seconds", "Seconds of a model for a batch.", MODEL_BUCKETS_S),
        )
        for place, (name, text, bounds) in enumerate(told):
            series = {key: lists[place] for key, lists in self._batches.items()}
            yield _histogram(name, text, ("model", "version"), bounds, series)


class _Collector:
    """What a registry asks for the counts."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Any]:
        """All families of metrics."""
        return self._metrics._families()  # noqa: SLF001 - one class in two parts


def _gauge_families(gauges: Gauges) -> Iterator[Any]:
    """What is looked at only now."""
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

    numbers = (
        ("mlref_in_flight_requests", "Requests without a reply yet.", gauges.in_flight),
        ("mlref_queue_rows", "Rows that wait for a model.", gauges.queue_rows),
        ("mlref_event_loop_lag_seconds", "How late the event loop is.", gauges.lag_s),
        ("mlref_ready", "1 while new requests are welcome, else 0.", gauges.ready),
    )
    for name, text, look in numbers:
        if look is not None:
            yield GaugeMetricFamily(name, text, value=float(look()))
    if gauges.models is not None:
        family = InfoMetricFamily("mlref_model", "The models that are served.")
        for model, version, digest in gauges.models():
            family.add_metric((), {"model": model, "version": version, "digest": digest})
        yield family
    stats = gauges.cache() if gauges.cache is not None else None
    if stats is None:
        return
    results = {("hit",): stats.hits, ("miss",): stats.misses, ("error",): stats.errors}
    yield _counter(
        "mlref_cache_requests",
        "Look-ups by result; writes that failed are errors, too.",
        ("result",),
        results,
    )
    if stats.entries is not None:
        text = "Predictions in the cache."
        yield GaugeMetricFamily("mlref_cache_entries", text, value=stats.entries)
    if stats.size_bytes is not None:
        yield GaugeMetricFamily("mlref_cache_bytes", "What they take.", value=stats.size_bytes)


def _empty(bounds: tuple[float, ...]) -> list[float]:
    """Nothing counted yet: one place for each bucket, for what is beyond them, and for the sum."""
    return [0] * (len(bounds) + 2)


def _counter(name: str, text: str, labels: tuple[str, ...], values: Any) -> Any:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(
    name: str, text: str, labels: tuple[str, ...], bounds: tuple[float, ...], series: Any
) -> Any:
    from prometheus_client.core import HistogramMetricFamily
    from prometheus_client.utils import floatToGoString

    said: Callable[[float], str] = floatToGoString
    family = HistogramMetricFamily(name, text, labels=labels)
    for key, (*counts, total) in series.items():
        so_far, buckets = 0.0, []
        for bound, n in zip((*bounds, float("inf")), counts, strict=True):
            so_far += n
            buckets.append((said(bound), so_far))
        family.add_metric(key, buckets, total)
    return family
