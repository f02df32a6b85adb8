"""Rules for pods. Each gives the rule's name and what is wrong.

The rules for rights are those of the profile "Restricted" of the Kubernetes Pod Security Standards,
and a root file system that cannot be written. The others keep a pod alive and predictable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlref.containers.kubernetes.objects import Pod, containers_of
from mlref.containers.kubernetes.quantities import parse_quantity
from mlref.containers.kubernetes.references import image_problem
from mlref.containers.kubernetes.routes import server_routes
from mlref.serving.settings import DEFAULT_SETTINGS

__all__ = ["pod_problems"]

Found = Iterator[tuple[str, str]]

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_READY_ROUTES = frozenset({"/health/ready", "/v2/health/ready", "/health", "/ping"})
_SECCOMP = ("RuntimeDefault", "Localhost")


def pod_problems(pod: Pod) -> Found:
    """What is wrong with a pod: name of the rule, and a message."""
    is_ray = pod.owner.get("kind") == "RayService"
    yield from _host_problems(pod)
    for container in containers_of(pod):
        for rule, message in _container_problems(pod, container, is_ray=is_ray):
            yield rule, f"container {container.get('name', '?')}: {message}"
    if is_ray:  # KubeRay brings its probes, Ray its own drain
        return
    if pod.spec.get("automountServiceAccountToken") is not False:
        text = "a token of the cluster lies in the pod, which asks the cluster nothing"
        yield "token", f"{text}; set automountServiceAccountToken: false"
    for container in pod.spec.get("containers") or []:
        name = container.get("name", "?")
        for rule, message in (*_probe_problems(container), *_grace_problems(pod, container)):
            yield rule, f"container {name}: {message}"


def _host_problems(pod: Pod) -> Found:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(key):
            yield "host", f"{key} lets the pod see its node; leave it out"
    for volume in pod.spec.get("volumes") or []:
        if "hostPath" in volume:
            text = f"the volume {volume.get('name', '?')} is a folder of the node"
            yield "host", f"{text}; use an emptyDir or a claim"


def _container_problems(pod: Pod, container: Mapping[str, Any], *, is_ray: bool) -> Found:
    problem = image_problem(str(container.get("image", "")))
    if problem is not None:
        yield "image", problem
    yield from _identity_problems(pod, container)
    security = container.get("securityContext") or {}
    if security.get("privileged"):
        yield "privileged", "privileged is as good as root on the node; leave it out"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "escalation", "setuid programs may gain rights; set allowPrivilegeEscalation: false"
    capabilities = security.get("capabilities") or {}
    kept = [each for each in capabilities.get("add") or [] if each != "NET_BIND_SERVICE"]
    if "ALL" not in (capabilities.get("drop") or []) or kept:
        text = f"adds {', '.join(kept)}" if kept else "keeps the capabilities that a runtime gives"
        yield "capabilities", f"{text}; set capabilities: {{drop: [ALL]}} and add none"
    if security.get("readOnlyRootFilesystem") is not True and not is_ray:
        text = "the root file system can be written; set readOnlyRootFilesystem: true"
        yield "read-only", f"{text}, and mount an emptyDir where it must write"
    yield from _resource_problems(container)


def _identity_problems(pod: Pod, container: Mapping[str, Any]) -> Found:
    """Whose rights it has: a container's own word wins over its pod's."""
    merged = {**(pod.spec.get("securityContext") or {}), **(container.get("securityContext") or {})}
    if merged.get("runAsNonRoot") is not True:
        yield "root", "may run as root; set runAsNonRoot: true"
    if merged.get("runAsUser") == 0:
        yield "root", "runs as user 0, which is root; set runAsUser to the image's, 10001"
    if (merged.get("seccompProfile") or {}).get("type") not in _SECCOMP:
        text = "any system call is allowed"
        yield "seccomp", f"{text}; set seccompProfile: {{type: RuntimeDefault}}"


def _resource_problems(container: Mapping[str, Any]) -> Found:
    resources = container.get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for kind in ("cpu", "memory"):
        if kind not in requests:
            why = (
                "the autoscaler has nothing to count from" if kind == "cpu" else "no node is sized"
            )
            yield "resources", f"no request of {kind}, so {why}; set resources.requests.{kind}"
        elif kind in limits:
            yield from _order_problems(kind, str(requests[kind]), str(limits[kind]))
    if "memory" not in limits:
        text = "no limit of memory: one pod may take the node down"
        yield "resources", f"{text}; set resources.limits.memory"


def _order_problems(kind: str, request: str, limit: str) -> Found:
    """Whether a limit is an amount, and not below the request."""
    try:
        below = parse_quantity(limit) < parse_quantity(request)
    except ValueError as error:
        yield "resources", f"{kind}: {error}"
        return
    if below:
        text = f"the limit of {kind}, {limit}, is less than the request, {request}"
        yield "resources", f"{text}; raise it"


def _probe_problems(container: Mapping[str, Any]) -> Found:
    ports = {port.get("name"): port.get("containerPort") for port in container.get("ports") or []}
    for key in _PROBES:
        probe = container.get(key)
        if not probe:
            yield "probes", f"no {key}; the server answers /health/live and /health/ready"
            continue
        asked = probe.get("httpGet")
        if not asked:
            yield "probes", f"{key} does not ask over HTTP; use httpGet"
            continue
        path, port = asked.get("path", "/"), asked.get("port")
        if path not in server_routes():
            known = ", ".join(sorted(each for each in server_routes() if "health" in each))
            yield "probes", f"{key} asks {path}, which the server does not have; it has {known}"
        if port not in ports and port not in ports.values():
            yield "probes", f"{key} asks port {port}, where nothing listens; ports are {ports}"
        if key == "readinessProbe" and path in server_routes() - _READY_ROUTES:
            text = f"readinessProbe asks {path}, which is 200 also while the server drains"
            yield "probes", f"{text}; ask /health/ready"
        if key == "livenessProbe" and path in _READY_ROUTES:
            text = f"livenessProbe asks {path}, which is 503 while the server drains: it is killed"
            yield "probes", f"{text} in the middle; ask /health/live"


def _grace_problems(pod: Pod, container: Mapping[str, Any]) -> Found:
    words = [str(word) for word in container.get("args") or []]
    times_s = {}
    for setting in ("drain_delay_s", "drain_timeout_s"):
        flag = f"--{setting.replace('_', '-')}"
        told = _value_of(words, flag)
        try:
            times_s[setting] = float(getattr(DEFAULT_SETTINGS, setting) if told is None else told)
        except ValueError:
            yield "grace", f"{flag} must be a number of seconds, got {told!r}; mend the arguments"
            return
    drain_s, grace_s = sum(times_s.values()), pod.spec.get("terminationGracePeriodSeconds", 30)
    if not grace_s >= drain_s:
        text = f"the server needs up to {drain_s:g} s to drain and is killed after {grace_s}"
        yield "grace", f"{text}; raise terminationGracePeriodSeconds"


def _value_of(words: list[str], flag: str) -> str | None:
    """What follows a flag, "" if nothing does; None if it is not there. The last one counts."""
    found = None
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == flag:
            found = value if equals else "".join(words[number + 1 : number + 2])
    return found
