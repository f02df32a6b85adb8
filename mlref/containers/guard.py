"""Deletes a container when the program that started it is gone, even by `kill -9`.

A container belongs to the daemon, and not to the program that asked for it. So beside each stands a
process of this kind: it holds the end of a pipe, and when the pipe breaks it deletes what carries a
label. It is a script of the standard library, `python guard.py LABEL DOCKER`, so that it costs
little while it waits.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

__all__ = ["main"]

_LIFELINE = "MLREF_PARENT_FD"  # as in mlref.runtime.child, which this script does not import
_TIMEOUT_S = 30.0
_IN_FLIGHT_S = 2.0


def main(label: str, docker: str) -> None:
    """Wait for the parent's end, then delete what carries the label.

    Args:
        label: "name=value".
        docker: the path of the command.
    """
    lifeline = int(os.environ[_LIFELINE])
    while os.read(lifeline, 1):
        pass
    _remove(label, docker)
    threading.Event().wait(_IN_FLIGHT_S)  # one may just have been asked for
    _remove(label, docker)


def _remove(label: str, docker: str) -> None:
    ids = _docker(docker, "ps", "--all", "--quiet", f"--filter=label={label}").split()
    if ids:
        _docker(docker, "rm", "--force", "--volumes", *ids)


def _docker(docker: str, *arguments: str) -> str:
    command = [docker, *arguments]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
