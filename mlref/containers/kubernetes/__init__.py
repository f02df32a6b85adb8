"""Manifests of a model's service: rendered from one object, built by kustomize, and checked.

    settings = Settings(name="flights", image="registry.example.com/flights:1.0.0", version="1.0.0")
    print(render(settings)["base/deployment.yaml"])
    check(parse(render(settings)))                     # schemas of three versions, then the policy
    write(settings, "build/kubernetes")                # base, kserve; canary and ray if asked for
    validate("deploy/kubernetes/overlays/prod")        # the same checks on what kustomize makes

It needs the extra "cluster", and "serve" for the policy: probes must ask routes of the real server.
deploy/kubernetes holds what `EXAMPLE` gives, and overlays for dev, staging and prod.
"""

from mlref.containers.kubernetes.building import build, find_kubectl
from mlref.containers.kubernetes.checking import Report, check, parse, validate
from mlref.containers.kubernetes.example import EXAMPLE
from mlref.containers.kubernetes.objects import Violation
from mlref.containers.kubernetes.policy import RULES, check_policy
from mlref.containers.kubernetes.quantities import parse_quantity
from mlref.containers.kubernetes.rendering import render, to_yaml, write
from mlref.containers.kubernetes.schemas import check_schema, schema_versions
from mlref.containers.kubernetes.settings import Canary, Ray, Resources, Settings
from mlref.containers.kubernetes.versions import CHECKED, DEFAULT

__all__ = [
    "CHECKED",
    "DEFAULT",
    "EXAMPLE",
    "RULES",
    "Canary",
    "Ray",
    "Report",
    "Resources",
    "Settings",
    "Violation",
    "build",
    "check",
    "check_policy",
    "check_schema",
    "find_kubectl",
    "parse",
    "parse_quantity",
    "render",
    "schema_versions",
    "to_yaml",
    "validate",
    "write",
]
