"""What runs and how it is reached inside the cluster: Deployment, ServiceAccount, Service."""

from __future__ import annotations

from typing import Any

from mlref.containers.kubernetes.pods import container, pod_security, volumes
from mlref.containers.kubernetes.settings import Canary, Settings
from mlref.containers.kubernetes.versions import at_least

__all__ = [
    "canary_deployment",
    "deployment",
    "labels",
    "metadata",
    "selector",
    "service",
    "service_account",
]

_NAME, _TRACK = "app.kubernetes.io/name", "mlref.track"
_ZONE, _HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def selector(settings: Settings, *, track: str | None = None) -> dict[str, str]:
    """The labels that name pods: never the version, since a selector cannot be changed later.

    Args:
        settings: of the service.
        track: "stable" or "canary"; None means the pods of both.
    """
    return {_NAME: settings.name, **({} if track is None else {_TRACK: track})}


def labels(settings: Settings, *, track: str | None = None) -> dict[str, str]:
    """The labels of an object; those of a pod have its track, too."""
    canary = settings.canary if track == "canary" else None
    return {
        **selector(settings, track=track),
        "app.kubernetes.io/component": "model-server",
        "app.kubernetes.io/version": canary.version if canary else settings.version,
        "mlref.artifact.name": settings.model or settings.name,
    }


def metadata(
    settings: Settings, *, name: str | None = None, track: str | None = None
) -> dict[str, Any]:
    """Name, labels, and the artefact's digest, which is too long for a label.

    Args:
        settings: of the service.
        name: None means that of the service.
        track: "stable", "canary" or None.
    """
    told: dict[str, Any] = {"name": name or settings.name, "labels": labels(settings, track=track)}
    digest = (settings.canary or settings).digest if track == "canary" else settings.digest
    return told if digest is None else {**told, "annotations": {"mlref.artifact.digest": digest}}


def deployment(settings: Settings, api: str) -> dict[str, Any]:
    """The Deployment of the stable version. It states no replicas: the autoscaler owns them."""
    return _deployment(settings, api, "stable", settings.name)


def canary_deployment(settings: Settings, api: str, canary: Canary) -> dict[str, Any]:
    """The Deployment of the canary: so many pods as it states, which no autoscaler touches.

    Args:
        settings: of the service.
        api: the version of Kubernetes.
        canary: the other version.
    """
    found = _deployment(settings, api, "canary", f"{settings.name}-canary", canary.image)
    found["spec"] = {"replicas": canary.replicas, **found["spec"]}
    return found


def service(settings: Settings, track: str = "stable") -> dict[str, Any]:
    """The Service in front of the pods of one track."""
    name = settings.name if track == "stable" else f"{settings.name}-{track}"
    port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(settings, name=name, track=track),
        "spec": {"selector": selector(settings, track=track), "ports": [port]},
    }


def service_account(settings: Settings) -> dict[str, Any]:
    """An identity of its own, without a token: the server asks the cluster nothing."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(settings),
        "automountServiceAccountToken": False,
    }


def _deployment(
    settings: Settings, api: str, track: str, name: str, image: str | None = None
) -> dict[str, Any]:
    meta = metadata(settings, name=name, track=track)
    pod = {
        "serviceAccountName": settings.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": settings.grace_s,
        "securityContext": pod_security(),
        "topologySpreadConstraints": [_spread(settings, api, track, key) for key in (_ZONE, _HOST)],
        "containers": [container(settings, image=image)],
        "volumes": volumes(),
    }
    described = {key: value for key, value in meta.items() if key != "name"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "selector": {"matchLabels": selector(settings, track=track)},
            # A new pod answers before an old one goes.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": settings.start_s + 300,
            "template": {"metadata": described, "spec": pod},
        },
    }


def _spread(settings: Settings, api: str, track: str, key: str) -> dict[str, Any]:
    """Pods over zones or nodes; where that cannot be, a pod that runs beats one that waits."""
    found = {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(settings, track=track)},
    }
    if at_least(api, "1.27"):  # counts the pods of one revision only, also during a rollout
        found["matchLabelKeys"] = ["pod-template-hash"]
    return found
