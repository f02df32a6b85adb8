"""What the server counts, as the parser of prometheus_client reads it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from mlref.serving.cache import CacheStats
from mlref.serving.metrics import DURATION_BUCKETS_S, Gauges, Metrics

ROUTE = "/v2/models/{model}/infer"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def _samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the text format: name and labels -> value."""
    text = metrics.render()[0].decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _value(metrics: Metrics, name: str, **labels: str) -> float:
    return _samples(metrics)[name, frozenset(labels.items())]


def _full() -> Metrics:
    """Metrics with something of every kind, and values that must be escaped."""
    metrics = Metrics(
        Gauges(
            in_flight=lambda: 3,
            queue_rows=lambda: 40,
            lag_s=lambda: 0.25,
            ready=lambda: True,
            models=lambda: [("flights", "1.0.0", "ab" * 32), ('a"b\\c\nd', "2", "cd" * 32)],
            cache=lambda: CacheStats(hits=7, misses=2, errors=1, entries=5, size_bytes=640),
        )
    )
    metrics.request(ROUTE, 200, 0.0004, "flights", "1.0.0")
    metrics.request(ROUTE, 422, 0.002, 'a"b\\c\nd', "2")
    metrics.batch("flights", "1.0.0", 12, 3, 0.00009)
    metrics.refused("lag")
    metrics.shadow("flights", "2.0.0", "ok")
    return metrics


def test_requests_are_counted_by_route_status_and_model() -> None:
    """Each combination has a counter of its own."""
    metrics = Metrics()
    for status in (200, 200, 422):
        metrics.request(ROUTE, status, 0.001, "flights", "1.0.0")
    metrics.request(ROUTE, 200, 0.001, "digits", "1.0.0")
    labels = {"route": ROUTE, "model": "flights", "version": "1.0.0"}
    assert _value(metrics, "mlref_requests_total", status="200", **labels) == 2
    assert _value(metrics, "mlref_requests_total", status="422", **labels) == 1
    labels["model"] = "digits"
    assert _value(metrics, "mlref_requests_total", status="200", **labels) == 1


@pytest.mark.parametrize("bound", DURATION_BUCKETS_S)
def test_a_bucket_holds_its_upper_bound(bound: float) -> None:
    """`le` means less than or equal, as the exposition format defines it."""
    metrics = Metrics()
    metrics.request("/", 200, bound, "m", "1")
    metrics.request("/", 200, bound * 1.0001, "m", "1")
    name = "mlref_request_duration_seconds_bucket"
    found = {
        float(dict(labels)["le"]): value
        for (sample, labels), value in _samples(metrics).items()
        if sample == name
    }
    assert found[bound] == 1
    assert [found[le] for le in sorted(found) if le < bound] == [0] * sum(
        le < bound for le in found
    )
    assert found[float("inf")] == 2


def test_the_histogram_of_a_route_is_that_of_prometheus_client() -> None:
    """The same observations give the same samples as the library's own histogram."""
    from prometheus_client import CollectorRegistry, Histogram, generate_latest

    seconds = [0.0001, 0.00025, 0.0007, 0.003, 0.003, 0.9, 12.0]
    registry = CollectorRegistry()
    name = "mlref_request_duration_seconds"
    other = Histogram(name, "x", ["route"], buckets=DURATION_BUCKETS_S, registry=registry)
    metrics = Metrics()
    for n, each in enumerate(seconds):
        other.labels(ROUTE).observe(each)
        metrics.request(ROUTE, 200 + n % 2, each, f"model{n % 3}", "1")
    expected = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    actual = {key: value for key, value in _samples(metrics).items() if key[0].startswith(name)}
    assert actual.keys() == expected.keys()
    assert actual == pytest.approx(expected)


def test_batches_tell_rows_requests_and_seconds() -> None:
    """Two calls of a model: their rows, their requests and their time add up."""
    metrics = Metrics()
    metrics.batch("flights", "1.0.0", 12, 3, 0.00009)
    metrics.batch("flights", "1.0.0", 1, 1, 0.00001)
    of = {"model": "flights", "version": "1.0.0"}
    assert _value(metrics, "mlref_batch_rows_sum", **of) == 13
    assert _value(metrics, "mlref_batch_rows_bucket", le="8.0", **of) == 1
    assert _value(metrics, "mlref_batch_rows_bucket", le="16.0", **of) == 2
    assert _value(metrics, "mlref_batch_requests_sum", **of) == 4
    assert _value(metrics, "mlref_model_duration_seconds_count", **of) == 2
    assert _value(metrics, "mlref_model_duration_seconds_sum", **of) == pytest.approx(0.0001)


def test_refusals_and_shadows_are_counted() -> None:
    """By reason, and by what became of the request in the shadow."""
    metrics = Metrics()
    for reason in ("lag", "lag", "timeout"):
        metrics.refused(reason)
    metrics.shadow("flights", "2.0.0", "error")
    assert _value(metrics, "mlref_refused_requests_total", reason="lag") == 2
    assert _value(metrics, "mlref_refused_requests_total", reason="timeout") == 1
    labels = {"model": "flights", "version": "2.0.0", "result": "error"}
    assert _value(metrics, "mlref_shadow_requests_total", **labels) == 1


