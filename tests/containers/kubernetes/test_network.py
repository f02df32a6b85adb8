"""Who may come in, and how."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlref.containers.kubernetes import Settings
from mlref.containers.kubernetes.network import ingress, network_policy
from mlref.serving.settings import Settings as ServerSettings

PLAIN = Settings(name="digits", image="digits:1", version="1")


def test_requests_come_only_from_the_two_namespaces_that_were_named() -> None:
    """The Ingress controller's and Prometheus's, to the server's port."""
    settings = replace(PLAIN, ingress_namespace="edge", monitoring_namespace="eyes")
    (rule,) = network_policy(settings)["spec"]["ingress"]
    names = [each["namespaceSelector"]["matchLabels"] for each in rule["from"]]
    assert names == [{"kubernetes.io/metadata.name": name} for name in ("edge", "eyes")]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]


def test_pods_may_ask_nobody_but_the_name_server() -> None:
    """Port 53 of kube-dns, over UDP and TCP."""
    (rule,) = network_policy(PLAIN)["spec"]["egress"]
    assert [(each["port"], each["protocol"]) for each in rule["ports"]] == [
        (53, "UDP"),
        (53, "TCP"),
    ]
    assert rule["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}


@pytest.mark.parametrize("weight_percent", [0, 5, 100])
def test_the_canary_gets_its_share_as_a_text(weight_percent: int) -> None:
    """Annotations are texts; both Ingresses have the same host."""
    stable, canary = ingress(PLAIN), ingress(PLAIN, weight_percent=weight_percent)
    told = canary["metadata"]["annotations"]
    assert told["nginx.ingress.kubernetes.io/canary-weight"] == str(weight_percent)
    assert told["nginx.ingress.kubernetes.io/canary"] == "true"
    assert stable["spec"]["rules"][0]["host"] == canary["spec"]["rules"][0]["host"]
    assert "nginx.ingress.kubernetes.io/canary" not in stable["metadata"]["annotations"]


def test_the_way_in_lets_through_what_the_server_takes() -> None:
    """ingress-nginx answers 413 beyond 1 MiB unless told; a canary follows the other's word."""
    settings = replace(PLAIN, server=ServerSettings(max_body_bytes=2 * 2**20))
    told = ingress(settings)["metadata"]["annotations"]
    assert told == {"nginx.ingress.kubernetes.io/proxy-body-size": "2097152"}
