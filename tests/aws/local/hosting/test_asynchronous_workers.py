"""Asynchronous endpoints whose workers end, are let go or replaced while they work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.data_plane import DataPlane, data_plane
from support.queue import CONFIG, later, message, settled
from support.waiting import until

from mlref.aws.local.hosting.fleet import Slot


@pytest.fixture
def plane() -> Iterator[DataPlane]:
    """An endpoint with a worker."""
    with data_plane(asynchronous=CONFIG) as found:
        found.workers(1)
        yield found


def test_a_request_that_loses_its_worker_is_tried_again(plane: DataPlane) -> None:
    """Twice it is broken off, then answered; nobody is told of the first two."""
    asked: list[bytes] = []

    def answer(body: bytes) -> Any:
        asked.append(body)
        return None if len(asked) < 3 else (200, {}, b"at last")

    plane.answer = answer
    output, _ = later(plane, b"1,2")
    assert message(plane)["invocationStatus"] == "Completed"
    assert plane.world.objects.get(output) == b"at last"
    assert asked == [b"1,2"] * 3
    assert len(plane.told) == 1
    settled(plane)
    assert plane.metrics()["Invocation5XXErrors"] == {0.0: 1}
    assert plane.metrics()["TimeInBacklog"] == {0.0: 1}


def test_a_request_that_loses_all_its_workers_fails(plane: DataPlane) -> None:
    """Three are enough; the next request is not kept from its turn."""
    asked: list[bytes] = []

    def answer(body: bytes) -> Any:
        asked.append(body)
        return None if body == b"bad" else (200, {}, b"ok")

    plane.answer = answer
    later(plane, b"bad")
    later(plane, b"good")
    assert "ended while it answered" in message(plane)["failureReason"]
    assert message(plane, 1)["invocationStatus"] == "Completed"
    assert asked == [b"bad"] * 3 + [b"good"]
    settled(plane)
    assert plane.metrics()["Invocation5XXErrors"] == {1.0: 1, 0.0: 1}


def test_a_request_that_finds_no_worker_is_counted_once(
    plane: DataPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one goes while the request is fetched; the next one answers it."""
    plane.world.objects.put("s3://b/asked", b"1,2")
    get, take = plane.world.objects.get, plane.fleet.take
    fetching, release, refused = threading.Event(), threading.Event(), threading.Event()

    def slow(address: str) -> bytes:
        fetching.set()
        release.wait(30)
        return get(address)

    async def taken() -> Slot:
        try:
            return await take()
        finally:
            refused.set()

    monkeypatch.setattr(plane.world.objects, "get", slow)
    monkeypatch.setattr(plane.fleet, "take", taken)
    later(plane, b"", inputlocation="s3://b/asked")
    assert fetching.wait(30)
    plane.workers(0)
    release.set()
    assert refused.wait(30)
    plane.workers(1)
    assert message(plane)["invocationStatus"] == "Completed"
    settled(plane)
    found = plane.metrics()
    assert found["TimeInBacklog"] == {0.0: 1}
    assert found["Invocation5XXErrors"] == {0.0: 1}
    assert sum(found["ModelLatency"].values()) == 1


@pytest.mark.parametrize("seconds", [60, 61])
def test_a_request_that_loses_its_worker_after_its_time_expires(
    plane: DataPlane, seconds: int
) -> None:
    """Nobody is left to try it, and its timer has found it at work."""
    asked, release = threading.Event(), threading.Event()

    def answer(_: bytes) -> None:
        asked.set()
        release.wait(30)

    plane.answer = answer
    later(plane, requestttlseconds="60")
    assert asked.wait(30)
    plane.world.timers.advance(seconds)
    worker: Any = plane.fleet.slots[0].worker
    worker.alive = False
    release.set()
    assert "RequestTTLSeconds" in message(plane)["failureReason"]
    settled(plane)
    assert plane.metrics()["ExpiredRequests"] == {1.0: 1}
    assert len(plane.told) == 1


class _Held:
    """What a container does: it answers a body that is a key only once that is set."""

    def __init__(self, *keys: bytes) -> None:
        self.release = {key: threading.Event() for key in keys}
        self.asked: list[bytes] = []

    def __call__(self, body: bytes) -> Any:
        self.asked.append(body)
        if body in self.release:
            self.release[body].wait(30)
        return 200, {}, b"ok"


def test_who_stays_works_on_while_another_finishes(plane: DataPlane) -> None:
    """A request of an instance that is let go takes no place of the others."""
    plane.workers(2)
    plane.answer = held = _Held(b"first", b"long")
    for body in (b"first", b"long"):  # of the one that stays, and of the one that goes
        later(plane, body)
        until(lambda wanted=body: wanted in held.asked)
    going = threading.Thread(target=plane.workers, args=(1,))
    going.start()
    until(lambda: len(plane.fleet) == 1)
    held.release[b"first"].set()
    later(plane, b"next")
    until(lambda: b"next" in held.asked)
    held.release[b"long"].set()
    going.join()
    assert message(plane, 2)
    assert plane.fleet.leaving() == 0


def test_the_new_works_while_the_old_finishes(plane: DataPlane) -> None:
    """After an update, a request that the old variant has takes no place of the new one."""
    plane.answer = held = _Held(b"long")
    later(plane, b"long")
    until(lambda: held.asked == [b"long"])
    plane.update()
    plane.workers(1)
    later(plane, b"next")
    until(lambda: b"next" in held.asked)
    held.release[b"long"].set()
    assert message(plane, 1)


def test_old_and_new_work_on_the_queue_by_their_shares(plane: DataPlane) -> None:
    """So alarms on the new variant see what it does, before all requests are its own."""
    old, plane.answer = plane.update(share=0.2), lambda _: (200, {}, b"ok")
    plane.workers(1)
    by_new = by_old = 0
    for count in range(100):
        later(plane)
        message(plane, count)
        settled(plane)  # both have room, so that shares alone decide
        by_new, by_old = by_new + (plane.fleet.peak() > 0), by_old + (old.fleet.peak() > 0)
    assert by_new + by_old == 100
    assert 8 <= by_new <= 32  # 20, give or take 3 standard deviations of 4


def test_who_has_room_works_while_the_other_is_busy(plane: DataPlane) -> None:
    """A new variant that answers nothing keeps no request of the old one waiting."""
    plane.answer = held = _Held(b"long")
    old = plane.update(share=0.999)
    plane.workers(1)
    later(plane, b"long")
    until(lambda: held.asked == [b"long"])
    for count in range(3):
        later(plane, b"%d" % count)
        assert message(plane, count)["invocationStatus"] == "Completed"
    assert old.fleet.peak() == 1.0
    held.release[b"long"].set()
    assert message(plane, 3)


def test_what_is_counted_after_a_variant_has_gone_is_saved(plane: DataPlane) -> None:
    """Its last message is still being sent when its metrics are saved for the last time."""
    begun, release = threading.Event(), threading.Event()

    def slow(*_: str) -> None:
        begun.set()
        release.wait(30)

    plane.publish = slow
    later(plane)
    assert begun.wait(30)
    old = plane.update()
    old.fleet.stop(drain=True)
    old.meter.flush()
    assert plane.world.metrics.of("InvocationsProcessed") == []
    release.set()
    until(lambda: plane.world.metrics.of("InvocationsProcessed"))
    until(lambda: plane.world.metrics.of("TotalProcessingTime"))
