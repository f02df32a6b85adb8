"""What a session may ask for that has an estimate: what that covers, and a sweep can find.

    install(session, estimate)

The cap of `mlref.aws.spending` is held against an estimate, and an estimate is what somebody
thought would be created. From then on each request of the session is held against it before it is
sent:

- with `Estimate()`, nothing that costs, the session reads, asks endpoints and deletes;
- otherwise it may create what `mlref.aws.sweep` finds again and can delete, and nothing else: an
  instance of EC2 would stand for ever;
- instances must be in the estimate, by their use, their type and their number; so must serverless
  endpoints; and no job may run for longer than what was estimated stands.

Each request is held against the estimate by itself: two endpoints of one instance each pass where
one was estimated. What costs little (requests, storage, alarms) is not counted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from mlref.aws.deletion import Deleter
from mlref.cost import Estimate
from mlref.errors import SpendingRefusedError

if TYPE_CHECKING:
    import boto3

__all__ = ["install"]

_VERB = re.compile("[A-Z][a-z]*")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READS = _words(
    "Assume Check Decode Decrypt Describe Detect Download Estimate Filter Get Head List Lookup "
    "Preview Query Receive Scan Search Select Simulate Test Validate Verify"
)
_ENDS = _words(
    "Abort Cancel Deactivate Delete Deregister Detach Disable Disassociate Purge Reject Remove "
    "Revoke Schedule Stop Terminate Unsubscribe Untag"
)
_READING = _words(
    "BatchCheckLayerAvailability BatchDeleteImage BatchDescribeModelPackage BatchGetImage"
)
_ASKING = "sagemaker-runtime"  # it creates nothing; the endpoint that it asks is there already
_USES = {
    "ProductionVariantInstanceType": "hosting",
    "TrainingInstanceType": "training",
    "ProcessingInstanceType": "processing",
    "TransformInstanceType": "transform",
}
"""How SageMaker's model calls a type of instance, and what it is then used for."""
_COUNTS = ("InitialInstanceCount", "InstanceCount")
_RUNTIMES = ("MaxRuntimeInSeconds",)
_HOUR_S = 3600


def install(session: boto3.Session, estimate: Estimate) -> None:
    """Refuse from now on what an estimate does not cover, in every client of a session.

    Args:
        session: a boto3 session; others are not changed.
        estimate: what its user has said will be created, and for how long it stands.

    The clients then raise `SpendingRefusedError`; nothing is sent.
    """
    sweepable = frozenset(Deleter(session).kinds)

    def hold(params: dict[str, Any], model: Any, **_: object) -> None:
        _check(params, model, estimate, sweepable)

    session.events.register("before-parameter-build", hold, unique_id="mlref-guard")


def _check(
    params: Mapping[str, Any],
    model: Any,
    estimate: Estimate,
    sweepable: frozenset[tuple[str, str]],
) -> None:
    """Raise if a request is not covered."""
    service, operation = model.service_model.service_name, model.name
    verb = _VERB.match(operation)
    if operation in _READING or (verb and verb.group() in _READS | _ENDS) or service == _ASKING:
        return
    if not estimate.items:
        _refuse(
            operation,
            "the estimate is Estimate(), nothing that costs: the session reads and deletes only",
            "pass an estimate of what will be created",
        )
    if not _is_swept(service, operation, sweepable):
        _refuse(
            operation,
            f"mlref could not find and delete what it makes in {service}, so it might stand for "
            "ever",
            "use a boto3 session of your own for it, and delete it yourself",
        )
    _check_instances(operation, params, model.input_shape, estimate)
    _check_numbers(operation, params, estimate)


def _is_swept(service: str, operation: str, sweepable: frozenset[tuple[str, str]]) -> bool:
    """Whether a sweep deletes what an operation makes or changes; tags may always be added."""
    if service != "sagemaker":
        return service in {each for each, _ in sweepable} or service == "sts"
    nouns = {_camel(kind) for each, kind in sweepable if each == service}
    noun = _VERB.sub("", operation, count=1)
    if operation.startswith("Create"):
        return noun in nouns
    return noun == "Tags" or any(noun.startswith(each) for each in nouns)


