"""The parent's hold on a child: letting go of it, and keeping forks from holding on."""

from __future__ import annotations

import functools
import io
import os
import signal
import subprocess
import weakref
from contextlib import suppress

__all__ = ["abandon", "announce_sigterm", "close_in_forks"]

_parent_ends: weakref.WeakSet[io.FileIO] = weakref.WeakSet()


def close_in_forks(*ends: io.FileIO) -> None:
    """Have forks of this process close the parent's ends: a copy would keep a lifeline alive."""
    _register_at_fork()
    _parent_ends.update(ends)


@functools.cache
def _register_at_fork() -> None:
    os.register_at_fork(after_in_child=_close_parent_ends)


def _close_parent_ends() -> None:
    for end in list(_parent_ends):
        end.close()


def abandon(
    owner: int, popen: subprocess.Popen[bytes], reports: io.FileIO, lifeline: io.FileIO
) -> None:
    """Let go of a child that nobody stopped, at the interpreter's end or before.

    Args:
        owner: process id of the process that started the child; in a fork of it, the child goes on.
        popen: the child.
        reports: our end of the pipe that the child reports on; closed here.
        lifeline: our end of the pipe whose end the child waits for; closed here.
    """
    if os.getpid() == owner and popen.poll() is None:  # in a fork it is not ours to end
        announce_sigterm(lifeline)
        with suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGTERM)  # all of it: nobody will sweep up later
    reports.close()
    lifeline.close()


def announce_sigterm(lifeline: io.FileIO) -> None:
    """Tell the child's watching thread that it need not send SIGTERM a second time."""
    with suppress(BrokenPipeError):  # the child is gone, or does not watch
        lifeline.write(b".")
