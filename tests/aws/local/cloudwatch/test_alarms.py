"""CloudWatch's operations on alarms, as a client calls them; each answer is AWS's shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.aws_parts import Asked

from mlref.aws.local.cloudwatch.actions import Actions
from mlref.aws.local.cloudwatch.alarms import AlarmsPart
from mlref.aws.local.cloudwatch.book import AlarmBook
from mlref.aws.local.cloudwatch.store import MetricStore
from mlref.aws.local.errors import AwsError
from mlref.aws.local.tags import Tags
from mlref.aws.local.timers import Timers

START = datetime(2013, 6, 1, 12, tzinfo=UTC)
ARN = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
DIMENSIONS = [{"Name": "EndpointName", "Value": "f"}]
ALARM: dict[str, Any] = {
    "AlarmName": "errors", "Namespace": "flights", "MetricName": "errors", "Statistic": "Sum",
    "Dimensions": DIMENSIONS, "Period": 60, "EvaluationPeriods": 3, "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip


@pytest.fixture
def asked(store: MetricStore, timers: Timers) -> Asked:
    """The operations; every request and response is checked against AWS's model."""
    book = AlarmBook(store, timers, Actions())
    return Asked(AlarmsPart(book, Tags()), service="cloudwatch")


def _put(asked: Asked, name: str = "errors", **more: Any) -> None:
    asked.put_metric_alarm(**{**ALARM, "AlarmName": name, **more})


def _refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        call(**request)
    return caught.value.code, caught.value.message


def _names(response: dict[str, Any]) -> list[str]:
    return [alarm["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms")
            for alarm in response[kind]]  # fmt: skip


def test_an_alarm_is_described_as_it_was_put(asked: Asked) -> None:
    """With its state; a new one has no data yet."""
    _put(asked, AlarmActions=[TOPIC], AlarmDescription="too many", TreatMissingData="ignore")
    (alarm,) = asked.describe_alarms()["MetricAlarms"]
    assert {name: alarm[name] for name in ALARM} == ALARM
    assert (alarm["AlarmArn"], alarm["ActionsEnabled"]) == (f"{ARN}errors", True)
    assert (alarm["AlarmActions"], alarm["OKActions"]) == ([TOPIC], [])
    assert (alarm["StateValue"], alarm["StateUpdatedTimestamp"]) == ("INSUFFICIENT_DATA", START)
    assert alarm["AlarmConfigurationUpdatedTimestamp"] == START


def test_the_reason_is_there_for_programs_too(
    asked: Asked, store: MetricStore, timers: Timers
) -> None:
    """StateReasonData is JSON with the data points, as AWS's is."""
    _put(asked, EvaluationPeriods=1)
    store.put("flights", "errors", {"EndpointName": "f"}, {9.0: 1}, unit="Count")
    timers.advance(60)
    (alarm,) = asked.describe_alarms()["MetricAlarms"]
    data = json.loads(alarm["StateReasonData"])
    assert (data["version"], data["statistic"], data["period"]) == ("1.0", "Sum", 60)
    assert (data["recentDatapoints"], data["threshold"]) == ([9], 5)
    assert data["startDate"] == "2013-06-01T12:00:00.000+0000"


