"""The settings that deploy/kubernetes is made of: the flights model, two versions of it.

python -m mlref.containers.kubernetes build/kubernetes
"""

from __future__ import annotations

from mlref.containers.kubernetes.settings import Canary, Ray, Settings

__all__ = ["EXAMPLE"]

EXAMPLE = Settings(
    name="flights",
    image="registry.example.com/flights:1.0.0",
    version="1.0.0",
    host="flights.example.com",
    canary=Canary(image="registry.example.com/flights:2.0.0", version="2.0.0"),
    storage_uri="s3://models/flights/1.0.0",
    ray=Ray(
        image="registry.example.com/flights-ray:1.0.0",
        version="2.60.0",
        import_path="flights_ray:application",
    ),
)
