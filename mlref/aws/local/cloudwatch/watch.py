"""What a metric alarm watches, and how: the request of PutMetricAlarm, checked.

Each evaluation takes the last whole periods: it ends with the last full minute (a sliding window),
so that an alarm of five minutes looks at other five minutes each minute. With `WallClockWindow` the
periods end where the clock's do.

Source: Amazon CloudWatch API Reference, PutMetricAlarm; User Guide, "Alarm evaluation window".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlref.aws.local.cloudwatch import evaluation
from mlref.aws.local.cloudwatch.evaluation import COMPARISONS, MISSING, Rule, Verdict, verdict
from mlref.aws.local.cloudwatch.queries import Queries
from mlref.aws.local.cloudwatch.series import Series
from mlref.aws.local.cloudwatch.statistics import is_percentile
from mlref.aws.local.cloudwatch.store import MetricStore
from mlref.aws.local.errors import AwsError

__all__ = ["Sighting", "Watch"]

_DAY_S, _WEEK_S, _HOUR_S, _MINUTE_S = 86_400, 604_800, 3600, 60
_HIGH_RESOLUTION = (10, 20, 30)
_OF_ONE_METRIC = (
    "MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic",
)  # fmt: skip
_NOT_MODELLED = (
    "EvaluationCriteria", "EvaluationInterval", "ThresholdMetricId", "WarmUpConfiguration",
    "ActionConfiguration",
)  # fmt: skip
_MOST_QUERIES = 10  # of metrics, and of expressions
_SHOWN = 10  # data points that a reason lists at most; AWS limits its length
_TOLERANCE_S = 1.0  # by which the clock on the wall and the timers may differ


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What an evaluation saw.

    Attributes:
        state: the alarm's; None is the one that it has.
        reason: why, in a sentence.
        data: the same for programs, as JSON.
        value: the most recent data point that counted.
    """

    state: str | None
    reason: str
    data: str
    value: float | None


