"""What a session has made that costs by the hour, all together.

    install(session, estimate)

`mlref.aws.guard` holds each request against the estimate by itself; two endpoints of one instance
would both pass where one was estimated. The ledger adds up. What stands until somebody ends it
(endpoints, with as many instances as they may scale to; schedules of a monitor; transform jobs)
may at no time be more than was estimated. Jobs that AWS ends may not run for more instance-hours,
by their limits, than were estimated; one counts for as long as it ran, once DescribeTrainingJob or
DescribeProcessingJob has told the session that it has ended.

What a configuration has is looked up when an endpoint is made of it. What other sessions have made
is not counted, and neither are the minutes for which an update has both old and new instances.
"""

from __future__ import annotations

import functools
import math
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlref.aws.asked import refuse
from mlref.aws.claims import Changes, Claim, Claims, Key, LookUp, ended, endpoint_of
from mlref.aws.deletion import is_gone
from mlref.cost import Estimate
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    import boto3

__all__ = ["Ledger", "install"]

_FINE = 300  # statuses below are no errors
_REQUEST, _BEFORE = "mlref-request", "mlref-before"  # what a request carries along
_ROUNDED = 1 + 1e-9  # sums of hours are not exact
_TODO = (
    "delete what is not needed; describe jobs that have ended, which then count for as long as "
    "they ran; or add it to the estimate (see mlref.cost), and open a new session with that"
)


class Ledger:
    """Adds up what requests ask for, and refuses what is more than an estimate has.

    Args:
        estimate: what may stand, and for how long.
        look_up: gives the answer to an operation of SageMaker, in a region, with parameters; {} if
            there is no such thing.
    """

    def __init__(self, estimate: Estimate, look_up: LookUp) -> None:
        self._read = Claims(look_up)
        self._hours = estimate.hours
        self._covered: Counter[str] = Counter()  # instances at a time; half an instance is one
        self._paid: defaultdict[str, float] = defaultdict(float)  # instance-hours
        for item in estimate.items:
            self._covered[item.price.item] += math.ceil(item.quantity)
            self._paid[item.price.item] += item.quantity * estimate.hours
        self._claims: Changes = {}
        self._lock = threading.Lock()

    def reserve(
        self, operation: str, params: Mapping[str, Any], shape: Any, region: str
    ) -> Changes:
        """Count what a request asks for, before it is sent.

        Args:
            operation: as in "CreateEndpoint".
            params: its request.
            shape: what AWS's model says of that.
            region: that it goes to.

        Returns:
            What was counted before, for `undo` if the request fails.

        Raises:
            SpendingRefusedError: it would be more than was estimated; nothing is counted.
        """
        changes = self._read.of(operation, params, shape, region, self._claims)
        with self._lock:
            before = {key: self._claims.get(key, ()) for key in changes}
            counted = self._sums()
            self._claims |= changes
            over = self._over(counted)
            why = self._why(over) if over else ""
            if over:
                self._claims |= before
        if over:
            refuse(operation, why, _TODO)
        return before

    def undo(self, before: Changes) -> None:
        """Count again as before a request that has failed.

        Args:
            before: as `reserve` gave it.
        """
        with self._lock:
            self._claims |= before

    def hear(
        self, operation: str, params: Mapping[str, Any], answer: Mapping[str, Any], region: str
    ) -> None:
        """Count what has ended no more, or for as long as it ran.

        Args:
            operation: that has succeeded.
            params: its request.
            answer: what AWS said.
            region: where.
        """
        if operation == "DeregisterScalableTarget":
            with self._lock:
                self._stay(region, str(params.get("ResourceId")))
            return
        told = ended(operation, params, answer, region)
        if told is not None:
            key, hours = told
            with self._lock:
                found = [each for each in self._claims.pop(key, ()) if each.hours is not None]
                if found:
                    self._claims[key] = tuple(replace(each, hours=hours) for each in found)

    def _stay(self, region: str, path: str) -> None:
        """Let a variant keep what it may have scaled to, when nothing scales it any more."""
        endpoint = endpoint_of(region, path)
        if endpoint in self._claims:
            claims = self._claims[endpoint]
            self._claims[endpoint] = tuple(
                replace(each, instances=self._most(endpoint, each)) for each in claims
            )
        for key, claims in list(self._claims.items()):
            if key.region == region and any(each.part == path for each in claims):
                del self._claims[key]

    def _most(self, key: Key, claim: Claim) -> int:
        """How many instances a claim may grow to."""
        path = f"endpoint/{key.name}/variant/{claim.part}"
        scaled = [
            each.instances
            for other, claims in self._claims.items()
            for each in claims
            if key.kind == "endpoint" and other.region == key.region and each.part == path
        ]
        return max([claim.instances, *scaled])

    def _sums(self) -> dict[str, tuple[int, float]]:
        """Of each kind of instance: how many stand, and the hours of those that AWS ends."""
        sums: dict[str, tuple[int, float]] = {}
        for key, claims in self._claims.items():
            for each in claims:
                stand, hours = sums.get(each.what, (0, 0.0))
                if each.hours is None:
                    stand += self._most(key, each)
                else:
                    hours += each.instances * each.hours
                sums[each.what] = stand, hours
        return sums

    def _over(self, counted: Mapping[str, tuple[int, float]]) -> str | None:
        """Of what there is more than was estimated, and more than was counted before; or None."""
        for what, (stand, hours) in self._sums().items():
            old_stand, old_hours = counted.get(what, (0, 0.0))
            most = self._covered[what] * self._hours * _ROUNDED
            paid = self._paid[what] * _ROUNDED
            grows = stand > old_stand or hours > old_hours
            if what and grows and (stand * self._hours + hours > most or hours > paid):
                return what
        return None

    def _why(self, what: str) -> str:
        """What was estimated, and all that is counted."""
        made = []
        for key, claims in self._claims.items():
            for each in claims:
                if each.what == what:
                    time = "" if each.hours is None else f" for {each.hours:.3g} h"
                    made.append(f"{self._most(key, each)} of {key.kind} {key.name}{time}")
        return (
            f"the estimate has {self._covered[what] or 'no'} {what} "
            f"({self._paid[what]:g} instance-hours in {self._hours:g} h), and with this request "
            f"the session would have {', '.join(made)}"
        )


