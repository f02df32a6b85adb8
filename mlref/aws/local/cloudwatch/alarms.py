"""CloudWatch's operations on alarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlref.aws.local.cloudwatch.book import COMPOSITE, METRIC, Alarm, AlarmBook
from mlref.aws.local.cloudwatch.metrics import token_of
from mlref.aws.local.cloudwatch.queries import key_of
from mlref.aws.local.errors import AwsError
from mlref.aws.local.services import Part, Request, Response, operation
from mlref.aws.local.tags import MOST, Tags

__all__ = ["AlarmsPart"]

_PAGE = 50
_SUPPRESSOR = (
    "ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod",
    "ActionConfiguration",
)  # fmt: skip
_BRIEF: tuple[str, ...] = ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp")


class AlarmsPart(Part):
    """Metric alarms, composite alarms, their history and their tags.

    Args:
        book: keeps the alarms.
        tags: what resources carry.
    """

    def __init__(self, book: AlarmBook, tags: Tags) -> None:
        self._book = book
        self._tags = tags

    @operation
    def put_metric_alarm(self, request: Request) -> Response:
        """Make or change an alarm on a metric or an expression.

        Raises:
            AwsError: a part of it is missing, or the parts do not go together.
        """
        _check_actions(request)
        new = self._is_new(request)
        self._book.put_metric(_without_tags(request))
        return self._tag_new(request, new=new)

    @operation
    def put_composite_alarm(self, request: Request) -> Response:
        """Make or change an alarm on other alarms.

        Raises:
            AwsError: its rule cannot be read, or asks for what the local AWS does not have.
        """
        for member in _SUPPRESSOR:
            if member in request:
                text = f"the local CloudWatch does not have {member} of PutCompositeAlarm"
                raise AwsError("UnsupportedOperation", f"{text}; leave it out")
        _check_actions(request)
        for action in request.get("AlarmActions", ()):
            if action.startswith("arn:aws:autoscaling:"):
                text = "a composite alarm cannot act on autoscaling"
                raise AwsError("ValidationError", f"{text}, got {action}; use a metric alarm")
        new = self._is_new(request)
        self._book.put_composite(_without_tags(request))
        return self._tag_new(request, new=new)

    @operation
    def describe_alarms(self, request: Request) -> Response:
        """The alarms that are asked for, in the order of their names.

        Raises:
            AwsError: the filters do not go together.
        """
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
        """Forget alarms; names that are not there are passed over.

        Raises:
            AwsError: two are composite alarms, or another alarm names one.
        """
        names = request["AlarmNames"]
        composite = [a.name for a in self._book.all() if a.kind == COMPOSITE and a.name in names]
        if len(composite) > 1:
            text = "a request deletes one composite alarm at most"
            raise AwsError("ValidationError", f"{text}, got {', '.join(composite)}")
        gone = [alarm.arn for alarm in self._book.all() if alarm.name in names]
        self._book.delete(names)
        for each in gone:
            self._tags.forget(each)
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
        """Add tags to an alarm, or change them.

        Raises:
            AwsError: there is no such alarm, or it would have too many tags.
        """
        alarm, tags = self._tagged(request), _tags(request)
        count = len({**self._tags.of(alarm), **tags})
        if count > MOST:
            text = f"an alarm has at most {MOST} tags, got {count}"
            raise AwsError("InvalidParameterValue", text)
        self._tags.put(alarm, tags)
        return {}

    @operation
    def untag_resource(self, request: Request) -> Response:
        """Remove tags from an alarm."""
        self._tags.drop(self._tagged(request), request["TagKeys"])
        return {}

    @operation
    def list_tags_for_resource(self, request: Request) -> Response:
        """The tags of an alarm."""
        tags = self._tags.of(self._tagged(request))
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _tag_new(self, request: Request, *, new: bool) -> Response:
        """Give a new alarm its tags; AWS does not change those of an old one this way."""
        if new:
            self._tags.put(self._book.get(request["AlarmName"]).arn, _tags(request))
        return {}

    def _is_new(self, request: Request) -> bool:
        return request["AlarmName"] not in [alarm.name for alarm in self._book.all()]

    def _tagged(self, request: Request) -> str:
        """The alarm whose tags are asked for."""
        asked = str(request["ResourceARN"])
        if asked not in [alarm.arn for alarm in self._book.all()]:
            raise AwsError("ResourceNotFoundException", f"there is no alarm {asked}", status=404)
        return asked

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
