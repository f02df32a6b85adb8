"""Scheduled actions on the virtual clock, as a client calls them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.scaling import NAMED, START, Stage

from mlref.aws.local.errors import AwsError

HOUR = 3600


def _put(stage: Stage, schedule: str | None, name: str = "up", **more: Any) -> None:
    given = {"ScalableTargetAction": {"MinCapacity": 4, "MaxCapacity": 8}, **more}
    schedules = {} if schedule is None else {"Schedule": schedule}
    stage.asked.put_scheduled_action(**NAMED, ScheduledActionName=name, **schedules, **given)


def _bounds(stage: Stage) -> tuple[int, int]:
    (target,) = stage.asked.describe_scalable_targets(ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    return target["MinCapacity"], target["MaxCapacity"]


def _listed(stage: Stage, **more: Any) -> list[dict[str, Any]]:
    request = {"ServiceNamespace": "sagemaker", **more}
    found: list[dict[str, Any]] = stage.asked.describe_scheduled_actions(**request)[
        "ScheduledActions"
    ]
    return found


def test_once_at_a_moment(stage: Stage) -> None:
    """The bounds change, and the capacity with them; the activities are AWS's."""
    stage.register(1, 2)
    _put(stage, "at(2013-06-01T13:00:00)")
    stage.timers.advance(HOUR - 1)
    assert (_bounds(stage), stage.capacity) == ((1, 2), 1)
    stage.timers.advance(1)
    assert (_bounds(stage), stage.capacity) == ((4, 8), 4)
    done = "Successfully set desired instance count to 4."
    assert [(a["Description"], a["Cause"], a["StatusMessage"]) for a in stage.activities()] == [
        ("Setting min capacity to 4 and max capacity to 8",
         "scheduled action name up was triggered",
         "Successfully set min capacity to 4 and max capacity to 8"),
        ("Setting desired instance count to 4.",
         "minimum capacity was set to 4",
         f"{done} Change successfully fulfilled by sagemaker."),
    ]  # fmt: skip
    stage.asked.register_scalable_target(**NAMED, MinCapacity=1)
    stage.timers.advance(48 * HOUR)
    assert _bounds(stage) == (1, 8)


def test_up_in_the_morning_and_down_in_the_evening(stage: Stage) -> None:
    """Two days from noon, every four hours; the evening's maximum of 2 cuts only from above."""
    stage.register(1, 1)
    morning = {"ScalableTargetAction": {"MinCapacity": 5, "MaxCapacity": 8}}
    _put(stage, "cron(0 8 * * ? *)", "morning", **morning)
    evening = {"ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 2}}
    _put(stage, "cron(0 20 * * ? *)", "evening", **evening)
    seen = []
    for _ in range(12):
        stage.timers.advance(4 * HOUR)
        seen.append(stage.capacity)
    assert seen == [1, 1, 1, 1, 5, 5, 5, 2, 2, 2, 5, 5]


def test_a_rate_begins_at_its_start_and_stops_after_its_end(stage: Stage) -> None:
    """At 13:00, then every hour, until 15:30."""
    stage.register(1, 8)
    times = {"StartTime": START + timedelta(hours=1), "EndTime": START + timedelta(hours=3.5)}
    _put(stage, "rate(1 hour)", **times)
    done = []
    for _ in range(10):
        stage.timers.advance(HOUR / 2)
        done.append(_bounds(stage) == (4, 8))
        stage.asked.register_scalable_target(**NAMED, MinCapacity=1)
    assert [half for half, was in enumerate(done, start=1) if was] == [2, 4, 6]


def test_while_suspended_it_is_left_out(stage: Stage) -> None:
    """And goes on afterwards."""
    stage.register(1, 8, SuspendedState={"ScheduledScalingSuspended": True})
    _put(stage, "rate(1 hour)")
    stage.timers.advance(HOUR)
    assert (_bounds(stage), stage.activities()) == ((1, 8), [])
    stage.register(1, 8, SuspendedState={"ScheduledScalingSuspended": False})
    stage.timers.advance(HOUR)
    assert _bounds(stage) == (4, 8)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [({"MinCapacity": 5}, (5, 5)), ({"MaxCapacity": 1}, (1, 1)), ({"MinCapacity": 3}, (3, 4))],
)
def test_one_bound_takes_the_other_along(
    stage: Stage, bounds: dict[str, int], expected: tuple[int, int]
) -> None:
    """Where it would lie on the wrong side of it."""
    stage.register(2, 4)
    _put(stage, "rate(1 hour)", ScalableTargetAction=bounds)
    stage.timers.advance(HOUR)
    assert _bounds(stage) == expected


