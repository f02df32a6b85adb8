"""Ending a program by a signal as if by Ctrl-C, so that what it holds is let go."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["sigterm_as_ctrl_c"]


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """A block that SIGTERM ends as Ctrl-C does: with KeyboardInterrupt. In the main thread only.

    Uvicorn's server drains at a signal, and then sends it again to whoever handled it before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
