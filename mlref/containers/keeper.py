"""Starts a Compose project, and deletes it when the program that asked for it is gone.

Like `guard`, but for containers and networks of a project, and also while Compose is still at work:
what it has started would go on for minutes. A script of the standard library, `python keeper.py
PROJECT DOCKER COMMAND ...`: it runs the command, reports its exit status, and holds the end of a
pipe. When the pipe breaks, it ends the command and deletes what carries the project's label.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

__all__ = ["PROJECT_LABEL", "main"]

PROJECT_LABEL = "com.docker.compose.project"
"""What Compose, of either version, writes on all that it makes."""

_LIFELINE = "MLREF_PARENT_FD"  # as in mlref.runtime.child, which this script does not import
_REPORTS = "MLREF_REPORT_FD"
_TIMEOUT_S = 30.0
_END_S = 5.0
_IN_FLIGHT_S = 2.0


def main(project: str, docker: str, *command: str) -> None:
    """Run the command, wait for the parent's end, then delete the project.

    Args:
        project: its name.
        docker: the path of the command `docker`.
        command: starts the project.
    """
    running = subprocess.Popen(command)
    threading.Thread(target=_report, args=(running,), daemon=True).start()
    lifeline = int(os.environ[_LIFELINE])
    while os.read(lifeline, 1):
        pass
    _end(running)
    _remove(docker, project)
    threading.Event().wait(_IN_FLIGHT_S)  # one may just have been asked for
    _remove(docker, project)


def _report(running: subprocess.Popen[bytes]) -> None:
    line = json.dumps({"status": running.wait()}) + "\n"
    with suppress(OSError):  # nobody listens any more
        os.write(int(os.environ[_REPORTS]), line.encode())


def _end(running: subprocess.Popen[bytes]) -> None:
    """End the command and what it has started: this process leads a group of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        running.wait(_END_S)
    running.kill()


def _remove(docker: str, project: str) -> None:
    label = f"--filter=label={PROJECT_LABEL}={project}"
    containers = _docker(docker, "ps", "--all", "--quiet", label)
    if containers:
        _docker(docker, "rm", "--force", "--volumes", *containers)
    networks = _docker(docker, "network", "ls", "--quiet", label)
    if networks:
        _docker(docker, "network", "rm", *networks)


def _docker(*command: str) -> Sequence[str]:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return done.stdout.split()


if __name__ == "__main__":
    main(*sys.argv[1:])
