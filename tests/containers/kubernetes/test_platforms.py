"""KServe and KubeRay."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from mlref.containers.kubernetes import EXAMPLE
from mlref.containers.kubernetes.platforms import inference_service, ray_service


@pytest.mark.parametrize("uri", [None, "s3://bucket/model"])
def test_kserve_is_told_where_the_model_is_only_if_it_is_not_in_the_image(uri: str | None) -> None:
    """STORAGE_URI makes KServe fill /mnt/models."""
    predictor = inference_service(replace(EXAMPLE, storage_uri=uri))["spec"]["predictor"]
    told = {each["name"]: each["value"] for each in predictor["containers"][0]["env"]}
    assert told.get("STORAGE_URI") == uri


def test_kserve_finds_its_container_and_the_protocol() -> None:
    """It knows the container by its name, and the Open Inference Protocol as v2."""
    (container,) = inference_service(EXAMPLE)["spec"]["predictor"]["containers"]
    assert container["name"] == "kserve-container"
    assert {"name": "PROTOCOL", "value": "v2"} in container["env"]


def test_ray_serves_what_the_settings_name() -> None:
    """serveConfigV2 is a text of YAML in the YAML."""
    assert EXAMPLE.ray is not None
    spec = ray_service(EXAMPLE, EXAMPLE.ray)["spec"]
    (application,) = yaml.safe_load(spec["serveConfigV2"])["applications"]
    assert application["import_path"] == EXAMPLE.ray.import_path
    assert spec["rayClusterConfig"]["rayVersion"] == EXAMPLE.ray.version


def test_the_autoscaler_beside_the_head_is_confined_as_the_head_is() -> None:
    """A namespace that enforces "restricted" would refuse the pod for it."""
    assert EXAMPLE.ray is not None
    cluster = ray_service(EXAMPLE, EXAMPLE.ray)["spec"]["rayClusterConfig"]
    (head,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    assert cluster["autoscalerOptions"]["securityContext"] == head["securityContext"]
