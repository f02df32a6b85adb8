"""Files out of settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from mlref import resources
from mlref.containers.kubernetes import EXAMPLE, Settings, parse, render, to_yaml, write

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


def test_an_old_cluster_gets_no_field_that_it_would_refuse() -> None:
    """MatchLabelKeys and unhealthyPodEvictionPolicy came later than 1.20."""
    text = "\n".join(render(EXAMPLE, api="1.20").values())
    assert "matchLabelKeys" not in text
    assert "unhealthyPodEvictionPolicy" not in text


def test_yaml_reads_back_as_it_was() -> None:
    """Texts that look like numbers or truths are quoted, and nothing is an alias."""
    shared = {"a": ["1", "yes", "1e3", 1, True, None, "two\nlines\n"]}
    text = to_yaml({"one": shared, "two": shared})
    assert yaml.safe_load(text) == {"one": shared, "two": shared}
    assert "&" not in text
