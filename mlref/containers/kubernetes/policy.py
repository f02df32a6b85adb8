"""Rules that a schema cannot state: what belongs together must fit together.

    for violation in check_policy(build("deploy/kubernetes/overlays/prod")):
        print(violation)

Each rule has a word: `RULES` tells them all. They hold for the objects of one folder taken
together, as `build` gives them: a Service, an autoscaler or a budget may refer to any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlref.containers.kubernetes.objects import (
    WORKLOADS,
    Object,
    Pod,
    Violation,
    name_of,
    pods_of,
    selects,
)
from mlref.containers.kubernetes.policy_pods import pod_problems

__all__ = ["RULES", "check_policy"]

RULES: Mapping[str, str] = {
    "image": "an image is named by a digest or a version",
    "root": "nothing runs as root",
    "privileged": "nothing has the rights of its node",
    "host": "no pod reaches its node: its network, processes, ports or files",
    "escalation": "no program gains rights",
    "capabilities": "nothing of root's power is left",
    "seccomp": "system calls are filtered",
    "read-only": "the root file system cannot be written",
    "token": "no pod holds a token that it does not need",
    "account": "the ServiceAccount of a pod is there",
    "resources": "CPU and memory are requested, memory is limited",
    "probes": "probes ask routes that the server has, and the right ones",
    "grace": "a pod gets as long to end as its server needs to drain",
    "selector": "a Deployment selects its own pods, and nobody else's",
    "replicas": "either the Deployment or an autoscaler states the replicas",
    "autoscaler": "an autoscaler has a Deployment to itself, and bounds in order",
    "budget": "a budget has pods to itself, and leaves room for an eviction",
    "service": "a Service reaches a port of some pods",
    "network": "a NetworkPolicy says who may call each pod, and not anybody",
    "ingress": "an Ingress leads to a Service, and a canary stands beside another",
}
"""Each rule, and what it says."""

_VERSION = "app.kubernetes.io/version"
_CANARY = "nginx.ingress.kubernetes.io/canary"
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def check_policy(objects: Iterable[Object]) -> list[Violation]:
    """What breaks a rule; an empty list if nothing does. Check the schema first.

    Args:
        objects: all objects of one folder.

    Raises:
        MissingExtraError: FastAPI is not installed, which the server's routes are asked of.
    """
    every = list(objects)
    found = []
    for obj in every:
        # None of them refers to another namespace.
        near = [each for each in every if _namespace(each) == _namespace(obj)]
        told = [each for pod in pods_of(obj) for each in pod_problems(pod)]
        if obj.get("kind") in WORKLOADS:
            told += _surroundings(obj, near)
        if obj.get("kind") in _CHECKS:
            told += _CHECKS[obj["kind"]](obj, near)
        found += [Violation(name_of(obj), rule, text) for rule, text in told]
    return found


Found = Iterator[tuple[str, str]]


def _surroundings(obj: Object, every: Sequence[Object]) -> Found:
    """What the pods of a workload need beside them."""
    (pod,) = pods_of(obj)
    account = pod.spec.get("serviceAccountName", "default")
    if account not in {"default", *_names(every, "ServiceAccount")}:
        text = f"runs as ServiceAccount/{account}, which is not here: no pod would start"
        yield "account", f"{text}; add it to the folder"
    policies = [each for each in every if each.get("kind") == "NetworkPolicy"]
    if not any(_guards(each, pod) for each in policies):
        text = "no NetworkPolicy says who may call its pods, so anything in the cluster may"
        yield "network", f"{text}; add one with Ingress in policyTypes, or mend its podSelector"


def _controller(obj: Object, every: Sequence[Object]) -> Found:
    """Whether a controller selects its own pods, and nobody else changes how many there are."""
    spec, (pod,) = _spec(obj), pods_of(obj)
    if not selects(spec.get("selector"), pod.labels):
        yield (
            "selector",
            f"selects {spec.get('selector')}, its pods have {dict(pod.labels)}; make them match",
        )
    for other in _pods(every):
        if other.owner is not obj and selects(spec.get("selector"), other.labels):
            text = f"selects the pods of {name_of(other.owner)}, too"
            yield "selector", f"{text}; give each a label of its own, like mlref.track"
    if _VERSION in ((spec.get("selector") or {}).get("matchLabels") or {}):
        text = (
            f"selects by {_VERSION}: a selector cannot be changed, so the next version is refused"
        )
        yield "selector", f"{text}; leave the label out of matchLabels"
    scalers = [each for each in every if _target(each) == name_of(obj)]
    if obj.get("kind") in _COUNTED and not scalers and "replicas" not in spec:
        text = "nobody states how many pods there are, which means one"
        yield "replicas", f"{text}; add a HorizontalPodAutoscaler, or state replicas"
    if scalers and "replicas" in spec:
        text = f"states replicas: {spec['replicas']}, and {name_of(scalers[0])} changes them"
        yield "replicas", f"{text}: each apply throws its pods away; leave replicas out"


def _autoscaler(obj: Object, every: Sequence[Object]) -> Found:
    target, spec = _target(obj), _spec(obj)
    owners = {name_of(each): each for each in every}
    if target not in owners:
        yield "autoscaler", f"scales {target}, which is not here; name one of its Deployments"
    for other in every:
        if other is not obj and _target(other) == target:
            text = f"scales {target}, and so does {name_of(other)}: they undo each other's work"
            yield "autoscaler", f"{text}; keep one, with the metrics of both"
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    if least > most:
        yield "autoscaler", f"minReplicas, {least}, is more than maxReplicas, {most}; swap them"


def _budget(obj: Object, every: Sequence[Object]) -> Found:
    spec = _spec(obj)
    owners = [pod.owner for pod in _pods(every) if selects(spec.get("selector"), pod.labels)]
    if not owners:
        yield (
            "budget",
            f"selects {spec.get('selector')}, which no pod has; take the Deployment's labels",
        )
        return
    for other in every:
        if other is not obj and other.get("kind") == obj["kind"]:
            wanted = _spec(other).get("selector")
            if any(selects(wanted, pod.labels) for pod in _pods(every) if pod.owner in owners):
                text = (
                    f"shares pods with {name_of(other)}: the API evicts none that has two budgets"
                )
                yield "budget", f"{text}; keep one, or select by mlref.track"
    told_both = [key for key in ("minAvailable", "maxUnavailable") if key in spec]
    if len(told_both) != 1:
        yield (
            "budget",
            f"states {' and '.join(told_both) or 'no bound'}; set maxUnavailable: 1 only",
        )
        return
    least = sum(_least_replicas(owner, every) for owner in owners)
    (key,) = told_both
    share = _share(spec[key], least)
    if share is None:
        yield "budget", f"{key} must be a number or a percentage like 50%, got {spec[key]!r}"
    elif share == 0 if key == "maxUnavailable" else share >= least:
        told = f"{key}: {spec[key]}"
        text = f"{told} of {least} pods lets nobody be evicted: no node can be drained"
        yield "budget", f"{text}; set maxUnavailable: 1"


def _service(obj: Object, every: Sequence[Object]) -> Found:
    spec = _spec(obj)
    if not spec.get("selector"):  # its addresses are written by somebody else
        return
    selector = {"matchLabels": spec["selector"]}
    pods = [pod for pod in _pods(every) if selects(selector, pod.labels)]
    if not pods:
        yield "service", f"selects {spec.get('selector')}, which no pod has; mend the selector"
    for pod in pods:
        named = _ports(pod)
        for port in spec.get("ports") or []:
            target = port.get("targetPort", port["port"])
            if target not in named and target not in named.values():
                text = f"port {port['port']} leads to {target} of {name_of(pod.owner)}"
                yield "service", f"{text}, which listens on {named}; mend targetPort"


def _network(obj: Object, every: Sequence[Object]) -> Found:
    spec, wanted = _spec(obj), _spec(obj).get("podSelector") or {}
    pods = [pod for pod in _pods(every) if selects(wanted, pod.labels)]
    if not pods:
        yield "network", f"selects {wanted}, which no pod has; take the Deployment's labels"
    if "Ingress" not in spec.get("policyTypes", ["Ingress"]):
        return
    for rule in spec.get("ingress") or []:
        if any(map(_is_anybody, rule.get("from") or [{}])):
            text = f"its rule {dict(rule)} lets anybody in"
            yield "network", f"{text}; name namespaces or pods in from"
        for port in rule.get("ports") or []:
            for pod in pods:
                named = _ports(pod)
                if isinstance(port.get("port"), str) and port["port"] not in named:
                    text = f"opens port {port['port']}, and {name_of(pod.owner)} has {named}"
                    yield "network", f"{text}: nobody gets in; mend the port's name"


def _ingress(obj: Object, every: Sequence[Object]) -> Found:
    services = {
        each["metadata"].get("name"): _spec(each) for each in every if each.get("kind") == "Service"
    }
    others = [each for each in every if each is not obj and each.get("kind") == "Ingress"]
    plain = {place for each in others if not _is_canary(each) for place in _places(each)}
    for place in _places(obj):
        if _is_canary(obj) and place not in plain:
            text = f"splits the requests of {place[1]}, which no other Ingress of its class answers"
            yield "ingress", f"{text}; give it the host and the path of the stable version"
        if not _is_canary(obj) and place in plain:
            text = f"answers {place[1]}, as another Ingress does: one of them gets nothing"
            yield "ingress", f"{text}; keep one, or make the other a canary"
    for backend in _backends(_spec(obj)):
        asked, port = backend["service"]["name"], backend["service"].get("port") or {}
        if asked not in services:
            yield "ingress", f"leads to Service/{asked}, which is not here; mend the backend"
            continue
        ports = services[asked].get("ports") or []
        known = [{"name": each.get("name"), "number": each["port"]} for each in ports]
        if not any(port.items() <= each.items() for each in known):
            text = f"leads to port {port} of Service/{asked}"
            yield "ingress", f"{text}, which has {known}; mend the backend"


_COUNTED = ("Deployment", "ReplicaSet", "StatefulSet")
_CHECKS = {
    **dict.fromkeys(("DaemonSet", *_COUNTED), _controller),
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "NetworkPolicy": _network,
    "PodDisruptionBudget": _budget,
    "Service": _service,
}


def _pods(every: Sequence[Object]) -> list[Pod]:
    """The pods whose labels these objects state: KServe and KubeRay label theirs themselves."""
    return [pod for obj in every if obj.get("kind") in WORKLOADS for pod in pods_of(obj)]


def _names(every: Sequence[Object], kind: str) -> set[str]:
    return {each["metadata"].get("name") for each in every if each.get("kind") == kind}


def _namespace(obj: Object) -> Any:
    return (obj.get("metadata") or {}).get("namespace")


def _spec(obj: Object) -> Mapping[str, Any]:
    """The schema lets most objects go without one."""
    return obj.get("spec") or {}


def _guards(policy: Object, pod: Pod) -> bool:
    """Whether a NetworkPolicy says who may call a pod."""
    spec = _spec(policy)
    inward = "Ingress" in spec.get("policyTypes", ["Ingress"])
    return inward and selects(spec.get("podSelector") or {}, pod.labels)


def _is_anybody(peer: Mapping[str, Any]) -> bool:
    """Whether a NetworkPolicy's peer stands for the whole cluster, or the whole net."""
    block = peer.get("ipBlock") or {}
    wide = block.get("cidr") in _EVERYWHERE and not block.get("except")
    return wide or peer in ({}, {"namespaceSelector": {}})


