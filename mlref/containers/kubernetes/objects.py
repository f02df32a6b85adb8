"""Objects as parsed from YAML: what they are called, where their pods are, who selects them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "PREDICTOR_FIELDS",
    "WORKLOADS",
    "Object",
    "Pod",
    "Violation",
    "containers_of",
    "name_of",
    "pods_of",
    "selects",
]

Object = Mapping[str, Any]
"""One object, as parsed from YAML."""

PREDICTOR_FIELDS = frozenset(
    {"canaryTrafficPercent", "containerConcurrency", "maxReplicas", "minReplicas", "scaleMetric"}
    | {"scaleMetricType", "scaleTarget", "timeout", "annotations", "labels"}
)
"""What KServe's predictor has beside the fields of a pod."""

WORKLOADS: Mapping[str, tuple[str, ...]] = {
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "Pod": (),
    "PodTemplate": ("template",),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
}
"""Each kind of Kubernetes itself that describes a pod, and the way to the pod in it."""


@dataclass(frozen=True)
class Violation:
    """What is wrong with an object.

    Attributes:
        object: kind and name, for instance "Deployment/flights".
        rule: which one it breaks, in a word, for instance "image"; "schema" for a wrong field.
        message: what was found, and what to do.
    """

    object: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.object}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Pod:
    """A pod that an object describes.

    Attributes:
        owner: the object.
        labels: of the pod.
        spec: of the pod.
        where: the way to `spec` in the object.
    """

    owner: Object
    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    where: tuple[str, ...]


def name_of(obj: Object) -> str:
    """Kind and name."""
    return f"{obj.get('kind', '?')}/{(obj.get('metadata') or {}).get('name', '?')}"


def pods_of(obj: Object) -> Iterator[Pod]:
    """The pods that an object describes: a workload, an InferenceService or a RayService."""
    spec = obj.get("spec") or {}
    if obj.get("kind") in WORKLOADS:
        yield _described(obj, WORKLOADS[obj["kind"]])
    elif obj.get("kind") == "InferenceService":
        predictor = spec.get("predictor") or {}
        pod = {key: value for key, value in predictor.items() if key not in PREDICTOR_FIELDS}
        yield Pod(obj, predictor.get("labels") or {}, pod, ("spec", "predictor"))
    elif obj.get("kind") == "RayService":
        path = ("spec", "rayClusterConfig")
        yield _described(obj, (*path, "headGroupSpec", "template"))
        groups = (spec.get("rayClusterConfig") or {}).get("workerGroupSpecs") or []
        for number in range(len(groups)):
            yield _described(obj, (*path, "workerGroupSpecs", str(number), "template"))


def containers_of(pod: Pod) -> list[Mapping[str, Any]]:
    """All containers of a pod, those that run before the others included."""
    return [*(pod.spec.get("initContainers") or []), *(pod.spec.get("containers") or [])]


def _described(obj: Object, where: tuple[str, ...]) -> Pod:
    """The pod at a place in an object; what is not there counts as empty."""
    found: Any = obj
    for part in where:
        found = (found[int(part)] if part.isdigit() else found.get(part)) or {}
    labels = (found.get("metadata") or {}).get("labels") or {}
    return Pod(obj, labels, found.get("spec") or {}, (*where, "spec"))


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects what has these labels. {} selects all, None nothing.

    Source: Kubernetes API reference, "LabelSelector".
    """
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    return wanted.items() <= labels.items() and all(_holds(each, labels) for each in expressions)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    holds = {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return holds[expression["operator"]]
