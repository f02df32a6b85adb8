"""The guard before real AWS: what it refuses, and what it says."""

from __future__ import annotations

import math

import pytest

from mlref.aws.spending import allow
from mlref.cost import Estimate, PriceBook
from mlref.errors import SpendingRefusedError

ALLOWED = {"MLREF_ALLOW_AWS": "1"}


@pytest.fixture(scope="module")
def estimate() -> Estimate:
    """Two ml.m5.large for four hours: 0.92 USD."""
    price = PriceBook.load().find("sagemaker", "hosting ml.m5.large")
    return Estimate().add("endpoint", price, 2).over(hours=4)


def test_it_is_allowed_with_the_variable_and_a_cap_that_covers_it(estimate: Estimate) -> None:
    """Both are there; a cap that is just the estimate covers it."""
    allow(estimate, max_spend_usd=1.0, environ=ALLOWED)
    allow(estimate, max_spend_usd=estimate.usd, environ=ALLOWED)


@pytest.mark.parametrize("value", ["", "0", "true", "yes"])
def test_without_the_variable_it_is_refused(estimate: Estimate, value: str) -> None:
    """Whatever the cap is; only "1" is a yes."""
    with pytest.raises(SpendingRefusedError, match="set MLREF_ALLOW_AWS=1 in the environment"):
        allow(estimate, max_spend_usd=1000, environ={"MLREF_ALLOW_AWS": value} if value else {})


def test_the_variable_is_that_of_this_process(
    estimate: Estimate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no environment is given."""
    monkeypatch.delenv("MLREF_ALLOW_AWS", raising=False)
    with pytest.raises(SpendingRefusedError):
        allow(estimate, max_spend_usd=1)
    monkeypatch.setenv("MLREF_ALLOW_AWS", "1")
    allow(estimate, max_spend_usd=1)


def test_a_cap_below_the_estimate_is_refused(estimate: Estimate) -> None:
    """The message has the estimate, the cap, and a cap that would do."""
    with pytest.raises(SpendingRefusedError) as caught:
        allow(estimate, max_spend_usd=0.5, environ=ALLOWED)
    told = str(caught.value)
    assert "the estimate is 0.92 USD for 4 h, the cap 0.5 USD" in told
    assert "pass max_spend_usd=0.92 or more (it is 0.5)" in told
    assert "set MLREF_ALLOW_AWS" not in told
    assert "0.23 USD an hour until it is deleted" in told


def test_what_is_told_to_pass_is_enough() -> None:
    """The cap in the message is rounded up: who passes it is not refused again."""
    price = PriceBook.load().find("sagemaker", "hosting ml.g5.xlarge")
    estimate = Estimate().add("endpoint", price).over(hours=3)  # 4.2252 USD
    with pytest.raises(SpendingRefusedError, match=r"max_spend_usd=4\.23 or more"):
        allow(estimate, max_spend_usd=4.22, environ=ALLOWED)
    allow(estimate, max_spend_usd=4.23, environ=ALLOWED)


def test_everything_that_is_missing_is_told_at_once(estimate: Estimate) -> None:
    """Nobody mends one thing to learn of the next."""
    with pytest.raises(SpendingRefusedError, match=r"(?s)MLREF_ALLOW_AWS=1.*max_spend_usd=0\.92"):
        allow(estimate, max_spend_usd=0.0, environ={})


def test_without_an_estimate_it_is_refused() -> None:
    """To create nothing is said, too: by an empty estimate."""
    with pytest.raises(SpendingRefusedError, match="no estimate was given"):
        allow(None, max_spend_usd=100, environ=ALLOWED)
    allow(Estimate(), max_spend_usd=0.0, environ=ALLOWED)


def test_the_error_is_one_that_python_knows(estimate: Estimate) -> None:
    """Who does not know mlref catches a PermissionError."""
    with pytest.raises(PermissionError):
        allow(estimate, max_spend_usd=0.0, environ={})


@pytest.mark.parametrize("cap", [-1, math.nan, math.inf])
def test_a_cap_that_is_none_is_refused(estimate: Estimate, cap: float) -> None:
    """Infinity would be no cap; it is an error of the call, not of the budget."""
    with pytest.raises(ValueError, match="max_spend_usd must be a number of at least 0"):
        allow(estimate, max_spend_usd=cap, environ=ALLOWED)
