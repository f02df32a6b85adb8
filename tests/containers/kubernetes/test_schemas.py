"""Fields that a version of Kubernetes has, and those that it has not."""

from __future__ import annotations

from typing import Any

import pytest

from mlref.containers.kubernetes import (
    CHECKED,
    EXAMPLE,
    check_schema,
    parse,
    render,
    schema_versions,
)
from mlref.errors import ManifestError

Objects = dict[str, dict[str, Any]]
pytestmark = pytest.mark.usefixtures("schemas")
_WORKER = "spec.rayClusterConfig.workerGroupSpecs.0.template.spec.containers.0"


@pytest.mark.parametrize("version", CHECKED)
def test_the_example_fits_the_schema(rendered: list[dict[str, Any]], version: str) -> None:
    """Of the oldest, a middle and the newest version that are checked."""
    assert check_schema(rendered, version) == []


def test_the_versions_checked_are_three_and_the_newest_is_the_newest_there_is() -> None:
    """A newer package of schemas moves the window: change CHECKED then."""
    assert len(CHECKED) == 3
    assert CHECKED[-1] == schema_versions()[-1]


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", "spec.replicas", "2"),
        ("HorizontalPodAutoscaler", "spec.maxReplicas", None),
        ("InferenceService", "spec.predictor.minReplicas", "2"),
        ("InferenceService", "spec.predictor.scaleMetric", "gpu"),
        ("InferenceService", "spec.predictor.containers.0.args", "serve"),
        ("RayService", "spec.rayClusterConfig.rayVersion", 2.6),
        ("RayService", f"{_WORKER}.image", 1),
    ],
)
def test_a_value_of_another_type_is_found_with_its_place(
    objects: Objects, kind: str, path: str, value: Any
) -> None:
    """In objects of Kubernetes, KServe and KubeRay, and in the pods of each."""
    _set(objects[f"{kind}/flights"], path, value)
    (violation,) = check_schema(objects.values(), "1.34")
    assert (violation.object, violation.rule) == (f"{kind}/flights", "schema")
    assert violation.message.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", "spec.selektor"),
        ("Deployment", "spec.template.spec.containers.0.ports.0.port"),
        ("InferenceService", "spec.predictor.volumen"),
        ("InferenceService", "spec.predicter"),
        ("RayService", "spec.serveConfig"),
        ("RayService", f"{_WORKER}.picture"),
    ],
)
def test_a_field_that_does_not_exist_is_found(objects: Objects, kind: str, path: str) -> None:
    """The message names it."""
    _set(objects[f"{kind}/flights"], path, {})
    (violation,) = check_schema(objects.values(), "1.34")
    assert violation.object == f"{kind}/flights"
    assert f"'{path.rpartition('.')[2]}'" in violation.message


def _set(obj: Any, path: str, value: Any) -> None:
    """Set a part of an object; a number in the path is a place in a list."""
    *way, last = path.split(".")
    for part in way:
        obj = obj[int(part) if part.isdigit() else part]
    obj[last] = value


def test_a_field_is_only_found_by_versions_that_lack_it(objects: Objects) -> None:
    """A tolerance of its own came to the autoscaler with 1.33."""
    scaler = objects["HorizontalPodAutoscaler/flights"]
    scaler["spec"]["behavior"]["scaleUp"]["tolerance"] = "0.05"
    assert [len(check_schema([scaler], version)) for version in ("1.32", "1.33")] == [1, 0]


def test_an_api_that_is_gone_is_told() -> None:
    """What suits 1.20 does not suit 1.31: autoscaling/v2beta2 and policy/v1beta1 went."""
    found = check_schema(parse(render(EXAMPLE, api="1.20")), "1.31")
    assert {each.object for each in found} == {
        "HorizontalPodAutoscaler/flights",
        "PodDisruptionBudget/flights",
    }
    assert "has no HorizontalPodAutoscaler of autoscaling/v2beta2" in found[0].message


def test_an_object_without_a_kind_is_told() -> None:
    """A fragment of YAML is no object."""
    (violation,) = check_schema([{"metadata": {"name": "x"}}], "1.34")
    assert str(violation).startswith("?/x: schema: apiVersion and kind must be there")


@pytest.mark.parametrize("kind", ["List", "PodList"])
def test_a_list_cannot_hide_what_is_in_it(kind: str) -> None:
    """A schema may accept it, and no rule would see its objects."""
    (violation,) = check_schema([{"apiVersion": "v1", "kind": kind, "items": []}], "1.34")
    assert "write each as a document" in violation.message


def test_a_version_without_schema_is_refused() -> None:
    """1.20 is so old that no schema is left; the message tells those that are there."""
    with pytest.raises(ManifestError, match=r"one of .*1\.37.*got '1\.20'"):
        check_schema([], "1.20")
