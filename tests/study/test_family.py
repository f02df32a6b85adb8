"""The family of an answer: all that it started ends with it, but for what tidies up after it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.children import wait_gone
from support.small_labs import write_lab

from mlref.containers import guard, keeper
from mlref.study.grading import grade


@pytest.mark.parametrize("script", [guard.__file__, keeper.__file__])
def test_what_guards_a_container_is_left_to_delete_it(tmp_path: Path, script: str) -> None:
    """An answer that overruns its time leaves no container: its guard acts, then ends."""
    calls, docker = tmp_path / "calls", tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\necho $* >> {calls}\n")
    docker.chmod(0o755)
    command = [sys.executable, script, "mine", str(docker)]
    arguments = command if script == guard.__file__ else [*command, "true"]
    lab = replace(write_lab(tmp_path / "labs"), time_limit_s=1.5)
    result = grade(
        lab,
        "total",
        f"from mlref.runtime.process import start\n"
        f"guard = start({arguments}, name='guard')\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(guard.pid))\n"
        f"import threading\nthreading.Event().wait()",
    )
    assert result.status == "timeout"
    assert wait_gone(int((tmp_path / "pid").read_text()))
    assert "ps --all --quiet" in calls.read_text()