def test_an_action_is_described_and_updated(stage: Stage) -> None:
    """An update keeps what it does not name, but start and end, as AWS does."""
    stage.register()
    end = START + timedelta(days=1)
    _put(stage, "cron(0 9 * * ? *)", Timezone="America/New_York", EndTime=end)
    (action,) = _listed(stage)
    assert action == {
        **NAMED, "ScheduledActionName": "up", "ScheduledActionARN": action["ScheduledActionARN"],
        "Schedule": "cron(0 9 * * ? *)", "Timezone": "America/New_York", "EndTime": end,
        "ScalableTargetAction": {"MinCapacity": 4, "MaxCapacity": 8}, "CreationTime": START,
    }  # fmt: skip
    _put(stage, None, ScalableTargetAction={"MinCapacity": 2})
    (again,) = _listed(stage, ScheduledActionNames=["up"])
    assert again["ScalableTargetAction"] == {"MinCapacity": 2}
    assert (again["Timezone"], "EndTime" in again) == ("America/New_York", False)
    assert again["ScheduledActionARN"] == action["ScheduledActionARN"]
    stage.timers.advance(HOUR)  # 13:00 UTC is 9:00 in New York
    assert stage.capacity == 2


def test_a_deleted_action_is_not_done(stage: Stage) -> None:
    """Nor is it there."""
    stage.register()
    _put(stage, "rate(1 hour)")
    stage.asked.delete_scheduled_action(**NAMED, ScheduledActionName="up")
    stage.timers.advance(5 * HOUR)
    assert (stage.capacity, _listed(stage)) == (1, [])
    with pytest.raises(AwsError) as caught:
        stage.asked.delete_scheduled_action(**NAMED, ScheduledActionName="up")
    assert caught.value.code == "ObjectNotFoundException"


@pytest.mark.parametrize(
    ("schedule", "more", "told"),
    [
        (None, {}, "Schedule is missing"),
        ("rate(1 hour)", {"ScalableTargetAction": {}}, "needs MinCapacity, MaxCapacity or both"),
        ("rate(1 hour)", {"ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 2}},
         "at most MaxCapacity, got 3 and 2"),
        ("rate(1 hour)", {"ScalableTargetAction": {"MinCapacity": -1}}, "at least 0"),
        ("rate(1 hour)", {"EndTime": START}, "EndTime must lie after now and StartTime"),
        ("at(2013-06-01T11:00:00)", {}, "has passed"),
        ("daily", {}, "cannot be read"),
        ("cron(0 9 * * ? *)", {"Timezone": "Nowhere"}, "no time zone 'Nowhere'"),
    ],
)  # fmt: skip
def test_actions_that_are_refused(
    stage: Stage, schedule: str | None, more: dict[str, Any], told: str
) -> None:
    """As a ValidationException; nothing is kept."""
    stage.register()
    with pytest.raises(AwsError, match=told) as caught:
        _put(stage, schedule, **more)
    assert caught.value.code == "ValidationException"
    assert _listed(stage) == []


def test_an_action_needs_a_target(stage: Stage) -> None:
    """In AWS's words."""
    with pytest.raises(AwsError, match="No scalable target registered for service") as caught:
        _put(stage, "rate(1 hour)")
    assert caught.value.code == "ObjectNotFoundException"
