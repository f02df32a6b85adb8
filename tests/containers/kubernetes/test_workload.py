"""Deployments, and how pods are told apart."""

from __future__ import annotations

from dataclasses import replace

from mlref.containers.kubernetes import Canary, Settings
from mlref.containers.kubernetes.objects import pods_of, selects
from mlref.containers.kubernetes.workload import canary_deployment, deployment

PLAIN = Settings(name="digits", image="digits:1", version="1")
CANARY = Canary(image="digits:2", version="2", digest="b" * 64)
BOTH = replace(PLAIN, digest="a" * 64, canary=CANARY)


def test_neither_version_selects_the_pods_of_the_other() -> None:
    """They differ in the label of their track."""
    stable, canary = deployment(BOTH, "1.33"), canary_deployment(BOTH, "1.33", CANARY)
    found = [
        selects(one["spec"]["selector"], pod.labels)
        for one in (stable, canary)
        for other in (stable, canary)
        for pod in pods_of(other)
    ]
    assert found == [True, False, False, True]


def test_each_version_tells_its_own_version_and_digest() -> None:
    """The digest is an annotation: a label holds 63 characters, a SHA-256 has 64."""
    for each, version, digest in (
        (deployment(BOTH, "1.33"), "1", "a" * 64),
        (canary_deployment(BOTH, "1.33", CANARY), "2", "b" * 64),
    ):
        meta = each["spec"]["template"]["metadata"]
        assert meta["labels"]["app.kubernetes.io/version"] == version
        assert meta["annotations"] == {"mlref.artifact.digest": digest}


def test_a_selector_does_not_change_with_the_version() -> None:
    """Kubernetes refuses to change it, so that an update would need a new Deployment."""
    newer = replace(PLAIN, version="2", image="digits:2")
    selectors = [deployment(each, "1.33")["spec"]["selector"] for each in (PLAIN, newer)]
    assert selectors[0] == selectors[1]


def test_only_the_canary_states_its_replicas() -> None:
    """The autoscaler owns those of the other."""
    more = replace(CANARY, replicas=3)
    assert "replicas" not in deployment(BOTH, "1.33")["spec"]
    found = [canary_deployment(BOTH, "1.33", each)["spec"]["replicas"] for each in (CANARY, more)]
    assert found == [1, 3]
