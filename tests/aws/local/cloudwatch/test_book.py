"""Alarms on the virtual clock: when they are evaluated, what they do, and composite ones."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlref.aws.local.cloudwatch.actions import Actions, Change
from mlref.aws.local.cloudwatch.book import AlarmBook
from mlref.aws.local.cloudwatch.store import MetricStore
from mlref.aws.local.errors import AwsError
from mlref.aws.local.timers import Timers

START = datetime(2013, 6, 1, 12, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
POLICY = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:x"


class Acted:
    """Actions that remember what was asked of them."""

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self.seen: list[tuple[float, str, str, float | None]] = []
        self.actions = Actions()
        self.actions.register("arn:aws:sns:", self.act)
        self.actions.register("arn:aws:autoscaling:", self.act, repeats=True)

    def act(self, action: str, change: Change) -> None:
        """Minutes since the start, who, the new state, the value."""
        minutes = (change.at - START).total_seconds() / 60
        self.seen.append((minutes, action.split(":")[2], change.new, change.value))


@pytest.fixture
def acted(timers: Timers) -> Acted:
    """Nothing yet."""
    return Acted(timers)


@pytest.fixture
def book(store: MetricStore, timers: Timers, acted: Acted) -> AlarmBook:
    """Empty."""
    return AlarmBook(store, timers, acted.actions)


def _alarm(name: str = "errors", **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": name, "Namespace": "flights", "MetricName": name, "Statistic": "Sum",
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold", **more,
    }  # fmt: skip


def _minutes(
    store: MetricStore, timers: Timers, book: AlarmBook, *values: float | None, name: str = "errors"
) -> list[str]:
    """The states of an alarm at the end of minutes with these sums; None has no value."""
    states = []
    for value in values:
        if value is not None:
            store.put("flights", name, {}, {value: 1}, unit="Count")
        timers.advance(60)
        states.append(book.state_of(name))
    return states


def test_an_alarm_is_evaluated_every_minute(
    store: MetricStore, timers: Timers, book: AlarmBook
) -> None:
    """On whole minutes only: what is still going on is not looked at."""
    book.put_metric(_alarm())
    assert book.state_of("errors") == "INSUFFICIENT_DATA"
    assert _minutes(store, timers, book, 1, 9, 2) == ["OK", "ALARM", "OK"]
    alarm = book.get("errors")
    assert alarm.changed == START + timedelta(minutes=3)
    store.put("flights", "errors", {}, {100.0: 1}, unit="Count")
    timers.advance(59)
    assert book.state_of("errors") == "OK"
    timers.advance(1)
    assert book.state_of("errors") == "ALARM"
    assert "1 out of the last 1 datapoints [100.0 (01/06/13 12:03:00)]" in alarm.reason
    assert "were greater than the threshold (5.0)" in alarm.reason


def test_it_is_evaluated_at_the_full_minute_of_the_clock(
    store: MetricStore, timers: Timers, book: AlarmBook
) -> None:
    """Whenever it was made."""
    timers.advance(25)
    book.put_metric(_alarm())
    store.put("flights", "errors", {}, {9.0: 1}, unit="Count")
    timers.advance(34)
    assert book.state_of("errors") == "INSUFFICIENT_DATA"
    timers.advance(1)
    assert book.state_of("errors") == "ALARM"


def test_two_out_of_three(store: MetricStore, timers: Timers, book: AlarmBook) -> None:
    """DatapointsToAlarm of EvaluationPeriods; the two need not follow each other."""
    book.put_metric(_alarm(EvaluationPeriods=3, DatapointsToAlarm=2))
    states = _minutes(store, timers, book, 1, 9, 1, 9, 1, 1)
    assert states == ["OK", "OK", "OK", "ALARM", "OK", "OK"]


@pytest.mark.parametrize(
    ("missing", "states"),
    [
        ("missing", ["ALARM", "ALARM", "ALARM", "INSUFFICIENT_DATA"]),
        ("ignore", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("breaching", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("notBreaching", ["ALARM", "ALARM", "ALARM", "OK"]),
    ],
)
def test_when_data_ends(
    store: MetricStore, timers: Timers, book: AlarmBook, missing: str, states: list[str]
) -> None:
    """The last value counts until it has left the evaluation range of three periods."""
    book.put_metric(_alarm(TreatMissingData=missing))
    assert _minutes(store, timers, book, 9, None, None, None) == states


def test_a_long_period_slides(store: MetricStore, timers: Timers, book: AlarmBook) -> None:
    """Five minutes that end with the last one: it goes off before the clock's own five end."""
    book.put_metric(_alarm(Period=300, Threshold=20.0))
    assert _minutes(store, timers, book, 0, 8, 8, 8, 0, 0, 0) == [
        "OK", "OK", "OK", "ALARM", "ALARM", "ALARM", "OK",
    ]  # fmt: skip


