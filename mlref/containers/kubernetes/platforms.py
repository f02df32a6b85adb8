"""The same model on two platforms that bring objects of their own: KServe and KubeRay.

Their objects are not part of the base: a cluster without the platform refuses them. The fields are
those of serving.kserve.io/v1beta1 and ray.io/v1.
"""

from __future__ import annotations

import json
from typing import Any

from mlref.containers.kubernetes.pods import confined, container, pod_security, volumes
from mlref.containers.kubernetes.settings import Ray, Settings
from mlref.containers.kubernetes.workload import metadata

__all__ = ["inference_service", "ray_service"]

_RAY_USER = 1000  # the user of Ray's own images


def inference_service(settings: Settings) -> dict[str, Any]:
    """KServe's object: the model as a custom predictor, which speaks the Open Inference Protocol.

    KServe names the container kserve-container, and makes Deployment, Service and autoscaler of it.
    """
    found = container(settings, name="kserve-container")
    variables = [{"name": "PROTOCOL", "value": "v2"}]
    if settings.storage_uri is not None:  # KServe fills /mnt/models, and tells the container so
        variables.append({"name": "STORAGE_URI", "value": settings.storage_uri})
    meta = metadata(settings)
    mode = {"serving.kserve.io/deploymentMode": "RawDeployment"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {**meta, "annotations": {**meta.get("annotations", {}), **mode}},
        "spec": {
            "predictor": {
                "minReplicas": settings.min_replicas,
                "maxReplicas": settings.max_replicas,
                "scaleMetric": "cpu",
                "scaleTarget": settings.target_cpu_percent,
                "terminationGracePeriodSeconds": settings.grace_s,
                "automountServiceAccountToken": False,
                "securityContext": pod_security(),
                "containers": [{**found, "env": variables}],
                "volumes": volumes(),
            }
        },
    }


def ray_service(settings: Settings, ray: Ray) -> dict[str, Any]:
    """KubeRay's object: a Ray cluster that runs a Serve application.

    Args:
        settings: of the service.
        ray: the image with Ray, and what it runs.
    """
    application = {
        "name": settings.name,
        "import_path": ray.import_path,
        "route_prefix": "/",
        "deployments": [
            {
                "name": "Model",
                "autoscaling_config": {
                    "min_replicas": settings.min_replicas,
                    "max_replicas": settings.max_replicas,
                },
                "ray_actor_options": {"num_cpus": 1},
            }
        ],
    }
    workers = {
        "groupName": "workers",
        "replicas": settings.min_replicas,
        "minReplicas": settings.min_replicas,
        "maxReplicas": settings.max_replicas,
        "rayStartParams": {},
        "template": _ray_pod(settings, ray, "ray-worker"),
    }
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": metadata(settings),
        "spec": {
            # JSON is YAML, too, and says nothing in two ways.
            "serveConfigV2": json.dumps({"applications": [application]}, indent=2) + "\n",
            "rayClusterConfig": {
                "rayVersion": ray.version,
                "enableInTreeAutoscaling": True,
                # KubeRay puts it beside the head, with no such word of its own.
                "autoscalerOptions": {"securityContext": confined()},
                # The head runs no replica: it is the part that nobody replaces.
                "headGroupSpec": {
                    "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},  # noqa: S104 - KubeRay asks it from another pod
                    "template": _ray_pod(settings, ray, "ray-head"),
                },
                "workerGroupSpecs": [workers],
            },
        },
    }


def _ray_pod(settings: Settings, ray: Ray, name: str) -> dict[str, Any]:
    """A pod of the Ray cluster. KubeRay adds its own probes; Ray writes beyond /tmp."""
    ports = {"ray-head": {"gcs-server": 6379, "dashboard": 8265, "client": 10001, "serve": 8000}}
    resources = (
        {"cpu": "2", "memory": "4Gi"} if name == "ray-head" else {"cpu": "1", "memory": "2Gi"}
    )
    image: dict[str, Any] = {
        "name": name,
        "image": ray.image,
        "resources": {"requests": resources, "limits": resources},
        "securityContext": confined(),
    }
    if name in ports:
        image["ports"] = [{"name": k, "containerPort": v} for k, v in ports[name].items()]
    else:
        # What runs longer than the drain is cut off, here as elsewhere.
        image["lifecycle"] = {"preStop": {"exec": {"command": ["ray", "stop"]}}}
    return {
        "spec": {
            "terminationGracePeriodSeconds": settings.grace_s,
            "automountServiceAccountToken": name == "ray-head",  # its autoscaler asks for pods
            "securityContext": pod_security(_RAY_USER),
            "containers": [image],
        }
    }
