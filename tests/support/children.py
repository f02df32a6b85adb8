"""Real child processes for the tests: pieces of Python to run, and waiting for an end."""

from __future__ import annotations

import sys
import threading
import time

import psutil

LONG_S = 60.0  # a limit that no passing test comes near
SOON_S = 10.0  # what "at once" may take on a busy machine; far below LONG_S

IMPORTS = """
import os, signal, subprocess, sys, threading
from mlref.runtime.process import Limits, die_with_parent, report, start
"""
# Not signal.pause(): a signal that comes just before it is not handled until the next one.
WAIT = "\nwhile True: threading.Event().wait(0.02)\n"
IGNORING = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
# A grandchild in the child's own group that takes no hint; the child goes on when it is set up.
STUBBORN_CODE = f"import sys; {IGNORING}; sys.stdout.write('x'); sys.stdout.flush(); signal.pause()"
STUBBORN = f"""
command = [sys.executable, "-c", {STUBBORN_CODE!r}]
stubborn = subprocess.Popen(command, stdout=subprocess.PIPE)
stubborn.stdout.read(1)
"""


def python(code: str, *arguments: str) -> list[str]:
    """The command that runs a piece of Python with mlref's names at hand."""
    return [sys.executable, "-c", IMPORTS + code, *arguments]


def wait_gone(pid: int) -> bool:
    """Whether a process ends soon; one that only waits to be reaped has ended."""
    deadline = time.monotonic() + SOON_S
    pause = threading.Event()
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        pause.wait(0.01)
    return False
