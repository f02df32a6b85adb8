"""A stand-in for the three metrics APIs of a cluster: what pods use, and what others measure.

A real cluster has metrics-server behind metrics.k8s.io and an adapter behind the other two. Here
one HTTPS server, of this process, answers for all three with the values that `readings` holds. The
API server finds it through APIService objects, as it finds the real ones.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from kubernetes_real.cluster import Cluster
from kubernetes_real.data import Readings, Sample
from mlref.runtime.clock import Clock

__all__ = ["GROUPS", "MetricsApi", "stamp", "start"]

GROUPS = {  # of the API: its version
    "metrics.k8s.io": "v1beta1",
    "custom.metrics.k8s.io": "v1beta2",
    "external.metrics.k8s.io": "v1beta1",
}
_NAMESPACE = "kube-system"
_SERVICE = "metrics-stand-in"


def stamp(moment: datetime) -> str:
    """The moment as the API writes it: whole seconds, in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class MetricsApi:
    """What the stand-in answers, and what it was asked.

    Attributes:
        clock: what the samples' ages count from.
        readings: by namespace: called for each query.
        asked: the moments of the queries, by namespace.
    """

    clock: Clock
    readings: dict[str, Callable[[], Readings]] = field(default_factory=dict)
    asked: dict[str, list[datetime]] = field(default_factory=dict)

    def answer(self, path: str) -> dict[str, Any] | None:
        """What is at a path; None if there is nothing."""
        match [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]:
            case ["apis", group, version]:
                return _resources(group, version)
            case ["apis", "metrics.k8s.io", _, "namespaces", namespace, "pods"]:
                return self._pods(self._read(namespace))
            case ["apis", "custom.metrics.k8s.io", _, "namespaces", namespace, kind, name, metric]:
                return self._custom(self._read(namespace), kind, name, metric)
            case ["apis", "external.metrics.k8s.io", _, "namespaces", namespace, metric]:
                return self._external(self._read(namespace), metric)
        return None

    def _read(self, namespace: str) -> Readings:
        """What holds in a namespace; the question is noted."""
        self.asked.setdefault(namespace, []).append(self.clock.now())
        return self.readings.get(namespace, Readings)()

    def _pods(self, readings: Readings) -> dict[str, Any]:
        items = [
            {
                "metadata": {"name": pod},
                "timestamp": self._taken(sample),
                "window": f"{sample.window_s}s",
                "containers": [
                    {"name": container, "usage": {name: f"{milli}m" for name, milli in use.items()}}
                    for container, use in sample.usage_milli.items()
                ],
            }
            for pod, sample in readings.samples.items()
        ]
        return _list("PodMetricsList", "metrics.k8s.io", items)

    def _custom(
        self, readings: Readings, kind: str, name: str, metric: str
    ) -> dict[str, Any] | None:
        if kind == "pods":
            values: Mapping[str, int] = readings.pods_milli.get(metric, {})
        else:
            values = (
                {name: readings.object_milli[metric]} if metric in readings.object_milli else {}
            )
        if not values:
            return None
        items = [
            {
                "describedObject": {"kind": kind.capitalize().removesuffix("s"), "name": described},
                "metric": {"name": metric},
                "timestamp": stamp(self.clock.now()),
                "value": f"{milli}m",
            }
            for described, milli in values.items()
        ]
        return _list("MetricValueList", "custom.metrics.k8s.io", items)

    def _external(self, readings: Readings, metric: str) -> dict[str, Any]:
        items = [
            {
                "metricName": metric,
                "metricLabels": {"series": str(number)},
                "timestamp": stamp(self.clock.now()),
                "value": f"{milli}m",
            }
            for number, milli in enumerate(readings.external_milli.get(metric, ()))
        ]
        return _list("ExternalMetricValueList", "external.metrics.k8s.io", items)

    def _taken(self, sample: Sample) -> str:
        """When a sample was taken, told from its age."""
        return stamp(self.clock.now() - timedelta(seconds=sample.age_s))


@contextmanager
def start(cluster: Cluster, clock: Clock) -> Iterator[MetricsApi]:
    """The stand-in, serving in threads, and made known to the API server.

    Args:
        cluster: the running cluster.
        clock: what the samples' ages count from.
    """
    metrics = MetricsApi(clock)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            found = metrics.answer(self.path)
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
            body = json.dumps(found or missing | {"reason": "NotFound"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cluster.certificate, cluster.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        try:
            _register(cluster, server.server_address[1])
            yield metrics
        finally:
            server.shutdown()


def _register(cluster: Cluster, port: int) -> None:
    """Tell the API server where the three APIs are, and wait until it agrees."""
    spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    service = {"metadata": {"name": _SERVICE, "namespace": _NAMESPACE}, "spec": spec}
    cluster.api.post(f"/api/v1/namespaces/{_NAMESPACE}/services", service)
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    for group, version in GROUPS.items():
        cluster.api.post(
            path,
            {
                "metadata": {"name": f"{version}.{group}"},
                "spec": {
                    "group": group,
                    "version": version,
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                    "insecureSkipTLSVerify": True,  # its name would be the service's
                    "service": {"namespace": _NAMESPACE, "name": _SERVICE, "port": port},
                },
            },
        )

    def known() -> bool:
        services = [
            cluster.api.get(f"{path}/{version}.{group}") for group, version in GROUPS.items()
        ]
        return all(
            {"type": "Available", "status": "True"}.items() <= condition.items()
            for service in services
            for condition in service.get("status", {}).get("conditions", [{}])
        )

    cluster.processes["kube-apiserver"].wait_ready(known)


def _list(kind: str, group: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """A list as the API gives it."""
    version = f"{group}/{GROUPS[group]}"
    return {"kind": kind, "apiVersion": version, "metadata": {}, "items": items}


def _resources(group: str, version: str) -> dict[str, Any] | None:
    """What an API serves: a part of it, for clients that ask what there is."""
    if GROUPS.get(group) != version:
        return None
    served = {
        "metrics.k8s.io": {"name": "pods", "kind": "PodMetrics"},
        "custom.metrics.k8s.io": {"name": "pods/requests", "kind": "MetricValueList"},
        "external.metrics.k8s.io": {"name": "queue", "kind": "ExternalMetricValueList"},
    }
    resource = served[group] | {"singularName": "", "namespaced": True, "verbs": ["get", "list"]}
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}",
        "resources": [resource],
    }
