"""Images and containers of a model, with or without a registry.

    image = build(artifact.load("flights-1.0.0"))      # deploy/Dockerfile, two targets
    with run(image) as container:                      # read-only, no capabilities, limits
        container.wait_ready()
        Client(container.url).predict(rows)

`scan` tells what is in an image and who is root in it, `compare` what images cost beside each
other, and `base_image` finds or makes what an image starts from. `mlref.targets.Container` is the
place that keeps the contract of every target. They need Docker and the extra "cluster".
"""

from mlref.containers.base import base_image
from mlref.containers.compare import Comparison, ImageCost, compare
from mlref.containers.engine import available
from mlref.containers.images import Flavour, Image, Layer, build, remove_images
from mlref.containers.isolation import OPEN, Isolation
from mlref.containers.lint import Finding, lint
from mlref.containers.privileges import who_is_root
from mlref.containers.processes import RunningProcess, running_as_root
from mlref.containers.removal import remove_containers
from mlref.containers.running import Container, run
from mlref.containers.sbom import sbom
from mlref.containers.scan import ScanReport, scan
from mlref.containers.state import State

__all__ = [
    "OPEN",
    "Comparison",
    "Container",
    "Finding",
    "Flavour",
    "Image",
    "ImageCost",
    "Isolation",
    "Layer",
    "RunningProcess",
    "ScanReport",
    "State",
    "available",
    "base_image",
    "build",
    "compare",
    "lint",
    "remove_containers",
    "remove_images",
    "run",
    "running_as_root",
    "sbom",
    "scan",
    "who_is_root",
]
