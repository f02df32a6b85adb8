"""The real controller's answers, as values that can be written down.

Nothing but the autoscaler's controller runs. It tells each answer by the autoscaler's status, which
is watched; a question to the metrics API tells when a sync takes place.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from kubernetes_real import cluster, metrics_api, world
from kubernetes_real.data import Case, Readings, Sample
from kubernetes_real.wording import STATES
from mlref.errors import ProcessError
from mlref.runtime.clock import Clock

__all__ = ["FLAGS", "GATES", "POD", "SAMPLE", "Statuses", "answer", "cluster_for", "record_cases"]

FLAGS = {
    "horizontal-pod-autoscaler-cpu-initialization-period": "300s",
    "horizontal-pod-autoscaler-downscale-stabilization": "300s",
    "horizontal-pod-autoscaler-initial-readiness-delay": "30s",
    "horizontal-pod-autoscaler-sync-period": "5s",
    "horizontal-pod-autoscaler-tolerance": "0.1",
}
"""The controller's options while cases are recorded; all but the period are its defaults."""

GATES = "HPAContainerMetrics=true,HPAScaleToZero=true"

POD: Mapping[str, Any] = asdict(STATES["ready"][0])
"""The fields of the usual pod; a vector leaves them out."""

SAMPLE: Mapping[str, Any] = {
    name: value for name, value in asdict(Sample(usage_milli={})).items() if name != "usage_milli"
}
"""The fields of the usual sample; a vector leaves them out."""

_CLIENT = {"kube-api-qps": "1000", "kube-api-burst": "2000"}  # its own limit would delay syncs
_WORKERS = 8
_SLACK_S = 15.0  # no age in a case is nearer to its limit than this
_ANSWER_TIMEOUT_S = 90.0


class Statuses:
    """Every status that an autoscaler had, by namespace, with the moment it was seen.

    Args:
        clock: tells the moments.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._seen: dict[str, list[tuple[datetime, dict[str, Any]]]] = {}

    def add(self, autoscaler: Mapping[str, Any]) -> None:
        """Take in an autoscaler as it is now."""
        status = autoscaler.get("status") or {}
        if status.get("conditions"):
            with self._changed:
                seen = self._seen.setdefault(autoscaler["metadata"]["namespace"], [])
                seen.append((self._clock.now(), status))
                self._changed.notify_all()

    def of(self, namespace: str) -> list[tuple[datetime, dict[str, Any]]]:
        """What was seen in a namespace so far."""
        with self._changed:
            return list(self._seen.get(namespace, ()))

    def wait(self, done: Callable[[Statuses], bool], timeout_s: float) -> bool:
        """Whether a condition came true in time; it is looked at after each change."""
        with self._changed:
            return self._changed.wait_for(lambda: done(self), timeout_s)

    def names(self) -> set[str]:
        """Where anything was seen."""
        return set(self._seen)


@contextmanager
def cluster_for(
    programs: Path, clock: Clock, flags: Mapping[str, str]
) -> Iterator[tuple[cluster.Cluster, metrics_api.MetricsApi, Statuses]]:
    """A cluster in which only the autoscaler works, its metrics, and its statuses as they come.

    Args:
        programs: the folder with the programs.
        clock: tells the moments.
        flags: the controller's options.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mlref-k8s-") as folder,
        cluster.start(
            programs,
            Path(folder),
            controllers=["horizontalpodautoscaling"],
            disabled_admission=["ServiceAccount"],
            flags=_CLIENT | dict(flags),
            gates=GATES,
            scheduler=False,
        ) as running,
        metrics_api.start(running, clock) as metrics,
    ):
        statuses = Statuses(clock)
        stopped = threading.Event()

        def follow() -> None:
            for autoscaler in running.api.watch(world.AUTOSCALERS, stopped):
                statuses.add(autoscaler)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield running, metrics, statuses
        finally:
            stopped.set()
            follower.join()


def record_cases(programs: Path, clock: Clock, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The answer of the first sync to each case, sorted by name.

    Args:
        programs: the folder with the programs.
        clock: tells the moments.
        cases: what to ask.

    Raises:
        ProcessError: an answer did not come, or came so late that the ages were wrong.
    """
    bases: dict[str, datetime] = {}
    with cluster_for(programs, clock, FLAGS) as (running, metrics, statuses):

        def create(case: Case) -> None:
            bases[case.name] = clock.now().replace(microsecond=0)
            metrics.readings[case.name] = lambda: case.readings
            world.create_target(running.api, case, bases[case.name])
            world.create_autoscaler(running.api, case.name, case.spec)

        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(create, cases))
        wanted = {case.name for case in cases}
        if not statuses.wait(lambda seen: seen.names() >= wanted, _ANSWER_TIMEOUT_S):
            silent = ", ".join(sorted(wanted - statuses.names())[:5])
            raise ProcessError(
                f"no answer to {silent}; see why in the controller's log",
                log_tail=running.processes["kube-controller-manager"].log_tail(),
            )
        firsts = {name: statuses.of(name)[0] for name in wanted}
    late = {name: (seen - bases[name]).total_seconds() for name, (seen, _) in firsts.items()}
    worst = max(late, key=lambda name: late[name])
    if late[worst] > _SLACK_S:
        raise ProcessError(
            f"{worst} was answered {late[worst]:.1f} s after it was set up, at most {_SLACK_S:g} s "
            "are allowed; record on a machine that does less besides"
        )
    return [
        _vector(case, firsts[case.name][1]) for case in sorted(cases, key=lambda case: case.name)
    ]


def _vector(case: Case, status: Mapping[str, Any]) -> dict[str, Any]:
    """One case with its answer."""
    count = case.replicas if case.status_replicas is None else case.status_replicas
    return {
        "name": case.name,
        "kind": case.kind,
        "about": case.about,
        "replicas": case.replicas,
        "status_replicas": count,
        "spec": dict(case.spec),
        "pods": {name: _told(asdict(pod), POD) for name, pod in case.pods.items()},
        "readings": _readings(case.readings),
        "expected": answer(status, case.replicas),
    }


def _readings(readings: Readings) -> dict[str, Any]:
    """What can be measured, without what is as usual."""
    told = _told(asdict(readings), asdict(Readings()))
    if "samples" in told:
        told["samples"] = {name: _told(item, SAMPLE) for name, item in told["samples"].items()}
    return told


def _told(values: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """The values that differ from the usual ones."""
    return {name: value for name, value in values.items() if value != usual.get(name, ...)}


def answer(status: Mapping[str, Any], replicas: int) -> dict[str, Any]:
    """What a status says, without times and texts.

    Args:
        status: of the autoscaler.
        replicas: what the target asked for before.
    """
    desired = status["desiredReplicas"]
    rescaled = any(item["reason"] == "SucceededRescale" for item in status["conditions"])
    return {
        "conditions": {
            item["type"]: [item["status"], item["reason"]] for item in status["conditions"]
        },
        "current_metrics": [item for item in status["currentMetrics"] or () if item.get("type")],
        "desired_replicas": desired,
        "target_replicas": desired if rescaled else replicas,
    }
