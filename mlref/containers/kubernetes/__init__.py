"""Manifests of a model's service: rendered from one object, built, and checked.

settings = Settings(name="flights", image="registry.example.com/flights:1.0.0", version="1.0.0")
write(settings, "build/kubernetes")                # base, canary, kserve, ray
"""

from mlref.containers.kubernetes.example import EXAMPLE
from mlref.containers.kubernetes.quantities import parse_quantity
from mlref.containers.kubernetes.rendering import render, to_yaml, write
from mlref.containers.kubernetes.settings import Canary, Ray, Resources, Settings

__all__ = [
    "EXAMPLE",
    "Canary",
    "Ray",
    "Resources",
    "Settings",
    "parse_quantity",
    "render",
    "to_yaml",
    "write",
]
