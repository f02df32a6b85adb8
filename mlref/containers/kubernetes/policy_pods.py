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
_SELINUX = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"}
    | {"projected", "secret"}
)
_SYSCTLS = frozenset(
    {"kernel.shm_rmid_forced"}
    | {f"net.ipv4.ip_{each}" for each in ("local_port_range", "local_reserved_ports")}
    | {"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range"}
    | {f"net.ipv4.tcp_{each}" for each in ("syncookies", "fin_timeout", "rmem", "wmem")}
    | {f"net.ipv4.tcp_keepalive_{each}" for each in ("time", "intvl", "probes")}
)
_ENDING = ("CronJob", "Job")  # these pods end by themselves, and serve nobody


def pod_problems(pod: Pod) -> Found:
    """What is wrong with a pod: name of the rule, and a message.

    One of a Job is held to the rules for rights and resources only: it serves no requests.
    """
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
    for volume in pod.spec.get("volumes") or []:
        sources = (volume.get("projected") or {}).get("sources") or []
        if any("serviceAccountToken" in each for each in sources):
            yield "token", f"the volume {volume.get('name', '?')} holds a token; leave it out"
    if pod.owner.get("kind") in _ENDING:
        return
    for container in pod.spec.get("containers") or []:
        name = container.get("name", "?")
        for rule, message in (*_probe_problems(container), *_grace_problems(pod, container)):
            yield rule, f"container {name}: {message}"


def _host_problems(pod: Pod) -> Found:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(key):
            yield "host", f"{key} lets the pod see its node; leave it out"
    for volume in pod.spec.get("volumes") or []:
        for kind in sorted({*volume} - {"name"} - _VOLUMES):
            text = f"the volume {volume.get('name', '?')} is of the kind {kind}"
            yield "host", f"{text}; allowed are {', '.join(sorted(_VOLUMES))}"
    security = pod.spec.get("securityContext") or {}
    for each in security.get("sysctls") or []:
        if each.get("name") not in _SYSCTLS:
            text = f"the sysctl {each.get('name')} reaches beyond the pod"
            yield "host", f"{text}; allowed are {', '.join(sorted(_SYSCTLS))}"
    for message in _confinement_problems(security):
        yield "privileged", message


def _confinement_problems(security: Mapping[str, Any]) -> Iterator[str]:
    """What takes away a wall between a pod, or a container, and its node."""
    if (security.get("windowsOptions") or {}).get("hostProcess"):
        yield "hostProcess runs it on the node itself; leave it out"
    if (security.get("appArmorProfile") or {}).get("type") == "Unconfined":
        yield "AppArmor is off; set appArmorProfile: {type: RuntimeDefault} or leave it out"
    selinux = security.get("seLinuxOptions") or {}
    free = selinux.get("type", "") not in _SELINUX
    if free or selinux.get("user") or selinux.get("role"):
        yield f"SELinux is told {dict(selinux)}; leave seLinuxOptions out"
    if security.get("procMount", "Default") != "Default":
        yield f"procMount is {security['procMount']}, which shows the kernel's files; leave it out"


def _reaching_problems(container: Mapping[str, Any]) -> Found:
    """Whether it takes a port of its node, or has the node call elsewhere."""
    for port in container.get("ports") or []:
        if port.get("hostPort"):
            text = f"takes port {port['hostPort']} of its node; leave hostPort out"
            yield "host", f"{text}, a Service reaches the pod"
    hooks = {**(container.get("lifecycle") or {}), **{k: container.get(k) for k in _PROBES}}
    for key, hook in hooks.items():
        for way in ("httpGet", "tcpSocket"):
            if ((hook or {}).get(way) or {}).get("host"):
                text = f"{key} has the node ask {hook[way]['host']} in place of the pod"
                yield "host", f"{text}; leave host out"


def _container_problems(pod: Pod, container: Mapping[str, Any], *, is_ray: bool) -> Found:
    problem = image_problem(str(container.get("image", "")))
    if problem is not None:
        yield "image", problem
    yield from _identity_problems(pod, container)
    security = container.get("securityContext") or {}
    if security.get("privileged"):
        yield "privileged", "privileged is as good as root on the node; leave it out"
    for message in _confinement_problems(security):
        yield "privileged", message
    yield from _reaching_problems(container)
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
        if asked.get("scheme", "HTTP") != "HTTP":
            yield (
                "probes",
                f"{key} asks over {asked['scheme']}, the server speaks HTTP; drop scheme",
            )
        listens = _value_of(list(map(str, container.get("args") or [])), "--port")
        if listens is not None and listens != str(ports.get(port, port)):
            text = f"{key} asks port {ports.get(port, port)}, the server listens on {listens}"
            yield "probes", f"{text}; give --port and containerPort the same number"
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
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if hook and "sleep" not in hook:
        text = "preStop holds SIGTERM back for nobody knows how long, within the same grace period"
        yield "grace", f"{text}; leave it out, --drain-delay-s waits"
    sleep_s = (hook.get("sleep") or {}).get("seconds", 0)
    if times_s["drain_delay_s"] + sleep_s == 0:
        text = "the server stops listening at SIGTERM, before the cluster has heard of it"
        yield "grace", f"{text}: requests are lost; set --drain-delay-s to some seconds"
    drain_s = sleep_s + sum(times_s.values())
    grace_s = pod.spec.get("terminationGracePeriodSeconds", 30)
    if not grace_s >= drain_s:
        most = f"{drain_s:g} s to drain{', preStop included,' if sleep_s else ''}"
        text = f"the server needs up to {most} and is killed after {grace_s}"
        yield "grace", f"{text}; raise terminationGracePeriodSeconds"


def _value_of(words: list[str], flag: str) -> str | None:
    """What follows a flag, "" if nothing does; None if it is not there. The last one counts."""
    found = None
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == flag:
            found = value if equals else "".join(words[number + 1 : number + 2])
    return found
