"""Each rule, broken by one change of good objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlref.containers.kubernetes import RULES, check_policy
from mlref.containers.kubernetes.objects import WORKLOADS

Objects = dict[str, dict[str, Any]]
Change = Callable[[Objects], object]


def _broken(objects: Objects) -> set[tuple[str, str]]:
    return {(each.object, each.rule) for each in check_policy(objects.values())}


def test_the_example_breaks_no_rule(objects: Objects) -> None:
    """Base, canary, KServe and Ray together."""
    assert check_policy(objects.values()) == []


def _at(name: str, *path: str | int) -> Callable[[Objects], Any]:
    """A function that finds a part of an object."""

    def find(objects: Objects) -> Any:
        found: Any = objects[name]
        for part in path:
            found = found[part]
        return found

    return find


_POD = _at("Deployment/flights", "spec", "template", "spec")
_BOX = _at("Deployment/flights", "spec", "template", "spec", "containers", 0)
_HPA = _at("HorizontalPodAutoscaler/flights", "spec")
_PDB = _at("PodDisruptionBudget/flights", "spec")
_LABELS = _at("Deployment/flights", "spec", "selector", "matchLabels")
_POLICY = _at("NetworkPolicy/flights", "spec", "podSelector")
_NET = _at("NetworkPolicy/flights", "spec")
_CANARY = _at("Ingress/flights-canary")
_RAY = _at("RayService/flights", "spec", "rayClusterConfig", "headGroupSpec", "template", "spec")
_KSERVE = _at("InferenceService/flights", "spec", "predictor")


def _again(objects: Objects, name: str) -> None:
    """The same object once more, by another name."""
    objects["again"] = {**objects[name], "metadata": {"name": "again"}}


@pytest.mark.parametrize(
    ("rule", "owner", "change"),
    [
        ("image", "Deployment", lambda o: _BOX(o).update(image="flights:latest")),
        ("image", "Deployment", lambda o: _BOX(o).update(image="flights")),
        ("image", "InferenceService", lambda o: _KSERVE(o)["containers"][0].update(image="f")),
        ("image", "RayService", lambda o: _RAY(o)["containers"][0].update(image="ray:latest")),
        ("root", "Deployment", lambda o: _POD(o)["securityContext"].pop("runAsNonRoot")),
        ("root", "Deployment", lambda o: _POD(o)["securityContext"].update(runAsUser=0)),
        ("root", "Deployment", lambda o: _BOX(o)["securityContext"].update(runAsNonRoot=False)),
        ("root", "RayService", lambda o: _RAY(o).pop("securityContext")),
        ("privileged", "Deployment", lambda o: _BOX(o)["securityContext"].update(privileged=True)),
        ("host", "Deployment", lambda o: _POD(o).update(hostNetwork=True)),
        ("host", "Deployment",
         lambda o: _POD(o)["volumes"].append({"name": "a", "hostPath": {"path": "/"}})),
        ("host", "Deployment",
         lambda o: _POD(o)["volumes"].append({"name": "a", "nfs": {"server": "b", "path": "/"}})),
        ("host", "Deployment", lambda o: _BOX(o)["ports"][0].update(hostPort=80)),
        ("host", "Deployment",
         lambda o: _BOX(o)["livenessProbe"]["httpGet"].update(host="169.254.169.254")),
        ("host", "Deployment",
         lambda o: _BOX(o).update(lifecycle={"postStart": {"httpGet": {"host": "a"}}})),
        ("host", "Deployment",
         lambda o: _POD(o)["securityContext"].update(sysctls=[{"name": "kernel.msgmax"}])),
        ("privileged", "Deployment",
         lambda o: _BOX(o)["securityContext"].update(procMount="Unmasked")),
        ("privileged", "Deployment",
         lambda o: _POD(o)["securityContext"].update(appArmorProfile={"type": "Unconfined"})),
        ("privileged", "Deployment",
         lambda o: _BOX(o)["securityContext"].update(seLinuxOptions={"type": "spc_t"})),
        ("privileged", "Deployment",
         lambda o: _BOX(o)["securityContext"].update(seLinuxOptions={"user": "system_u"})),
        ("privileged", "Deployment",
         lambda o: _POD(o)["securityContext"].update(windowsOptions={"hostProcess": True})),
        ("escalation", "Deployment",
         lambda o: _BOX(o)["securityContext"].pop("allowPrivilegeEscalation")),
        ("capabilities", "Deployment", lambda o: _BOX(o)["securityContext"].pop("capabilities")),
        ("capabilities", "Deployment",
         lambda o: _BOX(o)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"])),
        ("seccomp", "Deployment",
         lambda o: _POD(o)["securityContext"]["seccompProfile"].update(type="Unconfined")),
        ("read-only", "Deployment",
         lambda o: _BOX(o)["securityContext"].pop("readOnlyRootFilesystem")),
        ("token", "Deployment", lambda o: _POD(o).pop("automountServiceAccountToken")),
        ("token", "Deployment",
         lambda o: _POD(o)["volumes"].append(
             {"name": "a", "projected": {"sources": [{"serviceAccountToken": {"path": "b"}}]}})),
        ("account", "Deployment",
         lambda o: o["ServiceAccount/flights"]["metadata"].update(namespace="other")),
        ("account", "Deployment", lambda o: o.pop("ServiceAccount/flights")),
        ("resources", "Deployment", lambda o: _BOX(o)["resources"].pop("requests")),
        ("resources", "Deployment", lambda o: _BOX(o)["resources"]["limits"].update(cpu="one")),
        ("resources", "Deployment", lambda o: _BOX(o)["resources"]["limits"].pop("memory")),
        ("resources", "Deployment", lambda o: _BOX(o)["resources"]["limits"].update(cpu="100m")),
        ("probes", "Deployment", lambda o: _BOX(o).pop("startupProbe")),
        ("probes", "Deployment",
         lambda o: _BOX(o)["readinessProbe"]["httpGet"].update(path="/healthz")),
        ("probes", "Deployment",
         lambda o: _BOX(o)["readinessProbe"]["httpGet"].update(path="/health/live")),
        ("probes", "Deployment",
         lambda o: _BOX(o)["livenessProbe"]["httpGet"].update(path="/health/ready")),
        ("probes", "Deployment", lambda o: _BOX(o)["livenessProbe"]["httpGet"].update(port=8081)),
        ("probes", "Deployment",
         lambda o: _BOX(o).update(livenessProbe={"exec": {"command": ["true"]}})),
        ("probes", "Deployment",
         lambda o: _BOX(o)["livenessProbe"]["httpGet"].update(scheme="HTTPS")),
        ("probes", "Deployment", lambda o: _BOX(o)["ports"][0].update(containerPort=9090)),
        ("grace", "Deployment", lambda o: _POD(o).update(terminationGracePeriodSeconds=12)),
        ("grace", "Deployment",
         lambda o: _BOX(o).update(lifecycle={"preStop": {"sleep": {"seconds": 6}}})),
        ("grace", "Deployment",
         lambda o: _BOX(o).update(lifecycle={"preStop": {"exec": {"command": ["sleep", "1"]}}})),
        ("grace", "Deployment", lambda o: _BOX(o).update(args=["serve"])),
        ("grace", "Deployment", lambda o: _BOX(o).update(args=["serve", "--drain-timeout-s=60"])),
        ("grace", "Deployment", lambda o: _BOX(o).update(args=["serve", "--drain-delay-s"])),
        ("grace", "Deployment", lambda o: (_POD(o).pop("terminationGracePeriodSeconds"),
                   _BOX(o).update(args=["serve", "--drain-delay-s", "25"]))),
        ("selector", "Deployment",
         lambda o: _LABELS(o).update(a="b")),
        ("selector", "Deployment",
         lambda o: _LABELS(o).pop("mlref.track")),
        ("selector", "Deployment",
         lambda o: _LABELS(o).update({"app.kubernetes.io/version": "1.0.0"})),
        ("replicas", "Deployment", lambda o: o.pop("HorizontalPodAutoscaler/flights")),
        ("replicas", "Deployment", lambda o: o["Deployment/flights"]["spec"].update(replicas=2)),
        ("autoscaler", "HorizontalPodAutoscaler",
         lambda o: _HPA(o)["scaleTargetRef"].update(name="flight")),
        ("autoscaler", "HorizontalPodAutoscaler", lambda o: _HPA(o).update(minReplicas=11)),
        ("autoscaler", "HorizontalPodAutoscaler",
         lambda o: _again(o, "HorizontalPodAutoscaler/flights")),
        ("budget", "PodDisruptionBudget", lambda o: _again(o, "PodDisruptionBudget/flights")),
        ("budget", "PodDisruptionBudget", lambda o: _PDB(o).update(minAvailable=1)),
        ("budget", "PodDisruptionBudget", lambda o: _PDB(o).pop("maxUnavailable")),
        ("budget", "PodDisruptionBudget", lambda o: _PDB(o).update(maxUnavailable="33.3%")),
        ("budget", "PodDisruptionBudget", lambda o: _PDB(o).update(maxUnavailable="0%")),
        ("budget", "PodDisruptionBudget",
         lambda o: (_PDB(o).pop("maxUnavailable"), _PDB(o).update(minAvailable=2))),
        ("budget", "PodDisruptionBudget",
         lambda o: (_PDB(o).pop("maxUnavailable"), _PDB(o).update(minAvailable="51%"))),
        ("budget", "PodDisruptionBudget", lambda o: _PDB(o).update(maxUnavailable=0)),
        ("budget", "PodDisruptionBudget",
         lambda o: _PDB(o)["selector"]["matchLabels"].update(a="b")),
        ("service", "Service",
         lambda o: o["Service/flights"]["spec"]["ports"][0].update(targetPort="web")),
        ("service", "Service",
         lambda o: o["Service/flights"]["spec"]["ports"][0].pop("targetPort")),
        ("service", "Service", lambda o: o["Service/flights"]["spec"]["selector"].update(a="b")),
        ("network", "Deployment", lambda o: o.pop("NetworkPolicy/flights")),
        ("network", "Deployment", lambda o: _NET(o).update(policyTypes=["Egress"])),
        ("network", "Deployment",
         lambda o: o["NetworkPolicy/flights"]["metadata"].update(namespace="other")),
        ("network", "NetworkPolicy", lambda o: _NET(o).update(ingress=[{}])),
        ("network", "NetworkPolicy",
         lambda o: _NET(o)["ingress"][0]["from"].append({"namespaceSelector": {}})),
        ("network", "NetworkPolicy",
         lambda o: _NET(o)["ingress"][0]["from"].append({"ipBlock": {"cidr": "0.0.0.0/0"}})),
        ("network", "NetworkPolicy",
         lambda o: _NET(o)["ingress"][0]["ports"][0].update(port="web")),
        ("network", "NetworkPolicy",
         lambda o: _POLICY(o)["matchLabels"].update(a="b")),
        ("ingress", "Ingress", lambda o: o.pop("Service/flights")),
        ("ingress", "Ingress",
         lambda o: o["Service/flights"]["spec"]["ports"][0].update(name="web")),
        ("ingress", "Ingress", lambda o: _CANARY(o)["metadata"].pop("annotations")),
    ],
)  # fmt: skip
def test_a_broken_rule_is_found_in_the_object_that_breaks_it(
    objects: Objects, rule: str, owner: str, change: Change
) -> None:
    """One change of good objects, and the rule is named beside the object."""
    change(objects)
    assert (f"{owner}/flights", rule) in _broken(objects)


def test_every_rule_can_be_broken() -> None:
    """The table above has each of them, and there is no rule without a word."""
    (mark,) = test_a_broken_rule_is_found_in_the_object_that_breaks_it.pytestmark
    assert {rule for rule, _, _ in mark.args[1]} == set(RULES)


@pytest.mark.parametrize(
    "change",
    [
        lambda o: (_PDB(o).pop("maxUnavailable"), _PDB(o).update(minAvailable=1)),
        lambda o: (_PDB(o).pop("maxUnavailable"), _PDB(o).update(minAvailable="50%")),
        lambda o: _BOX(o).update(image="flights@sha256:" + "0" * 64),
        lambda o: _BOX(o)["securityContext"]["capabilities"].update(add=["NET_BIND_SERVICE"]),
        lambda o: _BOX(o)["resources"]["limits"].pop("cpu"),
        lambda o: _BOX(o)["readinessProbe"]["httpGet"].update(port=8080),
        lambda o: _BOX(o)["readinessProbe"]["httpGet"].update(path="/v2/health/ready"),
        lambda o: _NET(o).update(podSelector={}),
        lambda o: _NET(o).pop("podSelector"),
        lambda o: _NET(o).pop("policyTypes"),
        lambda o: o["NetworkPolicy/flights"].pop("spec"),
        lambda o: _at("Ingress/flights", "spec", "rules")(o).append({"host": "a.example.com"}),
        lambda o: _BOX(o).update(lifecycle={"preStop": {"sleep": {"seconds": 5}}}),
        lambda o: _PDB(o).update(maxUnavailable="1%"),
        lambda o: _POD(o)["volumes"].append({"name": "a", "persistentVolumeClaim": {}}),
        lambda o: (
            o.pop("HorizontalPodAutoscaler/flights"),
            o["Deployment/flights"]["spec"].update(replicas=2),
        ),
        lambda o: o["Service/flights"]["spec"]["ports"][0].update(targetPort=8080),
        lambda o: o["Service/flights"]["spec"].pop("selector"),
    ],
)
def test_what_is_allowed_is_no_violation(objects: Objects, change: Change) -> None:
    """The other side of each bound."""
    change(objects)
    assert _broken(objects) == set()


@pytest.mark.parametrize("changed", ["host", "class"])
def test_a_canary_splits_the_requests_of_an_ingress_that_is_there(
    objects: Objects, changed: str
) -> None:
    """Of the same host, and of the same controller."""
    spec = _CANARY(objects)["spec"]
    if changed == "host":
        spec["rules"][0]["host"] = "other.example.com"
    else:
        spec["ingressClassName"] = "other"
    assert _broken(objects) == {("Ingress/flights-canary", "ingress")}


@pytest.mark.parametrize("kind", sorted(set(WORKLOADS) - {"Deployment"}))
def test_no_kind_of_workload_escapes_the_rules(objects: Objects, kind: str) -> None:
    """Whatever object describes it, a pod is a pod."""
    told: Any = {"spec": {"containers": [{"name": "box", "image": "busybox"}]}}
    for part in reversed(WORKLOADS[kind]):
        told = {part: told}
    found = check_policy([*objects.values(), {"kind": kind, "metadata": {"name": "x"}, **told}])
    rules = {each.rule for each in found if each.object == f"{kind}/x"}
    assert rules >= {"image", "root", "seccomp", "escalation", "resources", "token", "network"}
    assert ("probes" in rules) is (kind not in {"CronJob", "Job"})


def test_a_deployment_without_a_spec_is_no_crash(objects: Objects) -> None:
    """The schema lets it pass."""
    del objects["Deployment/flights"]["spec"]
    assert ("Deployment/flights", "selector") in _broken(objects)


def test_a_container_before_the_others_is_held_to_the_same_rules(objects: Objects) -> None:
    """InitContainers run with the same rights."""
    _POD(objects)["initContainers"] = [{"name": "fetch", "image": "busybox"}]
    found = {each.rule for each in check_policy(objects.values()) if "fetch" in each.message}
    assert found == {"image", "escalation", "capabilities", "read-only", "resources"}


def test_a_violation_says_what_to_do(objects: Objects) -> None:
    """Object, rule, what was found, what to do."""
    _POD(objects)["terminationGracePeriodSeconds"] = 12
    (violation,) = check_policy(objects.values())
    assert str(violation) == (
        "Deployment/flights: grace: container model: the server needs up to 13 s to drain and is "
        "killed after 12; raise terminationGracePeriodSeconds"
    )