def _target(obj: Object) -> str | None:
    """What an autoscaler scales."""
    if obj.get("kind") != "HorizontalPodAutoscaler":
        return None
    target = _spec(obj)["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def _least_replicas(owner: Object, every: Sequence[Object]) -> int:
    """How many pods there are at least."""
    bounds = [_spec(each) for each in every if _target(each) == name_of(owner)]
    least = bounds[0].get("minReplicas", 1) if bounds else _spec(owner).get("replicas", 1)
    return int(least)


def _share(value: Any, of: int) -> int | None:
    """A number, or a percentage of pods, which Kubernetes rounds up; None if it is neither."""
    if isinstance(value, str):
        told = re.fullmatch("([0-9]{1,3})%", value)
        return None if told is None else -(-int(told[1]) * of // 100)
    return int(value)


def _ports(pod: Pod) -> dict[Any, Any]:
    containers = pod.spec.get("containers") or []
    ports = [port for each in containers for port in each.get("ports") or []]
    return {port.get("name", port["containerPort"]): port["containerPort"] for port in ports}


def _backends(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = [path["backend"] for _, path in _paths(spec)]
    if "defaultBackend" in spec:
        found.append(spec["defaultBackend"])
    yield from (each for each in found if "service" in each)


def _paths(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each host with each of its paths."""
    for rule in spec.get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            yield rule.get("host", "*"), path


def _places(ingress: Object) -> dict[tuple[Any, str], None]:
    """What an Ingress answers, in its order: the controller, and host and path."""
    spec = _spec(ingress)
    found = [f"{host}{path.get('path', '/')}" for host, path in _paths(spec)]
    return dict.fromkeys((spec.get("ingressClassName"), each) for each in found)


def _is_canary(ingress: Object) -> bool:
    return (ingress["metadata"].get("annotations") or {}).get(_CANARY) == "true"
