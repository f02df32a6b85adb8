"""What a session has made that costs by the hour, all together.

    install(session, estimate)

`mlref.aws.guard` holds each request against the estimate by itself; two endpoints of one instance
would both pass where one was estimated. The ledger adds up:

- what stands until somebody ends it may not be more than the instances that were estimated:
  endpoints, with as many instances as they may scale to; schedules of a monitor; transform jobs;
- jobs that AWS ends may not run for more instance-hours, by their limits, than were estimated.

The ledger knows what the session's clients are told. An update may be rolled back, so old and new
configuration both count, the greater of them, until DescribeEndpoint tells which one it is. A job
counts by its limit until it is described as ended; then for as long as it ran. A request that may
have reached AWS counts, whatever came of it, until AWS says that there is no such thing: describe
or delete what is not there, and it counts no more.

Not counted: what other sessions have made and this one has not changed; the minutes for which an
update has both old and new instances; the time for which something stood that is deleted.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlref.aws.asked import at_once, refuse
from mlref.aws.claims import (
    Bound,
    Changes,
    Claim,
    Key,
    LookUp,
    bound_of,
    claimed,
    ended,
    resized,
    sizes_of,
)
from mlref.aws.deletion import is_gone
from mlref.cost import Estimate
from mlref.runtime.lazy import extra

if TYPE_CHECKING:
    import boto3

__all__ = ["Ledger", "install"]

_BAD, _SERVER = 400, 500  # statuses from which on the caller, or AWS, is at fault
_REQUEST, _UNDO = "mlref-request", "mlref-undo"  # what a request carries along
_ROUNDED = 1 + 1e-9  # sums of hours are not exact
_TODO = (
    "delete what is not needed, and describe what has ended or is not there any more (see "
    "mlref.aws.ledger); or add it to the estimate, and open a new session with that"
)


class Ledger:
    """Adds up what requests ask for, and refuses what is more than an estimate has.

    Args:
        estimate: what may stand, and for how long.
    """

    def __init__(self, estimate: Estimate) -> None:
        self._hours = estimate.hours
        self._covered = at_once(estimate)
        self._paid: defaultdict[str, float] = defaultdict(float)  # instance-hours
        for item in estimate.items:
            self._paid[item.price.item] += item.quantity * estimate.hours
        self._held = Changes()
        self._lock = threading.Lock()

    def reserve(
        self, operation: str, params: Mapping[str, Any], shape: Any, look_up: LookUp
    ) -> Callable[[], None]:
        """Count what a request asks for, before it is sent.

        Args:
            operation: as in "CreateEndpoint".
            params: its request.
            shape: what AWS's model says of that.
            look_up: reads what the request only names.

        Returns:
            What undoes it, if the request fails.

        Raises:
            SpendingRefusedError: it would be more than was estimated, or nobody knows what it would
                be; nothing is counted.
        """
        changes = claimed(operation, params, shape, self._held, look_up)
        with self._lock:
            counted, undo = self._sums(), self._changed(changes)
            over = self._over(counted)
            why = self._why(over) if over else ""
            if over:
                undo()
        if over:
            refuse(operation, why, _TODO)

        def undone() -> None:
            with self._lock:
                undo()

        return undone

    def hear(
        self,
        operation: str,
        params: Mapping[str, Any],
        answer: Mapping[str, Any],
        *,
        gone: bool = False,
    ) -> None:
        """Count what has ended no more, or for as long as it ran.

        Args:
            operation: that was asked for.
            params: its request.
            answer: what AWS said.
            gone: whether it said that there is no such thing.
        """
        told = ended(operation, params, answer, gone=gone)
        with self._lock:
            if told is not None:
                self._end(*told)
            elif operation == "DescribeEndpoint":
                self._settle(Key("endpoint", str(params.get("EndpointName"))), answer)
            elif operation in {"DeregisterScalableTarget", "DeleteScheduledAction"}:
                self._let_go(bound_of(params))

    def _changed(self, changes: Changes) -> Callable[[], None]:
        """Count changes; returns what counts again as before, unless that was changed since."""
        claims, bounds = self._held.claims, self._held.bounds
        old_claims = {key: claims.get(key, ()) for key in changes.claims}
        old_bounds = {bound: bounds.get(bound, 0) for bound in changes.bounds}
        claims |= changes.claims
        bounds |= changes.bounds

        def undo() -> None:
            mine = [key for key, new in changes.claims.items() if claims.get(key) is new]
            claims.update({key: old_claims[key] for key in mine})
            ours = [bound for bound, new in changes.bounds.items() if bounds.get(bound) == new]
            bounds.update({bound: old_bounds[bound] for bound in ours})

        return undo

    def _end(self, key: Key, hours: float | None) -> None:
        found = self._held.claims.pop(key, ())
        if hours is not None and found:
            self._held.claims[key] = tuple(
                replace(each, hours=hours + each.kept_h) for each in found
            )
        if key.kind == "endpoint":  # AWS deregisters its variants with it
            for bound in [each for each in self._held.bounds if each.endpoint == key.name]:
                del self._held.bounds[bound]

    def _settle(self, endpoint: Key, answer: Mapping[str, Any]) -> None:
        """Keep of an endpoint what it has now, once no update is under way."""
        if answer.get("EndpointStatus") != "InService":
            return
        config, sizes = answer.get("EndpointConfigName"), sizes_of(answer)
        now = [each for each in self._held.claims.get(endpoint, ()) if each.config == config]
        if now:
            self._held.claims[endpoint] = tuple(resized(each, sizes.get(each.part)) for each in now)

    def _let_go(self, ending: Bound | None) -> None:
        """A variant keeps what it may have scaled to, when nothing scales it any more."""
        if ending is None:
            return
        endpoint = Key("endpoint", ending.endpoint)
        if endpoint in self._held.claims:
            self._held.claims[endpoint] = tuple(
                replace(each, instances=self._most(endpoint, each))
                for each in self._held.claims[endpoint]
            )
        for bound in list(self._held.bounds):
            if bound == ending or (not ending.action and bound[:2] == ending[:2]):
                del self._held.bounds[bound]

    def _most(self, key: Key, claim: Claim) -> int:
        """How many instances a claim may grow to."""
        place = (key.name, claim.part)
        bounds = self._held.bounds.items() if key.kind == "endpoint" else ()
        return max([claim.instances, *(most for bound, most in bounds if bound[:2] == place)])

    def _standing(self, key: Key, what: str) -> int:
        """How many instances stand, by the greatest of the configurations that it may have."""
        sizes: Counter[str] = Counter()
        for each in self._held.claims[key]:
            if each.what == what and each.hours is None:
                sizes[each.config] += self._most(key, each)
        return max(sizes.values(), default=0)

    def _sums(self) -> dict[str, tuple[int, float]]:
        """Of each kind of instance: how many stand, and the hours of those that AWS ends."""
        claims = self._held.claims
        return {
            what: (
                sum(self._standing(key, what) for key in claims),
                sum(
                    each.instances * (each.hours or 0.0)
                    for found in claims.values()
                    for each in found
                    if each.what == what
                ),
            )
            for what in {each.what for found in claims.values() for each in found}
        }

    def _over(self, counted: Mapping[str, tuple[int, float]]) -> str | None:
        """Of what there is more than was estimated, and more than was counted before; or None."""
        for what, (stand, hours) in self._sums().items():
            old_stand, old_hours = counted.get(what, (0, 0.0))
            most = self._covered[what] * self._hours * _ROUNDED
            paid = self._paid[what] * _ROUNDED
            grows = stand > old_stand or hours > old_hours
            if grows and (stand * self._hours + hours > most or hours > paid):
                return what
        return None

    def _why(self, what: str) -> str:
        """What was estimated, and all that is counted."""
        made = []
        for key, claims in self._held.claims.items():
            if stand := self._standing(key, what):
                made.append(f"{stand} of {key.kind} {key.name}")
            made += [
                f"{each.instances} of {key.kind} {key.name} for {each.hours:.3g} h"
                for each in claims
                if each.what == what and each.hours is not None
            ]
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
    ledger, clients = Ledger(estimate), functools.cache(functools.partial(_client, session))

    def keep(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context[_REQUEST] = params

    def reserve(params: Any, model: Any, context: dict[str, Any], **_: object) -> None:
        url = urlsplit(params["url"])
        own = model.service_model.service_name == "sagemaker"
        place = f"{url.scheme}://{url.netloc}" if own else None
        look_up = functools.partial(_looked_up, clients, place)
        request = context.get(_REQUEST, {})
        context[_UNDO] = ledger.reserve(model.name, request, model.input_shape, look_up)

    def hear(http_response: Any, parsed: Any, model: Any, context: Any, **_: object) -> None:
        status = http_response.status_code
        if _BAD <= status < _SERVER and _was_tried_once(context):
            context[_UNDO]()
        gone = status >= _BAD and is_gone(SimpleNamespace(response=parsed))
        if gone or status < _BAD:
            ledger.hear(model.name, context.get(_REQUEST, {}), parsed, gone=gone)

    def fail(exception: Exception, context: Any, **_: object) -> None:
        if _UNDO in context and _was_tried_once(context) and _was_not_sent(exception):
            context[_UNDO]()

    for event, call in (
        ("before-parameter-build", keep),
        ("before-call", reserve),
        ("after-call", hear),
        ("after-call-error", fail),
    ):
        session.events.register(event, call, unique_id=f"mlref-ledger-{event}")


def _was_tried_once(context: Mapping[str, Any]) -> bool:
    """Whether there was one attempt; what was tried again may have succeeded before."""
    return int(context.get("retries", {}).get("attempt", 1)) == 1


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


def _client(session: Any, url: str | None) -> Any:
    """A client of SageMaker, elsewhere than usual if there is a URL."""
    return session.client("sagemaker", endpoint_url=url)


def _looked_up(
    clients: Callable[[str | None], Any],
    url: str | None,
    operation: str,
    params: Mapping[str, Any],
) -> Mapping[str, Any]:
    """What SageMaker answers; {} if there is no such thing."""
    with extra("aws"):
        from botocore import xform_name
        from botocore.exceptions import ClientError

    try:
        return dict(getattr(clients(url), xform_name(operation))(**params))
    except ClientError as error:
        if not is_gone(error):
            raise
        return {}
