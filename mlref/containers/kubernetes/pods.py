"""The pod that serves a model, as a Deployment makes it and as KServe makes it.

Probes ask the routes of the server: /health/live while it starts and runs, /health/ready whether
it wants requests. Liveness never asks /health/ready: a pod that drains, or whose model is loading,
would be killed for it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from mlref.containers.kubernetes.settings import Settings
from mlref.serving.settings import Settings as ServerSettings

__all__ = [
    "LIVE",
    "READY",
    "USER",
    "confined",
    "container",
    "pod_security",
    "server_arguments",
    "volumes",
]

LIVE = "/health/live"
READY = "/health/ready"
USER = 10001
_TEMPORARY = "64Mi"


def container(
    settings: Settings, *, name: str = "model", image: str | None = None
) -> dict[str, Any]:
    """The container with the server.

    Args:
        settings: what to make.
        name: of the container.
        image: in place of the settings' own.
    """
    return {
        "name": name,
        "image": image or settings.image,
        "args": server_arguments(settings),
        "ports": [{"name": "http", "containerPort": settings.port, "protocol": "TCP"}],
        "resources": _resources(settings),
        "securityContext": {**confined(), "readOnlyRootFilesystem": True},
        # The other two begin when the first succeeded, so they need no patience of their own.
        "startupProbe": _probe(LIVE, period_s=1, failures=settings.start_s),
        "readinessProbe": _probe(READY, period_s=2, failures=2),
        "livenessProbe": _probe(LIVE, period_s=10, failures=3),
        "volumeMounts": [{"name": "temporary", "mountPath": "/tmp"}],  # noqa: S108 - in the container
    }


def server_arguments(settings: Settings) -> list[str]:
    """The arguments of the image's entry point.

    The two times of the drain are always told, because the pod's own time to end follows from them.
    """
    always = {"drain_delay_s", "drain_timeout_s"}
    found = ["serve"]
    for field in dataclasses.fields(ServerSettings):
        value = getattr(settings.server, field.name)
        if value == field.default and field.name not in always:
            continue
        flag = field.name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            found += [f"--{flag}", f"{value:g}" if isinstance(value, float) else str(value)]
    return [*found, "--port", str(settings.port)]


def pod_security(user: int = USER) -> dict[str, Any]:
    """Who a pod runs as: the profile "Restricted" of the Pod Security Standards."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def confined() -> dict[str, Any]:
    """What that profile asks of each container beyond its pod."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def volumes() -> list[dict[str, Any]]:
    """The one place that can be written: memory, which counts towards the container's limit."""
    return [{"name": "temporary", "emptyDir": {"medium": "Memory", "sizeLimit": _TEMPORARY}}]


def _resources(settings: Settings) -> dict[str, Any]:
    amounts = settings.resources
    limits = {"memory": amounts.limit_memory}
    if amounts.limit_cpu is not None:
        limits = {"cpu": amounts.limit_cpu, **limits}
    requests = {"cpu": amounts.request_cpu, "memory": amounts.request_memory}
    return {"requests": requests, "limits": limits}


def _probe(path: str, *, period_s: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_s,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
