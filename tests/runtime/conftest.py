"""Nothing that a test started may outlive it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest


@pytest.fixture
def strays() -> Iterator[list[int]]:
    """Process ids to kill after the test, if they still exist."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
