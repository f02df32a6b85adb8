"""What settings may say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.artifact import Artifact
from mlref.containers.kubernetes import EXAMPLE, Canary, Ray, Resources, Settings
from mlref.errors import ManifestError
from mlref.serving.settings import Settings as ServerSettings

RAY = Ray(image="r:1", version="2.60.0", import_path="module:variable")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "Flights"}, "name must be a-z"),
        ({"name": "1flights"}, "first a letter"),
        ({"name": "f" * 57}, "at most 56"),
        ({"version": "1.0.0+cpu"}, "version must be a label"),
        ({"model": "a model"}, "model must be a label"),
        ({"digest": "sha256:00"}, "digest must be the 64 hex digits"),
        ({"host": "localhost"}, "host must be a name"),
        ({"image": "flights:latest"}, "image: 'flights:latest' has the tag latest"),
        ({"min_replicas": 1}, "min_replicas must be a whole number from 2"),
        ({"min_replicas": 2.5}, "min_replicas must be a whole number"),
        ({"max_replicas": True}, "max_replicas must be a whole number"),
        ({"min_replicas": 5, "max_replicas": 4}, "at least min_replicas, 5, got 4"),
        ({"target_cpu_percent": 0}, "from 1 to 100"),
        ({"port": 80}, "port must be a whole number from 1024"),
        ({"storage_uri": "/models"}, "storage_uri must begin with one of"),
        ({"ingress_namespace": "Ingress"}, "ingress_namespace must be"),
        ({"canary": Canary(image="f:2", version="2", weight_percent=101)}, "weight_percent"),
        ({"canary": Canary(image="f", version="2")}, "canary.image: 'f' has no tag"),
        ({"canary": Canary(image=EXAMPLE.image, version="2")}, "must be another image"),
        ({"ray": replace(RAY, import_path="module")}, "must be module:variable"),
        ({"ray": replace(RAY, image="r")}, "ray.image: 'r' has no tag"),
        ({"canary": Canary(image="f:2", version="2", replicas=0)}, "canary.replicas must be a"),
        ({"canary": Canary(image="f:2", version=2)}, "canary.version must be text, got 2"),
        ({"canary": "f:2"}, "canary must be of the class Canary, got 'f:2'"),
        ({"server": None}, "server must be of the class Settings, got None"),
        ({"version": 1.0}, "version must be text, got 1.0"),
        ({"image": None}, "image must be text, got None"),
        ({"digest": 5}, "digest must be text, got 5"),
        ({"margin_s": "5"}, "margin_s must be a number from 0"),
        ({"min_replicas": "2"}, "min_replicas must be a whole number"),
        ({"resources": Resources(request_cpu=1)}, "request_cpu must be text, got 1"),
        ({"resources": Resources(request_cpu="half")}, "resources.request_cpu: an amount is"),
        ({"resources": Resources(request_cpu="2")}, "limit_cpu must be at least the request, 2"),
        ({"resources": Resources(request_cpu="0")}, "request_cpu must be more than 0"),
        ({"resources": Resources(limit_memory="512m")}, "Mi a MiB"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(wrong: dict[str, Any], told: str) -> None:
    """One wrong value, one line that names it."""
    with pytest.raises(ManifestError, match="settings of no manifest") as caught:
        replace(EXAMPLE, **wrong)
    assert told in str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    """Three wrong values give three lines below the headline."""
    with pytest.raises(ManifestError) as caught:
        Settings(name="A", image="b", version="c d")
    assert len([line for line in str(caught.value).splitlines() if line.startswith("  - ")]) == 3


def test_the_cpu_limit_may_be_left_out() -> None:
    """None stands for no limit; the request is still there."""
    assert replace(EXAMPLE, resources=Resources(limit_cpu=None)).resources.limit_cpu is None


def test_an_artefact_gives_name_version_and_digest(colours: Artifact) -> None:
    """What else is given wins over the artefact."""
    settings = Settings.of(colours, image="colours:1", name="paint")
    found = settings.name, settings.model, settings.version, settings.digest
    assert found == ("paint", "colours", "0.1.0", colours.digest)
    assert Settings.of(colours, image="colours:1").name == "colours"


@given(st.floats(0, 600), st.floats(0, 600), st.floats(0, 60))
def test_a_pod_always_gets_at_least_the_time_of_the_drain(
    delay_s: float, timeout_s: float, margin_s: float
) -> None:
    """Whatever the server's times are, they and the margin fit into the grace period."""
    server = ServerSettings(drain_delay_s=delay_s, drain_timeout_s=timeout_s)
    settings = replace(EXAMPLE, server=server, margin_s=margin_s)
    assert settings.grace_s >= delay_s + timeout_s + margin_s
    assert settings.grace_s < delay_s + timeout_s + margin_s + 1.001
