"""All checks at once, on the committed folders and on broken objects."""

from __future__ import annotations

from typing import Any

import pytest

from mlref import resources
from mlref.containers.kubernetes import check, parse, validate
from mlref.errors import ManifestError

Objects = dict[str, dict[str, Any]]
pytestmark = pytest.mark.usefixtures("schemas")
STAGES = ("dev", "staging", "prod", "prod-canary")
FOLDERS = ("base", "kserve", "ray", *(f"overlays/{stage}" for stage in STAGES))


@pytest.mark.usefixtures("kubectl")
@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_is_wrong_with_a_committed_folder(folder: str) -> None:
    """Built by kustomize, checked by the schemas of three versions and by each rule."""
    report = validate(resources.folder("deploy") / "kubernetes" / folder)
    assert report.good, str(report)
    assert report.objects


@pytest.mark.usefixtures("kubectl")
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_a_namespace_that_enforces_what_its_pods_keep(stage: str) -> None:
    """Everything lies in one namespace, whose label refuses pods with more rights."""
    from mlref.containers.kubernetes import build

    found = build(resources.folder("deploy") / "kubernetes/overlays" / stage)
    namespaces = [each for each in found if each["kind"] == "Namespace"]
    (meta,) = [each["metadata"] for each in namespaces]
    others = {each["metadata"]["namespace"] for each in found if each not in namespaces}
    assert others == {meta["name"]}
    assert meta["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.usefixtures("kubectl")
def test_the_canary_keeps_its_own_image_and_stays_beside_the_stable_one() -> None:
    """Two Deployments, two digests."""
    from mlref.containers.kubernetes import build

    found = build(resources.folder("deploy") / "kubernetes/overlays/prod-canary")
    images = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in found
        if each["kind"] == "Deployment"
    }
    assert set(images) == {"flights", "flights-canary"}
    assert len(set(images.values())) == 2
    assert all("@sha256:" in image for image in images.values())


def test_a_wrong_field_is_told_and_no_rule_is_asked(objects: Objects) -> None:
    """A rule may rely on fields that the schema requires."""
    del objects["Deployment/flights"]["spec"]["selector"]
    report = check(objects.values(), versions=("1.34",))
    assert [(each.object, each.rule) for each in report.violations] == [
        ("Deployment/flights", "schema")
    ]


def test_a_report_tells_what_is_wrong_in_lines_and_as_a_table(objects: Objects) -> None:
    """The verdict first; each object has a row."""
    objects["Deployment/flights"]["spec"]["replicas"] = 2
    report = check(objects.values(), versions=("1.34",))
    assert str(report).splitlines()[0] == "12 objects, Kubernetes 1.34: 1 wrong"
    assert ("Service/flights", "-", "good") in report.table().rows
    with pytest.raises(ManifestError, match="replicas: states replicas: 2"):
        report.require_good()


def test_a_good_report_raises_nothing(rendered: list[dict[str, Any]]) -> None:
    """And says so in one line."""
    report = check(rendered, versions=("1.34",))
    report.require_good()
    assert str(report) == "12 objects, Kubernetes 1.34: nothing is wrong"


@pytest.mark.parametrize("text", ["- a\n", "text\n"])
def test_a_file_without_objects_is_named(text: str) -> None:
    """YAML that is a list or a word has no apiVersion."""
    with pytest.raises(ManifestError, match=r"base/x\.yaml must hold objects, .*got (list|str)"):
        parse({"base/x.yaml": text})


def test_a_file_that_is_no_yaml_is_named() -> None:
    """The message says where the text stops being YAML."""
    with pytest.raises(ManifestError, match=r"base/x\.yaml is not YAML"):
        parse({"base/x.yaml": "a: [1"})
