"""The process between the local AWS and a job's script: it supervises, and it passes on.

    python -m mlref.aws.local.jobs._child job.json

It gives the script its /opt/ml, reports each line that the script prints and its exit status, and
sees to it that nothing of the script is left: whatever the script has started is killed when the
script has ended. SIGTERM is passed on to the script; SIGUSR1 kills it. When the local AWS is gone,
also by `kill -9`, the script is killed and the job's folder removed: nobody would look at it.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from mlref.aws.local.jobs._namespace import OPT_ML, mount
from mlref.runtime.process import die_with_parent, report

__all__ = ["main"]

_LINE_BYTES = 65536  # of one reported line; a longer one is cut into several
_NOT_FOUND = 127  # the exit status of a program that cannot be started, as shells have it
_PATH = re.compile(rf"(?<![\w./-]){OPT_ML}(?![\w.-])")  # and not the end of another path
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_LAST_WORDS_S = 5.0  # seconds until what was printed is read to its end


def main(job: dict[str, Any]) -> None:
    """Run a script to its end.

    Args:
        job: command, environment, folder (as /opt/ml), cwd, and whether mounts are tried.
    """
    folder = Path(job["folder"])
    mounted = bool(job["mounts"]) and mount(folder)
    die_with_parent()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)

    def placed(text: str) -> str:
        return text if mounted else _PATH.sub(lambda _: str(folder), text)

    report(mounted=mounted)
    try:
        script = subprocess.Popen(
            [placed(word) for word in job["command"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={name: placed(value) for name, value in job["environment"].items()},
            cwd=placed(job["cwd"]),
        )
    except OSError as error:
        report(line=f"cannot start {job['command'][0]!r}: {error}")
        report(exit=_NOT_FOUND)
        return
    signal.signal(signal.SIGTERM, lambda *_: script.send_signal(signal.SIGTERM))
    signal.signal(signal.SIGUSR1, lambda *_: script.kill())
    orphaned = threading.Event()

    def alone() -> None:
        orphaned.set()
        script.kill()

    die_with_parent(alone)
    report(started=script.pid)
    reader = threading.Thread(target=_pass_on, args=(script.stdout,), daemon=True)
    reader.start()
    code = script.wait()
    _sweep()
    reader.join(_LAST_WORDS_S)
    report(exit=128 - code if code < 0 else code)  # a signal as shells and Docker tell it
    if orphaned.is_set():
        shutil.rmtree(folder.parent, ignore_errors=True)


def _pass_on(stream: IO[bytes]) -> None:
    while line := stream.readline(_LINE_BYTES):
        report(line=line.decode("utf-8", "replace").rstrip("\r\n"))


def _sweep() -> None:
    """Kill whatever the script has left running; its orphans have become our children."""
    while Path("/proc/self").exists():
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = each.read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.append(int(each.parent.name))
    return found


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
