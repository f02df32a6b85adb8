"""Estimates: by the hour, by use, and as a person reads them."""

from __future__ import annotations

import math
from datetime import date

import pytest

from mlref.cost import HOURS_PER_MONTH, Estimate, Price, PriceBook


def _price(unit: str, usd: float, as_of: date = date(2026, 1, 1)) -> Price:
    return Price(service="s", item="i", unit=unit, usd=usd, region="us-east-1", as_of=as_of,
                 source="https://aws.amazon.com/", sure="recalled")  # fmt: skip


def test_an_hour_is_paid_as_long_as_it_stands() -> None:
    """Two instances for four hours are eight instance hours."""
    estimate = Estimate().add("endpoint", _price("hour", 0.115), 2).over(hours=4)
    assert estimate.usd_per_hour == pytest.approx(0.23)
    assert estimate.usd_once == 0
    assert estimate.usd == pytest.approx(0.92)


def test_use_is_paid_once() -> None:
    """Requests and GB are those of the whole time; they do not go on."""
    estimate = Estimate().add("in and out", _price("GB", 0.016), 10).over(hours=100)
    assert (estimate.usd_per_hour, estimate.usd) == (0, pytest.approx(0.16))


def test_a_month_has_730_hours() -> None:
    """As in AWS's calculator: 100 GB in S3 for a month, and for a day."""
    stored = Estimate().add("captures", _price("GB-month", 0.023), 100)
    assert HOURS_PER_MONTH == 365 * 24 / 12
    assert stored.over(hours=730).usd == pytest.approx(2.3)
    assert stored.over(hours=73).usd == pytest.approx(0.23)


def test_a_month_costs_what_a_sample_of_aws_computes() -> None:
    """aws-samples/sagemaker-serverless-inference-benchmarking: a month, and milliseconds of use.

    There ml.t2.medium is 0.056 * 24 * 30 a month, and a millisecond with 2048 MB 0.00004 / 1000.
    """
    book = PriceBook.load()
    always = Estimate().add("instance", book.find("sagemaker", "hosting ml.t2.medium"))
    assert always.over(hours=24 * 30).usd == pytest.approx(0.056 * 24 * 30)
    seconds, memory_gb = 1000 * 0.1, 2
    compute = book.find("sagemaker", "serverless compute")
    rarely = Estimate().add("1000 requests of 100 ms", compute, seconds * memory_gb)
    assert rarely.usd == pytest.approx(1000 * 100 * 0.00004 / 1000)


def test_an_estimate_is_printed_with_its_total_and_what_goes_on() -> None:
    """Each line with its price and day; the last line is what a forgotten endpoint costs."""
    estimate = (
        Estimate()
        .add("endpoint", _price("hour", 0.115), 2)
        .add("requests", _price("request", 5e-06), 1000)
        .over(hours=4)
    )
    lines = str(estimate).splitlines()
    assert lines[1].split() == ["endpoint", "2", "hour", "0.115", "2026-01-01", "0.92"]
    assert lines[2].split() == ["requests", "1000", "request", "0.000005", "2026-01-01", "0.005"]
    assert lines[3].split() == ["total", "for", "4", "h", "0.925"]
    assert lines[4] == "0.23 USD an hour until it is deleted"
    assert "total for 4 h" in estimate._repr_html_()


def test_the_oldest_price_dates_the_estimate() -> None:
    """It is no younger than its oldest price."""
    estimate = Estimate().add("a", _price("hour", 1)).add("b", _price("hour", 1, date(2024, 5, 1)))
    assert estimate.as_of == date(2024, 5, 1)
    assert Estimate().as_of is None


def test_adding_does_not_change_what_was() -> None:
    """An estimate is a value."""
    empty = Estimate()
    empty.add("a", _price("hour", 1))
    assert empty.usd == 0
    assert str(empty) == "nothing that costs"


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf])
def test_what_is_no_quantity_is_refused(wrong: float) -> None:
    """A negative number of instances would hide what others cost."""
    with pytest.raises(ValueError, match="quantity must be at least 0"):
        Estimate().add("a", _price("hour", 1), wrong)
    with pytest.raises(ValueError, match="hours must be at least 0"):
        Estimate().over(wrong)
