"""What requests claim of an estimate: instances, for each thing that they make or change.

A request does not always say it itself: an endpoint is made of a configuration, and a monitor's
schedule may name a definition. These are looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

from mlref.aws.asked import INSTANCES, KEEP_ALIVE, WITHOUT_TYPE, asked, numbers, refuse, run_s
from mlref.aws.models import operation_model, service_model

__all__ = [
    "Bound",
    "Changes",
    "Claim",
    "Key",
    "LookUp",
    "bound_of",
    "claimed",
    "ended",
    "resized",
    "sizes_of",
]

_HOUR_S = 3600
_JOBS = {
    "CreateTrainingJob": "training-job",
    "CreateProcessingJob": "processing-job",
    "CreateTransformJob": "transform-job",
    "CreateMonitoringSchedule": "monitoring-schedule",
    "UpdateMonitoringSchedule": "monitoring-schedule",
}
_STANDING = frozenset({"monitoring-schedule", "transform-job"})  # AWS sets them no end
_ENDS = {
    "DeleteEndpoint": "endpoint",
    "DeleteMonitoringSchedule": "monitoring-schedule",
    "StopTransformJob": "transform-job",
}
_TELL = {
    "DescribeEndpoint": "endpoint",
    "DescribeMonitoringSchedule": "monitoring-schedule",
    "DescribeTrainingJob": "training-job",
    "DescribeProcessingJob": "processing-job",
    "DescribeTransformJob": "transform-job",
}
_ENDED = frozenset({"Completed", "Failed", "Stopped"})
_VARIANT = re.compile("endpoint/([^/]+)/variant/([^/]+)")
_RETAIN, _BUT = "RetainAllVariantProperties", "ExcludeRetainedVariantProperties"


class Key(NamedTuple):
    """A thing that costs: of which kind it is, and its name."""

    kind: str
    name: str


class Bound(NamedTuple):
    """What lets a variant scale: its scalable target, whose action is "", or a scheduled action."""

    endpoint: str
    variant: str
    action: str


@dataclass(frozen=True)
class Claim:
    """Instances that a thing may have.

    Attributes:
        part: of an endpoint the variant; of other things "".
        what: as prices call it.
        instances: at most, but for bounds.
        hours: that they run at most; None is until somebody ends them.
        config: of an endpoint the configuration that has the variant.
        least: instances that it may have, whatever is asked for by hand.
        kept_h: hours for which they are kept when the job has ended.
    """

    part: str
    what: str
    instances: int
    hours: float | None = None
    config: str = ""
    least: int = 0
    kept_h: float = 0.0


@dataclass(frozen=True)
class Changes:
    """What is claimed by some things, and what some variants may scale to."""

    claims: dict[Key, tuple[Claim, ...]] = field(default_factory=dict)
    bounds: dict[Bound, int] = field(default_factory=dict)


LookUp: TypeAlias = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""The answer to an operation of SageMaker with parameters; {} if there is no such thing."""


def claimed(
    operation: str, params: Mapping[str, Any], shape: Any, held: Changes, look_up: LookUp
) -> Changes:
    """What would stand or run after a request, of each thing that it makes or changes.

    Args:
        operation: as in "CreateEndpoint".
        params: its request.
        shape: what AWS's model says of that.
        held: what is claimed so far.
        look_up: reads what the request only names.

    Raises:
        SpendingRefusedError: what it names is not there, so nobody knows what that has.
    """
    reader = _Reader(operation, params, held, look_up)
    if operation in {"CreateEndpoint", "UpdateEndpoint"}:
        return reader.deployed()
    if operation == "UpdateEndpointWeightsAndCapacities":
        return reader.resized()
    if operation in {"RegisterScalableTarget", "PutScheduledAction"}:
        return reader.scaled()
    return reader.begun(shape) if operation in _JOBS else Changes()


