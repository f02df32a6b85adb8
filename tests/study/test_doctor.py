"""What the doctor finds."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mlref.study import doctor

REQUIREMENTS = [
    "numpy<3,>=2.1",
    'pandas<4,>=2.3; extra == "train"',
    'onnx<2,>=1.18; extra == "train"',
    'fastapi<1,>=0.118; extra == "serve"',
    'pywin32>=300; sys_platform == "win32" and extra == "serve"',
    'mlref[serve,train]; extra == "all"',
]


def _extras(installed: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {one.name: one.missing for one in doctor.extras(REQUIREMENTS, installed.get)}


def test_an_extra_is_complete_when_all_is_there() -> None:
    """Nothing is missing where every requirement that applies here is met; "all" is no part."""
    have = {"pandas": "2.3.1", "onnx": "1.19.0", "fastapi": "0.120.0"}
    assert _extras(have) == {"train": (), "serve": ()}


def test_what_is_missing_is_named() -> None:
    """Each extra names the distributions that it lacks."""
    assert _extras({"onnx": "1.19.0"}) == {"train": ("pandas",), "serve": ("fastapi",)}


def test_a_version_out_of_range_is_missing() -> None:
    """An old version is named with the range that is needed."""
    have = {"pandas": "1.5.0", "onnx": "1.19.0", "fastapi": "0.120.0"}
    assert _extras(have)["train"] == ("pandas 1.5.0 (needs <4,>=2.3)",)


def test_every_extra_of_mlref_says_what_it_unlocks() -> None:
    """No extra is without its explanation, and none is explained that does not exist."""
    names = {one.name for one in doctor.extras(doctor._requirements())}
    assert names == set(doctor.UNLOCKS)


def test_a_missing_program_comes_with_a_command() -> None:
    """Each program that is absent tells how to get it and what for."""
    found = doctor.programs(lambda _name: None)
    assert {one.name for one in found} == {
        "docker", "redis-server", "mosquitto", "prometheus", "chromium",
    }  # fmt: skip
    assert all(one.path is None and one.command and one.chapter for one in found)


def test_a_program_may_have_several_names() -> None:
    """Chrome will do where Chromium is absent."""
    found = doctor.programs({"google-chrome": "/opt/google-chrome"}.get)
    assert found[-1].path == "/opt/google-chrome"


@pytest.mark.parametrize(("status", "note"), [(0, ""), (1, "its daemon does not answer")])
def test_docker_without_its_daemon_is_told(tmp_path: Path, status: int, note: str) -> None:
    """A client whose daemon does not answer is there, but of no use."""
    client = tmp_path / "docker"
    client.write_text(f"#!/bin/sh\nexit {status}\n")
    client.chmod(0o755)
    (docker, *_) = doctor.programs({"docker": str(client)}.get)
    assert (docker.path, docker.note) == (str(client), note)


def test_a_broken_core_is_unhealthy() -> None:
    """A core requirement that is absent is a problem; an absent extra is not."""
    assert doctor._core_problems(["absent-distribution>=1"]) == ("missing: absent-distribution",)
    assert doctor._core_problems(["absent-distribution>=1; extra == 'train'"]) == ()


def test_the_report_is_readable_in_80_columns() -> None:
    """Every part is in it, how to get what is missing, and no line is too long."""
    missing = doctor.Extra(name="train", missing=("pandas",), unlocks="data", command="pip it")
    report = replace(
        doctor.examine(),
        extras=(missing,),
        programs=tuple(doctor.programs(lambda _name: None)),
        place="/here",
    )
    console = Console(file=io.StringIO(), width=80)
    doctor.render(console, report)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "pip it  # brings pandas" in text
    assert "6 scaling" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_this_environment_is_healthy() -> None:
    """The core works where the tests run, and the report is JSON."""
    report = doctor.examine()
    assert report.healthy
    assert json.loads(json.dumps(report.as_dict()))["core_problems"] == []
