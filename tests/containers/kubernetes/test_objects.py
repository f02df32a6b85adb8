"""Objects and label selectors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.containers.kubernetes import CHECKED
from mlref.containers.kubernetes.objects import (
    WORKLOADS,
    containers_of,
    name_of,
    pods_of,
    selects,
)

Objects = dict[str, dict[str, Any]]
LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"))


@pytest.mark.parametrize(
    ("name", "containers"),
    [
        ("Deployment/flights", ["model"]),
        ("InferenceService/flights", ["kserve-container"]),
        ("RayService/flights", ["ray-head", "ray-worker"]),
        ("Service/flights", []),
    ],
)
def test_pods_are_found_wherever_an_object_describes_them(
    objects: Objects, name: str, containers: list[str]
) -> None:
    """In templates, in KServe's predictor, in the groups of a Ray cluster."""
    pods = list(pods_of(objects[name]))
    assert [each["name"] for pod in pods for each in containers_of(pod)] == containers


@pytest.mark.parametrize("kind", sorted(WORKLOADS))
def test_the_pod_of_each_kind_of_workload_is_found(kind: str) -> None:
    """Labels and containers, wherever the kind keeps them."""
    pod: dict[str, Any] = {
        "metadata": {"name": "x", "labels": {"a": "b"}},
        "spec": {"containers": [{"name": "box"}]},
    }
    for part in reversed(WORKLOADS[kind]):
        pod = {part: pod}
    (found,) = pods_of({**pod, "kind": kind})
    assert found.labels == {"a": "b"}
    assert [each["name"] for each in containers_of(found)] == ["box"]


@pytest.mark.usefixtures("schemas")
def test_every_kind_that_the_schema_gives_a_pod_is_known() -> None:
    """A kind that is missing here would pass each rule unseen."""
    import kubernetes_validate

    folder = Path(kubernetes_validate.__file__).parent
    (newest,) = folder.glob(f"kubernetes-json-schema/v{CHECKED[-1]}.*-local/_definitions.json")
    found = json.loads(newest.read_text())["$defs"]

    def holds(name: str, seen: frozenset[str]) -> bool:
        if name == "io.k8s.api.core.v1.PodSpec":
            return True
        words = json.dumps(found[name])
        below = set(re.findall(r'defs/([A-Za-z0-9.]+)"', words)) - seen
        return any(holds(each, seen | below) for each in below)

    kinds = {
        kind
        for name, about in found.items()
        for kind in about.get("properties", {}).get("kind", {}).get("enum", [])
        if not name.endswith("List") and holds(name, frozenset({name}))
    }
    assert kinds == set(WORKLOADS)


def test_an_object_without_a_name_is_named_all_the_same() -> None:
    """Whatever a folder holds can be complained about."""
    assert name_of({"kind": "Service"}) == "Service/?"


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ["x", "z"], True),
        ("In", ["z"], False),
        ("NotIn", ["x"], False),
        ("NotIn", ["z"], True),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ],
)
def test_an_expression_selects_by_its_operator(
    operator: str,
    values: list[str] | None,
    selected: bool,  # noqa: FBT001 - an expectation
) -> None:
    """The four operators of a label selector."""
    expression = {"key": "a", "operator": operator, "values": values}
    assert selects({"matchExpressions": [expression]}, {"a": "x"}) is selected


def test_an_absent_label_is_not_in_any_set() -> None:
    """NotIn holds for what has no such label, as Kubernetes defines it."""
    expression = {"key": "a", "operator": "NotIn", "values": ["x"]}
    assert selects({"matchExpressions": [expression]}, {})


@given(LABELS)
def test_an_empty_selector_selects_all_and_none_nothing(labels: dict[str, str]) -> None:
    """{} and None are opposites."""
    assert selects({}, labels)
    assert not selects(None, labels)


@given(LABELS, LABELS, LABELS)
def test_one_more_wanted_label_never_selects_more(
    wanted: dict[str, str], more: dict[str, str], labels: dict[str, str]
) -> None:
    """What a narrower selector selects, the wider one does, too."""
    narrow = {"matchLabels": {**more, **wanted}}
    assert not selects(narrow, labels) or selects({"matchLabels": wanted}, labels)