def ended(
    operation: str, params: Mapping[str, Any], answer: Mapping[str, Any], *, gone: bool
) -> tuple[Key, float | None] | None:
    """What an answer tells to have ended; or None.

    Args:
        operation: that was asked for.
        params: its request.
        answer: what AWS said.
        gone: whether it said that there is no such thing.

    Returns:
        It, and the hours for which a job ran; None for what does not cost any more at all.
    """
    kind = _ENDS.get(operation) or _TELL.get(operation)
    if kind is None:
        return None
    key = Key(kind, str(params.get(f"{_camel(kind)}Name")))
    if gone or operation in _ENDS:
        return key, None
    if not kind.endswith("-job") or answer.get(f"{_camel(kind)}Status") not in _ENDED:
        return None
    return key, None if kind in _STANDING else _ran_s(answer) / _HOUR_S


def bound_of(params: Mapping[str, Any]) -> Bound | None:
    """What a request of Application Auto Scaling is about, if it is a variant's instances.

    >>> path = "endpoint/flights/variant/A"
    >>> dimension = "sagemaker:variant:DesiredInstanceCount"
    >>> bound_of({"ResourceId": path, "ScalableDimension": dimension})
    Bound(endpoint='flights', variant='A', action='')
    """
    found = _VARIANT.fullmatch(str(params.get("ResourceId")))
    if found is None or params.get("ScalableDimension") != INSTANCES:
        return None
    return Bound(found[1], found[2], str(params.get("ScheduledActionName", "")))


def resized(claim: Claim, instances: int | None) -> Claim:
    """A claim with another number of instances, but not with fewer than it may have anyway.

    Args:
        claim: as it was.
        instances: asked for; None changes nothing.
    """
    return claim if instances is None else replace(claim, instances=max(instances, claim.least))


