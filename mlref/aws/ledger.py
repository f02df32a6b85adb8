"""What a session has made that costs by the hour, all together.

`mlref.aws.guard` holds each request against the estimate by itself; two endpoints of one instance
would both pass where one was estimated. The ledger adds up:

- what stands until somebody ends it may not be more than the instances that were estimated:
  endpoints, with as many instances as they may scale to; schedules of a monitor; transform jobs;
- jobs that AWS ends may not run for more instance-hours, by their limits, than were estimated.

The ledger knows what the session's clients are told (`mlref.aws.counting`):

- a request counts before it is sent: the greater of what there was and what it asks for. When it
  has succeeded, what it asked for counts. When its only attempt is refused, it is undone. When
  nobody knows what came of it, the greater goes on counting;
- an update may be rolled back, so old and new configuration both count, the greater of them, until
  DescribeEndpoint tells that the endpoint is in service, and with which;
- a job counts by its limit, until DescribeTrainingJob or DescribeProcessingJob tells that it has
  ended; then for as long as it ran;
- what AWS says is not there counts no more, so describe what was lost, or deleted elsewhere. A job
  that was made and is deleted has run: its hours count.

Not counted: what others have made, unless this session changes it; what clients with credentials of
another account make there; the minutes for which an update has both old and new instances; the time
for which something stood that is deleted.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

from mlref.aws.asked import at_once, in_words, quantities, refuse
from mlref.aws.claims import (
    Asked,
    Bound,
    Changes,
    Claim,
    Key,
    LookUp,
    claimed,
    is_end,
    ran,
    resized,
    sizes_of,
    subject,
)
from mlref.cost import Estimate

__all__ = ["Ledger", "Reservation"]

_ROUNDED = 1 + 1e-9  # sums of hours are not exact
_SHOWN = 3  # of what is counted, in a refusal
_TODO = {
    "hosting": "delete what is not needed (call describe_endpoint for what was deleted elsewhere)",
    "processing": "call describe_processing_job for a job that has ended, which then counts as it "
    "ran, or delete schedules that are not needed",
    "training": "call describe_training_job for a job that has ended, which then counts as it ran",
    "transform": "call describe_transform_job for a job that has ended, which then counts no more",
}
_ADD = "or add it to the estimate (see mlref.cost), and open a new session with that"


@dataclass(frozen=True)
class Reservation:
    """What is counted for a request that is under way.

    Attributes:
        old: what was counted before.
        new: what it asks for.
        most: the greater of both, which counts until the request is over.
        number: of the reservation.
    """

    old: Changes
    new: Changes
    most: Changes
    number: int


class Ledger:
    """Adds up what requests ask for, and refuses what is more than an estimate has.

    Args:
        estimate: what may stand, and for how long.
    """

    def __init__(self, estimate: Estimate) -> None:
        self._hours = estimate.hours
        self._covered = at_once(estimate)
        self._quantities = quantities(estimate)
        self._held = Changes()
        self._number = 0
        self._open: WeakValueDictionary[int, Reservation] = WeakValueDictionary()
        self._versions: dict[Key | Bound, int] = {}  # the numbers of the last changes
        self._lock = threading.Lock()
        self._turn = threading.RLock()  # one looks up and reserves at a time

    def mark(self) -> int:
        """When it is; what AWS is asked now, it may answer as it was before any later change."""
        return self._number

    def reserve(self, asked: Asked, shape: Any, look_up: LookUp) -> Reservation:
        """Count what a request asks for, before it is sent.

        Args:
            asked: the request.
            shape: what AWS's model says of it.
            look_up: reads what it only names.

        Returns:
            What is counted; to be given to `commit`, `undo` or `leave`.

        Raises:
            SpendingRefusedError: it would be more than was estimated, or nobody knows what it would
                be; nothing is counted.
        """
        if not asked.claims:
            return Reservation(Changes(), Changes(), Changes(), 0)
        with self._turn:
            new = claimed(asked, shape, self._held, look_up)
            with self._lock:
                reservation = self._reservation(new)
                before = self._sums()
                self._put(reservation.most)
                over = self._over(before)
                why = self._why(over) if over else ("", "")
                if over:
                    self._put(reservation.old)
                else:
                    self._versions |= dict.fromkeys([*new.claims, *new.bounds], self._number)
        if over:
            refuse(asked.operation, *why)
        return reservation

    def commit(self, reservation: Reservation) -> None:
        """Count what a request asked for that has succeeded.

        What scaled keeps its instances until AWS tells how many there are.

        Args:
            reservation: as `reserve` gave it.
        """
        with self._lock:
            made = {
                key: tuple(replace(each, made=True) for each in claims)
                for key, claims in reservation.new.claims.items()
            }
            self._finish(reservation, Changes(made, reservation.new.bounds))
            for bound, most in reservation.old.bounds.items():
                self._freeze(bound, most)

    def undo(self, reservation: Reservation) -> None:
        """Count again as before a request that has failed.

        Args:
            reservation: as `reserve` gave it.
        """
        with self._lock:
            self._finish(reservation, reservation.old)

    def leave(self, reservation: Reservation) -> None:
        """Count the most that a request may have made, of which nobody knows what came.

        Args:
            reservation: as `reserve` gave it.
        """
        with self._lock:
            self._finish(reservation, reservation.most)

    def hear(
        self, asked: Asked, answer: Mapping[str, Any], *, gone: bool = False, mark: int
    ) -> None:
        """Count what AWS says to be there, instead of what was asked for.

        Args:
            asked: the request.
            answer: what AWS said.
            gone: whether it said that there is no such thing.
            mark: when it was asked. It did not speak of what has been changed since, or is being
                changed; a request that was broken off (by Ctrl-C) does not change it any more.
        """
        key = subject(asked)
        with self._lock:
            if key is None:
                if asked.operation in {"DeregisterScalableTarget", "DeleteScheduledAction"}:
                    self._let_go(asked.bound)
            elif (version := self._versions.get(key, 0)) <= mark and version not in self._open:
                self._learn(key, asked, answer, gone=gone)

    def _learn(self, key: Key, asked: Asked, answer: Mapping[str, Any], *, gone: bool) -> None:
        """Count a thing as AWS tells it."""
        claims = self._held.claims.get(key, ())
        jobs = [each for each in claims if each.hours is not None]
        if gone and any(each.made for each in jobs):
            return  # it has run, and was deleted
        if gone or is_end(asked, answer):
            ran_for = () if gone else _ran(jobs, answer)
            bounds = [each for each in self._held.bounds if each.endpoint == key]
            # AWS deregisters the variants of an endpoint with it.
            self._put(Changes({key: ran_for}, dict.fromkeys(bounds, 0)))
        elif answer.get("EndpointStatus") == "InService":  # so no update is under way
            config, sizes = answer.get("EndpointConfigName"), sizes_of(answer)
            now = [each for each in claims if each.config == config]
            if now:
                settled = tuple(resized(each, sizes.get(each.part)) for each in now)
                self._put(Changes({key: settled}))

    def _let_go(self, ending: Bound | None) -> None:
        """Count what may have scaled as it is, when nothing scales it any more."""
        if ending is None:
            return
        most, target = self._held.bounds.get(ending, 0), ending._replace(action="")
        if ending.action:  # it has set the target's own bounds, if it has run
            known = self._held.bounds.get(target, 0)
            self._put(Changes({}, {ending: 0, target: max(most, known)}))
            return
        ends = [each for each in self._held.bounds if each[:2] == ending[:2]]
        for each in ends:
            self._freeze(each, self._held.bounds[each])
        self._put(Changes({}, dict.fromkeys(ends, 0)))

    def _freeze(self, bound: Bound, most: int) -> None:
        """Let a variant have as many instances as it may have scaled to."""
        claims = self._held.claims.get(bound.endpoint, ())
        frozen = [
            replace(each, instances=max(each.instances, most))
            if each.part == bound.variant
            else each
            for each in claims
        ]
        self._put(Changes({bound.endpoint: tuple(frozen)}))

    def _reservation(self, new: Changes) -> Reservation:
        claims, bounds = self._held.claims, self._held.bounds
        old = Changes(
            {key: claims.get(key, ()) for key in new.claims},
            {bound: bounds.get(bound, 0) for bound in new.bounds},
        )
        most = Changes(
            {key: _greater(old.claims[key], new.claims[key]) for key in new.claims},
            {bound: max(old.bounds[bound], new.bounds[bound]) for bound in new.bounds},
        )
        self._number += 1
        self._open[self._number] = made = Reservation(old, new, most, self._number)
        return made

    def _finish(self, reservation: Reservation, changes: Changes) -> None:
        """Count what came of a request, of all that no later request has changed."""

        def is_last(each: Key | Bound) -> bool:
            return self._versions.get(each) == reservation.number

        self._open.pop(reservation.number, None)
        claims = {key: found for key, found in changes.claims.items() if is_last(key)}
        bounds = {bound: most for bound, most in changes.bounds.items() if is_last(bound)}
        self._put(Changes(claims, bounds))
        self._number += 1
        self._versions |= dict.fromkeys([*claims, *bounds], self._number)

    def _put(self, changes: Changes) -> None:
        self._held.claims.update(changes.claims)
        self._held.bounds.update(changes.bounds)
        for key in [key for key, claims in changes.claims.items() if not claims]:
            del self._held.claims[key]
        for bound in [bound for bound, most in changes.bounds.items() if not most]:
            del self._held.bounds[bound]

    def _most(self, key: Key, claim: Claim) -> int:
        """How many instances a claim may grow to."""
        bounds = self._held.bounds.items()
        return max(
            [claim.instances, *(most for each, most in bounds if each[:2] == (key, claim.part))]
        )

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

    def _over(self, before: Mapping[str, tuple[int, float]]) -> str | None:
        """Of what there is more than was estimated, and more than before; or None."""
        for what, (stand, hours) in self._sums().items():
            old_stand, old_hours = before.get(what, (0, 0.0))
            most = self._covered[what] * self._hours * _ROUNDED
            paid = self._quantities[what] * self._hours * _ROUNDED
            grows = stand > old_stand or hours > old_hours
            if grows and (stand * self._hours + hours > most or hours > paid):
                return what
        return None

    def _why(self, what: str) -> tuple[str, str]:
        """What was estimated, and the most of what is counted; and what may be done."""
        made = []
        for key, claims in self._held.claims.items():
            if stand := self._standing(key, what):
                made.append((stand * self._hours, f"{stand} of {key.kind} {key.name}"))
            for each in claims:
                if each.what == what and each.hours is not None:
                    name = f"{key.kind} {key.name} {each.part}".rstrip()
                    hours = each.instances * each.hours
                    made.append((hours, f"{each.instances} of {name} for {each.hours:.3g} h"))
        made.sort(key=lambda each: -each[0])
        told = [text for _, text in made[:_SHOWN]]
        if len(made) > _SHOWN:
            told.append(f"{len(made) - _SHOWN} more")
        stand, hours = self._sums()[what]
        sums = [f"{stand} at a time"] * bool(stand) + [f"{hours:.3g} instance-hours"] * bool(hours)
        estimated = self._quantities[what]
        why = (
            f"the estimate has {in_words(estimated, what)} ({estimated * self._hours:g} instance-"
            f"hours in {self._hours:g} h), and with this request the session would have "
            f"{' and '.join(sums)}: {', '.join(told)}"
        )
        return why, f"{_TODO[what.split(maxsplit=1)[0]]}; {_ADD}"


def _ran(jobs: list[Claim], answer: Mapping[str, Any]) -> tuple[Claim, ...]:
    """What a job claims that has ended: the answer is of its last run."""
    return tuple(ran(each, answer) if each.part == jobs[-1].part else each for each in jobs)


def _greater(old: tuple[Claim, ...], new: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """The greater of what was claimed and what will be, of each part."""
    found: dict[tuple[str, str, str], Claim] = {}
    for each in (*old, *new):
        place = (each.part, each.what, each.config)
        had = found.get(place, each)
        hours = None if each.hours is None else max(each.hours, had.hours or 0.0)
        found[place] = replace(each, instances=max(each.instances, had.instances), hours=hours)
    return tuple(found.values())