def install(session: boto3.Session, estimate: Estimate) -> None:
    """Refuse from now on what is, with what a session has made before, more than an estimate has.

    Args:
        session: a boto3 session; others are not changed.
        estimate: what its user has said will be created, and for how long it stands.

    The clients then raise `SpendingRefusedError`; nothing is sent.
    """
    ledger = Ledger(estimate, functools.partial(_looked_up, session))

    def keep(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context[_REQUEST] = params

    def reserve(model: Any, context: dict[str, Any], **_: object) -> None:
        request = context.get(_REQUEST, {})
        region = str(context.get("client_region"))
        context[_BEFORE] = ledger.reserve(model.name, request, model.input_shape, region)

    def hear(http_response: Any, parsed: Any, model: Any, context: Any, **_: object) -> None:
        if http_response.status_code >= _FINE:
            ledger.undo(context.get(_BEFORE, {}))
        else:
            region = str(context.get("client_region"))
            ledger.hear(model.name, context.get(_REQUEST, {}), parsed, region)

    def fail(exception: Exception, context: Any, **_: object) -> None:
        if _was_not_sent(exception):  # else it may have succeeded
            ledger.undo(context.get(_BEFORE, {}))

    for event, call in (
        ("before-parameter-build", keep),
        ("before-call", reserve),
        ("after-call", hear),
        ("after-call-error", fail),
    ):
        session.events.register(event, call, unique_id=f"mlref-ledger-{event}")


def _was_not_sent(error: Exception) -> bool:
    """Whether a request has not reached AWS."""
    with extra("aws"):
        from botocore import exceptions

    kinds = (
        exceptions.ConnectTimeoutError,
        exceptions.EndpointConnectionError,
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
    )
    return isinstance(error, kinds)


def _looked_up(
    session: Any, operation: str, region: str, params: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What SageMaker answers; {} if there is no such thing, which the request itself will meet."""
    with extra("aws"):
        from botocore import xform_name
        from botocore.exceptions import ClientError

    client = session.client("sagemaker", region_name=region)
    try:
        return dict(getattr(client, xform_name(operation))(**params))
    except ClientError as error:
        if not is_gone(error):
            raise
        return {}
