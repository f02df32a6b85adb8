"""Short ways to write a case: metrics, behaviours, pods in named states, samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubernetes_real.data import Pod, Readings, Sample

__all__ = [
    "AT_ONCE",
    "MODEL",
    "STATES",
    "container_cpu",
    "cpu",
    "external",
    "limits",
    "memory",
    "object_metric",
    "per_pod",
    "quantity",
    "running",
    "samples",
    "spec",
]

MODEL = "model"
"""The name of a pod's container."""

AT_ONCE: Mapping[str, Any] = {"scaleDown": {"stabilizationWindowSeconds": 0}}
"""A behaviour that scales down at once; without it the first sync of all keeps what there is."""

_REQUEST = {MODEL: {"cpu": 1000}}

STATES: Mapping[str, tuple[Pod, Mapping[str, int]]] = {
    # Name: the pod, and what is special about its sample. No age may come near a limit (300 s for
    # the initialisation, the sample's window after the change) while the recording waits.
    "ready": (Pod(requests_milli=_REQUEST), {}),
    "pending": (Pod(requests_milli=_REQUEST, phase="Pending", ready=None, started_age_s=None), {}),
    "failed": (Pod(requests_milli=_REQUEST, phase="Failed", ready="False", ready_age_s=60), {}),
    "succeeded": (Pod(requests_milli=_REQUEST, phase="Succeeded", ready="False"), {}),
    "deleted": (Pod(requests_milli=_REQUEST, deleted=True), {}),
    "starting": (
        Pod(requests_milli=_REQUEST, ready="False", started_age_s=100, ready_age_s=100),
        {},
    ),
    "unsure": (
        Pod(requests_milli=_REQUEST, ready="Unknown", started_age_s=200, ready_age_s=180),
        {},
    ),
    "just-ready": (  # its sample began before it was ready
        Pod(requests_milli=_REQUEST, started_age_s=100, ready_age_s=20),
        {"age_s": 5, "window_s": 60},
    ),
    "young": (Pod(requests_milli=_REQUEST, started_age_s=240, ready_age_s=200), {}),
    "never-ready": (
        Pod(requests_milli=_REQUEST, ready="False", started_age_s=3600, ready_age_s=3595),
        {},
    ),
    "slow-start": (  # changed exactly 30 s after its start
        Pod(requests_milli=_REQUEST, ready="False", started_age_s=3600, ready_age_s=3570),
        {},
    ),
    "almost-slow": (
        Pod(requests_milli=_REQUEST, ready="False", started_age_s=3600, ready_age_s=3571),
        {},
    ),
    "was-ready": (Pod(requests_milli=_REQUEST, ready="False", ready_age_s=600), {}),
    "no-condition": (Pod(requests_milli=_REQUEST, ready=None), {}),
    "no-start": (Pod(requests_milli=_REQUEST, started_age_s=None), {}),
}


def quantity(milli: int) -> str:
    """An amount as the API writes it."""
    return f"{milli}m"


def cpu(percent: int) -> dict[str, Any]:
    """A target for the use of CPU, in percent of what is requested."""
    return _resource("cpu", percent=percent)


def memory(milli: int) -> dict[str, Any]:
    """A target for the mean use of memory by a pod, in thousandths of a byte."""
    return _resource("memory", milli=milli)


def container_cpu(container: str, percent: int) -> dict[str, Any]:
    """A target for the use of CPU by one container, in percent of what it requests."""
    target = {"type": "Utilization", "averageUtilization": percent}
    resource = {"name": "cpu", "container": container, "target": target}
    return {"type": "ContainerResource", "containerResource": resource}


def per_pod(milli: int, name: str = "requests") -> dict[str, Any]:
    """A target for the mean of a metric that pods have."""
    target = {"type": "AverageValue", "averageValue": quantity(milli)}
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": target}}


def object_metric(milli: int, *, average: bool, name: str = "hits") -> dict[str, Any]:
    """A target for a metric of a Service: its value, or that divided by the pods."""
    described = {"apiVersion": "v1", "kind": "Service", "name": "front"}
    metric = {"describedObject": described, "metric": {"name": name}, "target": _of(milli, average)}
    return {"type": "Object", "object": metric}


def external(milli: int, *, average: bool, name: str = "queue") -> dict[str, Any]:
    """A target for a metric from outside: its value, or that divided by the pods."""
    metric = {"metric": {"name": name}, "target": _of(milli, average)}
    return {"type": "External", "external": metric}


def spec(
    *metrics: Mapping[str, Any],
    low: int = 1,
    high: int = 20,
    behavior: Mapping[str, Any] | None = AT_ONCE,
) -> dict[str, Any]:
    """What the autoscaler is told.

    Args:
        metrics: the targets.
        low: fewest replicas.
        high: most replicas.
        behavior: limits on the speed of scaling; None sends none, which is another rule.
    """
    told = {"minReplicas": low, "maxReplicas": high, "metrics": [dict(item) for item in metrics]}
    return told if behavior is None else told | {"behavior": dict(behavior)}


def limits(
    direction: str, select: str | None, *policies: tuple[str, int, int], window_s: int = 0
) -> dict[str, Any]:
    """A behaviour that limits one direction; scaling down waits for nothing.

    Args:
        direction: scaleUp or scaleDown.
        select: Max, Min or Disabled; None leaves the default.
        policies: type (Pods or Percent), value and period in seconds.
        window_s: of the stabilisation, in this direction.
    """
    names = ("type", "value", "periodSeconds")
    rules: dict[str, Any] = {"stabilizationWindowSeconds": window_s}
    if policies:
        rules["policies"] = [dict(zip(names, policy, strict=True)) for policy in policies]
    if select:
        rules["selectPolicy"] = select
    return {**AT_ONCE, direction: rules}


def running(count: int, requests: Mapping[str, Mapping[str, int]] | None = None) -> dict[str, Pod]:
    """So many pods that have been ready for long.

    Args:
        count: how many.
        requests: by container and resource; None means one core of one container.
    """
    return {f"pod-{n}": Pod(requests_milli=requests or _REQUEST) for n in range(count)}


def samples(pods: Iterable[str], milli: int | Sequence[int], resource: str = "cpu") -> Readings:
    """A sample of each pod.

    Args:
        pods: their names.
        milli: what each uses, or one number for all.
        resource: what is used.
    """
    names = list(pods)
    values = [milli] * len(names) if isinstance(milli, int) else milli
    return Readings(
        samples={
            name: Sample(usage_milli={MODEL: {resource: value}})
            for name, value in zip(names, values, strict=True)
        }
    )


def _resource(name: str, *, percent: int | None = None, milli: int | None = None) -> dict[str, Any]:
    if percent is not None:
        target: dict[str, Any] = {"type": "Utilization", "averageUtilization": percent}
    else:
        target = {"type": "AverageValue", "averageValue": quantity(milli or 0)}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def _of(milli: int, average: bool) -> dict[str, Any]:  # noqa: FBT001 - private; callers name it
    key = "averageValue" if average else "value"
    return {"type": key[0].upper() + key[1:], key: quantity(milli)}
