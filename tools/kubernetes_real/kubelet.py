"""A stand-in for the kubelets of three nodes: pods that are assigned to them run, on paper.

It keeps the nodes' heartbeats, says of each pod that it runs and is ready, and removes pods that
are to end. Nothing is started, no image is pulled, no probe is sent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kubernetes_real.client import Api, RefusedError
from kubernetes_real.metrics_api import stamp
from mlref.runtime.clock import Clock

__all__ = ["NODES", "Kubelets", "start"]

NODES: Mapping[str, str] = {"node-a": "zone-a", "node-b": "zone-b", "node-c": "zone-c"}
"""Name of each node, and the zone that it is in."""

_CAPACITY = {"cpu": "16", "memory": "64Gi", "pods": "110"}
_PAUSE_S = 0.1
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_GONE = 404


class Kubelets:
    """The nodes and what runs on them.

    Args:
        api: a client of the API server.
        clock: tells when something changed.
    """

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._stopped = threading.Event()
        self._idle = threading.Event()
        self._running: list[dict[str, Any]] = []

    def join(self) -> None:
        """Bring the nodes into the cluster, ready."""
        for name, zone in NODES.items():
            labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}
            self._api.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
            self._api.post(_LEASES, {"metadata": {"name": name}, "spec": self._lease(name)})
            ready = self._condition("Ready") | {"lastHeartbeatTime": stamp(self._clock.now())}
            state = {"conditions": [ready], "capacity": _CAPACITY, "allocatable": _CAPACITY}
            self._api.patch(f"/api/v1/nodes/{name}/status", {"status": state})

    def work(self) -> None:
        """Play kubelet until told to stop."""
        while not self._stopped.wait(_PAUSE_S):
            for name in NODES:
                self._api.patch(f"{_LEASES}/{name}", {"spec": self._lease(name)})
            if not self._idle.is_set():
                self._look_after_pods()

    def _look_after_pods(self) -> None:
        pods = self._api.get("/api/v1/pods")["items"]
        mine = [pod for pod in pods if pod["spec"].get("nodeName") in NODES]
        for pod in mine:
            self._tend(pod)
        self._running = [pod for pod in mine if "deletionTimestamp" not in pod["metadata"]]

    def idle(self) -> None:
        """From now on only keep the nodes' heartbeats: no pod starts, and none is removed."""
        self._idle.set()

    def stop(self) -> None:
        """Have `work` return."""
        self._stopped.set()

    def running(self, namespace: str) -> list[dict[str, Any]]:
        """The pods that run in a namespace, as they were a moment ago."""
        return [pod for pod in self._running if pod["metadata"]["namespace"] == namespace]

    def _tend(self, pod: Mapping[str, Any]) -> None:
        """Start a pod that is new; end one that is to end."""
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        try:
            if "deletionTimestamp" in meta:
                self._api.delete(f"{path}?gracePeriodSeconds=0")
            elif pod["status"]["phase"] == "Pending":
                self._api.patch(f"{path}/status", {"status": self._started(pod)})
        except RefusedError as error:
            if error.code != _GONE:
                raise

    def _started(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        """The status of a pod whose containers all run and are ready."""
        kinds = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        return {
            "phase": "Running",
            "startTime": stamp(self._clock.now()),
            "podIP": "10.1.0.1",
            "conditions": [self._condition(kind) for kind in kinds],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": container["image"],
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": stamp(self._clock.now())}},
                }
                for container in pod["spec"]["containers"]
            ],
        }

    def _condition(self, kind: str) -> dict[str, Any]:
        now = stamp(self._clock.now())
        return {"type": kind, "status": "True", "reason": "StandIn", "lastTransitionTime": now}

    def _lease(self, name: str) -> dict[str, Any]:
        moment = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": moment}


@contextmanager
def start(api: Api, clock: Clock) -> Iterator[Kubelets]:
    """The nodes, in the cluster, working in a thread until the block ends.

    Args:
        api: a client of the API server.
        clock: tells when something changed.
    """
    kubelets = Kubelets(api, clock)
    kubelets.join()
    worker = threading.Thread(target=kubelets.work, daemon=True)
    worker.start()
    try:
        yield kubelets
    finally:
        kubelets.stop()
        worker.join()
