"""What the doctor finds."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mlref import resources
from mlref.study import doctor
from mlref.study.extras import Extra


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


def _shown(*extras: Extra, tensorflow: str | None = None) -> str:
    """A report with these extras and no programs, in 80 columns."""
    report = replace(
        doctor.examine(),
        extras=extras,
        programs=tuple(doctor.programs(lambda _name: None)),
        place="/here",
        tensorflow_environment=tensorflow,
    )
    console = Console(file=io.StringIO(), width=80)
    doctor.render(console, report)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _extra(name: str, *missing: str) -> Extra:
    return Extra(name=name, missing=missing, unlocks="much", command="")


def test_the_report_is_readable_in_80_columns() -> None:
    """Every part is in it, and no line is too long."""
    text = _shown(_extra("train", "pandas"))
    assert "6 scaling" in text
    assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.parametrize(
    ("root", "pip", "tensorflow"),
    [
        (Path("/checkout"), 'pip install -e ".[serve,train]"', "make tensorflow"),
        (None, 'pip install "mlref[serve,train]"', 'pip install "mlref[tensorflow]"'),
    ],
)
def test_one_command_brings_all_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, root: Path | None, pip: str, tensorflow: str
) -> None:
    """It stands at the end, once; TensorFlow, which no environment shares, has its own."""
    monkeypatch.setattr(resources, "checkout", lambda: root)
    missing = [_extra("train", "pandas"), _extra("serve", "fastapi"), _extra("tensorflow", "tf")]
    assert _shown(*missing, _extra("torch")).splitlines()[-2:] == [
        f"get every extra that is missing: {pip}",
        f"get TensorFlow: {tensorflow}",
    ]


def test_a_separate_tensorflow_is_enough() -> None:
    """Where it has its environment, nothing is to be installed."""
    text = _shown(_extra("tensorflow", "tensorflow"), tensorflow="/here/build/envs/tensorflow")
    assert text.splitlines()[-1] == "separate TensorFlow environment: /here/build/envs/tensorflow"
    assert "get TensorFlow" not in text


def test_a_version_out_of_range_is_shown() -> None:
    """What is there, but does not fit, is named with what is needed."""
    text = _shown(_extra("train", "onnx", "pandas 1.5.0 (needs <4,>=2.3)"))
    assert "of another version: pandas 1.5.0 (needs <4,>=2.3)\n" in text


def test_this_environment_is_healthy() -> None:
    """The core works where the tests run, and the report is JSON."""
    report = doctor.examine()
    assert report.healthy
    assert json.loads(json.dumps(report.as_dict()))["core_problems"] == []
