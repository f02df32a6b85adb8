"""CloudWatch's operations on metrics: put, list, and read them as statistics.

Namespaces that begin with "AWS/" belong to AWS's services: the local ones put theirs directly, and
PutMetricData refuses them. A metric is there at once; AWS takes up to 15 minutes to list it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mlref.aws.local.cloudwatch.queries import Queries, check_period, key_of, rounded
from mlref.aws.local.cloudwatch.series import Series, invalid
from mlref.aws.local.cloudwatch.statistics import BASIC, Distribution, parse
from mlref.aws.local.cloudwatch.store import MetricKey, MetricStore
from mlref.aws.local.errors import AwsError
from mlref.aws.local.services import Part, Request, Response, operation
from mlref.runtime.clock import Clock

__all__ = ["MetricsPart", "token_of"]

_MOST_POINTS = 1440  # of one GetMetricStatistics
_MOST_IN_PAGE = 100_800  # data points of one GetMetricData
_MOST_METRICS = 1000  # of one PutMetricData
_MOST_QUERIES = 500
_MOST_VALUES = 150
_LISTED = 500
_LARGEST = 2.0**360
_PAST, _FUTURE = timedelta(days=14), timedelta(hours=2)
_ACTIVE = timedelta(hours=3)


class MetricsPart(Part):
    """PutMetricData, GetMetricData, GetMetricStatistics and ListMetrics.

    Args:
        store: where the metrics are.
        clock: tells the time.
    """

    def __init__(self, store: MetricStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation
    def put_metric_data(self, request: Request) -> Response:
        """Keep observations; all of a request or none.

        Raises:
            AwsError: one of them is not a metric that CloudWatch keeps.
        """
        namespace = request["Namespace"]
        if namespace.startswith("AWS/"):
            text = f"the namespace {namespace} belongs to AWS's services; choose one without AWS/"
            raise _wrong(text)
        data = list(request.get("MetricData", ()))
        for entity in request.get("EntityMetricData", ()):
            data += entity.get("MetricData", ())
        if not data:
            raise AwsError("MissingParameter", "MetricData has no metric; give at least one")
        if len(data) > _MOST_METRICS:
            raise _wrong(f"MetricData takes {_MOST_METRICS} metrics at most, got {len(data)}")
        for datum in data:
            _check_datum(datum, self._clock.now())
        for datum in data:
            self._put(namespace, datum)
        return {}

    @operation
    def get_metric_statistics(self, request: Request) -> Response:
        """Statistics of one metric, by periods.

        Raises:
            AwsError: it asks for too much, or for what there is not.
        """
        period_s = check_period(request["Period"], "InvalidParameterValue")
        names = _statistics(request)
        start, end = _span(request, "InvalidParameterValue")
        begin_s, end_s = rounded(start, period_s, self._clock.now()), math.ceil(end.timestamp())
        points = math.ceil((end_s - begin_s) / period_s)
        if points > _MOST_POINTS:
            text = f"the request asks for {points} data points, and {_MOST_POINTS} are allowed"
            more = "use a longer period or a shorter time"
            raise AwsError("InvalidParameterCombination", f"{text}; {more}")
        key = _key(request)
        found = self._store.read_units(key, begin_s, end_s, period_s, unit=request.get("Unit"))
        every = [
            _datapoint(at, unit, seen, names)
            for unit, periods in found.items()
            for at, seen in sorted(periods.items())
        ]
        return {"Label": key.name, "Datapoints": [point for point in every if len(point) > 2]}  # noqa: PLR2004 - more than time and unit

    @operation
    def get_metric_data(self, request: Request) -> Response:
        """Metrics and expressions over time, in pages.

        Raises:
            AwsError: a query cannot be read or computed.
        """
        queries = request["MetricDataQueries"]
        if len(queries) > _MOST_QUERIES:
            raise invalid(f"a request takes {_MOST_QUERIES} queries at most, got {len(queries)}")
        asked = Queries(queries)
        start, end = _span(request, "ValidationError")
        end_s = math.ceil(end.timestamp())
        columns: list[tuple[str, str, Sequence[tuple[int, float]]]] = []
        for name in asked.returned:
            begin_s = rounded(start, asked.period_of(name), self._clock.now())
            series = asked.series(name, self._store, begin_s, end_s)
            for each in [series] if isinstance(series, Series) else series:
                ascending = request.get("ScanBy") == "TimestampAscending"
                points = sorted(each.values.items(), reverse=not ascending)
                columns.append((name, _label(asked, name, each, series), points))
        return _page(columns, token_of(request), request.get("MaxDatapoints", _MOST_IN_PAGE))

    @operation
    def list_metrics(self, request: Request) -> Response:
        """The metrics that had a value in the last two weeks."""
        since = _ACTIVE if request.get("RecentlyActive") else _PAST
        since_s = (self._clock.now() - since).timestamp()
        found = [
            {"Namespace": key.namespace, "MetricName": key.name, "Dimensions": _listed(key)}
            for key, last_s in self._store.known()
            if last_s >= since_s and _is_asked(key, request)
        ]
        begin = token_of(request)
        more = {"NextToken": str(begin + _LISTED)} if begin + _LISTED < len(found) else {}
        return {"Metrics": found[begin : begin + _LISTED], **more}

    def _put(self, namespace: str, datum: Mapping[str, Any]) -> None:
        more: dict[str, Any] = {
            "unit": datum.get("Unit", "None"),
            "at": datum.get("Timestamp"),
            "resolution_s": datum.get("StorageResolution", 60),
        }
        key = _key({"Namespace": namespace, **datum})
        known = datum.get("StatisticValues")
        if known is not None:
            self._store.put_set(
                key,
                count=known["SampleCount"],
                total=known["Sum"],
                low=known["Minimum"],
                high=known["Maximum"],
                **more,
            )
            return
        values = datum.get("Values", [datum.get("Value")])
        counts = datum.get("Counts", [1.0] * len(values))
        seen: dict[float, float] = {}
        for value, count in zip(values, counts, strict=True):
            seen[float(value)] = seen.get(float(value), 0.0) + count
        self._store.put(namespace, key.name, dict(key.dimensions), seen, **more)


def token_of(request: Request, code: str = "InvalidNextToken") -> int:
    """How many results the pages before had.

    Args:
        request: with NextToken of the page before, or without.
        code: of the error.

    Raises:
        AwsError: the token is none that was given.
    """
    token = request.get("NextToken", "0")
    if not token.isdecimal():
        raise AwsError(code, f"NextToken {token!r} is none that this service gave")
    return int(token)


def _wrong(text: str) -> AwsError:
    return AwsError("InvalidParameterValue", text)


def _key(request: Mapping[str, Any]) -> MetricKey:
    try:
        return key_of(request)
    except AwsError as error:
        raise _wrong(error.message) from error


def _check_datum(datum: Mapping[str, Any], now: datetime) -> None:
    """Refuses what CloudWatch would not keep."""
    name = datum["MetricName"]
    _key({"Namespace": "", **datum})
    given = [each for each in ("Value", "Values", "StatisticValues") if each in datum]
    if not given:
        text = f"{name} has none of Value, Values and StatisticValues"
        raise AwsError("MissingParameter", f"{text}; give one")
    if len(given) > 1:
        text = f"{name} has {' and '.join(given)}; give one of them"
        raise AwsError("InvalidParameterCombination", text)
    _check_numbers(name, datum)
    if datum.get("StorageResolution", 60) not in (1, 60):
        raise _wrong(f"StorageResolution is 1 or 60, got {datum['StorageResolution']}")
    at = datum.get("Timestamp", now)
    if not now - _PAST <= at <= now + _FUTURE:
        text = f"{name} has the Timestamp {at.isoformat()}, and it is {now.isoformat()} now"
        raise _wrong(f"{text}; values may be two weeks old, and 2 hours ahead")


def _check_numbers(name: str, datum: Mapping[str, Any]) -> None:
    """Refuses values and counts that are no numbers, too large, or do not go together."""
    values, counts = datum.get("Values", ()), datum.get("Counts", ())
    if len(values) > _MOST_VALUES:
        raise _wrong(f"{name} has {len(values)} Values, and {_MOST_VALUES} are allowed")
    if "Counts" in datum and len(counts) != len(values):
        text = f"{name} has {len(values)} Values and {len(counts)} Counts; give one count a value"
        raise _wrong(text)
    if "Values" in datum and not values:
        raise _wrong(f"{name} has an empty list of Values")
    numbers = [*values, *counts, *datum.get("StatisticValues", {}).values()]
    numbers += [datum["Value"]] if "Value" in datum else []
    for number in numbers:
        if not -_LARGEST <= number <= _LARGEST:
            raise _wrong(f"{name} has the value {number}; values are from -2^360 to 2^360")
    if any(count < 0 for count in counts):
        raise _wrong(f"{name} has a negative count; counts are at least 0")


def _statistics(request: Request) -> list[str]:
    """The statistics that are asked for."""
    basic, more = request.get("Statistics", ()), request.get("ExtendedStatistics", ())
    if basic and more:
        text = "Statistics and ExtendedStatistics do not go together; ask twice"
        raise AwsError("InvalidParameterCombination", text)
    if not basic and not more:
        text = "give Statistics (for instance Average) or ExtendedStatistics (for instance p95)"
        raise AwsError("MissingParameter", text)
    for name in [*basic, *more]:
        parse(name)
    return [*basic, *more]


def _span(request: Request, code: str) -> tuple[datetime, datetime]:
    start, end = request["StartTime"], request["EndTime"]
    if start >= end:
        text = f"StartTime must lie before EndTime, got {start.isoformat()} and {end.isoformat()}"
        raise AwsError(code, text)
    return start, end


def _datapoint(at: int, unit: str, seen: Distribution, names: list[str]) -> dict[str, Any]:
    """What GetMetricStatistics tells of a period; only time and unit if nothing is known."""
    found = {name: value for name in names if (value := parse(name)(seen)) is not None}
    point: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": unit}
    point |= {name: value for name, value in found.items() if name in BASIC}
    extended = {name: value for name, value in found.items() if name not in BASIC}
    return {**point, "ExtendedStatistics": extended} if extended else point


def _label(asked: Queries, name: str, series: Series, of: Series | list[Series]) -> str:
    """What a person reads: as asked, or the metric's name, or the id of the expression."""
    query = asked.queries[name]
    own = query.get("Label", name if "Expression" in query else "")
    if isinstance(of, list):
        return f"{own} {series.label}".strip()
    if own:
        return str(own)
    same = [each for each in asked.metrics.values() if each["Metric"]["MetricName"] == series.label]
    return f"{series.label} {query['MetricStat']['Stat']}" if len(same) > 1 else series.label


