"""PutMetricData, GetMetricData, GetMetricStatistics and ListMetrics, as a client calls them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from support.aws_parts import Asked

from mlref.aws.local.cloudwatch.metrics import MetricsPart
from mlref.aws.local.cloudwatch.store import MetricStore
from mlref.aws.local.errors import AwsError
from mlref.aws.local.timers import Timers

START = datetime(2013, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DIMENSIONS = [{"Name": "EndpointName", "Value": "flights"}]


@pytest.fixture
def asked(store: MetricStore, timers: Timers) -> Asked:
    """The operations; every request and response is checked against AWS's model."""
    return Asked(MetricsPart(store, timers.clock), service="cloudwatch")


def _put(asked: Asked, *values: float, at: datetime = START, **more: Any) -> None:
    datum = {"MetricName": "Latency", "Dimensions": DIMENSIONS, "Timestamp": at, **more}
    counted = {"Values": list(values)} if values else {}
    asked.put_metric_data(Namespace="flights", MetricData=[{**datum, **counted}])


def _statistics(asked: Asked, **more: Any) -> list[dict[str, Any]]:
    request = {
        "Namespace": "flights", "MetricName": "Latency", "Dimensions": DIMENSIONS,
        "StartTime": START, "EndTime": START + 10 * MINUTE, "Period": 60, **more,
    }  # fmt: skip
    points: list[dict[str, Any]] = asked.get_metric_statistics(**request)["Datapoints"]
    return points


def _query(name: str, stat: str = "Sum", *, metric: str = "Latency", **more: Any) -> dict[str, Any]:
    named = {"Namespace": "flights", "MetricName": metric, "Dimensions": DIMENSIONS}
    return {"Id": name, "MetricStat": {"Metric": named, "Period": 60, "Stat": stat}, **more}


def _data(asked: Asked, *queries: dict[str, Any], **more: Any) -> dict[str, Any]:
    span = {"StartTime": START, "EndTime": START + 10 * MINUTE, "ScanBy": "TimestampAscending"}
    found: dict[str, Any] = asked.get_metric_data(
        MetricDataQueries=list(queries), **{**span, **more}
    )
    return found


def _code(asked: Any, **request: Any) -> str:
    with pytest.raises(AwsError) as caught:
        asked(**request)
    return caught.value.code


def test_values_are_put_and_read(asked: Asked) -> None:
    """All five basic statistics of two minutes."""
    _put(asked, 1, 2, 6, at=START)
    _put(asked, Value=5.0, at=START + MINUTE, Unit="Milliseconds")
    names = ["SampleCount", "Sum", "Average", "Minimum", "Maximum"]
    assert _statistics(asked, Statistics=names) == [
        {"Timestamp": START, "Unit": "None", "SampleCount": 3, "Sum": 9, "Average": 3,
         "Minimum": 1, "Maximum": 6},
        {"Timestamp": START + MINUTE, "Unit": "Milliseconds", "SampleCount": 1, "Sum": 5,
         "Average": 5, "Minimum": 5, "Maximum": 5},
    ]  # fmt: skip


def test_percentiles_of_counted_values(asked: Asked) -> None:
    """p95 of 50 times 1, 45 times 2, 5 times 9 is what numpy says."""
    _put(asked, 1, 2, 9, Counts=[50, 45, 5])
    (point,) = _statistics(asked, ExtendedStatistics=["p95", "p99.9", "tm90"])
    each = np.repeat([1, 2, 9], [50, 45, 5])
    expected = {"p95": np.percentile(each, 95), "p99.9": np.percentile(each, 99.9)}
    expected["tm90"] = np.sort(each)[:90].mean()
    assert point["ExtendedStatistics"] == pytest.approx(expected)


def test_a_statistic_set_has_no_percentile(asked: Asked) -> None:
    """Then there is no data point, and none without a value."""
    known = {"SampleCount": 10, "Sum": 55, "Minimum": 1, "Maximum": 10}
    _put(asked, StatisticValues=known)
    assert _statistics(asked, ExtendedStatistics=["p95"]) == []
    assert [point["Average"] for point in _statistics(asked, Statistics=["Average"])] == [5.5]


def test_high_resolution(asked: Asked) -> None:
    """Values by the second can be read by ten."""
    for second in (0, 5, 12):
        _put(asked, 1, at=START + timedelta(seconds=second), StorageResolution=1)
    points = _statistics(asked, Statistics=["Sum"], Period=10)
    assert [(point["Timestamp"] - START).seconds for point in points] == [0, 10]
    assert [point["Sum"] for point in points] == [2, 1]


