"""Metric math: against the examples of the User Guide, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mlref.aws.local.cloudwatch.expressions import parse
from mlref.aws.local.cloudwatch.series import Grid, Series
from mlref.aws.local.errors import AwsError

_ = None


def _value(text: str, **columns: list[float | None]) -> list[list[float | None]]:
    """What an expression comes to for some series, as columns; a single series is one of them."""
    length = max(len(column) for column in columns.values())
    grid = Grid(0, 60 * length, 60)
    given: Mapping[str, Series] = {
        name: Series(grid, {60 * n: v for n, v in enumerate(column) if v is not None})
        for name, column in columns.items()
    }
    found = parse(text).value(given.__getitem__, list(given), grid)
    several = found if isinstance(found, list) else [found]
    return [[each.values.get(at) for at in grid.moments()] for each in several]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(metric1 < metric2)", [0, 0, 1, 0]),
        ("(metric1 >= 30)", [1, 0, 0, 0]),
        ("(metric1 > 15 AND metric2 > 15)", [1, 0, 0, 0]),
        ("(metric1 > 15 && metric2 > 15)", [1, 0, 0, 0]),
        ("(metric1 > 15 OR metric2 > 15)", [1, 1, 1, 0]),
    ],
)
def test_comparisons_of_the_guide(text: str, expected: list[float]) -> None:
    """metric1 is [30, 20, 0, 0] and metric2 is [20, -, 20, -]."""
    assert _value(text, metric1=[30, 20, 0, 0], metric2=[20, _, 20, _]) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IF(metric1, metric2, metric3)", [30, 0, 20, _, _]),
        ("IF(metric1, 5, metric3)", [5, 5, 20, _, _]),
        ("IF(metric1, metric2, 5)", [30, 0, 5, 5, _]),
        ("IF(metric1, metric2)", [30, 0, _, _, _]),
        ("IF(1, metric2, metric3)", [30, _, 0, 0, 30]),
        ("IF(0, metric2)", [_, _, _, _, _]),
    ],
)
def test_if_of_the_guide(text: str, expected: list[float | None]) -> None:
    """The three tables of "Using IF expressions", and the rule for a scalar condition."""
    columns = {
        "metric1": [1, 1, 0, 0, _],
        "metric2": [30, _, 0, 0, 30],
        "metric3": [0, 0, 20, _, 20],
    }
    assert _value(text, **columns) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m1 + m2", [[11, 2, 30]]),
        ("m1 - m2", [[-9, 2, -30]]),
        ("5 * m1", [[5, 10, _]]),
        ("m2 / m1", [[10, 0, _]]),
        ("-m1 ^ 2", [[-1, -4, _]]),
        ("2 ^ 3 ^ m1", [[8, 512, _]]),
        ("1 + 2 * m1 - 3", [[0, 2, _]]),
        ("(1 + 2) * m1", [[3, 6, _]]),
        ("SUM([m1, m2])", [[11, 2, 30]]),
        ("AVG([m1, m2])", [[5.5, 1, 15]]),
        ("MIN(METRICS())", [[1, 0, 0]]),
        ("MAX(METRICS())", [[10, 2, 30]]),
        ("METRICS()/10", [[0.1, 0.2, _], [1, _, 3]]),
        ('SUM(METRICS("2"))', [[10, _, 30]]),
        ("m1 - AVG(m1)", [[-0.5, 0.5, _]]),
        ("MAX(m2) / m2", [[3, _, 1]]),
        ("SUM(100/[m1, m2])", [[110, 50, 100 / 30]]),
        ("FILL(m2, 7)", [[10, 7, 30]]),
        ("FILL(m2, REPEAT)", [[10, 10, 30]]),
        ("FILL(m2, LINEAR)", [[10, 20, 30]]),
        ("FILL(METRICS(), 0)", [[1, 2, 0], [10, 0, 30]]),
        ("FILL(m2, m1)", [[10, 2, 30]]),
        ("m1 / PERIOD(m1)", [[1 / 60, 2 / 60, _]]),
        ("ABS(m1 - m2)", [[9, 2, 30]]),
        ("CEIL(m1 / 2)", [[1, 1, _]]),
        ("FLOOR(m1 / 2)", [[0, 1, _]]),
        ("DIFF(m2)", [[_, _, 20]]),
        ("DIFF_TIME(m2)", [[_, _, 120]]),
        ("RATE(m2)", [[_, _, 20 / 120]]),
        ("RUNNING_SUM(m2)", [[10, _, 40]]),
        ("SUM(m1) / DATAPOINT_COUNT(m1) + m1", [[2.5, 3.5, _]]),
        ("m1 / METRIC_COUNT(METRICS())", [[0.5, 1, _]]),
        ("TIME_SERIES(MAX(m2))", [[30, 30, 30]]),
        ("LAST([m1, m2])", [[10, _, 30]]),
        ("LOG10(m2)", [[1, _, pytest.approx(1.4771212547)]]),
    ],
)
def test_functions(text: str, expected: list[list[float | None]]) -> None:
    """m1 is [1, 2, -] and m2 is [10, -, 30]; computed by hand."""
    found = _value(text, m1=[1, 2, _], m2=[10, _, 30])
    assert found == [pytest.approx(column) for column in expected]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SUM(m1)", "comes to a single number"),
        ("m1 +", "it ends too early"),
        ("m1 m1", "'m1' is not expected there"),
        ("(m1", r"'\)' is missing before 'the end'"),
        ("m1 $ 2", r"cannot be read at '\$ 2'"),
        ("SEARCH('{a}', 'Sum', 60)", "has no function SEARCH; it has ABS, AVG"),
        ("ANOMALY_DETECTION_BAND(m1)", "has no function ANOMALY_DETECTION_BAND"),
        ("M1", "ids begin with a lower-case letter"),
        ("FILL(m1)", "the function takes 2 arguments, got 1"),
        ("FILL(m1, 'x')", "not expected there"),
        ("1 / 0 * m1", "divides a number by zero"),
        ("TIME_SERIES(LOG(1 - SUM(m1)))", "gives nothing for 0.0"),
        ("LAST(METRICS('other'))", "no time series of which one could be the first or the last"),
        ("METRICS(m1)", "METRICS takes nothing or a text in quotes"),
        ("[m1] + [m1]", "one list of time series, not two"),
        ("TIME_SERIES(m1)", "takes a number, not a time series"),
        ("SUM([m1, 5])", "holds time series only"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    """With a code that boto3 shows, and what the expression was."""
    with pytest.raises(AwsError, match=told) as caught:
        _value(text, m1=[1.0])
    assert caught.value.code == "ValidationError"


def test_different_periods_do_not_mix() -> None:
    """The message tells which there are."""
    series = {"a": Series(Grid(0, 600, 60), {}), "b": Series(Grid(0, 600, 300), {})}
    with pytest.raises(AwsError, match=r"same period, got \[60, 300\] seconds"):
        parse("a + b").value(series.__getitem__, list(series), Grid(0, 600, 60))
