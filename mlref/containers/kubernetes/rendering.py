"""From settings to files: the same settings give the same bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlref.containers.kubernetes import network, platforms, scaling, workload
from mlref.containers.kubernetes.settings import Settings
from mlref.containers.kubernetes.versions import DEFAULT, require_api
from mlref.runtime.files import write_text
from mlref.runtime.lazy import extra

__all__ = ["render", "to_yaml", "write"]

_HEADER = "# Written by mlref.containers.kubernetes; change the settings, not this file.\n"
_NOTES = {
    "base/deployment.yaml": "No replicas here: the autoscaler owns them.",
    "base/networkpolicy.yaml": (
        "It takes a network plugin to enforce this (Calico, Cilium ...); others accept and ignore\n"
        "it. The kubelet's probes come from the node, which the plugins let through. An Ingress\n"
        "controller with hostNetwork is in no namespace: name its nodes by ipBlock. Names are\n"
        "asked of kube-dns only: add the address of a NodeLocal DNSCache where there is one."
    ),
    "base/ingress.yaml": (
        "The way in, for any Ingress controller. The annotation is for ingress-nginx: bodies may\n"
        "be as large as the server takes; other controllers have settings of their own."
    ),
    "canary/ingress.yaml": (
        "Only ingress-nginx understands these annotations. To another controller this is a second\n"
        "Ingress for the same host: use its own means of splitting, or the Gateway API's weights."
    ),
    "kserve/inferenceservice.yaml": (
        "KServe without Knative, a mode that newer versions call Standard and accept by both names."
    ),
    "ray/rayservice.yaml": (
        "mlref builds no image for Ray: yours holds Ray, the artefact and the module of\n"
        "import_path."
    ),
}


def render(settings: Settings, *, api: str = DEFAULT) -> Mapping[str, str]:
    """The files, by their path below the folder they belong to: text of YAML.

    `base/` runs anywhere, `canary/` stands beside it, `kserve/` and `ray/` need their platform.
    Each has a kustomization.yaml.

    Args:
        settings: what to make.
        api: the version of Kubernetes that must understand it, from "1.20" on. KServe and KubeRay
            have versions of their own, and do not depend on it.

    Raises:
        ManifestError: no such version.
        MissingExtraError: PyYAML is not installed.
    """
    api = require_api(api)
    folders = {
        "base": _base(settings, api),
        "kserve": {"inferenceservice": platforms.inference_service(settings)},
    }
    if settings.canary is not None:
        folders["canary"] = {
            "deployment": workload.canary_deployment(settings, api, settings.canary),
            "service": workload.service(settings, "canary"),
            "ingress": network.ingress(settings, weight_percent=settings.canary.weight_percent),
        }
    if settings.ray is not None:
        folders["ray"] = {"rayservice": platforms.ray_service(settings, settings.ray)}
    files = {}
    for folder, objects in sorted(folders.items()):
        for name, each in objects.items():
            path = f"{folder}/{name}.yaml"
            files[path] = _text(each, _NOTES.get(path, ""))
        files[f"{folder}/kustomization.yaml"] = _text(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": [f"{name}.yaml" for name in objects],
            }
        )
    return files


def write(settings: Settings, folder: str | os.PathLike[str], *, api: str = DEFAULT) -> list[Path]:
    """Write what `render` gives below a folder; other files there stay as they are.

    Args:
        settings: what to make.
        folder: made if it is not there.
        api: the version of Kubernetes that must understand it.

    Raises:
        ManifestError: no such version.
        MissingExtraError: PyYAML is not installed.
        FileWriteError: a file could not be saved.
    """
    written = []
    for name, text in render(settings, api=api).items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        written.append(path)
    return written


def to_yaml(obj: Mapping[str, Any]) -> str:
    """One object as YAML, its keys in the order given, text of several lines as a block.

    Raises:
        MissingExtraError: PyYAML is not installed.
    """
    with extra("cluster"):
        import yaml

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        """Lists are indented, nothing is an alias, and a text of several lines is a block."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002 - PyYAML's own
            return super().increase_indent(flow, indentless=False)

        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    dumped: str = yaml.dump(dict(obj), Dumper=Dumper, sort_keys=False, width=100)
    return dumped


def _base(settings: Settings, api: str) -> dict[str, dict[str, Any]]:
    return {
        "serviceaccount": workload.service_account(settings),
        "deployment": workload.deployment(settings, api),
        "service": workload.service(settings),
        "hpa": scaling.autoscaler(settings, api),
        "pdb": scaling.disruption_budget(settings, api),
        "networkpolicy": network.network_policy(settings),
        "ingress": network.ingress(settings),
    }


def _text(obj: Mapping[str, Any], note: str = "") -> str:
    comment = "".join(f"# {line}\n" for line in note.splitlines())
    return f"{_HEADER}{comment}{to_yaml(obj)}"
