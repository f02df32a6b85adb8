"""Images and containers of a model, with or without a registry.

    image = build(artifact.load("flights-1.0.0"))      # deploy/Dockerfile, two targets
    with run(image) as container:                      # read-only, no capabilities, limits
        container.wait_ready()
        Client(container.url).predict(rows)

`base_image` finds or makes what an image starts from. `mlref.targets.Container` is the place that
keeps the contract of every target. They need Docker and the extra "cluster".
"""

from mlref.containers.base import base_image
from mlref.containers.engine import available
from mlref.containers.images import Image, Layer, build, remove_images
from mlref.containers.isolation import OPEN, Isolation
from mlref.containers.running import Container, remove_containers, run
from mlref.containers.state import State

__all__ = [
    "OPEN",
    "Container",
    "Image",
    "Isolation",
    "Layer",
    "State",
    "available",
    "base_image",
    "build",
    "remove_containers",
    "remove_images",
    "run",
]
