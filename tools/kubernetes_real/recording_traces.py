"""The real controller's answers over many syncs.

At each question to the metrics API the next load of the trace is told, so a trace does not depend
on how fast this machine is. Whenever the autoscaler has changed the target, its pods follow at
once: the new ones have been ready for long.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kubernetes_real import world
from kubernetes_real.client import Api
from kubernetes_real.data import Case, Pod, Readings
from kubernetes_real.recording import FLAGS, Statuses, answer, cluster_for
from kubernetes_real.traces import DOWN_WINDOW_S, PERIOD_S, Trace
from kubernetes_real.wording import running as pods_running
from kubernetes_real.wording import samples
from mlref.errors import ProcessError
from mlref.runtime.clock import Clock

__all__ = ["TRACE_FLAGS", "record_traces"]

TRACE_FLAGS = FLAGS | {
    "horizontal-pod-autoscaler-downscale-stabilization": f"{DOWN_WINDOW_S}s",
    "horizontal-pod-autoscaler-sync-period": f"{PERIOD_S}s",
}
"""The controller's options while traces are recorded."""

_AFTER_S = 0.5 * PERIOD_S  # from a sync on, after which its effects can be seen
_MARGIN_S = 0.4  # no window may end nearer to a sync than this
_TIMEOUT_S = 200.0


class _Run:
    """One trace under way.

    Args:
        trace: what is told.
        api: a client of the API server.
        clock: tells the moments.
    """

    def __init__(self, trace: Trace, api: Api, clock: Clock) -> None:
        self.trace = trace
        self._api = api
        self._clock = clock
        self._count = 0
        self._pods = trace.replicas
        self._lock = threading.Lock()

    def create(self) -> None:
        """The target, its pods and the autoscaler."""
        trace = self.trace
        pods = pods_running(trace.replicas) if trace.of_pods else {}
        about = trace.about
        case = Case(
            name=trace.name, kind="trace", about=about, replicas=trace.replicas, spec={}, pods=pods
        )
        world.create_target(self._api, case, self._clock.now())
        world.create_autoscaler(self._api, trace.name, trace.spec)

    def read(self) -> Readings:
        """The readings of the next sync."""
        with self._lock:
            loads = self.trace.loads_milli
            load = loads[min(self._count, len(loads) - 1)]
            self._count += 1
            count = self._pods
        if load is None:
            return Readings()
        if self.trace.of_pods:
            return samples(pods_running(count), load // count)
        return Readings(external_milli={"queue": [load]})

    def follow(self, replicas: int) -> None:
        """Make the pods as many as the target asks for."""
        if replicas == self._pods:
            return
        path = f"/api/v1/namespaces/{self.trace.name}/pods"
        wanted, there = pods_running(replicas), pods_running(self._pods)
        if self.trace.of_pods:
            for name in wanted.keys() - there.keys():
                made: Pod = wanted[name]
                world.create_pod(self._api, self.trace.name, name, made, self._clock.now())
            for name in there.keys() - wanted.keys():
                self._api.delete(f"{path}/{name}?gracePeriodSeconds=0")
        world.set_status(self._api, self.trace.name, replicas)
        with self._lock:
            self._pods = replicas

    def change(self, after: int) -> None:
        """What somebody else changes after so many syncs."""
        for field, value in self.trace.changes.get(after, {}).items():
            if field == "replicas":
                world.set_replicas(self._api, self.trace.name, value)
                self.follow(value)
            else:
                world.set_bound(self._api, self.trace.name, field, value)


def record_traces(programs: Path, clock: Clock, traces: Sequence[Trace]) -> list[dict[str, Any]]:
    """The answers to all traces, sorted by name; they are recorded at the same time.

    Args:
        programs: the folder with the programs.
        clock: tells the moments.
        traces: what to ask.

    Raises:
        ProcessError: the syncs came at moments that are too near to the end of a window.
    """
    with cluster_for(programs, clock, TRACE_FLAGS) as (running, metrics, statuses):
        runs = {trace.name: _Run(trace, running.api, clock) for trace in traces}
        for name, run in runs.items():
            metrics.readings[name] = run.read
        for run in runs.values():
            run.create()
        longest = max(len(trace.loads_milli) for trace in traces)
        _drive(runs, metrics.asked, statuses, clock, longest + 1)
        return [_recorded(runs[name].trace, metrics.asked[name], statuses) for name in sorted(runs)]


def _drive(
    runs: dict[str, _Run],
    asked: dict[str, list[datetime]],
    statuses: Statuses,
    clock: Clock,
    syncs: int,
) -> None:
    """Let pods follow their targets, and others change things, until there were enough syncs."""
    done = dict.fromkeys(runs, 0)
    followed = dict.fromkeys(runs, 0)
    deadline = clock.monotonic() + _TIMEOUT_S
    tick = threading.Event()
    while min(done.values()) < syncs:
        if clock.monotonic() > deadline:
            raise ProcessError(f"there were fewer than {syncs} syncs in {_TIMEOUT_S:g} s")
        for name, run in runs.items():
            moments = asked.get(name, [])
            seen = statuses.of(name)
            if len(seen) > followed[name]:
                followed[name] = len(seen)
                run.follow(seen[-1][1]["desiredReplicas"] or run.trace.replicas)
            if len(moments) > done[name]:
                since = (clock.now() - moments[done[name]]).total_seconds()
                if since > _AFTER_S:
                    done[name] += 1
                    run.change(done[name])
        tick.wait(0.02)


def _recorded(trace: Trace, moments: Sequence[datetime], statuses: Statuses) -> dict[str, Any]:
    """One trace with its answers."""
    times = [(moment - moments[0]).total_seconds() for moment in moments]
    _check_margins(trace, times)
    steps: list[dict[str, Any]] = []
    replicas = trace.replicas
    seen = statuses.of(trace.name)
    for number, load in enumerate(trace.loads_milli):
        replicas = trace.changes.get(number, {}).get("replicas", replicas)
        status = [status for when, status in seen if when < moments[number + 1]][-1]
        if status["currentReplicas"] != replicas:
            raise ProcessError(
                f"{trace.name}: sync {number} found {status['currentReplicas']} replicas where "
                f"{replicas} were expected; record on a machine that does less besides"
            )
        told = answer(status, replicas)
        del told["current_metrics"]  # it repeats the load
        step = {"at_s": round(times[number], 2), "load_milli": load, "replicas": replicas}
        steps.append(step | {"expected": told})
        replicas = told["target_replicas"]
    changes = [{"after_syncs": number, **what} for number, what in trace.changes.items()]
    return {
        "name": trace.name,
        "about": trace.about,
        "spec": dict(trace.spec),
        "changes": changes,
        "steps": steps,
    }


def _check_margins(trace: Trace, times: Sequence[float]) -> None:
    """Refuse moments at which a little delay would have given another answer."""
    windows = {DOWN_WINDOW_S} | _windows(trace.spec.get("behavior", {}))
    for first in times:
        for later in times:
            for window_s in windows - {0}:
                if abs(later - first - window_s) < _MARGIN_S:
                    raise ProcessError(
                        f"{trace.name} had syncs {later - first:.2f} s apart and a window of "
                        f"{window_s} s; record on a machine that does less besides"
                    )


def _windows(rules: Any) -> set[int]:
    """Every window and period in a behaviour."""
    if isinstance(rules, list):
        return {window for item in rules for window in _windows(item)}
    if not isinstance(rules, dict):
        return set()
    own = {rules[name] for name in ("stabilizationWindowSeconds", "periodSeconds") if name in rules}
    return own | {window for item in rules.values() for window in _windows(item)}
