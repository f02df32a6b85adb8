"""A case as objects in the cluster: namespace, target, pods, and the autoscaler last.

The target is a Deployment that nobody works on: its controller does not run, no pod is assigned to
a node, no kubelet reports. So its replicas change only when the autoscaler changes them, and its
pods are exactly in the state that the case asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kubernetes_real.client import Api
from kubernetes_real.data import Case, Pod
from kubernetes_real.metrics_api import stamp

__all__ = [
    "AUTOSCALERS",
    "TARGET",
    "create_autoscaler",
    "create_pod",
    "create_target",
    "set_bound",
    "set_replicas",
    "set_status",
]

AUTOSCALERS = "/apis/autoscaling/v2beta2/horizontalpodautoscalers"
TARGET = "target"
_FINALIZER = "mlref.example/keep"  # a deleted pod stays, marked as deleted
_IMAGE = "example.invalid/model:1"  # never pulled


def create_target(api: Api, case: Case, base: datetime) -> None:
    """Everything of a case but its autoscaler.

    Args:
        api: a client of the API server.
        case: what to create.
        base: what the ages of its pods count from.
    """
    api.post("/api/v1/namespaces", {"metadata": {"name": case.name}})
    deployments = _target(case.name).removesuffix(f"/{TARGET}")
    labels = {"app": case.name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [_container("model", {})]}}
    spec = {"replicas": case.replicas, "selector": {"matchLabels": labels}, "template": template}
    api.post(deployments, {"metadata": {"name": TARGET}, "spec": spec})
    count = case.replicas if case.status_replicas is None else case.status_replicas
    set_status(api, case.name, count)
    for name, pod in case.pods.items():
        create_pod(api, case.name, name, pod, base)


def create_pod(api: Api, namespace: str, name: str, pod: Pod, base: datetime) -> None:
    """One pod in the state that it shall have.

    Args:
        api: a client of the API server.
        namespace: where; pods carry its name as their label "app".
        name: of the pod.
        pod: its state.
        base: what its ages count from.
    """
    path = f"/api/v1/namespaces/{namespace}/pods"
    metadata: dict[str, Any] = {"name": name, "labels": {"app": namespace}}
    if pod.deleted:
        metadata["finalizers"] = [_FINALIZER]
    containers = [_container(*item) for item in pod.requests_milli.items()]
    api.post(path, {"metadata": metadata, "spec": {"containers": containers, "nodeName": "none"}})
    status: dict[str, Any] = {"phase": pod.phase}
    if pod.started_age_s is not None:
        status["startTime"] = stamp(base - timedelta(seconds=pod.started_age_s))
    if pod.ready is not None:
        changed = stamp(base - timedelta(seconds=pod.ready_age_s))
        condition = {"type": "Ready", "status": pod.ready, "lastTransitionTime": changed}
        status["conditions"] = [condition]
    api.patch(f"{path}/{name}/status", {"status": status})
    if pod.deleted:
        api.delete(f"{path}/{name}")


def create_autoscaler(api: Api, namespace: str, spec: Mapping[str, Any]) -> None:
    """The autoscaler of the target.

    Args:
        api: a client of the API server.
        namespace: where the target is.
        spec: without scaleTargetRef.
    """
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": TARGET}
    body = {"metadata": {"name": TARGET}, "spec": {**spec, "scaleTargetRef": target}}
    path = f"/apis/autoscaling/v2beta2/namespaces/{namespace}/horizontalpodautoscalers"
    api.post(path, body)


def set_status(api: Api, namespace: str, replicas: int) -> None:
    """Have the target say that it has so many pods."""
    api.patch(f"{_target(namespace)}/status", {"status": {"replicas": replicas}})


def set_replicas(api: Api, namespace: str, replicas: int) -> None:
    """Have the target ask for so many pods."""
    api.patch(_target(namespace), {"spec": {"replicas": replicas}})


def set_bound(api: Api, namespace: str, field: str, value: int) -> None:
    """Change a field of the autoscaler's spec.

    Args:
        api: a client of the API server.
        namespace: where the autoscaler is.
        field: minReplicas or maxReplicas.
        value: what it becomes.
    """
    path = f"/apis/autoscaling/v2beta2/namespaces/{namespace}/horizontalpodautoscalers/{TARGET}"
    api.patch(path, {"spec": {field: value}})


def _target(namespace: str) -> str:
    """The path of the target."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{TARGET}"


def _container(name: str, requests: Mapping[str, int]) -> dict[str, Any]:
    """A container that asks for so much."""
    amounts = {resource: f"{milli}m" for resource, milli in requests.items()}
    return {"name": name, "image": _IMAGE, "resources": {"requests": amounts}}
