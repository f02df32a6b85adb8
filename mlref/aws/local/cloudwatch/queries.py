"""MetricDataQueries: metrics and expressions that refer to each other by their ids.

GetMetricData, alarms on expressions and the customized metrics of autoscaling all ask this way:

    [{"Id": "errors", "MetricStat": {"Metric": {...}, "Period": 60, "Stat": "Sum"}},
     {"Id": "share", "Expression": "100 * errors / calls"}, ...]
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from mlref.aws.local.cloudwatch.expressions import Formula, parse
from mlref.aws.local.cloudwatch.series import Grid, Series, Value, invalid
from mlref.aws.local.cloudwatch.statistics import parse as parse_statistic
from mlref.aws.local.cloudwatch.store import MetricKey, MetricStore
from mlref.aws.local.errors import AwsError

__all__ = ["Queries", "check_period", "key_of", "measure", "rounded"]

_ID = re.compile(r"[a-z]\w*", re.ASCII)
_SHORT_PERIODS = (1, 5, 10, 20, 30)
_TRIED = 5  # values that are made up of each metric
_SCALES = (1.0, 1000.0, 0.001)  # of these values


def key_of(metric: Mapping[str, Any]) -> MetricKey:
    """The metric that Namespace, MetricName and Dimensions name.

    Raises:
        AwsError: one of the names is missing, or a dimension is there twice.
    """
    for member in ("Namespace", "MetricName"):
        if member not in metric:
            raise invalid(f"the metric has no {member}")
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())}
    if len(dimensions) < len(metric.get("Dimensions", ())):
        raise invalid(f"a dimension of {metric['MetricName']} is there twice")
    return MetricKey.of(metric["Namespace"], metric["MetricName"], dimensions)


def check_period(period_s: int, code: str = "ValidationError") -> int:
    """The period itself.

    Args:
        period_s: in seconds.
        code: of the error.

    Raises:
        AwsError: CloudWatch has no such period.
    """
    if period_s not in _SHORT_PERIODS and (period_s < 1 or period_s % 60):
        text = "a period is 1, 5, 10, 20, 30 or a multiple of 60 seconds"
        raise AwsError(code, f"{text}, got {period_s}")
    return period_s


def rounded(start: datetime, period_s: int, now: datetime) -> int:
    """Where a reading begins, in seconds since 1970: CloudWatch rounds it down.

    Args:
        start: as asked.
        period_s: of the data, in seconds.
        now: decides how old the data is; the older, the coarser.
    """
    age_d = (now - start).days
    unit_s = 60 if age_d < 15 else 300 if age_d < 63 else 3600  # noqa: PLR2004 - see MetricStore
    if period_s < 60:  # noqa: PLR2004 - of high resolution
        unit_s = period_s
    return int(start.timestamp() // unit_s * unit_s)


def measure(
    store: MetricStore, key: MetricKey, statistic: str, grid: Grid, unit: str | None = None
) -> Series:
    """A statistic of a metric over time.

    Args:
        store: where the metrics are.
        key: the metric.
        statistic: as in "Average" or "p99".
        grid: the periods.
        unit: only what has it; None is all.

    Raises:
        AwsError: there is no such statistic.
    """
    compute = parse_statistic(statistic)
    periods = store.read(key, grid.start, grid.end, grid.period, unit=unit)
    values = {at: compute(periods[at]) for at in sorted(periods)}
    return Series(
        grid, {at: value for at, value in values.items() if value is not None}, label=key.name
    )


class Queries:
    """Queries that belong together, checked.

    Args:
        queries: as GetMetricData takes them.

    Raises:
        AwsError: one is neither a metric nor an expression, cannot be read, has an id that is there
            twice or not allowed, or refers to one that is not there or to itself.
    """

    def __init__(self, queries: Sequence[Mapping[str, Any]]) -> None:
        self.queries = {query["Id"]: query for query in queries}
        if len(self.queries) < len(queries):
            raise invalid("the ids of the queries must differ; one is there twice")
        for name, query in self.queries.items():
            _check_query(name, query)
        self._formulas: dict[str, Formula] = {
            name: parse(query["Expression"])
            for name, query in self.queries.items()
            if "Expression" in query
        }
        for name in self._formulas:
            self._check_references(name, ())

    @property
    def metrics(self) -> dict[str, Mapping[str, Any]]:
        """The MetricStat of each query that has one, by id."""
        return {
            name: query["MetricStat"]
            for name, query in self.queries.items()
            if "MetricStat" in query
        }

    @property
    def returned(self) -> list[str]:
        """The ids of those whose data is wanted."""
        return [name for name, query in self.queries.items() if query.get("ReturnData", True)]

    def period_of(self, name: str) -> int:
        """The period of a query in seconds; of an expression, that of the metrics in it."""
        query = self.queries[name]
        if "MetricStat" in query:
            return int(query["MetricStat"]["Period"])
        if "Period" in query:
            return int(query["Period"])
        formula = self._formulas[name]
        inner = [self.period_of(each) for each in sorted(formula.names)]
        inner += [int(stat["Period"]) for stat in self.metrics.values() if not formula.names]
        return max(inner, default=60)

    def series(
        self, name: str, store: MetricStore, start_s: int, end_s: int
    ) -> Series | list[Series]:
        """The data of a query.

        Args:
            name: its id.
            store: where the metrics are.
            start_s: where the first period begins, in seconds since 1970.
            end_s: where the last one ends at the latest.

        Raises:
            AwsError: an expression cannot be computed.
        """

        def read(each: str, grid: Grid) -> Series:
            stat = self.metrics[each]
            key = key_of(stat["Metric"])
            return measure(store, key, stat["Stat"], grid, stat.get("Unit"))

        return self._computed(name, read, start_s, end_s)

    def tried(self, name: str) -> Series | list[Series]:
        """What a query comes to with data that is made up: it tells whether it can be computed.

        Large and small values are tried, and metrics above and below each other: an expression that
        gives something for one of them is right, though it may have nothing to say of others.

        Args:
            name: its id.

        Raises:
            AwsError: an expression cannot be computed.
        """
        names = list(self.metrics)

        def make_up(each: str, grid: Grid, scale: float, order: int) -> Series:
            first = 2 + _TRIED * names[::order].index(each)
            moments = enumerate(grid.moments())  # no two values are alike, and none is 0
            return Series(grid, {at: scale * math.sqrt(first + place) for place, at in moments})

        refusals: list[AwsError] = []
        for scale, order in itertools.product(_SCALES, (1, -1)):
            read = functools.partial(make_up, scale=scale, order=order)
            try:
                return self._computed(name, read, 0, _TRIED * self.period_of(name))
            except AwsError as error:
                refusals.append(error)
        raise refusals[0]

    def _computed(
        self, name: str, read: Callable[[str, Grid], Series], start_s: int, end_s: int
    ) -> Series | list[Series]:
        """A query from the data of the metrics, as something reads it."""

        @functools.cache
        def find(each: str) -> Value:
            grid = Grid(start_s, end_s, self.period_of(each))
            if each in self._formulas:
                return self._formulas[each].value(find, list(self.metrics), grid)
            return read(each, grid)

        return cast("Series | list[Series]", find(name))

    def _check_references(self, name: str, way: tuple[str, ...]) -> None:
        if name in way:
            raise invalid(
                f"expressions refer to each other in a circle: {' -> '.join([*way, name])}"
            )
        if name not in self._formulas:
            return
        for each in sorted(self._formulas[name].names):
            if each not in self.queries:
                known = ", ".join(self.queries)
                raise invalid(
                    f"{name} refers to {each}, and there is no such id; there are {known}"
                )
            self._check_references(each, (*way, name))


def _check_query(name: str, query: Mapping[str, Any]) -> None:
    if _ID.fullmatch(name) is None:
        raise invalid(f"an id is a lower-case letter, then letters, digits and _; got {name!r}")
    if ("MetricStat" in query) == ("Expression" in query):
        raise invalid(f"the query {name} must have exactly one of MetricStat and Expression")
    if "MetricStat" in query:
        check_period(int(query["MetricStat"]["Period"]))
        parse_statistic(query["MetricStat"]["Stat"])
        key_of(query["MetricStat"]["Metric"])
    if "${" in query.get("Label", ""):
        raise invalid(f"the local CloudWatch has no dynamic labels, got {query['Label']!r}")
