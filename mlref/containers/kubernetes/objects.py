"""Objects as parsed from YAML: what they are called, where their pods are, who selects them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "PREDICTOR_FIELDS",
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
    """The pods that an object describes: of a Deployment, an InferenceService or a RayService."""
    spec = obj.get("spec") or {}
    if obj.get("kind") == "Deployment":
        yield _templated(obj, spec, ("spec",))
    elif obj.get("kind") == "InferenceService":
        predictor = spec.get("predictor") or {}
        pod = {key: value for key, value in predictor.items() if key not in PREDICTOR_FIELDS}
        yield Pod(obj, predictor.get("labels") or {}, pod, ("spec", "predictor"))
    elif obj.get("kind") == "RayService":
        cluster = spec.get("rayClusterConfig") or {}
        path = ("spec", "rayClusterConfig")
        yield _templated(obj, cluster.get("headGroupSpec") or {}, (*path, "headGroupSpec"))
        for number, group in enumerate(cluster.get("workerGroupSpecs") or []):
            yield _templated(obj, group, (*path, "workerGroupSpecs", str(number)))


def containers_of(pod: Pod) -> list[Mapping[str, Any]]:
    """All containers of a pod, those that run before the others included."""
    return [*(pod.spec.get("initContainers") or []), *(pod.spec.get("containers") or [])]


def _templated(obj: Object, holder: Mapping[str, Any], where: tuple[str, ...]) -> Pod:
    template = holder.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    return Pod(obj, labels, template.get("spec") or {}, (*where, "template", "spec"))


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