def _check_instances(operation: str, params: Any, shape: Any, estimate: Estimate) -> None:
    """Raise if instances are asked for that the estimate has not, or not as many."""
    covered: Counter[str] = Counter()
    for item in estimate.items:
        covered[item.price.item] += math.ceil(item.quantity)  # half an instance is one
    asked: Counter[str] = Counter()
    for what, count in _instances(params, shape):
        asked[what] += count
    for what, count in sorted(asked.items()):
        if what == _SERVERLESS and what not in covered:
            _refuse(operation, "the estimate has no serverless compute", _ADD)
        if count > covered[what] and what != _SERVERLESS:
            text = (
                f"the estimate has {covered[what] or 'no'} {what}, and the request asks for {count}"
            )
            _refuse(operation, text, _ADD)


def _instances(value: Any, shape: Any) -> Iterator[tuple[str, int]]:
    """What a part of a request asks for, as prices call it, and how many."""
    kind = getattr(shape, "type_name", "")
    if kind == "list" and isinstance(value, (list, tuple)):
        for each in value:
            yield from _instances(each, shape.member)
    if kind != "structure" or not isinstance(value, Mapping):
        return
    for name, member in shape.members.items():
        if name not in value:
            continue
        if member.name in _USES:
            yield f"{_USES[member.name]} {value[name]}", _count(value)
        elif name == "ServerlessConfig":
            yield _SERVERLESS, 1
        else:
            yield from _instances(value[name], member)


def _count(beside: Mapping[str, Any]) -> int:
    """How many instances the structure of a type asks for at most."""
    scaling = beside.get("ManagedInstanceScaling", {})
    counts = [scaling.get("MaxInstanceCount", 1), *(beside.get(name, 1) for name in _COUNTS)]
    return max(int(count) for count in counts)


def _check_numbers(operation: str, params: Any, estimate: Estimate) -> None:
    """Raise if more instances or hours are asked for where no type of an instance stands."""
    hosted = [each for each in estimate.items if each.price.item.startswith("hosting ")]
    most = sum(math.ceil(each.quantity) for each in hosted)
    for count in _numbers(params, ("DesiredInstanceCount",)) + _targets(params):
        if count > most:
            text = (
                f"the estimate has {most} instances for hosting, and the request asks for {count}"
            )
            _refuse(operation, text, _ADD)
    for seconds in _numbers(params, _RUNTIMES):
        if seconds > estimate.hours * _HOUR_S:
            text = f"it may run for {seconds} s, and the estimate is for {estimate.hours:g} h"
            _refuse(operation, text, "give it less, or open a session with a longer expires_after")


def _targets(params: Mapping[str, Any]) -> list[int]:
    """How many instances a scalable target may grow to; other capacities are no instances."""
    instances = params.get("ScalableDimension") == "sagemaker:variant:DesiredInstanceCount"
    return [params["MaxCapacity"]] if instances and "MaxCapacity" in params else []


def _numbers(value: Any, names: tuple[str, ...]) -> list[int]:
    """The numbers of some names, anywhere in a request."""
    if isinstance(value, (list, tuple)):
        return [found for each in value for found in _numbers(each, names)]
    if not isinstance(value, Mapping):
        return []
    own = [value[name] for name in names if isinstance(value.get(name), int)]
    return own + [found for each in value.values() for found in _numbers(each, names)]


def _camel(kind: str) -> str:
    """A kind as names of operations spell it: "endpoint-config" is "EndpointConfig"."""
    return "".join(word.capitalize() for word in kind.split("-"))


_SERVERLESS = "serverless compute"
_ADD = "add it to the estimate (see mlref.cost), and open a new session with that"


def _refuse(operation: str, why: str, todo: str) -> NoReturn:
    raise SpendingRefusedError(f"{operation} is refused, nothing was sent: {why}; {todo}")
