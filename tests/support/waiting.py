"""Waiting for something that happens elsewhere, and for no longer than it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

LIMIT_S = 60.0
_INTERVAL_S = 0.02

T = TypeVar("T")


def until(found: Callable[[], T], *, limit_s: float = LIMIT_S) -> T:
    """The first answer that is true.

    Args:
        found: asked again and again.
        limit_s: seconds after which it counts as failed.
    """
    deadline = time.monotonic() + limit_s
    while not (answer := found()):
        assert time.monotonic() < deadline, f"not within {limit_s:g} s"
        threading.Event().wait(_INTERVAL_S)
    return answer
