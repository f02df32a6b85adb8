"""What requests claim of an estimate: instances, for each thing that they make or change.

A request does not always say it itself: an endpoint is made of a configuration, and a monitor's
schedule may name a definition. These are looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from mlref.aws.asked import INSTANCES, WITHOUT_TYPE, asked, numbers, run_s
from mlref.aws.models import operation_model

__all__ = ["Changes", "Claim", "Claims", "Key", "LookUp", "ended", "endpoint_of"]

_HOUR_S = 3600
_VARIANT = re.compile("endpoint/([^/]+)/variant/([^/]+)")
_JOBS = {
    "CreateTrainingJob": "training-job",
    "CreateProcessingJob": "processing-job",
    "CreateTransformJob": "transform-job",
    "CreateMonitoringSchedule": "monitoring-schedule",
    "UpdateMonitoringSchedule": "monitoring-schedule",
}
_ENDS = {
    "DeleteEndpoint": "endpoint",
    "DeleteMonitoringSchedule": "monitoring-schedule",
    "StopTransformJob": "transform-job",
}
_TELL = {
    "DescribeTrainingJob": "training-job",
    "DescribeProcessingJob": "processing-job",
    "DescribeTransformJob": "transform-job",
}
_STANDING = frozenset({"monitoring-schedule", "transform-job"})  # AWS sets them no end
_ENDED = frozenset({"Completed", "Failed", "Stopped"})


class Key(NamedTuple):
    """A thing that costs: where it is, of which kind it is, and its name."""

    region: str
    kind: str
    name: str


@dataclass(frozen=True)
class Claim:
    """Instances that a thing may have.

    Attributes:
        part: of the thing: of an endpoint the variant, of what scales one the variant's path.
        what: as prices call it.
        instances: at most.
        hours: that they run at most; None is until somebody ends them.
    """

    part: str
    what: str
    instances: int
    hours: float | None = None


Changes: TypeAlias = dict[Key, tuple[Claim, ...]]
"""What is claimed by each of some things; () is nothing."""

LookUp: TypeAlias = Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]
"""The answer to an operation of SageMaker, in a region, with parameters; {} is no such thing."""


class Claims:
    """Reads requests.

    Args:
        look_up: reads what a request only names.
    """

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up

    def of(
        self, operation: str, params: Mapping[str, Any], shape: Any, region: str, held: Changes
    ) -> Changes:
        """What would stand or run after a request, of each thing that it makes or changes.

        Args:
            operation: as in "CreateEndpoint".
            params: its request.
            shape: what AWS's model says of that.
            region: that it goes to.
            held: what is claimed so far.
        """
        endpoint = Key(region, "endpoint", str(params.get("EndpointName")))
        if operation in {"CreateEndpoint", "UpdateEndpoint"}:
            claims = tuple(self._configured(params.get("EndpointConfigName"), region))
            if params.get("RetainAllVariantProperties"):
                had = {each.part: each.instances for each in held.get(endpoint, ())}
                claims = tuple(_resized(each, had.get(each.part)) for each in claims)
            return {endpoint: claims}
        if operation == "UpdateEndpointWeightsAndCapacities":
            asked_for = params.get("DesiredWeightsAndCapacities", ())
            sizes = {each["VariantName"]: each.get("DesiredInstanceCount") for each in asked_for}
            claims = held.get(endpoint) or self._configured_now(endpoint)
            return {endpoint: tuple(_resized(each, sizes.get(each.part)) for each in claims)}
        if params.get("ScalableDimension") == INSTANCES:
            return self._scaled(params, region, held)
        if operation not in _JOBS:
            return {}
        kind = _JOBS[operation]
        hours = None if kind in _STANDING else sum(run_s(operation, params)) / _HOUR_S
        found = [*asked(params, shape), *self._defined(params, region)]
        claims = tuple(Claim("", *each, hours) for each in _by_instances(found))
        return {Key(region, kind, str(params.get(f"{_camel(kind)}Name"))): claims}

    def _configured(self, config: Any, region: str) -> Iterator[Claim]:
        """What a configuration gives to an endpoint."""
        operation = "DescribeEndpointConfig"
        answer = self._look_up(operation, region, {"EndpointConfigName": config})
        members = operation_model("sagemaker", operation).output_shape.members
        for name in ("ProductionVariants", "ShadowProductionVariants"):
            for variant in answer.get(name, ()):
                for each in _by_instances(asked(variant, members[name].member)):
                    yield Claim(variant["VariantName"], *each)

    def _configured_now(self, endpoint: Key) -> tuple[Claim, ...]:
        """What the configuration of an endpoint has that this session has not made."""
        told = self._look_up("DescribeEndpoint", endpoint.region, {"EndpointName": endpoint.name})
        config = told.get("EndpointConfigName")
        return tuple(self._configured(config, endpoint.region)) if config else ()

    def _defined(self, params: Mapping[str, Any], region: str) -> Iterator[tuple[str, int]]:
        """What the job definition has that a schedule names."""
        config = params.get("MonitoringScheduleConfig", {})
        name = config.get("MonitoringJobDefinitionName")
        if name is not None:
            operation = f"Describe{config.get('MonitoringType', 'DataQuality')}JobDefinition"
            answer = self._look_up(operation, region, {"JobDefinitionName": name})
            yield from asked(answer, operation_model("sagemaker", operation).output_shape)

    def _scaled(self, params: Mapping[str, Any], region: str, held: Changes) -> Changes:
        """What a scalable target, or one of its scheduled actions, lets a variant have."""
        most = max(numbers(params, "MinCapacity", "MaxCapacity"), default=None)
        path = str(params.get("ResourceId"))
        endpoint = endpoint_of(region, path)
        if most is None or endpoint is None:
            return {}
        action = params.get("ScheduledActionName")
        kind = "scalable-target" if action is None else "scheduled-action"
        name = path if action is None else f"{path} {action}"
        changes: Changes = {Key(region, kind, name): (Claim(path, "", most),)}
        if endpoint not in held:
            changes[endpoint] = self._configured_now(endpoint)
        return changes


def ended(
    operation: str, params: Mapping[str, Any], answer: Mapping[str, Any], region: str
) -> tuple[Key, float] | None:
    """What an answer tells to have ended, and the hours for which it ran; or None.

    Args:
        operation: that has succeeded.
        params: its request.
        answer: what AWS said.
        region: where.
    """
    kind = _ENDS.get(operation) or _TELL.get(operation)
    if kind is None or (operation in _TELL and answer.get(f"{_camel(kind)}Status") not in _ENDED):
        return None
    return Key(region, kind, str(params.get(f"{_camel(kind)}Name"))), _ran_s(answer) / _HOUR_S


def endpoint_of(region: str, path: str) -> Key | None:
    """The endpoint of a variant that is named as Application Auto Scaling does, if it is one.

    >>> endpoint_of("us-east-1", "endpoint/flights/variant/A")
    Key(region='us-east-1', kind='endpoint', name='flights')
    """
    found = _VARIANT.fullmatch(path)
    return Key(region, "endpoint", found[1]) if found else None


def _by_instances(found: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """What is asked for as instances: serverless compute costs by use."""
    return [(what, count) for what, count in found if what not in WITHOUT_TYPE.values()]


def _resized(claim: Claim, instances: Any) -> Claim:
    return claim if instances is None else replace(claim, instances=int(instances))


def _ran_s(answer: Mapping[str, Any]) -> float:
    """For how many seconds a job ran that has ended; 0 if it never began."""
    for name in ("BillableTimeInSeconds", "TrainingTimeInSeconds"):
        if name in answer:
            return float(answer[name])
    began, ended = answer.get("ProcessingStartTime"), answer.get("ProcessingEndTime")
    return float((ended - began).total_seconds()) if began and ended else 0.0


def _camel(kind: str) -> str:
    """A kind as names of operations spell it: "training-job" is "TrainingJob"."""
    return "".join(word.capitalize() for word in kind.split("-"))
