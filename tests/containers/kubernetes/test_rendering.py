"""Files out of settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlref import resources
from mlref.containers.kubernetes import EXAMPLE, Canary, Settings, parse, render, to_yaml, write
from mlref.serving.settings import Settings as ServerSettings

PLAIN = Settings(name="digits", image="digits:1", version="1")


def _kinds(settings: Settings, api: str = "1.33") -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in parse(render(settings, api=api))}


def test_the_committed_files_are_what_the_example_gives() -> None:
    """Run `python -m mlref.containers.kubernetes` after a change."""
    folder = resources.folder("deploy") / "kubernetes"
    there = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*.yaml")
        if path.relative_to(folder).parts[0] != "overlays"
    }
    assert there == render(EXAMPLE)


def test_the_same_settings_give_the_same_bytes() -> None:
    """In two objects that are equal, too."""
    assert render(replace(EXAMPLE)) == render(EXAMPLE)


def test_without_canary_and_ray_there_are_no_files_of_them() -> None:
    """Only what was asked for, and KServe's, which needs no more."""
    assert {name.partition("/")[0] for name in render(PLAIN)} == {"base", "kserve"}


def test_writing_gives_the_files_that_rendering_tells(tmp_path: Path) -> None:
    """Byte for byte, in folders that are made."""
    written = write(PLAIN, tmp_path / "new")
    assert {str(p.relative_to(tmp_path / "new")): p.read_text() for p in written} == render(PLAIN)


@pytest.mark.parametrize(
    ("api", "autoscaler", "budget"),
    [
        ("1.20", "autoscaling/v2beta2", "policy/v1beta1"),
        ("1.22", "autoscaling/v2beta2", "policy/v1"),
        ("1.33", "autoscaling/v2", "policy/v1"),
    ],
)
def test_an_old_cluster_gets_the_apis_that_it_knows(api: str, autoscaler: str, budget: str) -> None:
    """policy/v1 came with 1.21, autoscaling/v2 with 1.23."""
    kinds = _kinds(PLAIN, api)
    found = (
        kinds["HorizontalPodAutoscaler"]["apiVersion"],
        kinds["PodDisruptionBudget"]["apiVersion"],
    )
    assert found == (autoscaler, budget)


def test_an_old_cluster_gets_no_field_that_it_would_refuse() -> None:
    """MatchLabelKeys and unhealthyPodEvictionPolicy came later than 1.20."""
    text = "\n".join(render(EXAMPLE, api="1.20").values())
    assert "matchLabelKeys" not in text
    assert "unhealthyPodEvictionPolicy" not in text


def test_the_container_is_told_how_the_server_is_tuned() -> None:
    """What differs from the defaults, and always the times that the grace period follows from."""
    server = ServerSettings(drain_delay_s=2.5, max_in_flight=64, lane=False, access_log=True)
    kinds = _kinds(replace(PLAIN, server=server, port=9000))
    (container,) = kinds["Deployment"]["spec"]["template"]["spec"]["containers"]
    told = "serve --max-in-flight 64 --drain-delay-s 2.5 --drain-timeout-s 8 --no-lane --access-log"
    assert container["args"] == [*told.split(), "--port", "9000"]


def test_the_server_understands_the_arguments() -> None:
    """The real parser of the entry point reads back the settings that were given."""
    from mlref.containers.kubernetes.pods import server_arguments
    from mlref.serving.__main__ import _parser

    server = ServerSettings(drain_delay_s=2.5, max_body_bytes=10**7, lane=False, access_log=True)
    words = server_arguments(replace(PLAIN, server=server))
    given = vars(_parser("test").parse_args(words[1:]))
    assert words[0] == "serve"
    assert {name: given[name] for name in vars(server)} == vars(server)


def test_the_canary_is_told_apart_by_its_track() -> None:
    """Neither Deployment selects the pods of the other; one NetworkPolicy covers both."""
    settings = replace(PLAIN, canary=Canary(image="digits:2", version="2", weight_percent=5))
    files = render(settings)
    stable, canary = (
        yaml.safe_load(files[f"{folder}/deployment.yaml"])["spec"] for folder in ("base", "canary")
    )
    assert stable["selector"] != canary["selector"]
    assert canary["template"]["metadata"]["labels"]["app.kubernetes.io/version"] == "2"
    assert "canary-weight: '5'" in files["canary/ingress.yaml"]  # fmt: skip


def test_the_digest_is_an_annotation() -> None:
    """A label holds 63 characters, a SHA-256 has 64."""
    meta = _kinds(replace(PLAIN, digest="a" * 64))["Deployment"]["spec"]["template"]["metadata"]
    assert meta["annotations"] == {"mlref.artifact.digest": "a" * 64}


@pytest.mark.parametrize("uri", [None, "s3://bucket/model"])
def test_kserve_is_told_where_the_model_is_only_if_it_is_not_in_the_image(uri: str | None) -> None:
    """STORAGE_URI makes KServe fill /mnt/models."""
    predictor = _kinds(replace(PLAIN, storage_uri=uri))["InferenceService"]["spec"]["predictor"]
    told = {each["name"]: each["value"] for each in predictor["containers"][0]["env"]}
    assert told.get("STORAGE_URI") == uri


def test_ray_serves_what_the_settings_name() -> None:
    """serveConfigV2 is a text of YAML in the YAML."""
    spec = _kinds(EXAMPLE)["RayService"]["spec"]
    (application,) = yaml.safe_load(spec["serveConfigV2"])["applications"]
    assert application["import_path"] == "flights_ray:application"


def test_yaml_reads_back_as_it_was() -> None:
    """Texts that look like numbers or truths are quoted, and nothing is an alias."""
    shared = {"a": ["1", "yes", "1e3", 1, True, None, "two\nlines\n"]}
    text = to_yaml({"one": shared, "two": shared})
    assert yaml.safe_load(text) == {"one": shared, "two": shared}
    assert "&" not in text
