"""CloudWatch's operations on alarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlref.aws.local.cloudwatch.book import COMPOSITE, METRIC, Alarm, AlarmBook
from mlref.aws.local.cloudwatch.metrics import token_of
from mlref.aws.local.cloudwatch.queries import key_of
from mlref.aws.local.errors import AwsError
from mlref.aws.local.services import Part, Request, Response, operation

__all__ = ["AlarmsPart"]

_PAGE = 50
_MOST_TAGS = 50
_SUPPRESSOR = (
    "ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod",
    "ActionConfiguration",
)  # fmt: skip
_BRIEF: tuple[str, ...] = ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp")


class AlarmsPart(Part):
    """Metric alarms, composite alarms, their history and their tags.

    Args:
        book: keeps the alarms.
    """

    def __init__(self, book: AlarmBook) -> None:
        self._book = book
        self._tags: dict[str, dict[str, str]] = {}

    @operation
    def put_metric_alarm(self, request: Request) -> Response:
        """Make or change an alarm on a metric or an expression."""
        _check_actions(request)
        self._book.put_metric(_without_tags(request))
        return self._tag_new(request)

    @operation
    def put_composite_alarm(self, request: Request) -> Response:
        """Make or change an alarm on other alarms."""
        for member in _SUPPRESSOR:
            if member in request:
                text = f"the local CloudWatch does not have {member} of PutCompositeAlarm"
                raise AwsError("UnsupportedOperation", f"{text}; leave it out")
        _check_actions(request)
        for action in request.get("AlarmActions", ()):
            if action.startswith("arn:aws:autoscaling:"):
                text = "a composite alarm cannot act on autoscaling"
                raise AwsError("ValidationError", f"{text}, got {action}; use a metric alarm")
        self._book.put_composite(_without_tags(request))
        return self._tag_new(request)

    @operation
    def describe_alarms(self, request: Request) -> Response:
        """The alarms that are asked for, in the order of their names."""
        if "AlarmNames" in request and "AlarmNamePrefix" in request:
            raise AwsError("ValidationError", "give AlarmNames or AlarmNamePrefix, not both")
        for member in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
            if member in request:
                return self._family(member, request)
        kinds = request.get("AlarmTypes", [METRIC])
        found = [alarm for alarm in self._book.all() if alarm.kind in kinds]
        found = [alarm for alarm in found if _is_asked(alarm, request)]
        return _page(found, request, Alarm.described)

    @operation
    def describe_alarms_for_metric(self, request: Request) -> Response:
        """The alarms on a metric."""
        key = key_of(request)
        others = ("Statistic", "ExtendedStatistic", "Period", "Unit")
        found = [
            alarm.described()
            for alarm in self._book.all()
            if "MetricName" in alarm.settings
            and key_of(alarm.settings) == key
            and all(alarm.settings.get(each) == request[each] for each in others if each in request)
        ]
        return {"MetricAlarms": found}

    @operation
    def delete_alarms(self, request: Request) -> Response:
        """Forget alarms; names that are not there are passed over."""
        names = request["AlarmNames"]
        composite = [a.name for a in self._book.all() if a.kind == COMPOSITE and a.name in names]
        if len(composite) > 1:
            text = "a request deletes one composite alarm at most"
            raise AwsError("ValidationError", f"{text}, got {', '.join(composite)}")
        gone = [alarm.arn for alarm in self._book.all() if alarm.name in names]
        self._book.delete(names)
        for each in gone:
            self._tags.pop(each, None)
        return {}

    @operation
    def set_alarm_state(self, request: Request) -> Response:
        """Let an alarm be in a state until it is next evaluated, for a test."""
        data = request.get("StateReasonData", "")
        self._book.set_state(
            request["AlarmName"], request["StateValue"], request["StateReason"], data
        )
        return {}

    @operation
    def enable_alarm_actions(self, request: Request) -> Response:
        """Let alarms act."""
        self._book.enable_actions(request["AlarmNames"], enabled=True)
        return {}

    @operation
    def disable_alarm_actions(self, request: Request) -> Response:
        """Let alarms change their states and do nothing."""
        self._book.enable_actions(request["AlarmNames"], enabled=False)
        return {}

    @operation
    def describe_alarm_history(self, request: Request) -> Response:
        """What happened to alarms, the latest first unless asked otherwise."""
        kinds = request.get("AlarmTypes", [METRIC])
        found = [
            item
            for item in self._book.history()
            if item["AlarmType"] in kinds
            and request.get("AlarmName", item["AlarmName"]) == item["AlarmName"]
            and request.get("HistoryItemType", item["HistoryItemType"]) == item["HistoryItemType"]
            and request.get("StartDate", item["Timestamp"]) <= item["Timestamp"]
            and item["Timestamp"] <= request.get("EndDate", item["Timestamp"])
        ]
        if request.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            found.reverse()
        begin, size = token_of(request), request.get("MaxRecords", _PAGE)
        more = {"NextToken": str(begin + size)} if begin + size < len(found) else {}
        return {"AlarmHistoryItems": found[begin : begin + size], **more}

    @operation
    def tag_resource(self, request: Request) -> Response:
        """Add tags to an alarm, or change them."""
        tags = {**self._tags_of(request), **_tags(request)}
        if len(tags) > _MOST_TAGS:
            text = f"an alarm has {_MOST_TAGS} tags at most, got {len(tags)}"
            raise AwsError("InvalidParameterValue", text)
        self._tags[request["ResourceARN"]] = tags
        return {}

    @operation
    def untag_resource(self, request: Request) -> Response:
        """Remove tags from an alarm."""
        tags = self._tags_of(request)
        for key in request["TagKeys"]:
            tags.pop(key, None)
        return {}

    @operation
    def list_tags_for_resource(self, request: Request) -> Response:
        """The tags of an alarm."""
        tags = self._tags_of(request)
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _tag_new(self, request: Request) -> Response:
        """Give a new alarm its tags; AWS does not change those of an old one this way."""
        arn = self._book.get(request["AlarmName"]).arn
        self._tags.setdefault(arn, _tags(request))
        return {}

    def _tags_of(self, request: Request) -> dict[str, str]:
        asked = request["ResourceARN"]
        if asked not in [alarm.arn for alarm in self._book.all()]:
            raise AwsError("ResourceNotFoundException", f"there is no alarm {asked}", status=404)
        return self._tags.setdefault(asked, {})

    def _family(self, member: str, request: Request) -> Response:
        """The alarms that a composite alarm names, or the composite alarms that name an alarm."""
        others = set(request) - {member, "MaxRecords", "NextToken"}
        if others:
            text = f"{member} does not go together with {', '.join(sorted(others))}"
            raise AwsError("ValidationError", text)
        alarm, told = self._book.get(request[member]), _BRIEF
        if member == "ChildrenOfAlarmName":
            names = alarm.rule.children if alarm.rule else ()
            found = [a for a in self._book.all() if a.name in names]
        else:
            every = self._book.all()
            found = [a for a in every if a.rule and alarm.name in a.rule.children]
            told = _BRIEF[:2]
        return _page(found, request, lambda a: {name: a.described()[name] for name in told})


def _page(
    alarms: list[Alarm], request: Request, told: Callable[[Alarm], dict[str, Any]]
) -> Response:
    """One page of alarms, by their kinds."""
    begin, size = token_of(request), request.get("MaxRecords", _PAGE)
    part = alarms[begin : begin + size]
    more = {"NextToken": str(begin + size)} if begin + size < len(alarms) else {}
    return {
        "MetricAlarms": [told(alarm) for alarm in part if alarm.kind == METRIC],
        "CompositeAlarms": [told(alarm) for alarm in part if alarm.kind == COMPOSITE],
        **more,
    }


def _is_asked(alarm: Alarm, request: Request) -> bool:
    settings = alarm.settings
    actions = [*settings["OKActions"], *settings["AlarmActions"]]
    actions += settings["InsufficientDataActions"]
    return (
        alarm.name in request.get("AlarmNames", [alarm.name])
        and alarm.name.startswith(request.get("AlarmNamePrefix", ""))
        and request.get("StateValue", alarm.state) == alarm.state
        and (
            "ActionPrefix" not in request
            or any(a.startswith(request["ActionPrefix"]) for a in actions)
        )
    )


def _check_actions(request: Mapping[str, Any]) -> None:
    for member in ("OKActions", "AlarmActions", "InsufficientDataActions"):
        for action in request.get(member, ()):
            if not action.startswith("arn:"):
                text = f"{member} takes Amazon Resource Names (arn:aws:...)"
                raise AwsError("ValidationError", f"{text}, got {action!r}")


def _tags(request: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}


def _without_tags(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != "Tags"}
