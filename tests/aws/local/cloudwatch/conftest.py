"""A virtual clock and what CloudWatch keeps by it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlref.aws.local.cloudwatch.store import MetricStore
from mlref.aws.local.timers import LocalClock, Timers
from mlref.runtime.clock import ManualClock

START = datetime(2013, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def timers() -> Timers:
    """Time that only passes when it is told to."""
    return Timers(LocalClock(ManualClock(START)))


@pytest.fixture
def store(timers: Timers) -> MetricStore:
    """Empty."""
    return MetricStore(timers.clock)
