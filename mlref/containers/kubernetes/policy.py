"""Rules that a schema cannot state: what belongs together must fit together.

    for violation in check_policy(build("deploy/kubernetes/overlays/prod")):
        print(violation)

Each rule has a word: `RULES` tells them all. They hold for the objects of one folder taken
together, as `build` gives them: a Service, an autoscaler or a budget may refer to any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlref.containers.kubernetes.objects import Object, Pod, Violation, name_of, pods_of, selects
from mlref.containers.kubernetes.policy_pods import pod_problems

__all__ = ["RULES", "check_policy"]

RULES: Mapping[str, str] = {
    "image": "an image is named by a digest or a version",
    "root": "nothing runs as root",
    "privileged": "nothing has the rights of its node",
    "host": "no pod shares its node's network or processes",
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
    "autoscaler": "an autoscaler has a Deployment, and bounds in order",
    "budget": "a budget has pods, and leaves room for an eviction",
    "service": "a Service reaches a port of some pods",
    "network": "a NetworkPolicy covers each pod",
    "ingress": "an Ingress leads to a Service",
}
"""Each rule, and what it says."""

_TEMPLATE_KINDS = ("Deployment",)


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
        for pod in pods_of(obj):
            found += [Violation(name_of(obj), rule, text) for rule, text in pod_problems(pod)]
        check = _CHECKS.get(str(obj.get("kind")))
        if check is not None:
            found += [Violation(name_of(obj), rule, text) for rule, text in check(obj, every)]
    return found


Found = Iterator[tuple[str, str]]


def _deployment(obj: Object, every: Sequence[Object]) -> Found:
    spec, (pod,) = obj["spec"], pods_of(obj)
    if not selects(spec.get("selector"), pod.labels):
        yield (
            "selector",
            f"selects {spec.get('selector')}, its pods have {dict(pod.labels)}; make them match",
        )
    for other in _pods(every):
        if other.owner is not obj and selects(spec.get("selector"), other.labels):
            text = f"selects the pods of {name_of(other.owner)}, too"
            yield "selector", f"{text}; give each a label of its own, like mlref.track"
    scalers = [each for each in every if _target(each) == name_of(obj)]
    if scalers and "replicas" in spec:
        text = f"states replicas: {spec['replicas']}, and {name_of(scalers[0])} changes them"
        yield "replicas", f"{text}: each apply throws its pods away; leave replicas out"
    account = pod.spec.get("serviceAccountName", "default")
    if account not in {"default", *_names(every, "ServiceAccount")}:
        text = f"runs as ServiceAccount/{account}, which is not here: no pod would start"
        yield "account", f"{text}; add it to the folder"
    policies = [each for each in every if each.get("kind") == "NetworkPolicy"]
    if not any(selects(each["spec"].get("podSelector"), pod.labels) for each in policies):
        text = "no NetworkPolicy selects its pods, so anything in the cluster may call them"
        yield "network", f"{text}; add one, or mend its podSelector"


def _autoscaler(obj: Object, every: Sequence[Object]) -> Found:
    target, spec = _target(obj), obj["spec"]
    owners = {name_of(each): each for each in every}
    if target not in owners:
        yield "autoscaler", f"scales {target}, which is not here; name one of its Deployments"
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    if least > most:
        yield "autoscaler", f"minReplicas, {least}, is more than maxReplicas, {most}; swap them"


def _budget(obj: Object, every: Sequence[Object]) -> Found:
    spec = obj["spec"]
    owners = [pod.owner for pod in _pods(every) if selects(spec.get("selector"), pod.labels)]
    if not owners:
        yield (
            "budget",
            f"selects {spec.get('selector')}, which no pod has; take the Deployment's labels",
        )
        return
    least = sum(_least_replicas(owner, every) for owner in owners)
    available, unavailable = spec.get("minAvailable"), spec.get("maxUnavailable")
    if (available is not None and _share(available, least) >= least) or unavailable in {0, "0%"}:
        told = f"minAvailable: {available}" if available is not None else "maxUnavailable: 0"
        text = f"{told} of {least} pods lets nobody be evicted: no node can be drained"
        yield "budget", f"{text}; set maxUnavailable: 1"


def _service(obj: Object, every: Sequence[Object]) -> Found:
    spec = obj["spec"]
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
    wanted = obj["spec"].get("podSelector")
    if not any(selects(wanted, pod.labels) for pod in _pods(every)):
        yield "network", f"selects {wanted}, which no pod has; take the Deployment's labels"


def _ingress(obj: Object, every: Sequence[Object]) -> Found:
    services = {
        each["metadata"]["name"]: each["spec"] for each in every if each.get("kind") == "Service"
    }
    for backend in _backends(obj["spec"]):
        asked, port = backend["service"]["name"], backend["service"].get("port") or {}
        if asked not in services:
            yield "ingress", f"leads to Service/{asked}, which is not here; mend the backend"
            continue
        ports = services[asked].get("ports") or []
        known = [{"name": each.get("name"), "number": each["port"]} for each in ports]
        if not any(port.items() <= each.items() for each in known):
            text = f"leads to port {port} of Service/{asked}"
            yield "ingress", f"{text}, which has {known}; mend the backend"


_CHECKS = {
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "NetworkPolicy": _network,
    "PodDisruptionBudget": _budget,
    "Service": _service,
}


def _pods(every: Sequence[Object]) -> list[Pod]:
    """The pods whose labels these objects state: KServe and KubeRay label theirs themselves."""
    return [pod for obj in every if obj.get("kind") in _TEMPLATE_KINDS for pod in pods_of(obj)]


def _names(every: Sequence[Object], kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in every if each.get("kind") == kind}


def _target(obj: Object) -> str | None:
    """What an autoscaler scales."""
    if obj.get("kind") != "HorizontalPodAutoscaler":
        return None
    target = obj["spec"]["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def _least_replicas(owner: Object, every: Sequence[Object]) -> int:
    """How many pods there are at least."""
    bounds = [each["spec"] for each in every if _target(each) == name_of(owner)]
    least = bounds[0].get("minReplicas", 1) if bounds else owner["spec"].get("replicas", 1)
    return int(least)


def _share(value: Any, of: int) -> int:
    """A number, or a percentage of pods, which Kubernetes rounds up."""
    if isinstance(value, str) and value.endswith("%"):
        return -(-int(value[:-1]) * of // 100)
    return int(value)


def _ports(pod: Pod) -> dict[Any, Any]:
    containers = pod.spec.get("containers") or []
    ports = [port for each in containers for port in each.get("ports") or []]
    return {port.get("name", port["containerPort"]): port["containerPort"] for port in ports}


def _backends(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    paths = [path for rule in spec.get("rules") or [] for path in rule["http"]["paths"]]
    found = [path["backend"] for path in paths]
    if "defaultBackend" in spec:
        found.append(spec["defaultBackend"])
    yield from (each for each in found if "service" in each)
