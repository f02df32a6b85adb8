"""The recorder of a real control plane, as far as it can be tested without one."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubernetes_real import applying, building, parts, vectors
from kubernetes_real.data import Readings
from kubernetes_real.edges import edges
from kubernetes_real.metrics_api import MetricsApi
from kubernetes_real.random_cases import random_cases
from kubernetes_real.traces import traces
from kubernetes_real.wording import samples
from mlref.errors import ProcessError
from mlref.runtime.clock import ManualClock

FILE = Path(__file__).parents[1] / "scaling" / "data" / "hpa-1.20.2.json"
NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)
DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "flights"},
    "spec": {
        "selector": {"matchLabels": {"app": "flights"}},
        "template": {"spec": {"containers": [{"name": "model"}]}},
    },
}


def _committed() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


def test_the_committed_vectors_have_the_inputs_of_the_generators() -> None:
    """Whoever changes an input has to record the answers anew."""
    known = _committed()
    cases = {item["name"]: item for item in known["cases"]}
    made = [*edges(), *random_cases(known["seed"], 100)]
    assert cases.keys() == {case.name for case in made}
    for case in made:
        vector = cases[case.name]
        assert vector["spec"] == case.spec
        assert (vector["about"], vector["replicas"]) == (case.about, case.replicas)
        assert vector["pods"].keys() == case.pods.keys()
        assert vector["readings"].get("samples", {}).keys() == case.readings.samples.keys()
    loads = {
        item["name"]: [step["load_milli"] for step in item["steps"]] for item in known["traces"]
    }
    assert loads == {trace.name: list(trace.loads_milli) for trace in traces(known["seed"])}


def test_a_written_file_is_read_as_it_was(tmp_path: Path) -> None:
    """Writing is canonical: the committed file, read and written, has the same bytes."""
    vectors.write(tmp_path / "again.json", _committed())
    assert (tmp_path / "again.json").read_bytes() == FILE.read_bytes()


def test_only_the_moments_of_syncs_may_differ() -> None:
    """A sync a little later is the same recording; another answer is told by the case's name."""
    old = _committed()
    new = copy.deepcopy(old)
    new["traces"][0]["steps"][1]["at_s"] += 0.01
    assert vectors.differences(old, new) == []
    name = new["cases"][3]["name"]
    new["cases"][3]["expected"]["target_replicas"] += 1
    del new["cases"][5]
    new["kubernetes"] = "1.33.0"
    lines = vectors.differences(old, new)
    assert lines == [
        "kubernetes: '1.20.2' in the file, '1.33.0' recorded",
        f"{name}: another answer or input than in the file",
        f"{old['cases'][5]['name']}: in the file, not recorded",
    ]


def test_programs_that_are_there_are_not_built_again(tmp_path: Path) -> None:
    """The second call returns at once and says nothing."""
    folder = tmp_path / parts.VERSION
    folder.mkdir()
    (folder / "built.json").write_text("{}")
    said: list[str] = []
    assert building.ensure(tmp_path, said.append) == folder
    assert said == []


def test_what_the_build_lacks_is_named_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without apt, dpkg, openssl and tar on the PATH there is one line for each, and no build."""
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = parts.check_programs()
    assert "openssl is missing: apt-get install openssl" in lines
    assert len(lines) >= 4
    with pytest.raises(ProcessError, match="dpkg-deb is missing: apt-get install dpkg"):
        building.ensure(tmp_path / "cache", print)


def test_the_metrics_stand_in_tells_what_a_pod_uses() -> None:
    """A sample is as old as it shall be, in the API's own form; the question is noted."""
    metrics = MetricsApi(ManualClock(NOON))
    metrics.readings["demo"] = lambda: samples(["pod-0"], 250)
    answer = metrics.answer("/apis/metrics.k8s.io/v1beta1/namespaces/demo/pods?labelSelector=a%3Db")
    assert answer is not None
    assert answer["items"] == [
        {
            "metadata": {"name": "pod-0"},
            "timestamp": "2013-01-01T11:59:50Z",
            "window": "30s",
            "containers": [{"name": "model", "usage": {"cpu": "250m"}}],
        }
    ]
    assert metrics.asked == {"demo": [NOON]}


def test_the_metrics_stand_in_does_not_know_a_metric_that_nobody_gave() -> None:
    """A custom metric without a value is not found; an external one is an empty list."""
    metrics = MetricsApi(ManualClock(NOON))
    metrics.readings["demo"] = Readings
    custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/demo/pods/*/requests"
    external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/demo/queue"
    assert metrics.answer(custom) is None
    found = metrics.answer(external)
    assert found is not None
    assert found["items"] == []


def test_each_mistake_changes_a_copy_of_an_object() -> None:
    """The three mistakes in a Deployment are three objects that differ from the given one."""
    given = copy.deepcopy(DEPLOYMENT)
    spoiled = [broken for _, broken, _ in applying.mistakes([given])]
    assert len(spoiled) == 3
    assert all(broken != given for broken in spoiled)
    assert given == DEPLOYMENT
