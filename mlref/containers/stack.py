"""A stack that runs, as `mlref.containers.compose.up` returns it: its addresses, parts, and end."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from mlref.containers import engine, keeper
from mlref.containers.state import State
from mlref.errors import ContainerError, ProcessExitedError, ProcessNotReadyError
from mlref.runtime import process

__all__ = ["Replica", "Sample", "Stack"]

_SERVICE = "com.docker.compose.service"
_NUMBER = "com.docker.compose.container-number"
_MODEL, _NGINX = "model", "nginx"
_PORT, _PROMETHEUS_PORT = 8080, 9090
_POLL_S = 0.05
_ANSWER_S = 5.0
_DOWN_S = 120.0
_GRACE_S = 12  # stop_grace_period of the model
_TAIL_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Replica:
    """One container of the model, as it was when it was asked for.

    Attributes:
        name: for instance "model-1".
        id: the daemon's name for it.
        address: where the others of the stack reach it, which is Prometheus' label "instance"; ""
            if it does not run.
        state: what the daemon says of it.
    """

    name: str
    id: str
    address: str
    state: State


@dataclass(frozen=True)
class Sample:
    """One value of Prometheus' answer, and the labels that tell it from the others."""

    labels: Mapping[str, str]
    value: float


class Stack:
    """All parts together. Close it, or use it in a `with` block."""

    def __init__(
        self,
        project: str,
        down: Sequence[str],
        variables: Mapping[str, str],
        watcher: process.ManagedProcess,
    ) -> None:
        self.project = project
        self._client = engine.connect()
        self._finalizer = weakref.finalize(
            self,
            _let_go,
            self._client,
            project,
            watcher,
            down,
            variables=variables,
            owner=os.getpid(),
        )

    def __repr__(self) -> str:
        return f"<Stack {self.project}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where nginx answers for the replicas, for instance "http://127.0.0.1:32768".

        Raises:
            ContainerError: nginx does not run.
        """
        return self._published(_PORT)

    @property
    def prometheus_url(self) -> str:
        """Where Prometheus answers, pages for people included.

        Raises:
            ContainerError: nginx, which passes requests on, does not run.
        """
        return self._published(_PROMETHEUS_PORT)

    def replicas(self) -> tuple[Replica, ...]:
        """The containers of the model, running or not, in the order of their numbers."""
        found = sorted(self._containers(_MODEL), key=lambda each: int(each.labels[_NUMBER]))
        return tuple(_replica(each) for each in found)

    def query(self, expression: str) -> tuple[Sample, ...]:
        """What Prometheus answers now; nothing if it knows no such series.

        Args:
            expression: in PromQL, with an instant vector as its result.

        Raises:
            ContainerError: Prometheus does not answer, or not to this expression.
        """
        question = urllib.parse.urlencode({"query": expression})
        url = f"{self.prometheus_url}/api/v1/query?{question}"
        try:
            with _opened(url) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode("utf-8", "replace")
            raise ContainerError(f"Prometheus does not answer {expression!r}: {said}") from error
        except (OSError, http.client.HTTPException) as error:
            raise ContainerError(f"Prometheus cannot be asked: {error}") from error
        if data["resultType"] != "vector":
            text = f"{expression!r} gives a {data['resultType']}, expected an instant vector"
            raise ContainerError(f"{text}: vector(1) of a number, up of the range up[1m]")
        return tuple(Sample(each["metric"], float(each["value"][1])) for each in data["result"])

    def logs(self, service: str, lines: int = _TAIL_LINES) -> str:
        """The last lines that the containers of a service printed.

        Args:
            service: "model", "nginx", "redis" or "prometheus".
            lines: how many of each container.

        Raises:
            ContainerError: there is no such service.
        """
        found = self._containers(service)
        if not found:
            raise ContainerError(f"{self!r} has no service {service!r}")
        return "\n".join(_tail(each, lines) for each in found)

    def kill(self, replica: Replica) -> None:
        """End a replica by SIGKILL, as a crash of its machine would. It does not come back.

        Args:
            replica: one of `replicas()`.

        Raises:
            ContainerError: it does not run.
        """
        self._told(replica, "kill")

    def stop(self, replica: Replica) -> State:
        """Its last state, after SIGTERM: it finishes what it has begun. It does not come back.

        Args:
            replica: one of `replicas()`.

        Raises:
            ContainerError: it does not exist any more.
        """
        self._told(replica, "stop", timeout=_GRACE_S)
        return State.of(self._client.containers.get(replica.id).attrs["State"])

    def start(self, replica: Replica, timeout_s: float = 30.0) -> None:
        """Start a replica that has ended, and have nginx look up where it is now.

        Args:
            replica: one of `replicas()`.
            timeout_s: seconds that it may take to be healthy.

        Raises:
            ContainerError: it does not exist any more, or nginx does not run.
            ProcessNotReadyError: it was not healthy in time, or nginx was not done in time.
        """
        self._told(replica, "start")
        container = self._client.containers.get(replica.id)
        end, event = time.monotonic() + timeout_s, threading.Event()
        while State.of(container.attrs["State"]).health != "healthy":
            if time.monotonic() >= end:
                state = _state(container).told()
                text = f"{replica.name} was not healthy within {timeout_s:g} s: {state}"
                raise ProcessNotReadyError(text, log_tail=_tail(container))
            event.wait(_POLL_S)
            container.reload()
        self._reload(end)

    def wait_ready(self, timeout_s: float) -> None:
        """Return as soon as a replica and Prometheus answer through nginx.

        Args:
            timeout_s: seconds to wait.

        Raises:
            ContainerError: nginx does not run.
            ProcessExitedError: a part has ended.
            ProcessNotReadyError: they do not answer in time.
        """
        wanted = [f"{self.url}/health/ready", f"{self.prometheus_url}/-/ready"]
        end, event = time.monotonic() + timeout_s, threading.Event()
        while not all(map(_answers, wanted)):
            if any(not _state(each).running for each in self._containers()):
                raise ProcessExitedError("a part of the stack has ended", log_tail=self.troubles())
            if time.monotonic() >= end:
                text = f"{' and '.join(wanted)} did not answer within {timeout_s:g} s"
                raise ProcessNotReadyError(text, log_tail=self.troubles())
            event.wait(_POLL_S)

    def troubles(self) -> str:
        """Which parts have ended or are unhealthy, each with the last lines of its log."""
        told = []
        for container in self._containers():
            state = _state(container)
            if not state.running or state.health == "unhealthy":
                told.append(f"{container.name}: {state.told()}\n{_tail(container)}".rstrip())
        return "\n".join(told)

    def close(self, *, drain: bool = True) -> None:
        """Stop and delete all of it. Calling it again does nothing.

        Args:
            drain: whether the parts may finish what they have begun.
        """
        if not (drain or self.closed):
            _remove(self._client, self.project)
        self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._finalizer.alive

    def _containers(self, service: str | None = None) -> list[Any]:
        wanted = [f"{keeper.PROJECT_LABEL}={self.project}"]
        if service is not None:
            wanted.append(f"{_SERVICE}={service}")
        return _listed(self._client, wanted)

    def _nginx(self) -> Any:
        found = [each for each in self._containers(_NGINX) if _state(each).running]
        if not found:
            troubles = self.troubles() or "it is deleted"
            raise ContainerError(f"{self!r} has no nginx that runs: {troubles}")
        return found[0]

    def _published(self, port: int) -> str:
        bound = (self._nginx().ports or {}).get(f"{port}/tcp")
        if not bound:
            raise ContainerError(f"{self!r} has no port for {port}: {self.troubles()}")
        return f"http://127.0.0.1:{bound[0]['HostPort']}"

    def _reload(self, end: float) -> None:
        """Return once none of nginx's workers is one that still knows the old addresses.

        For a moment the old ones accept clients too, and may close a connection before its first
        request: a client that keeps connections open must then ask again.
        """
        nginx, event = self._nginx(), threading.Event()
        before = _workers(nginx)
        told = nginx.exec_run(["nginx", "-e", "stderr", "-s", "reload"])
        if told.exit_code:
            text = f"nginx does not read its file again: {told.output.decode('utf-8', 'replace')}"
            raise ContainerError(text)
        while not (now := _workers(nginx)) or now & before:
            if time.monotonic() >= end:
                text = "nginx had workers with old addresses when the time was over"
                raise ProcessNotReadyError(text, log_tail=_tail(nginx))
            event.wait(_POLL_S)

    def _told(self, replica: Replica, action: str, **options: Any) -> None:
        import docker

        try:
            getattr(self._client.containers.get(replica.id), action)(**options)
        except docker.errors.APIError as error:
            text = f"cannot {action} {replica.name}: {error.explanation}"
            raise ContainerError(f"{text}; see {self!r}.replicas()") from error


def _listed(client: Any, labels: Sequence[str]) -> list[Any]:
    """Containers with all these labels; one may be deleted while the daemon is asked."""
    filters = {"label": list(labels)}
    found: list[Any] = client.containers.list(all=True, filters=filters, ignore_removed=True)
    return found


def _replica(container: Any) -> Replica:
    networks = container.attrs["NetworkSettings"]["Networks"].values()
    address = next((each["IPAddress"] for each in networks if each["IPAddress"]), None)
    return Replica(
        name=f"{_MODEL}-{container.labels[_NUMBER]}",
        id=str(container.id),
        address=f"{address}:{_PORT}" if address else "",
        state=_state(container),
    )


def _state(container: Any) -> State:
    return State.of(container.attrs["State"])


def _workers(nginx: Any) -> set[str]:
    """The processes that serve clients."""
    processes = nginx.top(ps_args="-o pid,args")["Processes"]
    return {pid for pid, title in processes if "worker process" in title}


def _tail(container: Any, lines: int = _TAIL_LINES) -> str:
    import docker

    with suppress(docker.errors.APIError):
        return str(container.logs(tail=lines).decode("utf-8", "replace").rstrip())
    return ""


def _answers(url: str) -> bool:
    try:
        with _opened(url):
            return True
    except (OSError, http.client.HTTPException):
        return False


def _opened(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=_ANSWER_S)  # noqa: S310 - an address of our own


def _let_go(
    client: Any,
    project: str,
    watcher: process.ManagedProcess,
    down: Sequence[str],
    *,
    variables: Mapping[str, str],
    owner: int,
) -> None:
    """End a project; in a fork it is not ours to end."""
    if os.getpid() != owner:
        return
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            down,
            env={**os.environ, **variables},
            capture_output=True,
            timeout=_DOWN_S,
            check=False,
        )
    _remove(client, project)
    watcher.stop()


def _remove(client: Any, project: str) -> None:
    """Delete by label what Compose has left."""
    import docker

    label = f"{keeper.PROJECT_LABEL}={project}"
    for container in _listed(client, [label]):
        with suppress(docker.errors.APIError):
            container.remove(force=True, v=True)
    for network in client.networks.list(filters={"label": label}):
        with suppress(docker.errors.APIError):
            network.remove()