def test_the_start_is_rounded_down(asked: Asked) -> None:
    """To the minute: 12:00:34 is 12:00:00. The end is not part of it."""
    _put(asked, 1, at=START)
    _put(asked, 1, at=START + MINUTE)
    more = {"StartTime": START + timedelta(seconds=34), "EndTime": START + MINUTE}
    points = _statistics(asked, Statistics=["Sum"], **more)
    assert [point["Timestamp"] for point in points] == [START]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Statistics": ["Sum"], "Period": 90}, "InvalidParameterValue"),
        ({"Statistics": ["Sum"], "EndTime": START}, "InvalidParameterValue"),
        ({"Statistics": ["Sum"], "EndTime": START + timedelta(minutes=1441)},
         "InvalidParameterCombination"),
        ({}, "MissingParameter"),
        ({"Statistics": ["Sum"], "ExtendedStatistics": ["p9"]}, "InvalidParameterCombination"),
        ({"ExtendedStatistics": ["95%"]}, "InvalidParameterValue"),
    ],
)  # fmt: skip
def test_statistics_that_are_refused(asked: Asked, more: dict[str, Any], code: str) -> None:
    """AWS's rules: multiples of 60 seconds, 1440 data points, one kind of statistic."""
    assert _code(lambda **_: _statistics(asked, **more)) == code


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({}, "MissingParameter"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        ({"Values": [1.0, 2.0], "Counts": [1.0]}, "InvalidParameterValue"),
        ({"Values": [1.0], "Counts": [-1.0]}, "InvalidParameterValue"),
        ({"Values": []}, "InvalidParameterValue"),
        ({"Values": [float(n) for n in range(151)]}, "InvalidParameterValue"),
        ({"Value": float("nan")}, "InvalidParameterValue"),
        ({"Value": float("inf")}, "InvalidParameterValue"),
        ({"Value": 2.0**361}, "InvalidParameterValue"),
        ({"Value": 1.0, "StorageResolution": 30}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": START - timedelta(days=15)}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": START + timedelta(hours=3)}, "InvalidParameterValue"),
        ({"Value": 1.0, "Dimensions": DIMENSIONS * 2}, "InvalidParameterValue"),
    ],
)
def test_metrics_that_are_refused(asked: Asked, datum: dict[str, Any], code: str) -> None:
    """And nothing of the request is kept."""
    data = [{"MetricName": "fine", "Value": 1.0}, {"MetricName": "wrong", **datum}]
    assert _code(asked.put_metric_data, Namespace="flights", MetricData=data) == code
    assert asked.list_metrics()["Metrics"] == []


def test_the_namespaces_of_aws_are_refused(asked: Asked) -> None:
    """AWS/ is for AWS's own services."""
    data = [{"MetricName": "Invocations", "Value": 1.0}]
    code = _code(asked.put_metric_data, Namespace="AWS/SageMaker", MetricData=data)
    assert code == "InvalidParameterValue"
    assert _code(asked.put_metric_data, Namespace="flights") == "MissingParameter"


def test_metric_data_in_both_orders(asked: Asked) -> None:
    """The latest first, unless asked otherwise."""
    for minute in range(3):
        _put(asked, minute, at=START + minute * MINUTE)
    (found,) = _data(asked, _query("m1"))["MetricDataResults"]
    assert (found["Id"], found["Label"], found["StatusCode"]) == ("m1", "Latency", "Complete")
    assert found["Values"] == [0, 1, 2]
    assert found["Timestamps"] == [START, START + MINUTE, START + 2 * MINUTE]
    (found,) = _data(asked, _query("m1"), ScanBy="TimestampDescending")["MetricDataResults"]
    assert found["Values"] == [2, 1, 0]


def test_expressions_over_metrics(asked: Asked) -> None:
    """An error rate; what has ReturnData False is not shown."""
    _put(asked, 2, 2, Counts=[1, 1], at=START)
    _put(asked, 10, at=START + MINUTE)
    found = _data(
        asked,
        _query("total", ReturnData=False),
        _query("count", "SampleCount", ReturnData=False),
        {"Id": "mean", "Expression": "total / count", "Label": "by hand"},
        {"Id": "twice", "Expression": "2 * mean"},
        {"Id": "both", "Expression": "METRICS()"},
    )["MetricDataResults"]
    assert [(each["Id"], each["Label"], each["Values"]) for each in found] == [
        ("mean", "by hand", [2, 10]),
        ("twice", "twice", [4, 20]),
        ("both", "both Latency", [4, 10]),
        ("both", "both Latency", [2, 1]),
    ]


