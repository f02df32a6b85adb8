"""What a request asks for that costs by the hour: instances, by use and type, and for how long.

SageMaker's model tells: each of its types of instance has a shape of its own, by what it is for.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from mlref.cost import Estimate
from mlref.errors import SpendingRefusedError

__all__ = [
    "CONCURRENCY",
    "INSTANCES",
    "KEEP_ALIVE",
    "SERVERLESS",
    "WITHOUT_TYPE",
    "asked",
    "at_once",
    "in_words",
    "managed",
    "numbers",
    "quantities",
    "refuse",
    "run_s",
]

_USES = {
    "ProductionVariantInstanceType": "hosting",
    "TrainingInstanceType": "training",
    "ProcessingInstanceType": "processing",
    "TransformInstanceType": "transform",
}
"""How SageMaker's model calls a type of instance, and what it is then used for."""

SERVERLESS = "serverless compute"
"""How prices call what serverless endpoints use."""

WITHOUT_TYPE = {
    "ServerlessConfig": SERVERLESS,
    "ServerlessUpdateConfig": SERVERLESS,
    "ServerlessJobConfig": "serverless training",
}
"""Members of requests that ask for compute without instances, and how prices call that."""

INSTANCES = "sagemaker:variant:DesiredInstanceCount"
"""The dimension in which Application Auto Scaling scales an endpoint's instances."""

CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"
"""The dimension in which it scales a serverless endpoint."""

KEEP_ALIVE = "KeepAlivePeriodInSeconds"
"""For how long a training job's instances are kept when it has ended."""

_BOUNDED = frozenset({"CreateProcessingJob", "CreateTrainingJob"})
_RUNTIME = "MaxRuntimeInSeconds"
_DAY_S = 86_400


def asked(value: Any, shape: Any, count: int = 1) -> Iterator[tuple[str, int]]:
    """What a part of a request asks for, as prices call it, and how many.

    Args:
        value: the part.
        shape: what AWS's model says of it.
        count: how many instances the structure around it asks for.
    """
    kind = getattr(shape, "type_name", "")
    if kind == "list" and isinstance(value, (list, tuple)):
        for each in value:
            yield from asked(each, shape.member, count)
    if kind != "structure" or not isinstance(value, Mapping):
        return
    count = _count(value) or count
    for name, member in shape.members.items():
        if name not in value:
            continue
        if member.name in _USES:
            yield f"{_USES[member.name]} {value[name]}", count
        elif name in WITHOUT_TYPE:
            yield WITHOUT_TYPE[name], 1
        else:
            yield from asked(value[name], member, count)


def quantities(estimate: Estimate) -> Mapping[str, float]:
    """How much an estimate has of each thing, as prices call it; 0 of what it has not.

    Args:
        estimate: what was said to be created.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for item in estimate.items:
        found[item.price.item] += item.quantity
    return found


def in_words(quantity: float, what: str) -> str:
    """How much of a thing.

    Args:
        quantity: how much.
        what: as prices call it.

    >>> in_words(0, "hosting ml.m5.large")
    'no hosting ml.m5.large'
    """
    return f"{quantity:g} {what}" if quantity else f"no {what}"


def at_once(estimate: Estimate) -> Counter[str]:
    """How many instances of each use and type may be there at a time.

    Half an instance of a job is one, for half the time. Half an instance of an endpoint is none:
    it stands for as long as nobody deletes it.

    Args:
        estimate: what was said to be created.
    """
    return Counter(
        {
            what: math.floor(quantity) if what.startswith("hosting ") else math.ceil(quantity)
            for what, quantity in quantities(estimate).items()
        }
    )


def managed(variant: Mapping[str, Any]) -> int:
    """How many instances SageMaker itself may give to a variant, for its inference components.

    Args:
        variant: as a configuration has it.
    """
    scaling = variant.get("ManagedInstanceScaling")
    if not isinstance(scaling, Mapping) or scaling.get("Status") == "DISABLED":
        return 0
    return max(numbers(scaling, "MinInstanceCount", "MaxInstanceCount"), default=0)


def run_s(operation: str, params: Any) -> list[int]:
    """For how long a request lets something run, in seconds: its limit, and how long it is kept.

    AWS stops training and processing jobs after a day unless they say less; it does not stop
    transform jobs.

    Args:
        operation: as in "CreateTrainingJob".
        params: its request.
    """
    told = numbers(params, _RUNTIME)
    if operation in _BOUNDED and not told:
        told = [_DAY_S]
    return told + numbers(params, KEEP_ALIVE)


def numbers(value: Any, *names: str) -> list[int]:
    """The numbers of some names, anywhere in a request.

    Args:
        value: the request, or a part.
        names: of members.
    """
    if isinstance(value, (list, tuple)):
        return [found for each in value for found in numbers(each, *names)]
    if not isinstance(value, Mapping):
        return []
    own = [value[name] for name in names if isinstance(value.get(name), int)]
    return own + [found for each in value.values() for found in numbers(each, *names)]


def refuse(operation: str, why: str, todo: str) -> NoReturn:
    """Refuse a request that has not been sent.

    Args:
        operation: as in "CreateEndpoint".
        why: it is refused.
        todo: what its caller may do.

    Raises:
        SpendingRefusedError: always.
    """
    raise SpendingRefusedError(f"{operation} is refused, nothing was sent: {why}; {todo}")


def _count(structure: Mapping[str, Any]) -> int:
    """How many instances a structure asks for at most; 0 if it does not tell."""
    found = [structure.get(name) for name in ("InitialInstanceCount", "InstanceCount")]
    return max([managed(structure), *(each for each in found if isinstance(each, int))])