def _page(
    columns: list[tuple[str, str, Sequence[tuple[int, float]]]], begin: int, most: int
) -> dict[str, Any]:
    """As many data points as fit into one answer, and the token of the next."""
    if not 1 <= most <= _MOST_IN_PAGE:
        raise invalid(f"MaxDatapoints is from 1 to {_MOST_IN_PAGE}, got {most}")
    total = sum(len(points) for _, _, points in columns)
    results, before, end = [], 0, begin + most
    last = end >= total
    for name, label, points in columns:
        part = points[max(begin - before, 0) : max(end - before, 0)]
        first = begin <= before < end or (last and begin <= before)
        before += len(points)
        if part or first:
            results.append(
                {
                    "Id": name,
                    "Label": label,
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in part],
                    "Values": [value for _, value in part],
                    "StatusCode": "Complete" if before <= end else "PartialData",
                }
            )
    more = {} if last else {"NextToken": str(end)}
    return {"MetricDataResults": results, "Messages": [], **more}


def _listed(key: MetricKey) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in key.dimensions]


def _is_asked(key: MetricKey, request: Request) -> bool:
    """Whether a metric passes the filters."""

    def wanted() -> Iterator[bool]:
        yield request.get("Namespace", key.namespace) == key.namespace
        yield request.get("MetricName", key.name) == key.name
        dimensions = dict(key.dimensions)
        for each in request.get("Dimensions", ()):
            value = dimensions.get(each["Name"])
            yield value is not None and each.get("Value", value) == value

    return all(wanted())