def test_data_in_pages(asked: Asked) -> None:
    """MaxDatapoints counts over all results; the pages together have everything once."""
    for minute in range(5):
        _put(asked, minute, at=START + minute * MINUTE)
    queries = [_query("m1"), _query("empty", metric="Nothing"), _query("m2", "SampleCount")]
    seen: dict[str, list[float]] = {}
    states, token = [], {}
    for _ in range(4):
        page = _data(asked, *queries, MaxDatapoints=3, **token)
        for each in page["MetricDataResults"]:
            seen.setdefault(each["Id"], []).extend(each["Values"])
            states.append((each["Id"], each["StatusCode"]))
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == {"m1": [0, 1, 2, 3, 4], "empty": [], "m2": [1, 1, 1, 1, 1]}
    assert states == [
        ("m1", "PartialData"), ("m1", "Complete"), ("empty", "Complete"), ("m2", "PartialData"),
        ("m2", "PartialData"), ("m2", "Complete"),
    ]  # fmt: skip


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_results_without_data_are_there_once(asked: Asked, most: int) -> None:
    """Wherever the pages end."""
    _put(asked, 1, at=START)
    _put(asked, 1, at=START + MINUTE)
    nothing = {"metric": "Nothing"}
    queries = [_query("a", **nothing), _query("b"), _query("c", **nothing)]
    seen, token = [], {}
    for _ in range(3):
        page = _data(asked, *queries, MaxDatapoints=most, **token)
        seen += [each["Id"] for each in page["MetricDataResults"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [name for name in seen if name != "b"] == ["a", "c"]
    assert "NextToken" not in page


@pytest.mark.parametrize(
    ("queries", "told"),
    [
        ([{"Id": "M1", "Expression": "1"}], "an id is a lower-case letter"),
        ([_query("a"), _query("a")], "one is there twice"),
        ([{"Id": "a"}], "exactly one of MetricStat and Expression"),
        ([{**_query("a"), "Expression": "a"}], "exactly one of MetricStat and Expression"),
        ([{"Id": "a", "Expression": "b"}], "refers to b, and there is no such id; there are a"),
        ([{"Id": "a", "Expression": "b"}, {"Id": "b", "Expression": "a"}], "a -> b -> a"),
        ([{"Id": "a", "Expression": "SELECT AVG(x) FROM y"}], "is not expected there|cannot be"),
        ([_query("a", Label="${AVG}")], "no dynamic labels"),
    ],
)
def test_queries_that_are_refused(asked: Asked, queries: list[Any], told: str) -> None:
    """With the id, and what is wrong with it."""
    with pytest.raises(AwsError, match=told) as caught:
        _data(asked, *queries)
    assert caught.value.code == "ValidationError"


def test_tokens_that_nobody_gave(asked: Asked) -> None:
    """Both paged operations refuse them."""
    assert _code(asked.list_metrics, NextToken="x") == "InvalidNextToken"
    assert _code(lambda **_: _data(asked, _query("a"), NextToken="x")) == "InvalidNextToken"


def test_metrics_are_listed_by_filters(asked: Asked, timers: Timers) -> None:
    """Namespace, name, dimensions with and without a value, and how recent they are."""
    _put(asked, 1)
    asked.put_metric_data(Namespace="other", MetricData=[{"MetricName": "Latency", "Value": 1.0}])
    latency = {"Namespace": "flights", "MetricName": "Latency", "Dimensions": DIMENSIONS}
    other = {"Namespace": "other", "MetricName": "Latency", "Dimensions": []}
    assert asked.list_metrics()["Metrics"] == [latency, other]
    assert asked.list_metrics(Namespace="other")["Metrics"] == [other]
    assert asked.list_metrics(MetricName="Errors")["Metrics"] == []
    for dimension in ({"Name": "EndpointName"}, {"Name": "EndpointName", "Value": "flights"}):
        assert asked.list_metrics(Dimensions=[dimension])["Metrics"] == [latency]
    timers.advance(4 * 3600)
    assert asked.list_metrics(RecentlyActive="PT3H")["Metrics"] == []
    assert len(asked.list_metrics()["Metrics"]) == 2
    timers.advance(14 * 86_400)
    assert asked.list_metrics()["Metrics"] == []


def test_metrics_are_listed_in_pages_of_500(asked: Asked) -> None:
    """The token leads to the rest."""
    data = [{"MetricName": f"m{n:04}", "Value": 1.0} for n in range(700)]
    asked.put_metric_data(Namespace="flights", MetricData=data)
    first = asked.list_metrics()
    second = asked.list_metrics(NextToken=first["NextToken"])
    names = [each["MetricName"] for page in (first, second) for each in page["Metrics"]]
    assert names == [f"m{n:04}" for n in range(700)]
    assert "NextToken" not in second
