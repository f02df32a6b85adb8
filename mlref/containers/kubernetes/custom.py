"""The fields of KServe's and KubeRay's objects that a model's service uses.

Only these: whoever uses another one adds it here first. What they say of pods is left out, since a
pod is a pod; `schemas` checks it against the schema of Kubernetes.

The example's objects were also checked, unknown fields refused, against the whole definitions that
the projects publish; these are too large to be kept here.

Source: the custom resource definitions serving.kserve.io/v1beta1 InferenceService (KServe at commit
aaac4e294dae, after 0.19) and ray.io/v1 RayService (KubeRay at commit feeaf72facab, after 1.6).
"""

from __future__ import annotations

from typing import Any

__all__ = ["CUSTOM"]

_TEXT: dict[str, Any] = {"type": "string"}
_TRUTH: dict[str, Any] = {"type": "boolean"}
_NUMBER: dict[str, Any] = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
_TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": _TEXT}
_POD: dict[str, Any] = {"type": "object"}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """An object that has no other fields than these."""
    found = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**found, "required": list(required)} if required else found


def _whole(spec: dict[str, Any]) -> dict[str, Any]:
    metadata = _object(("name",), name=_TEXT, namespace=_TEXT, labels=_TEXTS, annotations=_TEXTS)
    required = ("apiVersion", "kind", "metadata", "spec")
    return _object(required, apiVersion=_TEXT, kind=_TEXT, metadata=metadata, spec=spec)


_PREDICTOR = {
    "type": "object",
    "properties": {
        "minReplicas": _NUMBER,
        "maxReplicas": _NUMBER,
        "scaleTarget": _NUMBER,
        "scaleMetric": {"enum": ["cpu", "memory", "concurrency", "rps"]},
        "scaleMetricType": {"enum": ["Utilization", "Value", "AverageValue"]},
        "canaryTrafficPercent": _NUMBER,
        "containerConcurrency": _NUMBER,
        "timeout": _NUMBER,
        "labels": _TEXTS,
        "annotations": _TEXTS,
    },
}
_TEMPLATE = _object(metadata=_object(labels=_TEXTS, annotations=_TEXTS), spec=_POD)
_HEAD = _object(
    ("template",),
    rayStartParams=_TEXTS,
    serviceType=_TEXT,
    enableIngress=_TRUTH,
    template=_TEMPLATE,
)
_WORKERS = _object(
    ("groupName", "minReplicas", "maxReplicas", "template"),
    groupName=_TEXT,
    replicas=_NUMBER,
    minReplicas=_NUMBER,
    maxReplicas=_NUMBER,
    numOfHosts=_NUMBER,
    rayStartParams=_TEXTS,
    template=_TEMPLATE,
)
_AUTOSCALER = _object(
    image=_TEXT,
    resources={"type": "object"},
    securityContext={"type": "object"},
    upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
    idleTimeoutSeconds=_NUMBER,
)
_CLUSTER = _object(
    ("headGroupSpec",),
    rayVersion=_TEXT,
    enableInTreeAutoscaling=_TRUTH,
    autoscalerOptions=_AUTOSCALER,
    headGroupSpec=_HEAD,
    workerGroupSpecs={"type": "array", "items": _WORKERS},
)

CUSTOM: dict[tuple[str, str], dict[str, Any]] = {
    ("serving.kserve.io/v1beta1", "InferenceService"): _whole(
        _object(("predictor",), predictor=_PREDICTOR)
    ),
    ("ray.io/v1", "RayService"): _whole(
        _object(
            ("rayClusterConfig",),
            serveConfigV2=_TEXT,
            serviceUnhealthySecondThreshold=_NUMBER,
            deploymentUnhealthySecondThreshold=_NUMBER,
            rayClusterConfig=_CLUSTER,
        )
    ),
}
"""JSON Schema of each kind, by apiVersion and kind."""
