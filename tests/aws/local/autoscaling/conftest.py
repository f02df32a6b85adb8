"""Autoscaling of a variant that only counts its instances."""

from __future__ import annotations

import pytest
from support.scaling import Stage


@pytest.fixture
def stage() -> Stage:
    """Nothing is registered yet; the variant has one instance."""
    return Stage()
