"""Who may talk to the pods, and how requests from outside get to them."""

from __future__ import annotations

from typing import Any

from mlref.containers.kubernetes.settings import Settings
from mlref.containers.kubernetes.workload import metadata, selector

__all__ = ["ingress", "network_policy"]

_NAMESPACE = "kubernetes.io/metadata.name"  # a label that each namespace has
_DNS = {"k8s-app": "kube-dns"}


def network_policy(settings: Settings) -> dict[str, Any]:
    """Requests come from the Ingress controller and from monitoring; out goes DNS only."""
    sources = (settings.ingress_namespace, settings.monitoring_namespace)
    dns = {"namespaceSelector": _named("kube-system"), "podSelector": {"matchLabels": _DNS}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(settings),
        "spec": {
            "podSelector": {"matchLabels": selector(settings)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"namespaceSelector": _named(name)} for name in sources],
                    "ports": [{"port": "http", "protocol": "TCP"}],
                }
            ],
            "egress": [
                {
                    "to": [dns],
                    "ports": [{"port": 53, "protocol": kind} for kind in ("UDP", "TCP")],
                }
            ],
        },
    }


def ingress(settings: Settings, *, weight_percent: int | None = None) -> dict[str, Any]:
    """The way in from outside the cluster.

    Args:
        settings: of the service.
        weight_percent: of the canary's Ingress; None for that of the stable version.
    """
    track = "stable" if weight_percent is None else "canary"
    name = settings.name if weight_percent is None else f"{settings.name}-canary"
    meta = metadata(settings, name=name, track=track)
    if weight_percent is None:  # ingress-nginx refuses more than 1 MiB by itself
        told = {"proxy-body-size": str(settings.server.max_body_bytes)}
    else:
        told = {"canary": "true", "canary-weight": str(weight_percent)}
    meta["annotations"] = {
        **meta.get("annotations", {}),
        **{f"nginx.ingress.kubernetes.io/{key}": text for key, text in told.items()},
    }
    backend = {"service": {"name": name, "port": {"name": "http"}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": meta,
        "spec": {
            "ingressClassName": settings.ingress_class,
            "rules": [{"host": settings.host, "http": {"paths": [path]}}],
        },
    }


def _named(namespace: str) -> dict[str, Any]:
    return {"matchLabels": {_NAMESPACE: namespace}}
