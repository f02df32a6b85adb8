"""Application Auto Scaling's operations on scalable targets, their activities and their tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlref.aws.local.autoscaling.registry import Registry, Target
from mlref.aws.local.autoscaling.resources import Place, ScalableResources
from mlref.aws.local.autoscaling.scaler import Scaler
from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.services import Part, Request, Response, operation
from mlref.aws.local.tags import MOST, Tags
from mlref.runtime.clock import Clock

__all__ = ["Targets", "page"]

_SUSPENDED = (
    "DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended",
)  # fmt: skip
_PAGE = 50


class Targets(Part):
    """RegisterScalableTarget and its like.

    Args:
        registry: keeps the targets.
        scaler: changes capacity.
        resources: have the capacity.
        clock: tells the time.
        tags: what resources carry.

    Attributes:
        on_removal: called with a target before it is forgotten: its policies and scheduled actions
            go with it.
    """

    def __init__(
        self,
        registry: Registry,
        scaler: Scaler,
        resources: ScalableResources,
        clock: Clock,
        tags: Tags,
    ) -> None:
        self.on_removal: list[Callable[[Target], object]] = []
        self._registry = registry
        self._scaler = scaler
        self._resources = resources
        self._clock = clock
        self._tags = tags

    @operation
    def register_scalable_target(self, request: Request) -> Response:
        """Let a capacity be scaled between two bounds, or change them.

        Raises:
            AwsError: there is no such resource, or the bounds make no sense.
        """
        place = Place.of(request)
        with self._registry.lock:
            target = self._registry.find(place)
            if target is None:
                self._resources.get(place.resource_id, place.dimension)  # refuses what is not there
                for member in ("MinCapacity", "MaxCapacity"):
                    if member not in request:
                        raise validation(f"{member} is missing; a new scalable target needs it")
            least = request.get("MinCapacity", target.least if target else 0)
            most = request.get("MaxCapacity", target.most if target else 0)
            _check_bounds(least, most)
            if target is None:
                suspended = dict.fromkeys(_SUSPENDED, False)
                target = Target(place, least, most, self._clock.now(), suspended)
                self._registry.add(target)
                self._tags.put(target.arn, request.get("Tags", {}))
            elif "Tags" in request:
                raise validation("the target is registered; use TagResource to change its tags")
            target.least, target.most = least, most
            target.suspended.update(request.get("SuspendedState", {}))
        self._scaler.fit(target)
        return {"ScalableTargetARN": target.arn}

    @operation
    def describe_scalable_targets(self, request: Request) -> Response:
        """The targets that are asked for."""
        _check_dimension(request, "ResourceIds")
        wanted = request.get("ResourceIds")
        found = [
            {
                **target.place.told(),
                "MinCapacity": target.least,
                "MaxCapacity": target.most,
                "RoleARN": target.place.role,
                "CreationTime": target.made,
                "SuspendedState": dict(target.suspended),
                "ScalableTargetARN": target.arn,
            }
            for target in self._registry.all()
            if request["ServiceNamespace"] == "sagemaker"
            and (wanted is None or target.place.resource_id in wanted)
            and request.get("ScalableDimension", target.place.dimension) == target.place.dimension
        ]
        return page(found, request, into="ScalableTargets")

    @operation
    def deregister_scalable_target(self, request: Request) -> Response:
        """Let a capacity be as it is; policies and scheduled actions are deleted."""
        self._forget(self._registry.get(Place.of(request)))
        return {}

    @operation
    def describe_scaling_activities(self, request: Request) -> Response:
        """What was done in the last six weeks, the latest first."""
        _check_dimension(request, "ResourceId")
        found = [
            {name: value for name, value in each.items() if name != "NotScaledReasons"}
            if not request.get("IncludeNotScaledActivities")
            else each
            for each in self._registry.done()
            if request["ServiceNamespace"] == "sagemaker"
            and request.get("ResourceId", each["ResourceId"]) == each["ResourceId"]
            and request.get("ScalableDimension", each["ScalableDimension"])
            == each["ScalableDimension"]
            and (request.get("IncludeNotScaledActivities") or "NotScaledReasons" not in each)
        ]
        return page(found, request, into="ScalingActivities")

    @operation
    def tag_resource(self, request: Request) -> Response:
        """Add tags to a target, or change them.

        Raises:
            AwsError: there is no such target, or it would have too many tags.
        """
        arn, tags = self._tagged(request), request["Tags"]
        count = len({**self._tags.of(arn), **tags})
        if count > MOST:
            text = f"a scalable target has at most {MOST} tags, got {count}"
            raise AwsError("TooManyTagsException", text)
        self._tags.put(arn, tags)
        return {}

    @operation
    def untag_resource(self, request: Request) -> Response:
        """Remove tags from a target."""
        self._tags.drop(self._tagged(request), request["TagKeys"])
        return {}

    @operation
    def list_tags_for_resource(self, request: Request) -> Response:
        """The tags of a target."""
        return {"Tags": self._tags.of(self._tagged(request))}

    def registered(self, prefix: str) -> list[str]:
        """The registered resources whose identifiers begin so.

        SageMaker asks before it changes the instance type of an endpoint.

        Args:
            prefix: as in "endpoint/flights/".
        """
        every = [target.place.resource_id for target in self._registry.all()]
        return sorted({each for each in every if each.startswith(prefix)})

    def gone(self, prefix: str) -> None:
        """Deregister resources that are deleted, as AWS does.

        Args:
            prefix: with whose parts their identifiers begin, as in "endpoint/flights"; perhaps all
                of an identifier.
        """
        wanted = f"{prefix.rstrip('/')}/"
        for target in self._registry.all():
            if f"{target.place.resource_id}/".startswith(wanted):
                self._forget(target)

    def _forget(self, target: Target) -> None:
        for call in self.on_removal:
            call(target)
        self._registry.remove(target)
        self._tags.forget(target.arn)

    def _tagged(self, request: Request) -> str:
        """The target whose tags are asked for."""
        asked = str(request["ResourceARN"])
        if asked not in [target.arn for target in self._registry.all()]:
            raise AwsError("ResourceNotFoundException", f"there is no scalable target {asked}")
        return asked


def page(
    items: Sequence[Mapping[str, Any]], request: Request, *, into: str, most: int = _PAGE
) -> dict[str, Any]:
    """One page of a list, and the token of the next.

    Args:
        items: all of them.
        request: MaxResults, and NextToken of the page before.
        into: the member of the response that holds the items.
        most: how many may be on a page, and are if the request does not tell.

    Raises:
        AwsError: the token is none that was given, or the size is not allowed.
    """
    token, size = request.get("NextToken", "0"), request.get("MaxResults", most)
    if not token.isdecimal():
        text = f"NextToken {token!r} is none that this service gave"
        raise AwsError("InvalidNextTokenException", text)
    if not 1 <= size <= most:
        raise validation(f"MaxResults is from 1 to {most}, got {size}")
    begin = int(token)
    more = {"NextToken": str(begin + size)} if begin + size < len(items) else {}
    return {into: list(items[begin : begin + size]), **more}


def _check_bounds(least: int, most: int) -> None:
    if least < 0 or most < 0:
        raise validation(f"capacities are at least 0, got MinCapacity {least}, MaxCapacity {most}")
    if least > most:
        text = "MinCapacity must be at most MaxCapacity"
        raise validation(f"{text}, got {least} and {most}")


def _check_dimension(request: Request, member: str) -> None:
    if "ScalableDimension" in request and member not in request:
        raise validation(f"a ScalableDimension needs {member}; give both or neither")
