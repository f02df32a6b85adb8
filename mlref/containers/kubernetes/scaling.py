"""How many pods there are: the autoscaler, and how many a maintenance may take away at once."""

from __future__ import annotations

from typing import Any

from mlref.containers.kubernetes.settings import Settings
from mlref.containers.kubernetes.versions import at_least
from mlref.containers.kubernetes.workload import metadata, selector

__all__ = ["autoscaler", "disruption_budget"]


def autoscaler(settings: Settings, api: str) -> dict[str, Any]:
    """The HorizontalPodAutoscaler: up at once, down slowly.

    A load that comes back within five minutes finds its pods still there. The field `behavior` is
    spelled as the API spells it.
    """
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": settings.name}
    utilization = {"type": "Utilization", "averageUtilization": settings.target_cpu_percent}
    return {
        "apiVersion": "autoscaling/v2" if at_least(api, "1.23") else "autoscaling/v2beta2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(settings),
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": settings.min_replicas,
            "maxReplicas": settings.max_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}],
            "behavior": {
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "selectPolicy": "Max",
                    "policies": [_policy("Percent", 100, 15), _policy("Pods", 4, 15)],
                },
                "scaleDown": {
                    "stabilizationWindowSeconds": 300,
                    "selectPolicy": "Max",
                    "policies": [_policy("Percent", 50, 60)],
                },
            },
        },
    }


def disruption_budget(settings: Settings, api: str) -> dict[str, Any]:
    """The PodDisruptionBudget: one pod at a time, however many there are.

    Not minAvailable: that of min_replicas would let nobody drain a node while the load is low.
    """
    spec: dict[str, Any] = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": selector(settings, track="stable")},
    }
    if at_least(api, "1.27"):  # a pod that never gets ready must not hold up a node
        spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    return {
        "apiVersion": "policy/v1" if at_least(api, "1.21") else "policy/v1beta1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(settings),
        "spec": spec,
    }


def _policy(kind: str, value: int, period_s: int) -> dict[str, Any]:
    return {"type": kind, "value": value, "periodSeconds": period_s}