class Watch:
    """A metric or an expression with a threshold.

    Args:
        request: of PutMetricAlarm.

    Raises:
        AwsError: a part of it is missing, or the parts do not go together, or its expression can
            never be computed.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        _check(request)
        self._request = request
        self._queries = Queries(request.get("Metrics") or [_query(request)])
        returned = self._queries.returned
        if len(returned) != 1:
            text = "exactly one of the Metrics must have ReturnData true, the one to watch"
            raise _wrong(f"{text}; got {', '.join(returned) or 'none'}")
        self._watched = returned[0]
        _require_one(self._queries.tried(self._watched))
        self.period_s = self._queries.period_of(self._watched)
        periods = request["EvaluationPeriods"]
        _check_period(self.period_s, periods)
        to_alarm = request.get("DatapointsToAlarm", periods)
        if to_alarm > periods:
            text = "DatapointsToAlarm must be at most EvaluationPeriods"
            raise _wrong(f"{text}, got {to_alarm} and {periods}")
        self.rule = Rule(periods, to_alarm, request.get("TreatMissingData", "missing"))

    @property
    def step_s(self) -> int:
        """Seconds between two evaluations."""
        return min(self.period_s, _MINUTE_S)

    def look(self, store: MetricStore, now: datetime) -> Sighting:
        """Evaluate.

        Args:
            store: where the metrics are.
            now: the moment; periods that are not over yet are not looked at.

        Raises:
            AwsError: an expression cannot be computed.
        """
        unit_s = self.period_s if "WallClockWindow" in self._window else self.step_s
        end_s = int((now.timestamp() + _TOLERANCE_S) // unit_s * unit_s)
        start_s = end_s - self.rule.range * self.period_s
        found = _require_one(self._queries.series(self._watched, store, start_s, end_s))
        points = [(at, found.values.get(at)) for at in range(start_s, end_s, self.period_s)]
        breaches, _ = COMPARISONS[self._request["ComparisonOperator"]]
        threshold = self._request["Threshold"]
        marks = [None if value is None else breaches(value, threshold) for _, value in points]
        seen = verdict(marks, rule=self.rule)
        if self._has_few_samples(store, [points[place][0] for place in seen.counted]):
            seen = Verdict(None, seen.counted, seen.filled)
        return self._told(seen, [(at, value or 0.0) for at, value in points], now)

    @property
    def _window(self) -> Mapping[str, Any]:
        window: Mapping[str, Any] = self._request.get("EvaluationWindow", {})
        return window

    def _has_few_samples(self, store: MetricStore, moments: Sequence[int]) -> bool:
        """Whether a percentile has too few observations to mean something, and that matters."""
        statistic = self._request.get("ExtendedStatistic", "")
        if self._request.get("EvaluateLowSampleCountPercentile") != "ignore" or not moments:
            return False
        count = {**_query(self._request), "Id": "count"}
        count["MetricStat"] = {**count["MetricStat"], "Stat": "SampleCount"}
        start_s, end_s = moments[0], moments[-1] + self.period_s
        samples = Queries([count]).series("count", store, start_s, end_s)
        assert isinstance(samples, Series)  # noqa: S101 - of one metric
        seen = sum(samples.values.get(at, 0.0) for at in moments)
        return not evaluation.enough_samples(float(statistic[1:]), seen)

    def _told(self, seen: Verdict, points: Sequence[tuple[int, float]], now: datetime) -> Sighting:
        """The sighting with its reason."""
        request, counted = self._request, [points[place] for place in seen.counted]
        recent = counted[-_SHOWN:]
        data = {
            "version": "1.0",
            "queryDate": _stamp(now),
            "startDate": _stamp(datetime.fromtimestamp((counted or points)[0][0], UTC)),
            "period": self.period_s,
            "recentDatapoints": [value for _, value in recent],
            "threshold": request["Threshold"],
            "evaluatedDatapoints": [
                {"timestamp": _stamp(datetime.fromtimestamp(at, UTC)), "value": value}
                for at, value in reversed(recent)
            ],
        }
        kind = request.get("Statistic") or request.get("ExtendedStatistic")
        return Sighting(
            state=seen.state,
            reason=self._reason(seen, counted),
            data=json.dumps({**data, "statistic": kind} if kind else data),
            value=counted[-1][1] if counted else None,
        )

    def _reason(self, seen: Verdict, counted: Sequence[tuple[int, float]]) -> str:
        rule, threshold = self.rule, self._request["Threshold"]
        if seen.state == evaluation.INSUFFICIENT_DATA:
            return f"Insufficient Data: {seen.filled} datapoints were unknown."
        breaches, words = COMPARISONS[self._request["ComparisonOperator"]]
        wanted = seen.state == evaluation.ALARM
        those = [point for point in counted if breaches(point[1], threshold) is wanted]
        listed = ", ".join(
            f"{value} ({datetime.fromtimestamp(at, UTC):%d/%m/%y %H:%M:%S})"
            for at, value in reversed(those[-_SHOWN:])
        )
        text = f"{len(those)} out of the last {rule.periods} datapoints [{listed}]"
        text += f" were {'' if wanted else 'not '}{words} the threshold ({threshold})"
        if seen.filled:
            text += f", and {seen.filled} were missing (treated as {rule.missing})"
        return f"Threshold Crossed: {text} (minimum {rule.to_alarm} to alarm)."


def _wrong(text: str) -> AwsError:
    return AwsError("ValidationError", text)


def _query(request: Mapping[str, Any]) -> dict[str, Any]:
    """The one metric of a request, as a query."""
    metric = {
        "Namespace": request["Namespace"],
        "MetricName": request["MetricName"],
        "Dimensions": request.get("Dimensions", []),
    }
    stat = request.get("Statistic") or request["ExtendedStatistic"]
    unit = {"Unit": request["Unit"]} if "Unit" in request else {}
    return {
        "Id": "watched",
        "MetricStat": {"Metric": metric, "Period": request["Period"], "Stat": stat, **unit},
    }


def _check(request: Mapping[str, Any]) -> None:
    """Refuses what is missing or does not go together."""
    for member in _NOT_MODELLED:
        if member in request:
            text = f"the local CloudWatch does not have {member} of PutMetricAlarm"
            raise AwsError("UnsupportedOperation", f"{text}; leave it out")
    _check_source(request)
    for member in ("EvaluationPeriods", "Threshold", "ComparisonOperator"):
        if member not in request:
            raise _wrong(f"{member} is missing; an alarm with a static threshold needs it")
    if request["ComparisonOperator"] not in COMPARISONS:
        text = f"{request['ComparisonOperator']} is for anomaly detection"
        raise AwsError("UnsupportedOperation", f"{text}; use one of {', '.join(COMPARISONS)}")
    missing = request.get("TreatMissingData", "missing")
    if missing not in MISSING:
        raise _wrong(f"TreatMissingData is one of {', '.join(MISSING)}, got {missing!r}")
    low = request.get("EvaluateLowSampleCountPercentile", "evaluate")
    if low not in ("evaluate", "ignore"):
        raise _wrong(f"EvaluateLowSampleCountPercentile is evaluate or ignore, got {low!r}")
    if low == "ignore" and not is_percentile(request.get("ExtendedStatistic", "")):
        raise _wrong("EvaluateLowSampleCountPercentile is for alarms on a percentile only")
    zone = request.get("EvaluationWindow", {}).get("WallClockWindow", {}).get("Timezone", "UTC")
    if zone != "UTC":
        text = f"the local CloudWatch aligns windows in UTC only, got {zone!r}"
        raise AwsError("UnsupportedOperation", text)


def _check_source(request: Mapping[str, Any]) -> None:
    """Refuses a request that does not say what to watch, or says it twice."""
    own = [member for member in _OF_ONE_METRIC if member in request]
    if "Metrics" in request and own:
        raise _wrong(f"Metrics does not go together with {', '.join(own)}")
    if "Metrics" in request:
        _check_metrics(request["Metrics"])
        return
    if "MetricName" not in request:
        raise _wrong("give MetricName or Metrics: what the alarm watches")
    for member in ("Namespace", "Period"):
        if member not in request:
            raise _wrong(f"{member} is missing; an alarm on a metric needs it")
    if ("Statistic" in request) == ("ExtendedStatistic" in request):
        raise _wrong("give exactly one of Statistic and ExtendedStatistic")


def _check_metrics(queries: Sequence[Mapping[str, Any]]) -> None:
    """Refuses more queries than an alarm takes, and metrics that do not go together."""
    for member in ("MetricStat", "Expression"):
        count = sum(member in query for query in queries)
        if count > _MOST_QUERIES:
            text = f"the Metrics of an alarm have at most {_MOST_QUERIES} {member}"
            raise _wrong(f"{text}, got {count}")
    periods = sorted({each["MetricStat"]["Period"] for each in queries if "MetricStat" in each})
    if len(periods) > 1:
        text = "all metrics of an alarm must have the same Period"
        raise _wrong(f"{text}, got {' and '.join(map(str, periods))} seconds")


def _require_one(found: Series | list[Series]) -> Series:
    """The series itself; refuses several."""
    if not isinstance(found, Series):
        text = "an alarm watches one time series, and the expression gives several"
        raise _wrong(f"{text}; make one of them, for instance with SUM or MAX")
    return found


def _check_period(period_s: int, periods: int) -> None:
    if period_s not in _HIGH_RESOLUTION and period_s % _MINUTE_S:
        text = "the period of an alarm is 10, 20, 30 or a multiple of 60 seconds"
        raise _wrong(f"{text}, got {period_s}")
    most_s = _DAY_S if period_s < _HOUR_S else _WEEK_S
    if period_s * periods > most_s:
        text = f"Period times EvaluationPeriods must be at most {most_s} seconds"
        raise _wrong(f"{text}, got {period_s} * {periods} = {period_s * periods}")


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