def test_a_wall_clock_window_does_not_slide(
    store: MetricStore, timers: Timers, book: AlarmBook
) -> None:
    """The same load; it is seen when the clock's five minutes end."""
    window = {"EvaluationWindow": {"WallClockWindow": {}}}
    book.put_metric(_alarm(Period=300, Threshold=20.0, **window))
    states = _minutes(store, timers, book, 0, 8, 8, 8, 0, 0, 0)
    assert states == [*["INSUFFICIENT_DATA"] * 4, "ALARM", "ALARM", "ALARM"]


def test_high_resolution(store: MetricStore, timers: Timers, book: AlarmBook) -> None:
    """Every ten seconds, on values by the second."""
    book.put_metric(_alarm(Period=10))
    store.put("flights", "errors", {}, {9.0: 1}, unit="Count", resolution_s=1)
    timers.advance(10)
    assert book.state_of("errors") == "ALARM"


def test_percentiles_with_few_samples_can_be_ignored(
    store: MetricStore, timers: Timers, book: AlarmBook
) -> None:
    """p90 needs 100 observations; with fewer the state stays."""
    del (settings := _alarm(ExtendedStatistic="p90"))["Statistic"]
    book.put_metric({**settings, "EvaluateLowSampleCountPercentile": "ignore"})
    store.put("flights", "errors", {}, {9.0: 99}, unit="Count")
    timers.advance(60)
    assert book.state_of("errors") == "INSUFFICIENT_DATA"
    store.put("flights", "errors", {}, {9.0: 100}, unit="Count")
    timers.advance(60)
    assert book.state_of("errors") == "ALARM"


def test_an_alarm_on_an_expression(store: MetricStore, timers: Timers, book: AlarmBook) -> None:
    """The share of errors in percent, of two metrics."""

    def query(name: str) -> dict[str, Any]:
        metric = {"Namespace": "flights", "MetricName": name, "Dimensions": []}
        stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
        return {"Id": name, "MetricStat": stat, "ReturnData": False}

    share = {"Id": "share", "Expression": "100 * errors / calls", "ReturnData": True}
    del (settings := _alarm("share"))["Statistic"], settings["Period"]
    del settings["Namespace"], settings["MetricName"]
    book.put_metric({**settings, "Metrics": [query("errors"), query("calls"), share]})
    store.put("flights", "calls", {}, {100.0: 1}, unit="Count")
    store.put("flights", "errors", {}, {6.0: 1}, unit="Count")
    timers.advance(60)
    assert book.state_of("share") == "ALARM"


def test_actions_follow_changes_and_autoscaling_repeats(
    store: MetricStore, timers: Timers, book: AlarmBook, acted: Acted
) -> None:
    """A topic hears of each change once; a policy is asked every minute of the alarm."""
    book.put_metric(_alarm(AlarmActions=[TOPIC, POLICY], OKActions=[TOPIC]))
    _minutes(store, timers, book, 1, 9, 8, 7, 1)
    assert acted.seen == [
        (1, "sns", "OK", 1), (2, "sns", "ALARM", 9), (2, "autoscaling", "ALARM", 9),
        (3, "autoscaling", "ALARM", 8), (4, "autoscaling", "ALARM", 7), (5, "sns", "OK", 1),
    ]  # fmt: skip


def test_actions_can_be_switched_off(
    store: MetricStore, timers: Timers, book: AlarmBook, acted: Acted
) -> None:
    """The state changes all the same."""
    book.put_metric(_alarm(AlarmActions=[TOPIC]))
    book.enable_actions(["errors", "unknown"], enabled=False)
    assert _minutes(store, timers, book, 9) == ["ALARM"]
    book.enable_actions(["errors"], enabled=True)
    assert _minutes(store, timers, book, 1, 9) == ["OK", "ALARM"]
    assert [minute for minute, *_ in acted.seen] == [3]


def test_a_state_that_is_set_lasts_until_the_next_evaluation(
    store: MetricStore, timers: Timers, book: AlarmBook, acted: Acted
) -> None:
    """And acts, with the data that was given."""
    book.put_metric(_alarm(AlarmActions=[TOPIC]))
    _minutes(store, timers, book, 1)
    book.set_state("errors", "ALARM", "a test", '{"recentDatapoints": [1.0, 42.0]}')
    assert acted.seen == [(1, "sns", "ALARM", 42)]
    assert book.get("errors").reason == "a test"
    assert _minutes(store, timers, book, 1) == ["OK"]


def test_an_update_keeps_the_state(store: MetricStore, timers: Timers, book: AlarmBook) -> None:
    """Until it is evaluated by the new settings."""
    book.put_metric(_alarm())
    assert _minutes(store, timers, book, 9) == ["ALARM"]
    book.put_metric(_alarm(Threshold=50.0))
    assert book.state_of("errors") == "ALARM"
    assert _minutes(store, timers, book, 9) == ["OK"]
    assert len(timers._due) == 1  # the evaluation by the old settings is cancelled


