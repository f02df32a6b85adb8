"""Changes of endpoints that meet, and what is still being answered; no worker is a process here."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from support.plant import IMAGE, Plant, goes_on, working
from support.waiting import until

from mlref.aws.local.errors import AwsError
from mlref.aws.local.hosting.capture import Exchange
from mlref.aws.local.hosting.live import Variant

IN_PROGRESS = "ValidationException: Cannot update in-progress endpoint"
HEEDED = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "slow"}]}}


@pytest.fixture
def plant() -> Iterator[Plant]:
    """The endpoint "e" of the configuration "a", and the configurations "b" and "c"."""
    made = Plant()
    for name in "abc":
        made.config(name)
    made.endpoint("a")
    yield made
    made.close()
    assert made.launches.alive == 0


def _outcome(call: Any, *given: Any, **named: Any) -> str:
    """Which code a call is refused with, or "accepted"."""
    try:
        call(*given, **named)
    except AwsError as error:
        return f"{error.code}: {error.message}"[: len(IN_PROGRESS)]
    return "accepted"


def _together(plant: Plant) -> None:
    """Let updates meet while they look up their alarms: none has begun, all are checked."""
    gate, first = threading.Barrier(2, timeout=2), itertools.count()

    def state(_: str) -> str:
        if next(first) < gate.parties:
            with suppress(threading.BrokenBarrierError):
                gate.wait()
        return "OK"

    plant.alarm = state


def test_of_two_updates_at_the_same_time_one_is_refused(plant: Plant) -> None:
    """As "in-progress"; and no worker is left over."""
    _together(plant)
    with ThreadPoolExecutor(2) as pool:
        calls = [
            pool.submit(_outcome, plant.update, each, DeploymentConfig=HEEDED) for each in "bc"
        ]
        found = sorted(each.result() for each in calls)
    assert found == [IN_PROGRESS, "accepted"]
    assert plant.settled()["EndpointConfigName"] in {"b", "c"}
    assert plant.launches.alive == 1


def test_an_update_that_was_overtaken_is_refused(plant: Plant) -> None:
    """Another change began and ended between its checks and its beginning."""

    def state(_: str) -> str:
        plant.scale(DesiredInstanceCount=2)
        plant.settled()
        return "OK"

    plant.alarm = state
    assert _outcome(plant.update, "b", DeploymentConfig=HEEDED) == IN_PROGRESS
    told = plant.settled()
    assert (told["EndpointConfigName"], plant.launches.alive) == ("a", 2)


def test_nothing_else_is_changed_while_workers_start(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither scaled, nor updated, nor deleted."""
    begun, go = threading.Event(), threading.Event()

    def launch(_: Any) -> Any:
        begun.set()
        assert go.wait(10)
        return plant.launches()

    monkeypatch.setattr(plant.launches, "launch", launch)
    plant.scale(DesiredInstanceCount=2)
    assert begun.wait(10)
    assert _outcome(plant.scale, DesiredInstanceCount=3) == IN_PROGRESS
    assert _outcome(plant.update, "b") == IN_PROGRESS
    with pytest.raises(AwsError, match="while it is Updating"):
        plant.ask.delete_endpoint(EndpointName="e")
    go.set()
    assert plant.settled()["ProductionVariants"][0]["CurrentInstanceCount"] == 2


def test_an_update_ends_when_the_old_workers_have_answered(plant: Plant) -> None:
    """The new ones have all requests before; nobody who was being answered is cut off."""
    fleet = plant.variant().fleet
    (slot,) = fleet.slots
    fleet.begin(slot)
    plant.update("b")
    until(lambda: slot.gone)
    assert plant.variant().fleet is not fleet
    assert plant.waits()
    assert plant.told()["EndpointStatus"] == "Updating"
    assert plant.launches.alive == 2
    fleet.give(slot)
    assert plant.settled()["EndpointConfigName"] == "b"
    assert plant.launches.alive == 1


def _counted(plant: Plant, variant: Variant) -> list[dict[str, Any]]:
    """What CloudWatch learns of an answer, once all metrics are saved."""
    metrics: Any = plant.world.metrics
    metrics.puts.clear()
    variant.meter.count(200, 0.01, 0.0, instances=1, model_status=200)
    plant.hosting.save_metrics()
    return list(metrics.of("Invocations"))


def test_what_old_workers_still_answer_is_saved_at_once(plant: Plant) -> None:
    """Metrics and captures, as long as they answer, and not only when all have ended."""
    objects: Any = plant.world.objects
    objects.buckets["kept"] = {}
    kept = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://kept/data",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    plant.ask.delete_endpoint(EndpointName="e")
    plant.endpoint(plant.config("kept", DataCaptureConfig=kept))
    live = plant.hosting.live("e")
    assert live is not None
    (group,) = live.groups
    (variant,) = group.variants
    (slot,) = variant.fleet.slots
    variant.fleet.begin(slot)
    plant.update("b")
    until(lambda: slot.gone)
    assert len(_counted(plant, variant)) == 1
    exchange = Exchange(plant.world.clock.now(), "A", b"1", "text/csv", b"2", "text/csv")
    assert group.capture is not None
    group.capture.keep(exchange)
    plant.hosting.save_captures()
    assert len(objects.keys("s3://kept/data/e/A/")) == 1
    variant.fleet.give(slot)
    plant.settled()
    assert _counted(plant, variant) == []  # nobody looks any more
    group.capture.keep(exchange)
    plant.hosting.save_captures()
    assert len(objects.keys("s3://kept/data/e/A/")) == 1


