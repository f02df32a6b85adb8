"""The child's side of supervision: reporting, and not outliving the parent.

See `mlref.runtime.process` for the whole picture.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mlref.errors import AddressError, PortInUseError
from mlref.runtime.limits import DEFAULT_LIMITS

__all__ = ["PARENT_FD", "REPORT_FD", "bind", "die_with_parent", "report"]

logger = logging.getLogger(__name__)

REPORT_FD = "MLREF_REPORT_FD"
"""The environment variable with the descriptor of the report pipe."""

PARENT_FD = "MLREF_PARENT_FD"
"""The environment variable with the descriptor of the lifeline."""

_child_lock = threading.RLock()  # reentrant: a signal handler may report, too
_inherited: dict[str, int | None] = {}
_on_parent_death: list[Callable[[], None]] = []


def report(**values: Any) -> None:
    """Send one JSON object to the parent; without a parent that listens, nothing happens.

    It waits when the parent has left 64 KiB of reports unread.

    Args:
        **values: what JSON can hold, with finite numbers only.

    Raises:
        TypeError: a value that JSON cannot hold, with or without a parent.
        ValueError: NaN or an infinity.

    >>> report(port=8080)  # no parent here
    """
    line = json.dumps(values, allow_nan=False).encode() + b"\n"
    descriptor = _inherited_descriptor(REPORT_FD)
    if descriptor is None:
        return
    with _child_lock, suppress(BrokenPipeError):  # the parent has stopped listening
        while line:
            line = line[os.write(descriptor, line) :]


def die_with_parent(
    on_parent_death: Callable[[], None] | None = None,
    *,
    drain_timeout_s: float = DEFAULT_LIMITS.drain_timeout_s,
) -> bool:
    """Whether there is a parent to die with; if so, this process ends when the parent is gone.

    Call it first thing in a child, before it starts processes of its own. When the parent has
    closed the lifeline or has ended in whatever way, a daemon thread calls `on_parent_death` and
    then sends SIGTERM to this process and its group, so that they drain as for `stop()`; whoever
    still runs after the limit gets SIGKILL. A process without a handler for SIGTERM has nothing to
    drain and gets SIGKILL at once.

    Args:
        on_parent_death: called first, in the daemon thread. Further calls of `die_with_parent` add
            to the list.
        drain_timeout_s: seconds between the parent's end and SIGKILL; the first call decides.
    """
    descriptor = _inherited_descriptor(PARENT_FD)
    if descriptor is None:
        return False
    with _child_lock:
        if on_parent_death is not None:
            _on_parent_death.append(on_parent_death)
        if not any(thread.name == _watch_parent.__name__ for thread in threading.enumerate()):
            threading.Thread(
                target=_watch_parent,
                args=(descriptor, drain_timeout_s),
                name=_watch_parent.__name__,
                daemon=True,
            ).start()
    return True


def _watch_parent(descriptor: int, drain_timeout_s: float) -> None:
    """Block until the lifeline breaks, then end this process."""
    announced = False
    while os.read(descriptor, 1):  # the parent is alive, but has sent SIGTERM itself
        announced = True
    killer = threading.Timer(drain_timeout_s, _signal_own_group, [signal.SIGKILL])
    killer.daemon = True
    killer.start()
    for call in _on_parent_death:
        try:
            call()
        except Exception:
            logger.exception("on_parent_death failed")
    drains = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    if not (announced and drains):
        _signal_own_group(signal.SIGTERM if drains else signal.SIGKILL)


def _signal_own_group(number: signal.Signals) -> None:
    """Signal this process, and its group if it leads one."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, number)
    else:
        os.kill(os.getpid(), number)


def _inherited_descriptor(variable: str) -> int | None:
    """The child's end of a pipe; the first call hides both from this process's own children."""
    with _child_lock:
        if not _inherited:
            for name in (REPORT_FD, PARENT_FD):
                _inherited[name] = _adopt(os.environ.pop(name, ""))
        return _inherited[variable]


def _adopt(text: str) -> int | None:
    """The number of a pipe that this process really has, made non-inheritable, or None."""
    if not text.isdecimal():
        return None
    descriptor = int(text)
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return None
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - its own signature
    except OSError:  # the variable came through a process that closed the pipe
        return None
    return descriptor


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, ready to be handed to a server.

    Args:
        host: a numeric address or a name; "127.0.0.1" unless others may connect.
        port: 0 to 65535; 0 takes any that is free, to be read with `getsockname()[1]`.

    Raises:
        PortInUseError: somebody else listens on that port.
        ValueError: the port is not a port.
        AddressError: the address is not one of this machine, or the port needs privileges.

    >>> with bind("127.0.0.1", 0) as listener:
    ...     listener.getsockname()[1] > 0
    True
    """
    if not 0 <= port <= 65535:  # noqa: PLR2004 - the largest 16-bit number
        raise ValueError(f"port must be from 0 to 65535, got {port}; 0 takes any that is free")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=socket.SOMAXCONN)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            looked_up = isinstance(error, socket.gaierror)
            reason = error.strerror if looked_up else os.strerror(error.errno or 0)
            raise AddressError(
                error.errno,
                f"cannot listen on port {port} of {host} ({reason}); choose an address of "
                f"this machine, such as 127.0.0.1, and a port from 1024 on",
            ) from error
        raise PortInUseError(
            errno.EADDRINUSE,
            f"port {port} on {host} is in use; choose another port, or 0 for any that is free",
        ) from error
