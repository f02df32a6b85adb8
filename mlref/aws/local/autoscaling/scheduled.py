"""Application Auto Scaling's operations on scheduled actions, on the virtual clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlref.aws.local.autoscaling.registry import Action, Registry, Target
from mlref.aws.local.autoscaling.resources import Place
from mlref.aws.local.autoscaling.scaler import Scaler
from mlref.aws.local.autoscaling.schedules import parse
from mlref.aws.local.autoscaling.targets import page
from mlref.aws.local.errors import AwsError, validation
from mlref.aws.local.services import Part, Request, Response, operation
from mlref.aws.local.timers import Timers

__all__ = ["Scheduled"]

_KEPT = ("Schedule", "Timezone", "ScalableTargetAction")  # by an update that does not name them
_TIMES = ("StartTime", "EndTime")  # an update deletes them


class Scheduled(Part):
    """PutScheduledAction and its like.

    Args:
        registry: keeps the actions.
        scaler: does what they say.
        timers: tell when.
    """

    def __init__(self, registry: Registry, scaler: Scaler, timers: Timers) -> None:
        self._registry = registry
        self._scaler = scaler
        self._timers = timers

    @operation
    def put_scheduled_action(self, request: Request) -> Response:
        """Make or change a scheduled action.

        Raises:
            AwsError: there is no such target, or the action makes no sense.
        """
        place, name = Place.of(request), request["ScheduledActionName"]
        with self._registry.lock:
            target = self._registry.get(place)
            old = target.actions.get(name)
            settings = {} if old is None else {k: v for k, v in old.settings.items() if k in _KEPT}
            settings |= {k: request[k] for k in (*_KEPT, *_TIMES) if k in request}
            now = self._timers.clock.now()
            _check(settings, now)
            begin = settings.get("StartTime", old.made if old else now)
            schedule = parse(settings["Schedule"], settings.get("Timezone", "UTC"), begin)
            if schedule.once and schedule.after(now) is None:
                raise validation(
                    f"the schedule {schedule.text} has passed; it is {now.isoformat()}"
                )
            action = Action(name, place, schedule, settings, old.made if old else now)
            if old is not None:
                action.identity = old.identity
                _cancel(old)
            target.actions[name] = action
            self._plan(target, action, first=True)
        return {}

    @operation
    def describe_scheduled_actions(self, request: Request) -> Response:
        """The scheduled actions that are asked for."""
        if "ScalableDimension" in request and "ResourceId" not in request:
            raise validation("a ScalableDimension needs a ResourceId; give both or neither")
        names = request.get("ScheduledActionNames")
        found = [
            {
                "ScheduledActionName": action.name,
                "ScheduledActionARN": action.arn,
                **action.place.told(),
                **action.settings,
                "CreationTime": action.made,
            }
            for target in self._registry.all()
            for action in target.actions.values()
            if request["ServiceNamespace"] == "sagemaker"
            and (names is None or action.name in names or action.arn in names)
            and request.get("ResourceId", action.place.resource_id) == action.place.resource_id
            and request.get("ScalableDimension", action.place.dimension) == action.place.dimension
        ]
        return page(found, request, into="ScheduledActions")

    @operation
    def delete_scheduled_action(self, request: Request) -> Response:
        """Delete a scheduled action; what it has done stays.

        Raises:
            AwsError: there is no such action.
        """
        target, name = self._registry.get(Place.of(request)), request["ScheduledActionName"]
        if name not in target.actions:
            text = f"No scheduled action found for resource ID: {target.place.resource_id}"
            raise AwsError("ObjectNotFoundException", f"{text}, scheduled action name: {name}")
        _cancel(target.actions.pop(name))
        return {}

    def forget(self, target: Target) -> None:
        """Delete the scheduled actions of a target."""
        for action in list(target.actions.values()):
            _cancel(target.actions.pop(action.name))

    def _plan(self, target: Target, action: Action, *, first: bool = False) -> None:
        """Let an action be done the next time, if there is one."""
        now = self._timers.clock.now()
        begin, end = action.settings.get("StartTime"), action.settings.get("EndTime")
        if first and begin is not None and begin > now and not action.schedule.once:
            moment: datetime | None = begin
        else:
            moment = action.schedule.after(now)
        if moment is None or (end is not None and moment > end):
            return
        action.timer = self._timers.at(moment.astimezone(UTC), lambda: self._do(target, action))

    def _do(self, target: Target, action: Action) -> None:
        with self._registry.lock:
            if target.actions.get(action.name) is not action:
                return  # deleted or changed while this was due
            self._plan(target, action)
        self._scaler.schedule(target, action.name, action.settings["ScalableTargetAction"])


def _check(settings: dict[str, Any], now: datetime) -> None:
    for member in ("Schedule", "ScalableTargetAction"):
        if member not in settings:
            raise validation(f"{member} is missing; a new scheduled action needs it")
    bounds = settings["ScalableTargetAction"]
    least, most = bounds.get("MinCapacity"), bounds.get("MaxCapacity")
    if least is None and most is None:
        raise validation("ScalableTargetAction needs MinCapacity, MaxCapacity or both")
    if min(value for value in (least, most) if value is not None) < 0:
        raise validation(f"capacities are at least 0, got {bounds}")
    if least is not None and most is not None and least > most:
        raise validation(f"MinCapacity must be at most MaxCapacity, got {least} and {most}")
    begin, end = settings.get("StartTime"), settings.get("EndTime")
    if end is not None and end <= max(now, begin or now):
        raise validation(f"EndTime must lie after now and StartTime, got {end.isoformat()}")


def _cancel(action: Action) -> None:
    if action.timer is not None:
        action.timer.cancel()