def test_the_longest_alarm_keeps_within_the_limits_of_the_model(
    asked: Asked, store: MetricStore, timers: Timers
) -> None:
    """A day by the minute: the reason lists the latest data points only."""
    _put(asked, EvaluationPeriods=1440)
    for minute in range(1440):
        at = START - timedelta(minutes=minute + 1)
        store.put("flights", "errors", {"EndpointName": "f"}, {9.123456789: 1}, unit="Count", at=at)
    timers.advance(60)
    (alarm,) = asked.describe_alarms()["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"
    assert "1440 out of the last 1440 datapoints" in alarm["StateReason"]


@pytest.mark.parametrize(
    ("more", "without", "told"),
    [
        ({}, ["MetricName"], "give MetricName or Metrics"),
        ({}, ["Namespace"], "Namespace is missing"),
        ({}, ["Period"], "Period is missing"),
        ({}, ["Statistic"], "exactly one of Statistic and ExtendedStatistic"),
        ({"ExtendedStatistic": "p99"}, [], "exactly one of Statistic and ExtendedStatistic"),
        ({}, ["EvaluationPeriods"], "EvaluationPeriods is missing"),
        ({}, ["Threshold"], "Threshold is missing"),
        ({"Period": 15}, [], "a period is 1, 5, 10, 20, 30 or a multiple of 60 seconds, got 15"),
        ({"Period": 5}, [], "the period of an alarm is 10, 20, 30 or a multiple of 60"),
        ({"EvaluationPeriods": 1441}, [], r"at most 86400 seconds, got 60 \* 1441 = 86460"),
        ({"Period": 3600, "EvaluationPeriods": 169}, [], "at most 604800 seconds"),
        ({"DatapointsToAlarm": 4}, [], "must be at most EvaluationPeriods, got 4 and 3"),
        ({"TreatMissingData": "bad"}, [], "one of missing, ignore, breaching, notBreaching"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, [], "alarms on a percentile only"),
        ({"AlarmActions": ["alarms"]}, [], "takes Amazon Resource Names"),
        ({"Metrics": []}, [], "Metrics does not go together with MetricName, Namespace"),
        ({"Dimensions": DIMENSIONS * 2}, [], "a dimension of errors is there twice"),
    ],
)
def test_alarms_that_are_refused(
    asked: Asked, more: dict[str, Any], without: list[str], told: str
) -> None:
    """As ValidationError; nothing is kept."""
    request = {name: value for name, value in {**ALARM, **more}.items() if name not in without}
    with pytest.raises(AwsError, match=told) as caught:
        asked.put_metric_alarm(**request)
    assert caught.value.code == "ValidationError"
    assert _names(asked.describe_alarms()) == []


@pytest.mark.parametrize(
    "more",
    [
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"WarmUpConfiguration": {"WarmUpPeriodDurationInMinutes": 5}},
        {"EvaluationCriteria": {"PromQLCriteria": {"Query": "up"}}},
        {"EvaluationWindow": {"WallClockWindow": {"Timezone": "America/New_York"}}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_is_not_modelled_is_refused(asked: Asked, more: dict[str, Any]) -> None:
    """It is not taken and then forgotten."""
    code, _ = _refused(asked.put_metric_alarm, **{**ALARM, **more})
    assert code == "UnsupportedOperation"


def test_an_expression_watches_one_series(asked: Asked) -> None:
    """Exactly one of the queries has ReturnData true."""
    metric = {"Namespace": "flights", "MetricName": "errors", "Dimensions": []}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    kept = ("AlarmName", "EvaluationPeriods", "Threshold", "ComparisonOperator")
    request = {name: ALARM[name] for name in kept}
    queries = [{"Id": "a", "MetricStat": stat}, {"Id": "b", "Expression": "2 * a"}]
    code, message = _refused(asked.put_metric_alarm, **request, Metrics=queries)
    assert (code, message.endswith("got a, b")) == ("ValidationError", True)
    queries[0]["ReturnData"] = False
    asked.put_metric_alarm(**request, Metrics=queries)
    (alarm,) = asked.describe_alarms()["MetricAlarms"]
    assert alarm["Metrics"] == queries


def _stat(name: str, period_s: int = 60) -> dict[str, Any]:
    metric = {"Namespace": "flights", "MetricName": name, "Dimensions": []}
    stat = {"Metric": metric, "Period": period_s, "Stat": "Sum"}
    return {"Id": name, "MetricStat": stat, "ReturnData": False}


@pytest.mark.parametrize(
    ("queries", "told"),
    [
        ([_stat("a"), {"Id": "x", "Expression": "SUM(a)"}], "comes to a single number"),
        ([_stat("a"), _stat("b"), {"Id": "x", "Expression": "[a, b]"}], "gives several"),
        ([_stat("a"), {"Id": "x", "Expression": "METRICS()"}], "gives several"),
        ([_stat("a"), _stat("b", 120), {"Id": "x", "Expression": "a + b"}],
         "the same Period, got 60 and 120 seconds"),
        ([_stat("a"), _stat("b", 300), {"Id": "x", "Expression": "2 * a"}],
         "the same Period, got 60 and 300 seconds"),
        ([*(_stat(f"m{n}") for n in range(11)), {"Id": "x", "Expression": "m1"}],
         "at most 10 MetricStat, got 11"),
        ([_stat("a"), *({"Id": f"x{n}", "Expression": "a", "ReturnData": n == 0}
                        for n in range(11))], "at most 10 Expression, got 11"),
        ([_stat("a"), {"Id": "x", "Expression": "ABS(a, a)"}], "takes 1 arguments, got 2"),
    ],
)  # fmt: skip
def test_an_expression_that_can_never_be_computed_is_refused(
    asked: Asked, queries: list[dict[str, Any]], told: str
) -> None:
    """At once, and not at each evaluation."""
    kept = ("AlarmName", "EvaluationPeriods", "Threshold", "ComparisonOperator")
    request = {name: ALARM[name] for name in kept}
    code, message = _refused(asked.put_metric_alarm, **request, Metrics=queries)
    assert (code, told in message) == ("ValidationError", True), message
    assert asked.describe_alarms()["MetricAlarms"] == []


@pytest.mark.parametrize(
    "expression",
    [
        "TIME_SERIES(100 / SUM(a))",
        "a / (MAX(a) - MIN(a))",
        "TIME_SERIES(LOG(SUM(a)))",
        "FIRST(REMOVE_EMPTY([a, b]))",
        "SUM([a, b]) / (STDDEV(a) + AVG([a, b]))",
        "IF(a > AVG(a), a, b)",
        "a / LOG10(MAX(a) - 10)",
        "a * LOG(AVG(a) - AVG(b))",
    ],
)
def test_an_expression_that_only_data_can_break_is_taken(asked: Asked, expression: str) -> None:
    """Without data some of them divide by zero, or have nothing to choose from."""
    kept = ("AlarmName", "EvaluationPeriods", "Threshold", "ComparisonOperator")
    queries = [_stat("a"), _stat("b"), {"Id": "x", "Expression": expression}]
    asked.put_metric_alarm(**{name: ALARM[name] for name in kept}, Metrics=queries)
    assert len(asked.describe_alarms()["MetricAlarms"]) == 1


def test_alarms_are_listed_by_filters(asked: Asked) -> None:
    """Names, a prefix, the state, an action; composite ones only if asked for."""
    _put(asked, "b")
    _put(asked, "a1", OKActions=[TOPIC])
    _put(asked, "a2")
    asked.set_alarm_state(AlarmName="a2", StateValue="OK", StateReason="a test")
    asked.put_composite_alarm(AlarmName="a3", AlarmRule="ALARM(a1) OR ALARM(b)")
    assert _names(asked.describe_alarms()) == ["a1", "a2", "b"]
    assert _names(asked.describe_alarms(AlarmNames=["b", "unknown"])) == ["b"]
    assert _names(asked.describe_alarms(AlarmNamePrefix="a")) == ["a1", "a2"]
    assert _names(asked.describe_alarms(StateValue="OK")) == ["a2"]
    assert _names(asked.describe_alarms(ActionPrefix="arn:aws:sns:")) == ["a1"]
    both = ["MetricAlarm", "CompositeAlarm"]
    assert _names(asked.describe_alarms(AlarmTypes=both)) == ["a1", "a2", "b", "a3"]
    assert _names(asked.describe_alarms(ChildrenOfAlarmName="a3")) == ["a1", "b"]
    (parent,) = asked.describe_alarms(ParentsOfAlarmName="b")["CompositeAlarms"]
    assert parent == {"AlarmName": "a3", "AlarmArn": f"{ARN}a3"}
    for wrong in (
        {"AlarmNames": ["b"], "AlarmNamePrefix": "b"},
        {"ParentsOfAlarmName": "b", "StateValue": "OK"},
    ):
        assert _refused(asked.describe_alarms, **wrong)[0] == "ValidationError"


def test_alarms_are_listed_in_pages(asked: Asked) -> None:
    """The token leads to the rest; others are refused."""
    for number in range(5):
        _put(asked, f"a{number}")
    first = asked.describe_alarms(MaxRecords=3)
    second = asked.describe_alarms(MaxRecords=3, NextToken=first["NextToken"])
    assert _names(first) + _names(second) == [f"a{number}" for number in range(5)]
    assert "NextToken" not in second
    assert _refused(asked.describe_alarms, NextToken="?")[0] == "InvalidNextToken"


def test_alarms_of_a_metric(asked: Asked) -> None:
    """All dimensions must be the same; statistic and period may be named."""
    _put(asked, "a")
    _put(asked, "b", Dimensions=[])
    _put(asked, "c", Period=300)
    metric = {"Namespace": "flights", "MetricName": "errors", "Dimensions": DIMENSIONS}

    def found(**more: Any) -> list[str]:
        response = asked.describe_alarms_for_metric(**metric, **more)
        return [alarm["AlarmName"] for alarm in response["MetricAlarms"]]

    assert found() == ["a", "c"]
    assert found(Period=300) == ["c"]
    assert found(Statistic="Average") == []


def test_alarms_are_deleted(asked: Asked) -> None:
    """At most one composite one at a time; unknown names are passed over."""
    _put(asked, "a")
    for name in ("c1", "c2"):
        asked.put_composite_alarm(AlarmName=name, AlarmRule="ALARM(a)")
    assert _refused(asked.delete_alarms, AlarmNames=["c1", "c2"])[0] == "ValidationError"
    assert _refused(asked.delete_alarms, AlarmNames=["a"])[0] == "ValidationError"
    asked.delete_alarms(AlarmNames=["c1", "unknown"])
    asked.delete_alarms(AlarmNames=["a", "c2"])
    both = ["MetricAlarm", "CompositeAlarm"]
    assert _names(asked.describe_alarms(AlarmTypes=both)) == []


def test_states_are_set_for_a_test(asked: Asked) -> None:
    """The alarm must be there, and the data must be JSON."""
    _put(asked)
    asked.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    (alarm,) = asked.describe_alarms()["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"]) == ("ALARM", "a test")
    wanted = {"StateValue": "OK", "StateReason": "a test"}
    assert _refused(asked.set_alarm_state, AlarmName="x", **wanted)[0] == "ResourceNotFound"
    wrong = {"AlarmName": "errors", **wanted, "StateReasonData": "{"}
    assert _refused(asked.set_alarm_state, **wrong)[0] == "InvalidFormat"


def test_actions_are_switched_off_and_on(asked: Asked) -> None:
    """DescribeAlarms tells it."""
    _put(asked)
    asked.disable_alarm_actions(AlarmNames=["errors"])
    assert asked.describe_alarms()["MetricAlarms"][0]["ActionsEnabled"] is False
    asked.enable_alarm_actions(AlarmNames=["errors"])
    assert asked.describe_alarms()["MetricAlarms"][0]["ActionsEnabled"] is True


def test_the_history_of_an_alarm(asked: Asked, timers: Timers) -> None:
    """The latest first; what is not modelled is told as failed; two weeks are kept."""
    _put(asked, AlarmActions=["arn:aws:automate:us-east-1:ec2:stop"])
    timers.advance(30)
    asked.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    _put(asked, "other")
    items = asked.describe_alarm_history(AlarmName="errors")["AlarmHistoryItems"]
    action = "arn:aws:automate:us-east-1:ec2:stop"
    failed = f"Failed to execute action {action}. The local AWS does not model it"
    assert [(item["HistoryItemType"], item["HistorySummary"]) for item in items] == [
        ("Action", failed),
        ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to ALARM"),
        ("ConfigurationUpdate", 'Alarm "errors" created'),
    ]  # fmt: skip
    more = {"AlarmName": "errors", "ScanBy": "TimestampAscending", "MaxRecords": 2}
    page = asked.describe_alarm_history(**more)
    assert page["AlarmHistoryItems"] == items[:0:-1]
    rest = asked.describe_alarm_history(**more, NextToken=page["NextToken"])
    assert rest["AlarmHistoryItems"] == items[:1]
    early = asked.describe_alarm_history(EndDate=START)["AlarmHistoryItems"]
    assert [item["HistoryItemType"] for item in early] == ["ConfigurationUpdate"]
    kinds = asked.describe_alarm_history(HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert len(kinds) == 1
    timers.advance(15 * 86_400)
    latest = asked.describe_alarm_history()["AlarmHistoryItems"]
    assert latest == []


def test_tags_of_an_alarm(asked: Asked) -> None:
    """From its making, added, changed and removed; deleted with it."""
    _put(asked, Tags=[{"Key": "team", "Value": "a"}])
    arn = f"{ARN}errors"
    asked.tag_resource(
        ResourceARN=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "x", "Value": ""}]
    )
    tags = asked.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert tags == [{"Key": "team", "Value": "b"}, {"Key": "x", "Value": ""}]
    asked.untag_resource(ResourceARN=arn, TagKeys=["team", "unknown"])
    assert asked.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "x", "Value": ""}]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert _refused(asked.tag_resource, ResourceARN=arn, Tags=many)[0] == "InvalidParameterValue"
    asked.delete_alarms(AlarmNames=["errors"])
    code, _ = _refused(asked.list_tags_for_resource, ResourceARN=arn)
    assert code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"AlarmActions": ["arn:aws:autoscaling:us-east-1:1:scalingPolicy:x"]}, "ValidationError"),
        ({"ActionsSuppressor": "errors"}, "UnsupportedOperation"),
        ({"AlarmRule": "ALARM(unknown)"}, "ValidationError"),
        ({"AlarmRule": "errors"}, "ValidationError"),
        ({"AlarmName": "errors"}, "ValidationError"),
    ],
)
def test_composite_alarms_that_are_refused(asked: Asked, more: dict[str, Any], code: str) -> None:
    """Among them one with the name of a metric alarm."""
    _put(asked)
    request = {"AlarmName": "c", "AlarmRule": "ALARM(errors)", **more}
    assert _refused(asked.put_composite_alarm, **request)[0] == code
