"""Statistics of one period: against numpy, scipy and the definitions of the User Guide."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mlref.aws.local.cloudwatch.statistics import Distribution, is_percentile, parse
from mlref.aws.local.errors import AwsError

SEEN = st.dictionaries(
    st.floats(0, 1e6).map(lambda x: round(x, 3)), st.integers(1, 20), min_size=1, max_size=30
)


def _of(values: dict[float, int] | list[float]) -> Distribution:
    seen = Distribution()
    for value in values:
        seen.add({float(value): values[value] if isinstance(values, dict) else 1})
    return seen


@given(SEEN, st.sampled_from([0, 0.1, 25, 50, 90, 95, 99, 99.9, 99.99, 100]))
def test_percentiles_are_those_of_numpy(values: dict[float, int], percent: float) -> None:
    """`numpy.percentile` of the observations one by one, with its default interpolation."""
    each = np.repeat(list(values), list(values.values()))
    assert parse(f"p{percent}")(_of(values)) == pytest.approx(np.percentile(each, percent))


@given(SEEN)
def test_basic_statistics_are_those_of_numpy(values: dict[float, int]) -> None:
    """SampleCount, Sum, Average, Minimum and Maximum."""
    each = np.repeat(list(values), list(values.values()))
    names = ["SampleCount", "Sum", "Average", "Minimum", "Maximum"]
    expected = [each.size, each.sum(), each.mean(), each.min(), each.max()]
    assert [parse(name)(_of(values)) for name in names] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "cut"), [("TM(10%:90%)", 0.1), ("IQM", 0.25), ("TM(5%:95%)", 0.05)]
)
def test_trimmed_means_are_those_of_scipy(name: str, cut: float) -> None:
    """`scipy.stats.trim_mean`, where the cut falls between two observations."""
    each = np.random.default_rng(0).exponential(100, size=200)
    expected = scipy.stats.trim_mean(each, cut)
    assert parse(name)(_of(list(each))) == pytest.approx(expected)


def test_one_number_cuts_the_highest() -> None:
    """tm90 is TM(:90%): the average without the 10 % highest; tc and ts likewise."""
    seen = _of([float(n) for n in range(1, 11)])
    assert parse("tm90")(seen) == parse("TM(:90%)")(seen) == np.mean(range(1, 10))
    assert (parse("tc90")(seen), parse("ts90")(seen)) == (9, 45)
    assert parse("TS(80%:)")(seen) == 9 + 10


def test_values_as_boundaries() -> None:
    """The lower one is exclusive and the higher one inclusive."""
    seen = _of([100.0, 150.0, 300.0, 1000.0, 2000.0])
    assert parse("TM(150:1000)")(seen) == 650
    assert parse("TC(:150)")(seen) == 2
    assert parse("TS(1000:)")(seen) == 2000
    assert parse("PR(:300)")(seen) == 60
    assert parse("PR(100:1000)")(seen) == 60
    assert parse("TM(5000:)")(seen) is None


def test_percentile_ranks_of_a_histogram_add_up() -> None:
    """The bins of the User Guide: PR(:1), PR(1:5), PR(5:10), PR(10:)."""
    seen = _of([0.5, 1, 1, 3, 5, 7, 10, 12])
    bins = [parse(name)(seen) for name in ("PR(:1)", "PR(1:5)", "PR(5:10)", "PR(10:)")]
    assert bins == [37.5, 25, 25, 12.5]


def test_winsorized_means_set_what_lies_outside_to_the_boundary() -> None:
    """With `numpy.percentile` for the boundary."""
    each = np.random.default_rng(1).exponential(100, size=500)
    seen = _of(list(each))
    expected = np.clip(each, None, np.percentile(each, 98)).mean()
    assert parse("wm98")(seen) == pytest.approx(expected)
    expected = np.clip(each, *np.percentile(each, [10, 90])).mean()
    assert parse("WM(10%:90%)")(seen) == pytest.approx(expected)
    assert parse("WM(10:50)")(seen) == pytest.approx(np.clip(each, 10, 50).mean())


def test_a_statistic_set_has_no_percentiles() -> None:
    """Unless all its observations are the same, which the set then tells."""
    seen = Distribution()
    seen.add_set(10, 55, 1, 10)
    assert [parse(name)(seen) for name in ("Average", "p50", "tm90")] == [5.5, None, None]
    same = Distribution()
    same.add_set(3, 6, 2, 2)
    assert [parse(name)(same) for name in ("SampleCount", "p50", "p100")] == [3, 2, 2]


def test_negative_values_have_no_percentiles() -> None:
    """As the reference of GetMetricStatistics says; the others are there."""
    seen = _of([-1.0, 1.0])
    assert [parse(name)(seen) for name in ("p50", "IQM", "Sum", "Minimum")] == [None, None, 0, -1]


def test_periods_are_merged() -> None:
    """What two minutes saw is what both together saw."""
    both, first, second = _of([1, 2, 3, 10]), _of([1, 10]), _of([2, 3])
    first.merge(second)
    for name in ("SampleCount", "Sum", "Minimum", "Maximum", "p90"):
        assert parse(name)(first) == parse(name)(both)


def test_many_different_values_are_rounded() -> None:
    """To three digits: percentiles are within 0.5 %; count, sum and extremes are exact."""
    each = np.random.default_rng(2).lognormal(8, 0.5, size=20_000)
    seen = _of(list(each))
    assert len(seen.values) <= 2000
    for percent in (1, 50, 99, 99.9):
        expected = np.percentile(each, percent)
        assert parse(f"p{percent}")(seen) == pytest.approx(expected, rel=0.005)
    expected = [each.size, each.sum(), each.min(), each.max(), each.max(), each.min()]
    names = ("SampleCount", "Sum", "Minimum", "Maximum", "p100", "p0")
    assert [parse(name)(seen) for name in names] == pytest.approx(expected)


@pytest.mark.parametrize(
    "name",
    [
        "average", "Median", "p", "p101", "p-1", "P90", "p99.12345678901", "tm", "tm120", "TM90",
        "TM()", "TM(:)", "TM(10%:90)", "TM(90%:10%)", "TM(-5%:90%)", "PR(10%:90%)", "iqm", "",
    ],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    """With what there is."""
    with pytest.raises(AwsError, match="there is no statistic") as caught:
        parse(name)
    assert caught.value.code == "InvalidParameterValue"


def test_which_are_percentiles() -> None:
    """Only p with a number; alarms treat those apart when they have few samples."""
    assert [is_percentile(name) for name in ("p99.9", "p50", "tm99", "Average")] == [
        True, True, False, False,
    ]  # fmt: skip