def test_gauges_are_looked_at_when_somebody_reads() -> None:
    """The value of the moment, not of the start."""
    now = {"in_flight": 1, "ready": True}
    metrics = Metrics()
    assert ("mlref_ready", frozenset()) not in _samples(metrics)
    metrics.gauges = Gauges(in_flight=lambda: now["in_flight"], ready=lambda: bool(now["ready"]))
    assert _value(metrics, "mlref_in_flight_requests") == 1
    assert _value(metrics, "mlref_ready") == 1
    now.update(in_flight=5, ready=False)
    assert _value(metrics, "mlref_in_flight_requests") == 5
    assert _value(metrics, "mlref_ready") == 0


def test_the_state_of_the_server_is_shown() -> None:
    """Queue, lag, models and cache have the names and values that they were given."""
    metrics = _full()
    assert _value(metrics, "mlref_queue_rows") == 40
    assert _value(metrics, "mlref_event_loop_lag_seconds") == 0.25
    of = {"model": "flights", "version": "1.0.0", "digest": "ab" * 32}
    assert _value(metrics, "mlref_model_info", **of) == 1
    cache = {
        result: _value(metrics, "mlref_cache_requests_total", result=result)
        for result in ("hit", "miss", "error")
    }
    assert cache == {"hit": 7, "miss": 2, "error": 1}
    assert _value(metrics, "mlref_cache_entries") == 5
    assert _value(metrics, "mlref_cache_bytes") == 640


def test_what_a_cache_does_not_know_is_left_out() -> None:
    """A shared cache does not tell what it holds; without a cache nothing is told."""
    metrics = Metrics(Gauges(cache=lambda: CacheStats(hits=1, misses=0)))
    names = {name for name, _ in _samples(metrics)}
    assert "mlref_cache_requests_total" in names
    assert not {"mlref_cache_entries", "mlref_cache_bytes"} & names
    metrics.gauges = Gauges(cache=lambda: None)
    assert not any(name.startswith("mlref_cache") for name, _ in _samples(metrics))


def test_labels_survive_whatever_signs_they_hold() -> None:
    """Quotes, backslashes and line ends in a model's name come back from the parser."""
    labels = {"route": ROUTE, "status": "422", "model": 'a"b\\c\nd', "version": "2"}
    assert _value(_full(), "mlref_requests_total", **labels) == 1


def test_the_process_is_measured() -> None:
    """Memory and processor time of this process stand beside the counts."""
    names = {name for name, _ in _samples(Metrics())}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes"} <= names


def test_two_servers_in_one_process_count_apart() -> None:
    """Neither sees what the other counted, and the library's global registry sees nothing."""
    from prometheus_client import REGISTRY

    one, other = Metrics(), Metrics()
    one.request("/", 200, 0.001, "m", "1")
    assert _value(one, "mlref_requests_total", route="/", status="200", model="m", version="1") == 1
    assert not any(name.startswith("mlref_requests") for name, _ in _samples(other))
    assert not any(family.name.startswith("mlref") for family in REGISTRY.collect())


def test_reading_does_not_reset() -> None:
    """Two readers see the same counts."""
    metrics = Metrics()
    metrics.refused("lag")
    assert _value(metrics, "mlref_refused_requests_total", reason="lag") == 1
    assert _value(metrics, "mlref_refused_requests_total", reason="lag") == 1


def _many_routes(metrics: Metrics, n: int) -> None:
    metrics.request(f"/{n}", 200, 0.001, "m", "1")


def _many_models(metrics: Metrics, n: int) -> None:
    metrics.batch(f"m{n}", "1", 1, 1, 0.001)


def _many_reasons(metrics: Metrics, n: int) -> None:
    metrics.refused(f"reason {n}")


def _many_shadows(metrics: Metrics, n: int) -> None:
    metrics.shadow(f"m{n}", "1", "ok")


@pytest.mark.parametrize(
    ("count", "total", "other"),
    [
        (_many_routes, "mlref_requests_total", {"route": "other"}),
        (_many_models, "mlref_batch_rows_count", {"model": "other"}),
        (_many_reasons, "mlref_refused_requests_total", {"reason": "other"}),
        (_many_shadows, "mlref_shadow_requests_total", {"model": "other"}),
    ],
)
def test_labels_that_never_end_do_not_fill_the_memory(
    count: Callable[[Metrics, int], None], total: str, other: dict[str, str]
) -> None:
    """Of 1500 combinations, 1000 are kept, the rest is one; nothing goes uncounted."""
    metrics = Metrics()
    for _ in range(2):
        for n in range(1500):
            count(metrics, n)
    found = {key[1]: value for key, value in _samples(metrics).items() if key[0] == total}
    assert len(found) == 1001
    assert sum(found.values()) == 3000
    assert [v for k, v in found.items() if other.items() <= dict(k).items()] == [1000]


def test_openmetrics_is_given_to_who_asks() -> None:
    """The strict OpenMetrics parser accepts it; who does not ask gets the text format."""
    metrics = _full()
    body, content_type = metrics.render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families: dict[str, Any] = {
        family.name: family for family in openmetrics.text_string_to_metric_families(body.decode())
    }
    assert families["mlref_requests"].type == "counter"
    assert families["mlref_request_duration_seconds"].type == "histogram"
    assert families["mlref_model"].type == "info"
    for accept in (None, "", "*/*", "text/plain"):
        assert metrics.render(accept)[1].startswith("text/plain; version=0.0.4")


def test_promtool_finds_nothing_to_complain_of(require: Callable[[str, bool, str], None]) -> None:
    """Names, units and help texts are as Prometheus recommends."""
    promtool = shutil.which("promtool")
    require("prometheus", promtool is not None, "install prometheus, which brings promtool")
    command = [str(promtool), "check", "metrics"]
    done = subprocess.run(command, input=_full().render()[0], capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
