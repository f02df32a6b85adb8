"""Amounts of CPU and memory."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlref.containers.kubernetes.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0.1", Fraction(1, 10)),
        ("100m", Fraction(1, 10)),
        ("128974848", 128974848),
        ("129e6", 129_000_000),
        ("129M", 129_000_000),
        ("123Mi", 128974848),
        ("1E", 10**18),
        ("1e3", 1000),
        ("1.", 1),
        (".5Gi", 2**29),
        ("5n", Fraction(5, 10**9)),
    ],
)
def test_an_amount_is_what_the_manual_of_kubernetes_says(text: str, amount: Fraction) -> None:
    """Amounts of its chapters on resources, and each kind of suffix."""
    assert parse_quantity(text) == amount


@pytest.mark.parametrize(
    "text", ["", "m", "-1", "1 Gi", "1gi", "1MB", "1e", "0x1", "1e3Mi", "\u0661", "1" * 50]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    """With a message that shows what an amount looks like."""
    with pytest.raises(ValueError, match='like "500m"'):
        parse_quantity(text)


@given(st.integers(0, 10**9))
def test_a_thousand_thousandths_are_one(number: int) -> None:
    """1000 m make 1, and 1024 Ki make 1 Mi, exactly."""
    assert parse_quantity(f"{number}m") * 1000 == parse_quantity(str(number))
    assert parse_quantity(f"{number}Ki") * 1024 == parse_quantity(f"{number}Mi")


@given(
    st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["m", "", "k", "Ki", "G", "Gi"])
)
def test_amounts_of_one_unit_are_ordered_as_their_numbers(a: int, b: int, unit: str) -> None:
    """So a limit can be compared with a request."""
    assert (parse_quantity(f"{a}{unit}") < parse_quantity(f"{b}{unit}")) == (a < b)