def test_a_composite_alarm_follows_its_children(
    store: MetricStore, timers: Timers, book: AlarmBook, acted: Acted
) -> None:
    """At the moment at which they change; it acts then."""
    book.put_metric(_alarm("errors"))
    book.put_metric(_alarm("latency"))
    rule = 'ALARM("errors") AND NOT ALARM("latency")'
    book.put_composite({"AlarmName": "both", "AlarmRule": rule, "AlarmActions": [TOPIC]})
    assert book.state_of("both") == "OK"
    for value in (9.0, 9.0, 1.0):
        store.put("flights", "latency", {}, {10 - value: 1}, unit="Count")
        _minutes(store, timers, book, value)
    assert [(minute, state) for minute, _, state, _ in acted.seen] == [(1, "ALARM")]
    assert book.state_of("both") == "OK"


def test_a_circle_of_composite_alarms_ends(book: AlarmBook) -> None:
    """Each is evaluated once; afterwards they can be taken apart."""
    book.put_composite({"AlarmName": "a", "AlarmRule": "FALSE"})
    book.put_composite({"AlarmName": "b", "AlarmRule": "NOT ALARM(a)"})
    book.put_composite({"AlarmName": "a", "AlarmRule": "ALARM(b)"})
    assert {book.state_of(name) for name in "ab"} <= {"OK", "ALARM"}
    with pytest.raises(AwsError, match="the composite alarm b names a; change its AlarmRule first"):
        book.delete(["a"])
    book.put_composite({"AlarmName": "b", "AlarmRule": "FALSE"})
    book.delete(["a"])
    assert [alarm.name for alarm in book.all()] == ["b"]


def test_a_composite_alarm_needs_its_children(book: AlarmBook) -> None:
    """The message says which are not there."""
    with pytest.raises(AwsError, match="alarms that do not exist: x, y; make them first") as caught:
        book.put_composite({"AlarmName": "a", "AlarmRule": "ALARM(x) OR OK(y)"})
    assert caught.value.code == "ValidationError"


def test_a_deleted_alarm_is_not_evaluated(
    store: MetricStore, timers: Timers, book: AlarmBook, acted: Acted
) -> None:
    """Nor is it there; names that are not are passed over."""
    book.put_metric(_alarm(AlarmActions=[TOPIC]))
    book.delete(["errors", "unknown"])
    store.put("flights", "errors", {}, {9.0: 1}, unit="Count")
    timers.advance(120)
    assert acted.seen == []
    with pytest.raises(AwsError, match="there is no alarm 'errors'") as caught:
        book.state_of("errors")
    assert (caught.value.code, caught.value.status) == ("ResourceNotFound", 404)


def test_an_expression_that_fails_later_is_told(
    store: MetricStore, timers: Timers, book: AlarmBook
) -> None:
    """Also where the state stays as it is; when it can be computed again, that is told too."""
    del (settings := _alarm(TreatMissingData="ignore"))["Statistic"], settings["Period"]
    del settings["Namespace"], settings["MetricName"]
    metric = {"Namespace": "flights", "MetricName": "errors"}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    queries = [
        {"Id": "m1", "MetricStat": stat, "ReturnData": False},
        {"Id": "share", "Expression": "TIME_SERIES(10 / SUM(m1))"},
    ]
    book.put_metric({**settings, "Metrics": queries})
    timers.advance(60)
    alarm = book.get("errors").described()
    assert (alarm["StateValue"], alarm["EvaluationState"]) == (
        "INSUFFICIENT_DATA",
        "EVALUATION_ERROR",
    )
    assert alarm["StateReason"].endswith("the expression divides a number by zero")
    store.put("flights", "errors", {}, {1.0: 1}, unit="Count")
    timers.advance(60)
    alarm = book.get("errors").described()
    assert (alarm["StateValue"], "EvaluationState" in alarm) == ("ALARM", False)
    timers.advance(600)
    assert book.get("errors").described()["EvaluationState"] == "EVALUATION_ERROR"


def test_threads_ask_while_alarms_are_evaluated(
    store: MetricStore, timers: Timers, book: AlarmBook
) -> None:
    """A call of the book from an action or another thread does not wait for ever."""
    book.put_metric(_alarm(AlarmActions=[POLICY]))
    store.put("flights", "errors", {}, {9.0: 1}, unit="Count")
    done = threading.Event()

    def work() -> None:
        for number in range(50):
            book.put_metric(_alarm(f"a{number}"))
            book.state_of("errors")
            book.delete([f"a{number}"])
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    timers.advance(3600)
    thread.join(10)
    assert done.is_set()
