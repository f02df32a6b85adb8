"""All alarms: their states, what is evaluated when, what they do, and their history.

A metric alarm is evaluated every minute (one of high resolution every 10, 20 or 30 seconds), at the
full minute of the virtual clock. A composite alarm is evaluated when an alarm that it names changes
its state. Whoever wants to know the state of an alarm, for instance a deployment that is to be
rolled back, asks `AlarmBook.state_of`.

An alarm acts after it has changed its state, outside of the lock: an action may ask the book again.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mlref.aws.local.cloudwatch.actions import Actions, Change
from mlref.aws.local.cloudwatch.evaluation import ALARM, INSUFFICIENT_DATA, OK
from mlref.aws.local.cloudwatch.rules import CompositeRule, parse
from mlref.aws.local.cloudwatch.store import MetricStore
from mlref.aws.local.cloudwatch.watch import Watch
from mlref.aws.local.errors import AwsError
from mlref.aws.local.timers import Timer, Timers
from mlref.aws.local.world import arn

__all__ = ["COMPOSITE", "METRIC", "Alarm", "AlarmBook"]

METRIC = "MetricAlarm"
COMPOSITE = "CompositeAlarm"

_ACTIONS = {
    OK: "OKActions",
    ALARM: "AlarmActions",
    INSUFFICIENT_DATA: "InsufficientDataActions",
}
_HISTORY = timedelta(days=14)
_MOST_HISTORY = 10_000
_FIRST_REASON = "Unchecked: Initial alarm creation"
_REASON, _REASON_DATA = 1023, 4000  # characters that AWS's model allows


@dataclass(eq=False)
class Alarm:
    """An alarm as the book keeps it.

    Attributes:
        kind: `METRIC` or `COMPOSITE`.
        settings: the members of the request that DescribeAlarms tells again.
        updated: when the settings were last changed.
        watch: of a metric alarm.
        rule: of a composite alarm.
        state: OK, ALARM or INSUFFICIENT_DATA.
        reason: why, in a sentence.
        data: the same for programs, as JSON; "" if there is none.
        changed: when the state last changed.
        timer: of a metric alarm's evaluation.
        failed: whether the last evaluation could not be made.
    """

    kind: str
    settings: dict[str, Any]
    updated: datetime
    watch: Watch | None = None
    rule: CompositeRule | None = None
    state: str = INSUFFICIENT_DATA
    reason: str = _FIRST_REASON
    data: str = ""
    changed: datetime = field(kw_only=True)
    timer: Timer | None = None
    failed: bool = False

    @property
    def name(self) -> str:
        """By which it is known."""
        return str(self.settings["AlarmName"])

    @property
    def arn(self) -> str:
        """Its Amazon Resource Name."""
        return arn("cloudwatch", f"alarm:{self.name}")

    def described(self) -> dict[str, Any]:
        """As DescribeAlarms tells of it."""
        data = {"StateReasonData": self.data[:_REASON_DATA]} if self.data else {}
        return {
            **self.settings,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.updated,
            "StateValue": self.state,
            "StateReason": self.reason[:_REASON],
            **data,
            **({"EvaluationState": "EVALUATION_ERROR"} if self.failed else {}),
            "StateUpdatedTimestamp": self.changed,
            "StateTransitionedTimestamp": self.changed,
        }


class AlarmBook:
    """All alarms; may be used from several threads at once.

    Args:
        store: where the metrics are.
        timers: when alarms are evaluated.
        actions: who acts.
    """

    def __init__(self, store: MetricStore, timers: Timers, actions: Actions) -> None:
        self._store = store
        self._timers = timers
        self._actions = actions
        self._alarms: dict[str, Alarm] = {}
        self._history: deque[dict[str, Any]] = deque(maxlen=_MOST_HISTORY)
        self._lock = threading.RLock()

    def put_metric(self, settings: Mapping[str, Any]) -> None:
        """Make or change an alarm on a metric.

        Args:
            settings: the request of PutMetricAlarm, without its tags.

        Raises:
            AwsError: a part of it is missing, or the parts do not go together.
        """
        watch = Watch(settings)
        with self._lock:
            alarm = self._put(METRIC, settings)
            alarm.watch = watch
            if alarm.timer is not None:
                alarm.timer.cancel()
            wait_s = watch.step_s - self._timers.clock.now().timestamp() % watch.step_s
            name = alarm.name
            alarm.timer = self._timers.every(
                watch.step_s, lambda: self._evaluate(name, alarm), first_s=wait_s
            )

    def put_composite(self, settings: Mapping[str, Any]) -> None:
        """Make or change an alarm on other alarms; it is evaluated at once.

        Args:
            settings: the request of PutCompositeAlarm, without its tags.

        Raises:
            AwsError: its rule cannot be read, or names an alarm that is not there.
        """
        rule = parse(settings["AlarmRule"])
        with self._lock:
            unknown = [child for child in rule.children if child not in self._alarms]
            if unknown:
                text = f"the AlarmRule names alarms that do not exist: {', '.join(unknown)}"
                raise AwsError("ValidationError", f"{text}; make them first")
            alarm = self._put(COMPOSITE, settings)
            alarm.rule = rule
        self._evaluate(alarm.name, alarm)

    def delete(self, names: Iterable[str]) -> None:
        """Forget alarms; names that are not there are passed over.

        Raises:
            AwsError: a composite alarm that stays names one of them.
        """
        with self._lock:
            going = [name for name in names if name in self._alarms]
            for alarm in self._alarms.values():
                needed = set(going) & set(alarm.rule.children if alarm.rule else ())
                if needed and alarm.name not in going:
                    text = f"the composite alarm {alarm.name} names {', '.join(sorted(needed))}"
                    raise AwsError("ValidationError", f"{text}; change its AlarmRule first")
            for name in going:
                alarm = self._alarms.pop(name)
                if alarm.timer is not None:
                    alarm.timer.cancel()
                self._note(alarm, "ConfigurationUpdate", f'Alarm "{name}" deleted', {})

    def get(self, name: str) -> Alarm:
        """An alarm by its name.

        Raises:
            AwsError: there is none of this name.
        """
        with self._lock:
            if name not in self._alarms:
                raise AwsError("ResourceNotFound", f"there is no alarm {name!r}", status=404)
            return self._alarms[name]

    def all(self) -> list[Alarm]:
        """The alarms, in the order of their names."""
        with self._lock:
            return [self._alarms[name] for name in sorted(self._alarms)]

    def state_of(self, name: str) -> str:
        """OK, ALARM or INSUFFICIENT_DATA.

        Raises:
            AwsError: there is no alarm of this name.
        """
        return self.get(name).state

    def set_state(self, name: str, state: str, reason: str, data: str = "") -> None:
        """Let an alarm be in a state until it is next evaluated.

        Args:
            name: of the alarm.
            state: OK, ALARM or INSUFFICIENT_DATA.
            reason: why, in a sentence.
            data: the same for programs, as JSON.

        Raises:
            AwsError: there is no alarm of this name, or the data is not JSON.
        """
        try:
            recent = json.loads(data).get("recentDatapoints", []) if data else []
        except (ValueError, AttributeError) as error:
            text = f"StateReasonData must be a JSON object, got {data!r}"
            raise AwsError("InvalidFormat", text) from error
        value = recent[-1] if recent else None
        self._enter(self.get(name), state, reason, data, value=value)

    def enable_actions(self, names: Iterable[str], *, enabled: bool) -> None:
        """Let alarms act, or not; names that are not there are passed over."""
        with self._lock:
            for name in names:
                if name in self._alarms:
                    self._alarms[name].settings["ActionsEnabled"] = enabled

    def drop_action(self, action: str) -> None:
        """Let no alarm act this way any more, as what it named is gone."""
        with self._lock:
            for alarm in self._alarms.values():
                for member in _ACTIONS.values():
                    left = [each for each in alarm.settings[member] if each != action]
                    alarm.settings[member] = left

    def history(self) -> list[dict[str, Any]]:
        """What happened in the last two weeks, the earliest first."""
        with self._lock:
            since = self._timers.clock.now() - _HISTORY
            return [item for item in self._history if item["Timestamp"] >= since]

    def _put(self, kind: str, settings: Mapping[str, Any]) -> Alarm:
        """The alarm with new settings; a new one has no data yet."""
        name, now = settings["AlarmName"], self._timers.clock.now()
        old = self._alarms.get(name)
        if old is not None and old.kind != kind:
            raise AwsError("ValidationError", f"the alarm {name} is a {old.kind}; delete it first")
        kept = {"ActionsEnabled": True, **settings}
        for member in _ACTIONS.values():
            kept.setdefault(member, [])
        alarm = old or Alarm(kind, kept, now, changed=now)
        alarm.settings, alarm.updated = kept, now
        self._alarms[name] = alarm
        done = "updated" if old else "created"
        self._note(alarm, "ConfigurationUpdate", f'Alarm "{name}" {done}', {"type": done})
        return alarm

    def _evaluate(self, name: str, alarm: Alarm, way: tuple[str, ...] = ()) -> None:
        """Look at what an alarm watches, and let it act.

        Args:
            name: of the alarm, as it was when this was planned.
            alarm: itself.
            way: the alarms whose changes led here; a circle of composite alarms ends there.
        """
        if self._alarms.get(name) is not alarm:
            return  # deleted while this was due
        if alarm.rule is not None:
            holds = alarm.rule.holds(self._state_or_none)
            told = f"The AlarmRule is {str(holds).lower()}: {alarm.settings['AlarmRule']}"
            self._enter(alarm, ALARM if holds else OK, told, way=way)
        elif alarm.watch is not None:
            try:
                seen = alarm.watch.look(self._store, self._timers.clock.now())
            except AwsError as error:
                told = f"The alarm cannot be evaluated: {error.message}"
                self._enter(alarm, INSUFFICIENT_DATA, told, failed=True)
            else:
                state = seen.state or alarm.state
                self._enter(alarm, state, seen.reason, seen.data, value=seen.value)

    def _state_or_none(self, name: str) -> str:
        alarm = self._alarms.get(name)
        return alarm.state if alarm else ""

    def _enter(
        self,
        alarm: Alarm,
        state: str,
        reason: str,
        data: str = "",
        *,
        value: float | None = None,
        way: tuple[str, ...] = (),
        failed: bool = False,
    ) -> None:
        """Let an alarm be in a state; act if that is new, or if the action repeats.

        The reason stays with the state, as it does on AWS, but for that of a failure.
        """
        with self._lock:
            old, now = alarm.state, self._timers.clock.now()
            if state != old or failed or alarm.failed:
                alarm.reason, alarm.data, alarm.failed = reason, data, failed
            if state != old:
                alarm.state, alarm.changed = state, now
                told = f"Alarm updated from {old} to {state}"
                self._note(alarm, "StateUpdate", told, {"oldState": old, "newState": state})
            change = Change(alarm=alarm.described(), old=old, new=state, value=value, at=now)
            wanted = alarm.settings[_ACTIONS[state]] if alarm.settings["ActionsEnabled"] else ()
            due = [each for each in wanted if state != old or self._actions.repeats(each)]
        for action in due:
            told = self._actions.act(action, change)
            if state != old or told.startswith("Failed"):
                self._note(alarm, "Action", told, {"actionState": told.split()[0]})
        if state != old:
            way = (*way, alarm.name)
            for parent in self.all():
                if parent.rule and alarm.name in parent.rule.children and parent.name not in way:
                    self._evaluate(parent.name, parent, way)

    def _note(self, alarm: Alarm, kind: str, summary: str, data: Mapping[str, Any]) -> None:
        with self._lock:
            self._history.append(
                {
                    "AlarmName": alarm.name,
                    "AlarmType": alarm.kind,
                    "Timestamp": self._timers.clock.now(),
                    "HistoryItemType": kind,
                    "HistorySummary": summary[:255],
                    "HistoryData": json.dumps({"version": "1.0", **data}),
                }
            )