def test_time_can_be_moved_on_while_old_workers_answer(plant: Plant) -> None:
    """The timer that ends the baking period does not wait for them."""
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}
    config = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    fleet = plant.variant().fleet
    (slot,) = fleet.slots
    fleet.begin(slot)
    plant.update("b", DeploymentConfig=config)
    until(lambda: plant.variant().fleet is not fleet)
    with working(lambda: until(lambda: plant.world.timers.advance(60) or slot.gone)):
        pass
    assert plant.waits()
    assert plant.told()["EndpointStatus"] == "Updating"
    fleet.give(slot)
    assert plant.settled()["EndpointConfigName"] == "b"


def test_scaling_in_waits_for_what_has_begun(plant: Plant) -> None:
    """The instance that goes answers first."""
    plant.scale(DesiredInstanceCount=2)
    plant.settled()
    fleet = plant.variant().fleet
    busy = fleet.slots[1]
    fleet.begin(busy)
    plant.scale(DesiredInstanceCount=1)
    until(lambda: busy.gone)
    assert plant.waits()
    assert plant.told()["EndpointStatus"] == "Updating"
    assert plant.launches.alive == 2
    fleet.give(busy)
    plant.settled()
    assert plant.launches.alive == 1


def test_copies_that_are_replaced_answer_what_they_have_begun(plant: Plant) -> None:
    """The component is Updating so long; the new copies have all requests before."""
    plant.ask.delete_endpoint(EndpointName="e")
    plant.endpoint(plant.hosts("hosts"))
    plant.component("one")
    old = (plant.variant().components or {})["one"]
    fleet = old.fleet
    (slot,) = fleet.slots
    fleet.begin(slot)
    container = {"Container": {"Image": IMAGE}}
    plant.ask.update_inference_component(InferenceComponentName="one", Specification=container)
    until(lambda: slot.gone)
    with working(plant.components.settle) as thread:
        assert goes_on(thread)
        assert (plant.variant().components or {})["one"].fleet is not fleet
        assert slot.worker.alive
        assert len(_counted(plant, old)) == 1  # and what they answer is saved
        fleet.give(slot)
    assert not slot.worker.alive


def test_a_deleted_endpoint_waits_for_nobody(plant: Plant) -> None:
    """Its workers end, whatever they do."""
    fleet = plant.variant().fleet
    fleet.begin(fleet.slots[0])
    plant.ask.delete_endpoint(EndpointName="e")
    until(lambda: not plant.launches.alive)


def test_the_end_waits_for_nobody(plant: Plant) -> None:
    """Also not for an update whose old workers still answer."""
    fleet = plant.variant().fleet
    (slot,) = fleet.slots
    fleet.begin(slot)
    plant.update("b")
    until(lambda: slot.gone)
    with working(plant.close):
        pass
    assert plant.launches.alive == 0


def test_a_batch_that_does_not_start_takes_a_rolling_update_back(plant: Plant) -> None:
    """Also a later one, which a timer starts; the reason is told."""
    plant.config("four", count=4)
    plant.scale(DesiredInstanceCount=4)
    plant.settled()
    size = {"Type": "INSTANCE_COUNT", "Value": 2}
    policy = {"MaximumBatchSize": size, "WaitIntervalInSeconds": 60}
    plant.update("four", DeploymentConfig={"RollingUpdatePolicy": policy})
    until(lambda: len(plant.launches.made) == 6)
    plant.launches.failing = 7
    until(lambda: plant.world.timers.advance(60) or plant.told()["EndpointStatus"] == "InService")
    told = plant.told()
    assert told["EndpointConfigName"] == "a"
    assert "ping" in told["FailureReason"]
    assert plant.launches.alive == 4


def test_what_goes_wrong_here_is_told(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours leaves no endpoint in the state Updating for ever."""
    monkeypatch.setattr(plant.hosting, "build", lambda *_, **__: 1 / 0)
    plant.update("b")
    told = plant.settled()
    assert told["EndpointStatus"] == "InService"
    assert "log of the local AWS" in told["FailureReason"]
    assert told["EndpointConfigName"] == "a"


def test_workers_that_do_not_start_fail_the_scaling_only(plant: Plant) -> None:
    """The endpoint answers as before, and says why."""
    plant.launches.failing = 2
    plant.scale(DesiredInstanceCount=2, DesiredWeight=0.5)
    told = plant.settled()
    assert (told["EndpointStatus"], told["ProductionVariants"][0]["CurrentWeight"]) == (
        "InService",
        0.5,
    )
    assert "ping" in told["FailureReason"]