@dataclass(frozen=True)
class _Reader:
    """Reads one request."""

    operation: str
    params: Mapping[str, Any]
    held: Changes
    look_up: LookUp

    def deployed(self) -> Changes:
        """An endpoint with a configuration; until it has that, it may go back to what it has."""
        config = str(self.params.get("EndpointConfigName"))
        endpoint = Key("endpoint", str(self.params.get("EndpointName")))
        new, old = self._configured(config), self.held.claims.get(endpoint, ())
        excluded = {each.get("VariantPropertyType") for each in self.params.get(_BUT) or ()}
        if self.params.get(_RETAIN) and "DesiredInstanceCount" not in excluded:
            had = {each.part: each.instances for each in old}
            new = [resized(each, max(each.instances, had.get(each.part, 0))) for each in new]
        kept = [each for each in old if each.config != config]
        return Changes({endpoint: (*new, *kept)})

    def resized(self) -> Changes:
        """An endpoint whose variants have other numbers of instances."""
        asked_for = self.params.get("DesiredWeightsAndCapacities") or ()
        sizes = {each.get("VariantName"): each.get("DesiredInstanceCount") for each in asked_for}
        endpoint = Key("endpoint", str(self.params.get("EndpointName")))
        claims = self._claims_of(endpoint)
        return Changes({endpoint: tuple(resized(each, sizes.get(each.part)) for each in claims)})

    def scaled(self) -> Changes:
        """A variant with a bound; one without MaxCapacity keeps what it had."""
        bound, told = bound_of(self.params), numbers(self.params, "MinCapacity", "MaxCapacity")
        if bound is None or not told:
            return Changes()
        if not numbers(self.params, "MaxCapacity"):
            told.append(self.held.bounds.get(bound, 0))
        endpoint = Key("endpoint", bound.endpoint)
        return Changes({endpoint: self._claims_of(endpoint)}, {bound: max(told)})

    def begun(self, shape: Any) -> Changes:
        """A job, or a schedule of jobs."""
        kind = _JOBS[self.operation]
        hours = None if kind in _STANDING else sum(run_s(self.operation, self.params)) / _HOUR_S
        kept_h = sum(numbers(self.params, KEEP_ALIVE)) / _HOUR_S
        found = [*asked(self.params, shape), *self._defined()]
        claims = tuple(Claim("", *each, hours, kept_h=kept_h) for each in _by_instances(found))
        return Changes({Key(kind, str(self.params.get(f"{_camel(kind)}Name"))): claims})

    def _configured(self, config: str) -> list[Claim]:
        """What a configuration gives to an endpoint."""
        operation = "DescribeEndpointConfig"
        answer = self._found(operation, "configuration", EndpointConfigName=config)
        members = operation_model("sagemaker", operation).output_shape.members
        return [
            Claim(variant["VariantName"], what, count, config=config, least=_managed(variant))
            for name in ("ProductionVariants", "ShadowProductionVariants")
            for variant in answer.get(name, ())
            for what, count in _by_instances(asked(variant, members[name].member))
        ]

    def _claims_of(self, endpoint: Key) -> tuple[Claim, ...]:
        """What is claimed by an endpoint; by another session's, what it has now."""
        if held := self.held.claims.get(endpoint):
            return held
        answer = self._found("DescribeEndpoint", "endpoint", EndpointName=endpoint.name)
        sizes = sizes_of(answer)
        claims = self._configured(answer["EndpointConfigName"])
        return tuple(resized(each, sizes.get(each.part)) for each in claims)

    def _found(self, operation: str, what: str, **params: str) -> Mapping[str, Any]:
        answer = self.look_up(operation, params)
        if not answer:
            (name,) = params.values()
            why = f"there is no {what} {name!r}, so what it has is not known"
            refuse(self.operation, why, "create it first, or correct the name")
        return answer

    def _defined(self) -> Iterator[tuple[str, int]]:
        """What the job definition has that a schedule names."""
        config = self.params.get("MonitoringScheduleConfig", {})
        name, kind = config.get("MonitoringJobDefinitionName"), config.get("MonitoringType")
        operation = f"Describe{kind}JobDefinition"
        if name is not None and operation in service_model("sagemaker").operation_names:
            answer = self.look_up(operation, {"JobDefinitionName": name})
            yield from asked(answer, operation_model("sagemaker", operation).output_shape)


def sizes_of(endpoint: Mapping[str, Any]) -> dict[str, int]:
    """How many instances the variants of an endpoint have, or are to have.

    Args:
        endpoint: as DescribeEndpoint tells it.
    """
    names = ("CurrentInstanceCount", "DesiredInstanceCount")
    variants = [
        each
        for name in ("ProductionVariants", "ShadowProductionVariants")
        for each in endpoint.get(name, ())
    ]
    told = {
        each["VariantName"]: [each[name] for name in names if name in each] for each in variants
    }
    return {variant: max(counts) for variant, counts in told.items() if counts}


def _managed(variant: Mapping[str, Any]) -> int:
    """How many instances SageMaker itself may give to a variant for inference components."""
    scaling = variant.get("ManagedInstanceScaling") or {}
    return max(numbers(scaling, "MinInstanceCount", "MaxInstanceCount"), default=0)


def _by_instances(found: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """What is asked for as instances: serverless compute costs by use."""
    return [(what, count) for what, count in found if what not in WITHOUT_TYPE.values()]


def _ran_s(answer: Mapping[str, Any]) -> float:
    """For how many seconds a job ran that has ended; 0 if it never began."""
    for name in ("BillableTimeInSeconds", "TrainingTimeInSeconds"):
        if name in answer:
            return float(answer[name])
    for kind in ("Training", "Processing"):
        began, end = answer.get(f"{kind}StartTime"), answer.get(f"{kind}EndTime")
        if began and end:
            return float((end - began).total_seconds())
    return 0.0


def _camel(kind: str) -> str:
    """A kind as names of operations spell it: "training-job" is "TrainingJob"."""
    return "".join(word.capitalize() for word in kind.split("-"))
