"""The autoscaler and the budget."""

from __future__ import annotations

import pytest

from mlref.containers.kubernetes import Settings
from mlref.containers.kubernetes.scaling import autoscaler, disruption_budget

PLAIN = Settings(name="digits", image="digits:1", version="1")


@pytest.mark.parametrize(
    ("api", "scaling", "budget"),
    [
        ("1.20", "autoscaling/v2beta2", "policy/v1beta1"),
        ("1.22", "autoscaling/v2beta2", "policy/v1"),
        ("1.33", "autoscaling/v2", "policy/v1"),
    ],
)
def test_an_old_cluster_gets_the_apis_that_it_knows(api: str, scaling: str, budget: str) -> None:
    """policy/v1 came with 1.21, autoscaling/v2 with 1.23."""
    found = autoscaler(PLAIN, api)["apiVersion"], disruption_budget(PLAIN, api)["apiVersion"]
    assert found == (scaling, budget)


def test_it_scales_down_more_slowly_than_up() -> None:
    """Up without delay, down after five minutes without need."""
    behaviour = autoscaler(PLAIN, "1.33")["spec"]["behavior"]
    windows_s = [behaviour[way]["stabilizationWindowSeconds"] for way in ("scaleUp", "scaleDown")]
    assert windows_s == [0, 300]
