"""What requests claim of an estimate: instances, for each thing that they make or change.

A request does not always say it itself: an endpoint is made of a configuration, and a monitor's
schedule may name a definition. These are looked up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

from mlref.aws.asked import (
    INSTANCES,
    KEEP_ALIVE,
    WITHOUT_TYPE,
    asked,
    managed,
    numbers,
    refuse,
    run_s,
)
from mlref.aws.models import operation_model

__all__ = [
    "Asked",
    "Bound",
    "Changes",
    "Claim",
    "Key",
    "LookUp",
    "claimed",
    "is_end",
    "ran",
    "resized",
    "sizes_of",
    "subject",
]

_HOUR_S = 3600
_JOBS = {
    "CreateTrainingJob": "training-job",
    "CreateProcessingJob": "processing-job",
    "CreateTransformJob": "transform-job",
    "CreateMonitoringSchedule": "monitoring-schedule",
    "UpdateMonitoringSchedule": "monitoring-schedule",
}
_DEPLOY, _RESIZE = ("CreateEndpoint", "UpdateEndpoint"), "UpdateEndpointWeightsAndCapacities"
_SCALE = ("RegisterScalableTarget", "PutScheduledAction")
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
_LET_GO = frozenset({"Terminated", "Reused"})  # of instances that were kept
_TYPES = ("DataQuality", "ModelQuality", "ModelBias", "ModelExplainability")
_VARIANT = re.compile("endpoint/([^/]+)/variant/([^/]+)")
_RETAIN, _BUT = "RetainAllVariantProperties", "ExcludeRetainedVariantProperties"


class Key(NamedTuple):
    """A thing that costs: the URL of the SageMaker where it is, its kind, and its name."""

    place: str
    kind: str
    name: str


class Bound(NamedTuple):
    """What lets a variant scale: its scalable target, whose action is "", or a scheduled action."""

    endpoint: Key
    variant: str
    action: str


@dataclass(frozen=True)
class Claim:
    """Instances that a thing may have.

    Attributes:
        part: of an endpoint the variant; of a job whose name is used again, which run.
        what: as prices call it.
        instances: at most, but for bounds.
        hours: that they run at most; None is until somebody ends them.
        config: of an endpoint the configuration that has the variant.
        least: instances that it may have, whatever is asked for by hand.
        kept_h: hours for which they are kept when the job has ended.
        made: whether AWS has said that it made it.
    """

    part: str
    what: str
    instances: int
    hours: float | None = None
    config: str = ""
    least: int = 0
    kept_h: float = 0.0
    made: bool = False


@dataclass(frozen=True)
class Changes:
    """What is claimed by some things, and what some variants may scale to."""

    claims: dict[Key, tuple[Claim, ...]] = field(default_factory=dict)
    bounds: dict[Bound, int] = field(default_factory=dict)


LookUp: TypeAlias = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""The answer to an operation of SageMaker with parameters; {} if there is no such thing."""


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        place: the URL of the SageMaker that it is about.
        operation: as in "CreateEndpoint".
        params: its request.
    """

    place: str
    operation: str
    params: Mapping[str, Any]

    def key(self, kind: str) -> Key:
        """The thing of a kind that the request names.

        Args:
            kind: as in "training-job".
        """
        return Key(self.place, kind, str(self.params.get(f"{_camel(kind)}Name")))

    @property
    def claims(self) -> bool:
        """Whether it may make or change what costs."""
        return self.operation in {*_DEPLOY, _RESIZE, *_SCALE, *_JOBS}

    @property
    def bound(self) -> Bound | None:
        """What the request is about, if that lets a variant have more instances or fewer."""
        found = _VARIANT.fullmatch(str(self.params.get("ResourceId")))
        if found is None or self.params.get("ScalableDimension") != INSTANCES:
            return None
        endpoint, action = Key(self.place, "endpoint", found[1]), "ScheduledActionName"
        return Bound(endpoint, found[2], str(self.params.get(action, "")))


def claimed(asked_for: Asked, shape: Any, held: Changes, look_up: LookUp) -> Changes:
    """What would stand or run after a request, of each thing that it makes or changes.

    Args:
        asked_for: the request, one that `claims`.
        shape: what AWS's model says of that.
        held: what is claimed so far.
        look_up: reads what the request only names.

    Raises:
        SpendingRefusedError: what it names is not there, so nobody knows what that has.
    """
    reader, operation = _Reader(asked_for, held, look_up), asked_for.operation
    if operation in _DEPLOY:
        return reader.deployed()
    if operation == _RESIZE:
        return reader.resized()
    if operation in _SCALE:
        return reader.scaled()
    return reader.begun(shape)


def subject(asked_for: Asked) -> Key | None:
    """What an answer may tell the end of, or what it has now; None if it tells nothing such.

    Args:
        asked_for: the request.
    """
    kind = _ENDS.get(asked_for.operation) or _TELL.get(asked_for.operation)
    return asked_for.key(kind) if kind else None


def is_end(asked_for: Asked, answer: Mapping[str, Any]) -> bool:
    """Whether an answer tells that something has ended.

    Args:
        asked_for: the request.
        answer: what AWS said.
    """
    kind = _TELL.get(asked_for.operation, "")
    status = answer.get(f"{_camel(kind)}Status")
    return asked_for.operation in _ENDS or (kind.endswith("-job") and status in _ENDED)


def ran(claim: Claim, answer: Mapping[str, Any]) -> Claim:
    """What is claimed by a job that has ended: as long as it ran, and its instances are kept.

    Args:
        claim: by its limits.
        answer: what DescribeTrainingJob or DescribeProcessingJob said.
    """
    pool = answer.get("WarmPoolStatus", {})
    kept_h = claim.kept_h
    if pool.get("Status") in _LET_GO:
        kept_h = pool.get("ResourceRetainedBillableTimeInSeconds", 0) / _HOUR_S
    return replace(claim, hours=_ran_s(answer) / _HOUR_S + kept_h)


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

    asked: Asked
    held: Changes
    look_up: LookUp

    def deployed(self) -> Changes:
        """An endpoint with a configuration; until it has that, it may go back to what it has."""
        config = str(self.asked.params.get("EndpointConfigName"))
        endpoint = self.asked.key("endpoint")
        there = self.asked.operation == "UpdateEndpoint"
        old = self._claims_of(endpoint) if there else self.held.claims.get(endpoint, ())
        new = self._configured(config)
        excluded = {each.get("VariantPropertyType") for each in self.asked.params.get(_BUT) or ()}
        if self.asked.params.get(_RETAIN) and "DesiredInstanceCount" not in excluded:
            # It keeps as many as it has, which may be more than is known here, or fewer.
            had = {each.part: each.instances for each in old}
            new = [resized(each, max(each.instances, had.get(each.part, 0))) for each in new]
        kept = [each for each in old if each.config != config]
        return Changes({endpoint: (*new, *kept)})

    def resized(self) -> Changes:
        """An endpoint whose variants have other numbers of instances."""
        asked_for = self.asked.params.get("DesiredWeightsAndCapacities") or ()
        sizes = {each.get("VariantName"): each.get("DesiredInstanceCount") for each in asked_for}
        endpoint = self.asked.key("endpoint")
        claims = self._claims_of(endpoint)
        return Changes({endpoint: tuple(resized(each, sizes.get(each.part)) for each in claims)})

    def scaled(self) -> Changes:
        """A variant with a bound; one without MaxCapacity keeps what it had."""
        bound, told = self.asked.bound, numbers(self.asked.params, "MinCapacity", "MaxCapacity")
        if bound is None or not told:
            return Changes()
        if not numbers(self.asked.params, "MaxCapacity"):
            told.append(self.held.bounds.get(bound, 0))
        endpoint = bound.endpoint
        return Changes({endpoint: self._claims_of(endpoint)}, {bound: max(told)})

    def begun(self, shape: Any) -> Changes:
        """A job, or a schedule of jobs."""
        kind = _JOBS[self.asked.operation]
        key, limits = self.asked.key(kind), run_s(self.asked.operation, self.asked.params)
        hours = None if kind in _STANDING else sum(limits) / _HOUR_S
        kept_h = sum(numbers(self.asked.params, KEEP_ALIVE)) / _HOUR_S
        found = [*asked(self.asked.params, shape), *self._defined()]
        held = self.held.claims.get(key, ())
        old = [each for each in held if each.made and each.hours is not None]
        # If the name of a job is used again, both have run.
        run = f"run {len({each.part for each in old}) + 1}" if old else ""
        claims = [Claim(run, *each, hours, kept_h=kept_h) for each in _by_instances(found)]
        return Changes({key: (*old, *claims)})

    def _configured(self, config: str) -> list[Claim]:
        """What a configuration gives to an endpoint."""
        operation = "DescribeEndpointConfig"
        answer = self._found(operation, "configuration", EndpointConfigName=config)
        members = operation_model("sagemaker", operation).output_shape.members
        return [
            Claim(variant["VariantName"], what, count, config=config, least=managed(variant))
            for name in ("ProductionVariants", "ShadowProductionVariants")
            for variant in answer.get(name, ())
            # A serverless variant has no instances, but its configuration must be known, too.
            for what, count in _by_instances(asked(variant, members[name].member)) or [("", 0)]
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
            refuse(self.asked.operation, why, "create it first, or correct the name")
        return answer

    def _defined(self) -> list[tuple[str, int]]:
        """What the job definition has that a schedule names; one of any type if it tells none."""
        config = self.asked.params.get("MonitoringScheduleConfig", {})
        name, kind = config.get("MonitoringJobDefinitionName"), config.get("MonitoringType")
        if name is None or kind not in {None, *_TYPES}:
            return []
        found: list[tuple[str, int]] = []
        for each in _TYPES if kind is None else (kind,):
            operation = f"Describe{each}JobDefinition"
            answer = self.look_up(operation, {"JobDefinitionName": name})
            resources = list(asked(answer, operation_model("sagemaker", operation).output_shape))
            found = max(found, resources, key=lambda some: sum(count for _, count in some))
        return found


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


def _by_instances(found: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    """What is asked for as instances, and how many of each: serverless compute costs by use."""
    counts: Counter[str] = Counter()
    for what, count in found:
        if what not in WITHOUT_TYPE.values():
            counts[what] += count
    return counts.items()


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
